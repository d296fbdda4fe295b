"""Coverage against counts made by hand: for each policy and its events, how many goals of each kind there are,
how many are met, and every case that is missing, in words."""

from __future__ import annotations

import json
import xml.dom.minidom
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from docs.blocks import ROOT
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Guard
from guardrails.diagnostics import Span
from guardrails.guard import Source
from guardrails.model import Decision
from guardrails.runtime.clock import FrozenClock
from guardrails.state import State
from guardrails.testing.coverage import Coverage, coverage_of, decides, merged, neighbours
from guardrails.testing.coverage_conditions import Branch, Leaf, Logic, leaves_of
from guardrails.testing.coverage_recording import Recorder
from guardrails.testing.coverage_reports import (
    by_line,
    cobertura_report,
    html_report,
    lcov_report,
    text_report,
)
from guardrails.testing.coverage_suites import coverages_of
from guardrails.testing.reading import read_suite
from guardrails.testing.running import making, results_of, source_of

PACKS = sorted(path.parent.name for path in (ROOT / "policies").glob("*/*.test.yaml"))


@dataclass(frozen=True)
class Counted:
    """A policy, calls of the tool `t` as arguments (or whole events), `met of all` by kind, and what is missing."""

    policy: str
    calls: tuple[dict[str, Any], ...]
    counts: dict[str, tuple[int, int]]
    missing: tuple[str, ...] = ()


COUNTED = {
    "nothing was asked": Counted(
        "on call t { go: allow }", (), {"statement": (0, 1)}, ("no test is one that `go` applies to",)
    ),
    "an allow without a condition has one goal": Counted(
        "on call t { go: allow }", ({},), {"statement": (1, 1)}
    ),
    "a condition of one part": Counted(
        "on call t { go: allow when args.a }",
        ({"a": True},),
        {"statement": (1, 2), "condition": (1, 2)},
        ("no test is one that `go` does not apply to", "no test has not `args.a`"),
    ),
    "an error is no test of the condition": Counted(
        "on call t { no: deny when args.a }",
        ({}, {"a": 1}),
        {"statement": (0, 2), "condition": (0, 2)},
        (
            "no test is one that `no` applies to", "no test is one that `no` does not apply to",
            "no test has `args.a`", "no test has not `args.a`",
        ),
    ),
    # (true, true) decides for both; (false, -) only for the first: the second was not asked.
    "and": Counted(
        "on call t { go: allow when args.a and args.b }",
        ({"a": True, "b": True}, {"a": False, "b": False}),
        {"statement": (2, 2), "condition": (3, 4)},
        ("no test has not `args.b` with `args.a`",),
    ),
    # (false, true) decides for the second; (true, -) for the first; nothing shows them both false.
    "or": Counted(
        "on call t { go: allow when args.a or args.b }",
        ({"a": True, "b": False}, {"a": False, "b": True}),
        {"statement": (1, 2), "condition": (2, 4)},
        (
            "no test is one that `go` does not apply to",
            "no test has not `args.a` with not `args.b`",
            "no test has not `args.b` with not `args.a`",
        ),
    ),
    # a=true makes the left side true, so the whole is c; then b is never asked, and c decides with false once.
    "nested, where one part hides another": Counted(
        "on call t { go: allow when (args.a or args.b) and args.c }",
        ({"a": True, "b": True, "c": True}, {"a": True, "b": True, "c": False}),
        {"statement": (2, 2), "condition": (3, 6)},
        (
            "no test has not `args.a` with not `args.b`",
            "no test has `args.b` with `args.c` and not `args.a`",
            "no test has not `args.b` with not `args.a`",
        ),
    ),
    "unless is a decision of its own": Counted(
        "on call t { go: allow when args.a unless args.b }",
        ({"a": True, "b": False}, {"a": True, "b": True}),
        {"statement": (2, 2), "condition": (3, 4)},
        ("no test has not `args.a`",),
    ),
    "a block's condition is one of each of its statements": Counted(
        "on call t when args.a {\n  one: allow\n  two: flag big when args.n > 5\n}",
        ({"a": True, "n": 9}, {"a": True, "n": 1}),
        # statements: `one` fires but is never passed by (1 of 2), `two` does both; `args.a` is only true, twice.
        {"statement": (3, 4), "condition": (4, 6)},
        ("no test is one that `one` does not apply to", "no test has not `args.a`", "no test has not `args.a`"),
    ),
    "require": Counted(
        "on call t {\n  allow\n  sane: require not (args.a and args.b)\n}",
        ({"a": False, "b": True}, {"a": True, "b": True}),
        {"statement": (3, 3), "condition": (3, 4)},
        ("no test has not `args.b` with `args.a`",),
    ),
    "rows of a threshold": Counted(
        "on call t {\n  size: threshold args.n {\n    up to 1: allow\n    up to 2: ask\n    above: deny\n  }\n}",
        ({"n": 1}, {"n": 5}),
        {"row": (2, 3)},
        ("no test reaches `up to 2: ask`",),
    ),
    "the body of a quantifier": Counted(
        "on call t { go: allow when all x in args.xs: x == 1 or x == 2 }",
        ({"xs": [1, 1]}, {"xs": [3]}),
        {"statement": (2, 2), "condition": (5, 6)},
        ("no element has `x == 2` with not `x == 1`",),
    ),
    "the condition of elements": Counted(
        "on call t { go: allow when count(x in args.xs where x > 1) == 0 }",
        ({"xs": [0]},),
        {"statement": (1, 2), "condition": (2, 4)},
        (
            "no test is one that `go` does not apply to",
            "no test has not `count(x in args.xs where x > 1) == 0`",
            "no element has `x > 1`",
        ),
    ),
    "a parameter is no condition": Counted(
        "param strict: bool = true\non call t { go: allow when strict and args.a }",
        ({"a": True}, {"a": False}),
        {"statement": (2, 2), "condition": (2, 2)},
    ),
    "a limit lets through and refuses": Counted(
        "on call t {\n  allow\n  few: limit 2 per 1d\n}",
        ({}, {}),
        {"statement": (1, 1), "limit": (1, 2)},
        ("no test is refused by `few`",),
    ),
    "a limit that refused": Counted(
        "on call t {\n  allow\n  few: limit 1 per 1d\n}", ({}, {}), {"statement": (1, 1), "limit": (2, 2)}
    ),
    "shadow statements count as well": Counted(
        "on call t {\n  allow\n  trial: shadow deny when args.a\n}",
        ({"a": True}, {"a": False}),
        {"statement": (3, 3), "condition": (2, 2)},
    ),
    # Of two orders the first is another one and is not asked further; the second is asked for its amount.
    "a quantifier in a question about the past": Counted(
        "on call t { go: allow unless seen(result g where any o in result: o.id == args.id and o.n >= args.n) }",
        (
            {"type": "result", "tool": "g", "result": [{"id": "b", "n": 9}, {"id": "a", "n": 3}]},
            {"id": "a", "n": 3}, {"id": "a", "n": 4},
        ),
        {"statement": (2, 2), "condition": (8, 8)},
    ),
    "what came into the session": Counted(
        "on result g { label untrusted }\non call t { go: allow unless context has untrusted }",
        ({}, {"type": "result", "tool": "g", "result": "Ring Mrs Blackwood at once."}),
        {"statement": (2, 3), "condition": (1, 2)},
        ("no test has `context has untrusted`", "no test is one that `go` does not apply to"),
    ),
    "where a value came from": Counted(
        "on call t { go: allow when origin(args.to) in {user} and args.n == 1 }",
        (
            {"type": "input", "text": "Write to bob@mail.test."},
            {"to": "bob@mail.test", "n": 1}, {"to": "eve@mail.test", "n": 1},
        ),
        {"statement": (2, 2), "condition": (3, 4)},
        ("no test has not `args.n == 1` with `origin(args.to) in {user}`",),
    ),
    # The first row is pressed, the second is not ours: nothing shows a row of ours that is not.
    "the rows of a label": Counted(
        "on call t { ask when context has secret }\ntype label { secret }\n"
        "on result g { public: label records where row.ours and row.press }",
        ({}, {"type": "result", "tool": "g", "result": [{"ours": True, "press": True}, {"ours": False}]}),
        {"statement": (2, 3), "condition": (4, 6)},
        (
            "no test has `context has secret`", "no test has not `row.press` with `row.ours`",
            "no test is one that `ask` applies to",
        ),
    ),
    "a flow": Counted(
        "on result g { label confidential }\non call t { allow }\n"
        'flow confidential to call t only when args.to == "us" because "Not out of the house."',
        (
            {"to": "us", "body": "Hello"},
            {"type": "result", "tool": "g", "result": "The settlement with Blackwood Partners"},
            {"to": "us", "body": "The settlement with Blackwood Partners"},
        ),
        {"statement": (3, 4), "condition": (3, 4)},
        ('no test has not `args.to == "us"`', "no test is one that `flow` applies to"),
    ),
    "a flow of two labels": Counted(
        "on result g { label confidential }\non call t { allow }\nflow confidential, untrusted to call t",
        ({"body": "The settlement with Blackwood Partners"},),
        {"statement": (2, 4), "condition": (2, 4)},
        (
            "no test has `origin(args) has confidential`",
            "no test has `origin(args) has untrusted` with not `origin(args) has confidential`",
            "no test is one that `flow` applies to", "no test is one that `label` applies to",
        ),
    ),
    # Its session calls what it may, and another tool; one call in it is not asked for what the block asks.
    "a task": Counted(
        "on call t, u { allow }\n"
        "task sort(most: decimal) {\n  only call t\n"
        "  on call t when args.n > 1 {\n    value: require args.n <= most\n    no: deny when args.bad\n  }\n}",
        (
            {"n": 9, "bad": True},
            {"type": "call", "tool": "u", "args": {}, "session": {"id": "s", "task": "sort", "given": {"most": 5}}},
            {"type": "call", "tool": "t", "args": {"n": 2, "bad": False},
                "session": {"id": "s", "task": "sort", "given": {"most": 5}}},
        ),
        # `allow`; `only call` applies to `u`, which nobody calls outside of the task; `value` is passed and not
        # failed; `no` rests and never applies.
        {"statement": (4, 7), "condition": (4, 8)},
        (
            "no test is one that `only call` does not apply to",
            "no test fails `value`", "no test has not `args.n <= most`", "no test is one that `no` applies to",
            "no test has `args.bad`",
            "no test has not `args.n > 1` with `task sort`", "no test has not `args.n > 1` with `task sort`",
        ),
    ),
}  # fmt: skip


def covered(policy: str, calls: tuple[dict[str, Any], ...], *, ask_why: bool = False) -> Coverage:
    """The coverage of a policy by calls of one session."""
    source = Source(["p.guard"], {}, {}, {"p.guard": policy})
    recorder = Recorder()
    loaded = recorder.load(["p.guard"], read={"p.guard": policy}.__getitem__)
    assert loaded.program is not None, loaded.diagnostics
    guard = recorder.guard(Guard(loaded.program, clock=FrozenClock(0), source=source, state=State("memory:")))
    for each in calls:
        event = {"session": "s", **each} if "type" in each else None
        decision = guard.decide(event or {"type": "call", "tool": "t", "args": each, "session": "s"})
        assert decision.denial is not None or decision.allowed or not ask_why
    return coverage_of(recorder)


@pytest.mark.parametrize("name", COUNTED)
def test_counts_made_by_hand(name: str) -> None:
    counted = COUNTED[name]
    coverage = covered(counted.policy, counted.calls)
    kinds = {goal.kind for goal in coverage.goals}
    found = {k: (sum(g.is_met for g in coverage.of(kind=k)), len(coverage.of(kind=k))) for k in kinds}
    assert found == counted.counts
    assert sorted(goal.missing for goal in coverage.missing) == sorted(counted.missing)


def test_percent_is_rounded_down() -> None:
    coverage = covered("on call t { go: allow when args.a and args.b }", ({"a": True, "b": True},))
    # 3 of 6: applied, and each condition decided once by being true.
    assert coverage.percent == 50.0
    assert merged([coverage] * 3).percent == 50.0
    assert covered("on call t { go: allow when args.a }", ()).percent == 0.0


def test_a_question_of_a_denial_is_no_test() -> None:
    """What would be allowed instead is asked of the same engine, and shows nothing of the tests."""
    policy = "on call t {\n  size: threshold args.n {\n    up to 10: allow\n    above: deny\n  }\n}"
    coverage = covered(policy, ({"n": 11},), ask_why=True)
    assert [goal.missing for goal in coverage.missing] == ["no test reaches `up to 10: allow`"]


# --- the definition, against what it means ------------------------------------------------------

NOWHERE = Span("p", 0, 0, 1, 1, 1, 1)


def _numbered(shape: Any, count: list[int]) -> Logic:
    if shape == "leaf":
        count[0] += 1
        return Leaf(count[0] - 1, NOWHERE, is_constant=False)
    op, parts = shape
    return Branch(op, tuple(_numbered(part, count) for part in parts))


shapes = st.recursive(
    st.just("leaf"),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("not"), st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=6,
)


def _run(logic: Logic, given_values: tuple[bool, ...], seen: dict[int, bool]) -> bool:
    """Evaluate from left to right, as far as needed; `seen` holds what was asked."""
    if isinstance(logic, Leaf):
        seen[logic.number] = given_values[logic.number]
        return given_values[logic.number]
    if logic.op == "not":
        return not _run(logic.parts[0], given_values, seen)
    ending = logic.op == "or"
    return next((ending for part in logic.parts if _run(part, given_values, seen) is ending), not ending)


@given(shapes)
def test_a_condition_decides_when_the_other_value_changes_the_whole(shape: Any) -> None:
    """For every assignment: a leaf that decides would have changed the outcome by itself, and one that was
    asked, does not decide and has nothing left unasked beside it, would not."""
    logic = _numbered(shape, [0])
    leaves = list(leaves_of(logic))
    for values in product((False, True), repeat=len(leaves)):
        seen: dict[int, bool] = {}
        result = _run(logic, values, seen)
        vector = tuple(seen.get(leaf.number) for leaf in leaves), result
        for leaf in leaves:
            value = values[leaf.number]
            flipped = tuple(not v if i == leaf.number else v for i, v in enumerate(values))
            if decides(logic, vector, leaf, value=value):
                others = [
                    _run(logic, tuple(flipped[i] if i in seen else free for i, free in enumerate(rest)), {})
                    for rest in product((False, True), repeat=len(leaves))
                ]
                assert (not result) in others
            if len(seen) == len(leaves) and leaf.number in seen:
                changes = _run(logic, flipped, {}) is not result
                assert changes is decides(logic, vector, leaf, value=value)


@given(shapes)
def test_the_missing_case_in_words_is_one_that_decides(shape: Any) -> None:
    logic = _numbered(shape, [0])
    leaves = list(leaves_of(logic))
    for leaf, value in product(leaves, (False, True)):
        wanted = neighbours(logic, leaf, value=value)
        for values in product((False, True), repeat=len(leaves)):
            if values[leaf.number] is value and all(_run(part, values, {}) is want for part, want in wanted):
                seen: dict[int, bool] = {}
                result = _run(logic, values, seen)
                vector = tuple(seen.get(each.number) for each in leaves), result
                assert decides(logic, vector, leaf, value=value)


# --- reports -----------------------------------------------------------------------------------

POLICY = 'policy p\non call t {\n  go: allow when args.a == "<b>" and args.b\n  no: deny when args.n > 3\n}\n'


@pytest.fixture
def coverage() -> Coverage:
    return covered(POLICY, ({"a": "<b>", "b": True, "n": 1}, {"a": "<b>", "b": False, "n": 1}))


def test_text_names_the_case(coverage: Coverage) -> None:
    assert text_report(coverage) == (
        "p.guard: 70.0% (7 of 10)\n"
        "  statements 3 of 4, conditions 4 of 6\n"
        "  p.go (line 3)\n"
        '    no test has not `args.a == "<b>"`\n'
        "  p.no (line 4)\n"
        "    no test is one that `no` applies to\n"
        "    no test has `args.n > 3`\n"
    )


def test_lcov(coverage: Coverage) -> None:
    lines = lcov_report(coverage).splitlines()
    assert lines[:2] == ["TN:", "SF:p.guard"]
    assert sum(line.startswith("BRDA:") for line in lines) == len(coverage.goals)
    assert {"BRF:10", "BRH:7", "LF:2", "LH:2"} <= set(lines)
    assert lines[-1] == "end_of_record"


def test_cobertura(coverage: Coverage) -> None:
    root = xml.dom.minidom.parseString(cobertura_report(coverage)).documentElement
    assert root.getAttribute("branches-covered") == "7"
    assert [line.getAttribute("condition-coverage") for line in root.getElementsByTagName("line")] == [
        "83% (5/6)", "50% (2/4)",
    ]  # fmt: skip


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_html_needs_no_other_file_and_shows_the_source(coverage: Coverage) -> None:
    page = _Page()
    page.feed(html_report(coverage))
    assert page.links == []
    assert set(POLICY.splitlines()) <= set(page.texts)
    assert {goal.missing for goal in coverage.missing} <= set(page.texts)


def test_lines_hold_every_goal(coverage: Coverage) -> None:
    assert sum(map(len, by_line(coverage, "p.guard").values())) == len(coverage.goals)


# --- test files --------------------------------------------------------------------------------


def test_suites_of_one_policy_count_together(tmp_path: Path) -> None:
    (tmp_path / "p.guard").write_text("on call t { go: allow when args.a }\n", encoding="utf-8")
    for name in ("true", "false"):
        text = json.dumps({
            "policy": "p.guard",
            "cases": [{"name": name, "call": "t", "args": {"a": name == "true"}, "expect": {"errors": []}}],
        })  # fmt: skip
        (tmp_path / f"{name}.test.yaml").write_text(text, encoding="utf-8")
    suites = [read_suite(str(tmp_path / f"{name}.test.yaml")) for name in ("true", "false")]
    together = coverages_of([suites], lambda suite, case: True)
    apart = coverages_of([[suite] for suite in suites], lambda suite, case: True)
    none = coverages_of([suites], lambda suite, case: False)
    assert [c.percent for c in (*together, *apart, *none)] == [100.0, 50.0, 50.0, 0.0]


def _said(decision: Decision) -> tuple[Any, ...]:
    errors = [(error.statement, error.kind, error.message) for error in decision.errors]
    parts = (decision.applied, decision.shadow, decision.transforms, decision.obligations, decision.approvals)
    return decision.outcome, parts, decision.payload, decision.policy, decision.message, errors


@pytest.mark.parametrize("pack", PACKS)
def test_recording_changes_no_decision(pack: str) -> None:
    """The cases of the packs come out the same, decision by decision, with and without probes; only the place of
    an error may be a smaller part of its condition. Of events that come all at once it is chance which decision
    is told first."""
    suite = read_suite(str(ROOT / "policies" / pack / f"{pack}.test.yaml"))
    alone = [case for case in suite.cases if all(step.parallel == 1 for step in case.steps)]
    suite = replace(suite, cases=tuple(alone))  # of what happens at once, who comes first is chance
    recorder, source = Recorder(), source_of(suite)
    loaded = recorder.load(source.paths, params=source.params, functions=source.functions)
    assert loaded.program is not None
    make = making(suite, source, loaded.program)
    told: dict[bool, list[Decision]] = {False: [], True: []}
    plain = list(results_of(suite, watch=lambda _, decision: told[False].append(decision)))
    recorded = list(
        results_of(
            suite, make=lambda: recorder.guard(make()), watch=lambda _, decision: told[True].append(decision)
        )
    )
    assert [(r.case, r.status) for r in recorded] == [(r.case, r.status) for r in plain]
    assert sorted(repr(_said(each)) for each in told[True]) == sorted(
        repr(_said(each)) for each in told[False]
    )
    assert not any(result.is_bad for result in recorded)
    assert coverage_of(recorder).percent > 80


def test_a_file_in_use_of_another_is_covered_too(tmp_path: Path) -> None:
    (tmp_path / "base.guard").write_text("policy base\non call t { never: deny when args.a }\n", "utf-8")
    (tmp_path / "p.guard").write_text('policy p\nuse "base.guard"\non call t { go: allow }\n', "utf-8")
    case = {"name": "a", "call": "t", "args": {"a": True}, "expect": "deny"}
    (tmp_path / "p.test.yaml").write_text(json.dumps({"policy": "p.guard", "cases": [case]}), "utf-8")
    (coverage,) = coverages_of([[read_suite(str(tmp_path / "p.test.yaml"))]], lambda suite, case: True)
    assert [Path(file).name for file in coverage.files] == ["base.guard", "p.guard"]
    assert [goal.missing for goal in coverage.missing] == [
        "no test is one that `never` does not apply to",
        "no test has not `args.a`",
    ]
