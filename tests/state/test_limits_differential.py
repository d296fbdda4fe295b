"""Random policies with limits over random days: the engine and its store give what a book of all charges
gives (law L7), in whatever order the policy is written (law L1), and never more for a broken event (law L2)."""

from __future__ import annotations

import copy
from typing import Any

import counted_policies as drawn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.counting import Book
from test_differential import COMPARED, expected, guard_of, lines, plain, trees_of
from test_laws import shuffled

from guardrails.guard import Guard
from guardrails.language.formatter import format_file
from guardrails.language.schema import read_tools
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock

TOOLS = {tool.name: tool for tool in read_tools(drawn.TOOLS, "tools.json")[0]}
Files = list[tuple[str, str]]


def found(decision: Decision) -> dict[str, Any]:
    return {
        "outcome": str(decision.outcome),
        "applied": lines(decision.applied),
        "erring": sorted({plain(failure.statement) for failure in decision.errors}),
        "shadow": lines(decision.shadow),
        "obligations": tuple(sorted((duty.kind, plain(duty.statement)) for duty in decision.obligations)),
    }


def in_book(verdict: Any) -> dict[str, Any]:
    every = expected(verdict)
    return {name: every[name] for name in ("outcome", "applied", "erring", "shadow", "obligations")}


def decided(guard: Guard, event: dict[str, Any], *, as_data: bool) -> Decision:
    """As an event, or in a session of its name."""
    if as_data:
        return guard.decide(event)
    session = guard.session(principal=event["principal"], id=event["session"])
    return session.check_call(event["tool"], event["args"])


def run(guard: Guard, day: list[drawn.Step], *, as_data: bool = False) -> list[dict[str, Any]]:
    clock = guard.clock = FrozenClock(drawn.NOW)
    granted: list[Decision] = []
    answers = []
    for step in day:
        clock.advance(step.wait)
        if step.event is not None:
            granted.append(decided(guard, step.event, as_data=as_data))
            answers.append(found(granted[-1]))
        elif len(granted) >= step.back and granted[-step.back].reservation:
            guard.session().release(granted[-step.back])
    return answers


def in_book_too(book: Book, day: list[drawn.Step]) -> list[dict[str, Any]]:
    now, answers = drawn.NOW, []
    for step in day:
        now += step.wait
        if step.event is not None:
            answers.append(in_book(book.decide(step.event, now)))
        elif step.back <= book.events:
            book.give_back(book.events + 1 - step.back, now)
    return answers


def compare(files: Files, day: list[drawn.Step], *, as_data: bool) -> None:
    guard = guard_of(files, drawn.TOOLS)
    assert run(guard, day, as_data=as_data) == in_book_too(Book(trees_of(files), TOOLS), day)


@settings(COMPARED, max_examples=100)
@given(files=drawn.policies(), day=drawn.days(), as_data=st.booleans())
def test_the_engine_counts_like_a_book_of_all_charges(
    *, files: Files, day: list[drawn.Step], as_data: bool
) -> None:
    compare(files, day, as_data=as_data)


@pytest.mark.soak
@settings(COMPARED, max_examples=5_000)
@given(files=drawn.policies(), day=drawn.days(), as_data=st.booleans())
def test_the_engine_counts_like_a_book_for_long(
    *, files: Files, day: list[drawn.Step], as_data: bool
) -> None:
    compare(files, day, as_data=as_data)


@settings(COMPARED, max_examples=60)
@given(drawn.policies(), drawn.days(), st.data())
def test_l1_order_of_statements_and_files(files: Files, day: list[drawn.Step], data: st.DataObject) -> None:
    trees = [shuffled(tree, data.draw) for tree in trees_of(files)]
    other = [(name, format_file(tree)) for (name, _), tree in zip(files, trees, strict=True)]
    before = run(guard_of(files, drawn.TOOLS), day)
    assert run(guard_of(list(reversed(other)), drawn.TOOLS), day) == before


@settings(COMPARED, max_examples=100)
@given(drawn.policies(), drawn.days(), drawn.calls(), st.data())
def test_l2_what_a_limit_cannot_count_is_denied(
    files: Files, day: list[drawn.Step], event: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever errs in force denies, and charges nobody."""
    guard = guard_of(files, drawn.TOOLS)
    run(guard, day)
    broken = copy.deepcopy(event)
    record = broken[data.draw(st.sampled_from(["args", "principal"]))]
    name = data.draw(st.sampled_from(sorted(record)))
    if data.draw(st.booleans()):
        del record[name]
    else:
        record[name] = data.draw(st.sampled_from([None, "?", -1, 1e-10, [1], {}, float("nan"), "\ud800"]))
    before = guard.state.store.levels("", now=guard.clock.now())
    decision = decided(guard, broken, as_data=True)
    counting = {line[0] for line in lines(decision.applied) if line[1] == "limit" and line[2]}
    assert not counting or decision.outcome is Outcome.DENY
    if decision.outcome is not Outcome.ALLOW:
        assert guard.state.store.levels("", now=guard.clock.now()) == before
