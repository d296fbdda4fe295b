"""What the linter claims about a policy, held against what the engine decides."""

from __future__ import annotations

import json
from typing import Any

import strategies
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from guardrails.errors import PolicyError
from guardrails.guard import Guard
from guardrails.lint import Config, apply_fixes, lint_files, lint_text
from guardrails.lint.policy import Policy
from guardrails.lint.rules.conflicts import shadowed_allow
from guardrails.lint.rules.dead import unreachable_statement
from guardrails.loading import load
from guardrails.model import Decision

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SOME = settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
BOUNDS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """Conditions about two numbers and a word, close enough to each other to be in conflict."""
    part = st.one_of(
        st.builds("args.n {} {}".format, BOUNDS, st.integers(0, 4)),
        st.builds("args.m {} {}".format, BOUNDS, st.integers(0, 2)),
        st.builds("args.kind in {}".format, st.sampled_from(['{"a"}', '{"a", "b"}', '{"c"}'])),
        st.builds("args.kind != {}".format, st.sampled_from(['"a"', '"c"'])),
        st.sampled_from(["args.late", "true", "has args.m"]),
    )
    parts = draw(st.lists(part, min_size=1, max_size=4))
    joined = parts[0]
    for other in parts[1:]:
        joined = f"({joined}) {draw(st.sampled_from(['and', 'and', 'or', 'and not']))} ({other})"
    return joined


EVENTS = [
    {"n": n, "m": m, "kind": kind, "late": late}
    for n in (-1, 0, 0.5, 1, 2, 3, 4, 5)
    for m in (0, 1, 2)
    for kind in ("a", "b", "c", "d")
    for late in (True, False)
]


def decisions(text: str) -> list[Decision]:
    """What the policy says to every combination of values that the conditions can tell apart."""
    guard = Guard.from_text(text)
    return [guard.decide({"type": "call", "tool": "t", "args": args, "principal": {}}) for args in EVENTS]


@SOME
@given(conditions())
def test_an_unreachable_statement_never_applies_and_a_true_condition_always_does(condition: str) -> None:
    found = {each.rule for each in lint_text(f"on call t {{ only: allow when {condition} }}\n").diagnostics}
    outcomes = {str(decision.outcome) for decision in decisions(f"on call t {{ allow when {condition} }}\n")}
    if "unreachable-statement" in found:
        assert outcomes == {"deny"}
    if "and" not in condition and "always-true-condition" in found:
        assert outcomes == {"allow"}


@SOME
@given(conditions(), conditions(), st.sampled_from(["deny when", "require"]))
def test_a_shadowed_grant_never_comes_through(grant: str, restriction: str, effect: str) -> None:
    text = f"on call t {{\n  allow when {grant}\n  {effect} {restriction}\n}}\n"
    found = {each.rule for each in lint_text(text).diagnostics}
    if found & {"shadowed-allow", "contradictory-require"}:
        assert "allow" not in {str(decision.outcome) for decision in decisions(text)}


@SOME
@given(conditions())
def test_a_safe_fix_changes_no_decision(condition: str) -> None:
    text = f"on call t {{ allow when {condition} }}\n"
    report = lint_text(text)
    fixed = apply_fixes(report.texts, report.diagnostics)["policy.guard"]
    before = [str(decision.outcome) for decision in decisions(text)]
    assert [str(decision.outcome) for decision in decisions(fixed)] == before


@SOME
@given(strategies.policies(), st.lists(strategies.calls(), min_size=1, max_size=5))
def test_random_policies(files: list[tuple[str, str]], events: list[dict[str, Any]]) -> None:
    """No rule stumbles, and what is called dead never shows up in a decision."""
    read = dict(files).__getitem__
    lint_files([name for name, _ in files], read=read, config=Config())
    loaded = load([name for name, _ in files], read=read)
    assume(loaded.checked is not None)
    policy = Policy(loaded.sources.units, loaded.sources.texts, loaded.sources.tools, loaded.checked)
    dead = {stated.statement.label for stated in policy.stated if list(unreachable_statement(stated))}
    spans = {found.span for found in shadowed_allow(policy)}
    shadowed = {stated.statement.label for stated in policy.enforced if stated.statement.span in spans}
    for decision in map(_guard(files).decide, events):
        applied = {each.label for each in decision.applied if not each.kept_by_error}
        assert not applied & dead
        assert not (applied & shadowed and str(decision.outcome) == "allow")


def _guard(files: list[tuple[str, str]]) -> Guard:
    try:
        return Guard.from_text(files)
    except PolicyError:
        assume(False)
        raise


@SOME
@given(st.text(alphabet=st.sampled_from(list('onclat {}()[]"=<>#:,.-guard ignore\n/5')), max_size=200))
def test_any_text_gives_a_report(text: str) -> None:
    report = lint_text(text, json.dumps({"tools": []}))
    assert all(found.message and found.code for found in report.diagnostics)
