"""Schemas of outputs and results through the engine: every violation with its place, and exact values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrails import Guard, Outcome, PolicyError

SCHEMA = """{"type": "object", "required": ["id", "lines"], "additionalProperties": false, "properties": {
  "id": {"type": "string", "pattern": "^o-"}, "price": {"type": "number", "maximum": 0.1},
  "lines": {"type": "array", "maxItems": 30, "items": {"type": "object", "required": ["n"],
    "properties": {"n": {"type": "integer"}, "a/b": {"type": "string"}}}}}}"""
POLICY = 'on output {{ shape: schema "s.json"\n{} }}\non result read {{ schema "s.json" }}'

Made = Callable[[str], Guard]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def guard(more: str = "") -> Guard:
        (tmp_path / "s.json").write_text(SCHEMA)
        (tmp_path / "p.guard").write_text(POLICY.format(more))
        return Guard.load(tmp_path / "p.guard")

    return guard


VIOLATIONS = [
    ({"id": "o-1", "lines": []}, []), ({"id": "o-1"}, ["`/`: 'lines' is a required property"]),
    ({"id": "x", "lines": [{}]}, ["`/id`: 'x' does not match '^o-'", "`/lines/0`: 'n' is a required property"]),
    ({"id": "o-1", "lines": [{"n": 1}, {"n": "2"}]}, ["`/lines/1/n`: '2' is not of type 'integer'"]),
    ({"id": "o-1", "lines": [{"n": 1, "a/b": 3}]}, ["`/lines/0/a~1b`: 3 is not of type 'string'"]),
    ({"id": "o-1", "lines": [], "price": 0.1}, []),
    ({"id": "o-1", "lines": [], "price": 0.11}, ["`/price`: 0.11 is greater than the maximum of 0.1"]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "told"), VIOLATIONS)
def test_violations_are_told_with_their_places(made: Made, value: Any, told: list[str]) -> None:
    from json import dumps

    session = made("").session()
    for decision in (session.check_output(dumps(value)), session.check_result("read", value)):
        assert decision.outcome is (Outcome.DENY if told else Outcome.ALLOW)
        assert [error.kind for error in decision.errors] == ["schema"] * bool(told)
        message = decision.errors[0].message if told else ""
        assert [part for part in told if part not in message] == []


def test_many_violations_are_counted(made: Made) -> None:
    value = {"id": "o-1", "lines": [{}] * 25}
    message = made("").session().check_result("read", value).errors[0].message
    assert (message.count("required property"), message[-10:]) == (20, "and 5 more")


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"id": 1, "id": 2}', "NaN", "Yes.", '{"id": "o-1"} x'])
def test_what_is_no_json_is_a_violation(made: Made, text: str) -> None:
    decision = made("").session().check_output(text)
    assert (decision.outcome, [error.kind for error in decision.errors]) == (Outcome.DENY, ["schema"])


@pytest.mark.parametrize(
    ("condition", "value", "outcome"),
    [
        ("json.price == 0.1", '0.1', Outcome.DENY), ("json.price > 0.05", "0.05", Outcome.ALLOW),
        ("count(json.lines) > 0", "0.05", Outcome.ALLOW), ('json.id == "o-1"', "0.05", Outcome.DENY),
    ],
)  # fmt: skip
def test_json_is_typed_and_exact(made: Made, condition: str, value: str, outcome: Outcome) -> None:
    text = f'{{"id": "o-1", "lines": [], "price": {value}}}'
    assert made(f"deny when {condition}").session().check_output(text).outcome is outcome


@pytest.mark.parametrize("condition", ["json.idd == 1", "json.id > 1", "json.lines.n == 1"])
def test_a_field_that_the_schema_does_not_have_is_found_early(made: Made, condition: str) -> None:
    with pytest.raises(PolicyError):
        made(f"deny when {condition}")


def test_a_stream_waits_for_its_schema(made: Made) -> None:
    for text, is_fine in (('{"id": "o-1", "lines": []}', True), ('{"id": "o-1"}', False)):
        stream = made("").session().stream_output()
        assert (stream.hold, "".join(map(stream.feed, text))) == (None, "")
        assert (stream.close() == text, stream.denied) == (is_fine, not is_fine)


def test_a_schema_that_is_none_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "p.guard").write_text('on output { schema "s.json" }')
    for text in ('{"type": "obj"}', "{", '{"$ref": "https://example.com/other.json"}'):
        (tmp_path / "s.json").write_text(text)
        try:
            session = Guard.load(tmp_path / "p.guard").session()
        except PolicyError:
            continue
        assert "$ref" in text
        decision = session.check_output("{}")
        assert (decision.outcome, len(decision.errors)) == (Outcome.DENY, 1)


SLOW = "^(a+)+$"


def test_no_text_makes_the_pattern_of_a_schema_slow(tmp_path: Path) -> None:
    """A backtracking engine would look at this for longer than anybody waits."""
    (tmp_path / "s.json").write_text(f'{{"properties": {{"a": {{"pattern": "{SLOW}"}}}}}}')
    (tmp_path / "p.guard").write_text('on output { schema "s.json" }')
    decision = Guard.load(tmp_path / "p.guard").session().check_output(f'{{"a": "{"a" * 50_000}!"}}')
    assert [error.kind for error in decision.errors] == ["schema"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (f'{{"patternProperties": {{"{SLOW}": {{}}}}}}', "may take very long"),
        ('{"items": {"pattern": "(?=a)b"}}', "`(?=a)b`"), ('{"patternProperties": {"(": {}}}', "`(`"),
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_run_in_linear_time_does_not_load(
    tmp_path: Path, schema: str, told: str
) -> None:
    (tmp_path / "s.json").write_text(schema)
    (tmp_path / "p.guard").write_text('on output { schema "s.json" }')
    with pytest.raises(PolicyError) as error:
        Guard.load(tmp_path / "p.guard")
    assert told in str(error.value) or "is not a 'regex'" in str(error.value)


@pytest.mark.parametrize(("name", "outcome"), [("x-a", Outcome.ALLOW), ("y", Outcome.DENY)])
def test_names_by_pattern_and_values_that_look_like_patterns(
    tmp_path: Path, name: str, outcome: Outcome
) -> None:
    schema = """{"patternProperties": {"^x-[a-z]": {"type": "integer"}}, "additionalProperties": false,
                 "properties": {"pattern": {"enum": [{"pattern": "("}]}}}"""
    (tmp_path / "s.json").write_text(schema)
    (tmp_path / "p.guard").write_text('on output { schema "s.json" }')
    assert Guard.load(tmp_path / "p.guard").session().check_output(f'{{"{name}": 1}}').outcome is outcome
