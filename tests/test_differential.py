"""The reference and the engine give the same decision (law L7): random policies, events aimed at them.

Which of two errors in one statement is met first is not part of the meaning, so kinds of errors are not
compared here; the corpus pins them.
"""

from __future__ import annotations

from typing import Any

import pytest
import reference
import strategies
from hypothesis import HealthCheck, assume, given, settings

from guardrails.errors import PolicyError
from guardrails.guard import Guard
from guardrails.language import syntax
from guardrails.language.parser import parse
from guardrails.language.schema import read_tools
from guardrails.model import Applied, Decision

NOW = 1_767_225_600_000_000
TOOLS = {tool.name: tool for tool in read_tools(strategies.TOOLS, "tools.json")[0]}
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
COMPARED = settings(max_examples=120, deadline=None, suppress_health_check=SLOW)


def trees_of(files: list[tuple[str, str]]) -> list[syntax.File]:
    trees = [parse(text, name)[0] for name, text in files]
    return [tree for tree in trees if tree is not None]


def guard_of(files: list[tuple[str, str]], tools: str | None) -> Guard:
    """The loaded policy; a draw that does not load is passed over."""
    try:
        return Guard.from_text(files, tools=tools)
    except PolicyError:
        assume(False)
        raise


def expected(verdict: reference.Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "applied": verdict.applied,
        "erring": sorted({name for name, _ in verdict.errors}),
        "shadow": verdict.shadow,
        "transforms": verdict.transforms,
        "payload": verdict.payload,
        "obligations": verdict.obligations,
    }


def found(decision: Decision) -> dict[str, Any]:
    return {
        "outcome": str(decision.outcome),
        "applied": lines(decision.applied),
        "erring": sorted({plain(failure.statement) for failure in decision.errors}),
        "shadow": lines(decision.shadow),
        "transforms": tuple(sorted((change.kind, change.paths) for change in decision.transforms)),
        "payload": decision.payload,
        "obligations": tuple(sorted((duty.kind, plain(duty.statement)) for duty in decision.obligations)),
    }


def lines(applied: tuple[Applied, ...]) -> tuple[tuple[str, str, bool], ...]:
    return tuple(sorted((one.label or str(one.place), one.effect, one.kept_by_error) for one in applied))


def plain(statement: str) -> str:
    """`policy.label` without the policy."""
    return statement.rpartition(".")[2] if ":" not in statement else statement


def compare(files: list[tuple[str, str]], event: dict[str, Any], tools: str | None) -> None:
    guard = guard_of(files, tools)
    verdict = expected(reference.decide(trees_of(files), event, tools=TOOLS if tools else {}, now=NOW))
    decision = found(guard.decide(event, now=NOW))
    if verdict["transforms"] and verdict["payload"] is None:
        # The payload is withheld; the engine names one statement as the cause, the reference all of its kind.
        assert bool(decision.pop("erring")) == bool(verdict.pop("erring"))
    # By `repr`, because a payload may hold NaN, which is not equal to itself.
    assert repr(decision) == repr(verdict)


@COMPARED
@given(strategies.policies("typed"), strategies.calls())
def test_calls_of_described_tools(files: list[tuple[str, str]], event: dict[str, Any]) -> None:
    compare(files, event, strategies.TOOLS)


@COMPARED
@given(strategies.policies("untyped"), strategies.calls())
def test_calls_of_tools_that_nobody_described(files: list[tuple[str, str]], event: dict[str, Any]) -> None:
    compare(files, event, None)


@COMPARED
@given(strategies.result_policies(), strategies.results())
def test_results(policy: str, event: dict[str, Any]) -> None:
    compare([("policy.guard", policy)], event, None)


@pytest.mark.soak
@settings(COMPARED, max_examples=5_000)
@given(strategies.policies("typed"), strategies.calls())
def test_calls_for_long(files: list[tuple[str, str]], event: dict[str, Any]) -> None:
    compare(files, event, strategies.TOOLS)
