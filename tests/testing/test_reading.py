"""Test files as they are read: every mistake of `data/malformed.txt` has its message and place, and the published
schema refuses it as well, where a schema can see it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guardrails.testing import shapes
from guardrails.testing.reading import CASE_KEYS, SuiteError, read_suite, suite_files, suite_of
from guardrails.testing.reading_steps import STEPS
from guardrails.testing.reading_wants import EXPECTED
from guardrails.testing.yaml_tree import parse_yaml

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "guardrails/testing/schema.json").read_text(encoding="utf-8"))
BLIND = " (schema allows)"


def malformed() -> list[tuple[str, str, str]]:
    """`(name, text of the file, what is said)`."""
    blocks = (DATA / "malformed.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return [(name, *body.split("---\n", 1)) for name, _, body in (block.partition("\n") for block in blocks)]


def by_schema(text: str) -> list[str]:
    root, _ = parse_yaml(text, "x")
    assert root is not None
    errors = jsonschema.Draft202012Validator(SCHEMA).iter_errors(root.plain())
    return [error.message for error in errors]


@pytest.mark.parametrize(("name", "text", "said"), malformed(), ids=[name for name, _, _ in malformed()])
def test_mistakes_have_a_message_and_a_place(name: str, text: str, said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        suite_of(text, "x.test.yaml")
    found = [
        f"{each.span.line}:{each.span.column} {each.message}{f'; {each.help}' if each.help else ''}"
        for each in caught.value.diagnostics
    ]
    assert sorted(found) == sorted(said.strip().splitlines())


BY_SCHEMA = [(name, text) for name, text, _ in malformed() if not name.endswith(BLIND)]


@pytest.mark.parametrize(("name", "text"), BY_SCHEMA, ids=[name for name, _ in BY_SCHEMA])
def test_the_schema_refuses_what_it_can_see(name: str, text: str) -> None:
    if name in (
        "a name twice",
        "a fixture that is not there",
        "nothing asserted",
        "nothing asserted by steps",
    ):
        assert by_schema(text) == [], "if a schema could see this now, take it off this list"
    else:
        assert by_schema(text) != []


FILES = [*sorted(DATA.glob("*.yaml")), *sorted(ROOT.glob("policies/*/*.test.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_schema_takes_what_is_right(path: Path) -> None:
    read_suite(str(path))
    assert by_schema(path.read_text(encoding="utf-8")) == []


def test_the_schema_has_the_keys_of_the_reader() -> None:
    definitions = SCHEMA["$defs"]
    assert definitions["expect"]["anyOf"][1]["properties"].keys() == EXPECTED.keys()
    for kind, known in STEPS.items():
        assert definitions[f"step_{kind}"]["properties"].keys() == known.keys(), kind
        assert set(CASE_KEYS) - {"steps"} <= definitions[f"case_{kind}"]["properties"].keys()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("on", "on"), ("true", True), ("null", None), ("~", None), ("12", 12), ("012", "012"),
        ("1:30", "1:30"), ("0x10", "0x10"), ("1_000", "1_000"), ("2026-01-01", "2026-01-01"), ("-0.5", -0.5),
        ("1e3", 1000.0), ("0.1", 0.1), ("'5'", "5"), (".inf", ".inf"),
        ("0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
        ("1e400", Decimal("1e400")), ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)  # fmt: skip
def test_scalars_mean_what_they_mean_in_json(written: str, value: Any) -> None:
    root, found = parse_yaml(f"a: {written}\n", "x")
    assert root is not None
    assert found == []
    plain = root.plain()["a"]
    assert (plain, plain.__class__) == (value, value.__class__)


def test_a_row_gives_values_with_their_types_and_texts() -> None:
    suite = suite_of(
        "policy: p.guard\ncases:\n  - name: n ${a}\n    call: t\n    args: {a: '${a}', b: 'x ${a} ${b}'}\n"
        "    expect: allow\n    table: [{a: 1.5, b: true}, {a: [c], b: d}]\n",
        "x.test.yaml",
    )  # fmt: skip
    assert [case.steps[0].value["args"] for case in suite.cases] == [
        {"a": 1.5, "b": "x 1.5 true"},
        {"a": ["c"], "b": 'x ["c"] d'},
    ]
    assert suite.cases[0].name == "n 1.5"


def test_durations_and_moments_are_exact() -> None:
    found = shapes.Problems()
    root, _ = parse_yaml("a: 1d 1.5h\nb: 1970-01-01T01:00:00.000001+01:00\n", "x")
    assert root is not None
    day, instant = root.pairs[0][1], root.pairs[1][1]
    assert shapes.duration(found, day) == 86_400_000_000 + 5_400_000_000
    assert shapes.moment(found, instant) == 1
    assert found.found == []


def test_test_files_are_found_under_folders_once_and_not_in_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.test.yaml", "a/a.test.yaml", ".git/c.test.yaml", "a/other.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = suite_files([str(tmp_path), str(tmp_path / "b.test.yaml")])
    assert [Path(each).relative_to(tmp_path).as_posix() for each in found] == ["a/a.test.yaml", "b.test.yaml"]
    with pytest.raises(FileNotFoundError):
        suite_files([str(tmp_path / "no.test.yaml")])
