"""The quick reader gives what the strict one gives, or leaves it to it: never a value that the strict one refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.errors import GuardError
from guardrails.server.quick_json import MOST, UNSURE, quick_json
from guardrails.strict_json import read_json

pytest.importorskip("orjson")

NAMES = st.sampled_from(["a", "b", "a:", '"', '":', "\n", "é", "\ud83d", "ключ", "n\\"])
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES
    | st.text(max_size=6)
)
VALUES = st.recursive(
    PLAIN, lambda of: st.lists(of, max_size=4) | st.dictionaries(NAMES, of, max_size=4), max_leaves=12
)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : "), (",", "\t:"), (",", "\r\n: ")])


PIECES = [
    '{"a"', '"a"', '"b', ":", " ", "\n", "{", "}", "[", "]", ",", "1", "-0", "1e400", "1.5", "NaN", "01",
    "18446744073709551616", "null", '\\"', "\\ud800", "\ufeff", "\t", "\x00", "é", "Infinity",
]  # fmt: skip


def strict(data: bytes) -> Any:
    try:
        return read_json(data.decode())
    except (GuardError, UnicodeDecodeError):
        return UNSURE


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same kinds: 1 is not 1.0 here."""
    return repr(one) == repr(other)


def compared(data: bytes) -> None:
    found = quick_json(data)
    if found is not UNSURE:
        assert same(found, strict(data)), data


@given(VALUES, SPACES, st.booleans())
@settings(max_examples=400)
def test_it_reads_what_the_strict_reader_reads(value: Any, spaces: tuple[str, str], ascii: bool) -> None:  # noqa: FBT001
    text = json.dumps(value, separators=spaces, ensure_ascii=ascii)
    compared(text.encode("utf-8", "surrogatepass"))


@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=12,
    )
)
@example(['{"a"', " ", ":", "1", ",", '"a"', ":", "1", "}"])
@settings(max_examples=1500)
def test_pieces_of_json_in_any_order(parts: list[str]) -> None:
    compared("".join(parts).encode())


TWICE = [
    '{"a":1,"a":2}',
    '{"a" :1,"a":2}',
    '{"a":1,"a"\n:2}',
    '{"a":1,"a"\t:2}',
    '{"a":1,"a"\r:2}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"a":1,"a":1}}]',
    '{"a": {"x": 1}, "a": {"x": 1}}',
]


@pytest.mark.parametrize("text", TWICE)
def test_a_name_that_stands_twice_is_never_passed_over(text: str) -> None:
    assert quick_json(text.encode()) is UNSURE


@pytest.mark.parametrize(
    "text",
    ["1" * 1_001, "1." + "0" * 1_001, "[" * 101 + "]" * 101, str(2**64), str(-(2**64)), "NaN", "1e999", ""],
)
def test_what_it_does_not_vouch_for(text: str) -> None:
    assert quick_json(text.encode()) is UNSURE


def test_plain_events_are_read_by_it() -> None:
    event = {
        "type": "call",
        "tool": "x",
        "args": {"url": "https://a.example/b", "n": [1, 2.5, None]},
        "session": "s:1",
    }
    for text in (json.dumps(event), json.dumps(event, separators=(",", ":"))):
        assert quick_json(text.encode()) == event
    assert quick_json(b" " * MOST + b"1") is UNSURE
