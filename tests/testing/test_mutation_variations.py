"""What is aimed at a mutant tells it apart from the policy, so that it is not taken for equivalent; and what
cannot be told apart still is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardrails.diagnostics import Span
from guardrails.testing.mutation import Settings, score_of
from guardrails.testing.mutation_operators import Mutant
from guardrails.testing.mutation_variations import aim_of, aimed, guessed, varied
from guardrails.testing.reading import read_suite


@dataclass(frozen=True)
class Seen:
    """A policy, the arguments of the only case of its tests, and a mutant (by what it did) that this case lets
    through: a change of these arguments notices it."""

    policy: str
    args: dict[str, Any]
    what: str


SEEN = {
    "a member of a set, inside a query": Seen(
        'let open = {"orders", "regions"}\non call t { allow when sql.tables(args.q) <= open }',
        {"q": "select * from orders"}, 'without `"regions"`',
    ),
    "a member of a set, inside a line": Seen(
        'let known = {"ls", "wc"}\non call t { allow when shell.programs(args.q) <= known }',
        {"q": "ls -la"}, 'without `"wc"`',
    ),
    "a character that is any": Seen(
        "on call t { allow when args.q matches /ORD-[0-9]{6}/ }", {"q": "ORD-104233"}, "`/ORD-.{6}/`",
    ),
    "a count that is any": Seen(
        "on call t { allow when args.q contains /-[0-9]{3}$/ }", {"q": "A-104"}, "`/-[0-9]+$/`",
    ),
    "an end that is open": Seen(
        "on call t { allow unless lower(args.q) contains /\\.pem$/ }", {"q": "A.PEM"}, "`/\\.pem/`",
    ),
    "the start of a word": Seen(
        "on call t { allow when args.q contains /\\bsue you\\b/ }", {"q": "I sue you"}, "`/sue you\\b/`",
    ),
    "a length": Seen("on call t { allow when length(trim(args.q)) >= 10 }", {"q": "hello world"}, "`11` instead of `10`"),
    "a number and what is beside it": Seen(
        "param most: decimal = 25\non call t { allow when args.n <= most }", {"n": 3}, "`26` instead of `25`",
    ),
    "a field that is not there": Seen(
        "on call t { allow unless args.f else false }", {"f": False}, "`true` instead of `false`",
    ),
}  # fmt: skip


def suite_for(folder: Path, policy: str, args: list[dict[str, Any]]) -> str:
    (folder / "p.guard").write_text(f"policy p\n{policy}\n", encoding="utf-8")
    cases = [
        {"name": str(n), "call": "t", "args": each, "expect": {"applied": []}} for n, each in enumerate(args)
    ]
    path = folder / "p.test.yaml"
    path.write_text(json.dumps({"policy": "p.guard", "cases": cases}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", SEEN)
def test_is_told_apart(name: str, tmp_path: Path) -> None:
    seen = SEEN[name]
    found = score_of([read_suite(suite_for(tmp_path, seen.policy, [seen.args]))], Settings(cache=False))
    fates = {each.mutant.what: each.verdict.fate for each in found.judged}
    assert fates[seen.what] == "survived"


def test_words_of_other_tests_come_in(tmp_path: Path) -> None:
    """That the file is a secret one is only known to another case."""
    policy = (
        "on call t {\n  allow\n"
        '  out: deny when any f in shell.redirects(args.q): f like "*.out" or f like "*.key"\n}'
    )
    path = suite_for(tmp_path, policy, [{"q": "ls > a.txt"}, {"q": "wc b.key c.out"}])
    found = score_of([read_suite(path)], Settings(cache=False))
    dropped = [each.verdict.fate for each in found.judged if each.mutant.operator == "dropped disjunct"]
    assert dropped == ["survived", "survived"]


LABELS = """
on call fetch { allow }
on result fetch { label records }
on call send {
  allow
  asked: ask unless origin(args.to) in {records}
}
"""


def test_a_label_shows_at_a_later_call(tmp_path: Path) -> None:
    """No test sends to an address that was looked up; the case that would notice a label that is gone does, and
    the address comes in before the call."""
    path = suite_for(tmp_path, LABELS, [])
    cases = [
        {
            "name": "fetched",
            "result": "fetch",
            "value": {"address": "eve@evil.test"},
            "expect": {"applied": []},
        },
        {"name": "sent", "call": "send", "args": {"to": "ana@mail.test"}, "expect": {"applied": ["asked"]}},
    ]
    Path(path).write_text(json.dumps({"policy": "p.guard", "cases": cases}), encoding="utf-8")
    found = score_of([read_suite(path)], Settings(cache=False))
    gone = next(each.verdict for each in found.judged if each.mutant.what == "`label records` is gone")
    assert gone.fate == "survived"
    assert "steps:" in gone.case
    asked = next(line for line in gone.case.splitlines() if "call: send" in line)
    address = asked.partition("to: ")[2].partition("}")[0]
    assert address in gone.case.partition("call: send")[0]


def test_what_cannot_be_told_apart_is_equivalent(tmp_path: Path) -> None:
    """Above 4 is above 3 too, and a text of five digits has five of anything."""
    policy = (
        "on call t {\n  allow\n  hot: deny when args.n > 3 and args.n > 4 and args.q matches /[0-9]{5}/\n}"
    )
    path = suite_for(tmp_path, policy, [{"n": 3, "q": "12345"}, {"n": 4, "q": "12345"}])
    fates = {
        each.mutant.what: each.verdict.fate
        for each in score_of([read_suite(path)], Settings(cache=False)).judged
    }
    assert fates["without `args.n > 3`"] == "equivalent"
    assert fates["without `args.n > 4`"] == "killed"


SOURCE = 'on call t { allow when args.q in {"a", "b"} }'
START = SOURCE.index("{", 12)
MUTANT = Mutant("narrowed set", "", Span("p.guard", START, len(SOURCE) - 2, 1, START, 1, START), '({"a"})')
EVENT = {
    "type": "call",
    "tool": "t",
    "args": {"q": "a word", "n": 1, "xs": ["y", {"z": True}]},
    "principal": {"id": "u"},
}


def test_each_differs_in_one_place() -> None:
    aim = aim_of(MUTANT, SOURCE, [EVENT])
    before = json.dumps(EVENT)
    for other in [*aimed(EVENT, aim), *guessed(EVENT, aim, Random("0")), *varied(EVENT)]:
        assert {key for key in EVENT if other[key] != EVENT[key]} <= {"args", "principal"}
        assert (other["type"], other["tool"]) == ("call", "t")
    assert json.dumps(EVENT) == before, "what is varied stays as it was"


def test_the_same_chance_gives_the_same_events() -> None:
    aim = aim_of(MUTANT, SOURCE, [EVENT])
    assert list(guessed(EVENT, aim, Random("0"))) == list(guessed(EVENT, aim, Random("0")))
    assert "b word" in {event["args"].get("q") for event in aimed(EVENT, aim)}
