"""Strict JSON: the fast reader gives and refuses exactly what the careful one does."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.json_positions import JsonError, parse_json
from guardrails.strict_json import read_json, write_json

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def outcome(read: Any, text: str) -> Any:
    """The value (with the types of its numbers), or the mistake and its place."""
    try:
        return repr(read(text))
    except JsonError as error:
        return (error.message, error.extent, error.pointer)


@given(values)
def test_reads_what_others_write(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert outcome(read_json, text) == outcome(lambda text: parse_json(text)[0], text)


@given(st.text(alphabet='{}[]",:\\\\u0dDaEe1.+- \n\tNnulltrue\ud800é'))
def test_refuses_what_the_careful_reader_refuses(text: str) -> None:
    assert outcome(read_json, text) == outcome(lambda text: parse_json(text)[0], text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1 2", "NaN", "Infinity", "-Infinity", "1e999", '{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]',
        '"\\ud800"', '"\\uD83D\\uDE00"', '"\ud800"', "1" * 1_001, "1" * 1_000, "0." + "1" * 1_000, "\ufeff1", "\xa01",
        "[" * 101 + "]" * 101, "[" * 102 + "]" * 102, "[" * 100_000, '{"a":' * 5_000, '"\t"', "'a'", "[1,]", "01",
        "[" + "{}," * 200 + "1]", "1.0", "-0", "1E5",
    ],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_the_edges(text: str) -> None:
    assert outcome(read_json, text) == outcome(lambda text: parse_json(text)[0], text)


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    text = write_json(value)
    assert text.isascii()
    assert "\n" not in text
    assert repr(json.loads(text)) == repr(value)


def test_writes_what_json_has_no_word_for() -> None:
    assert write_json({"a": Decimal("1.10"), "b": frozenset({"y", "x"}), "c": (1, 2)}) == (
        '{"a": "1.10", "b": ["x", "y"], "c": [1, 2]}'
    )


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_never_writes_what_is_not_json(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(value)


def test_a_mistake_is_placed_without_the_json_module() -> None:
    import subprocess
    import sys

    code = (
        "from guardrails.json_positions import JsonError\n"
        "from guardrails.strict_json import read_json\n"
        "import sys\n"
        "sys.modules.pop('json', None); sys.modules.pop('json.decoder', None)\n"
        "for text in ('{', '{\"a\": 1,, }', '[1', 'nope', ''):\n"
        "    try:\n"
        "        read_json(text)\n"
        "    except JsonError:\n"
        "        print('placed')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["placed"] * 5
