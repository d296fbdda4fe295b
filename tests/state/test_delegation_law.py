"""A child can never do what an ancestor may not: random policies, random chains, random days of events.

Two guards live the same day. In one the sessions themselves do the work, in the other the last child of a
chain does it in their place; every event of the child is as strict as that of its ancestor, at least.
"""

from __future__ import annotations

import itertools
from typing import Any

import counted_policies as drawn
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from test_differential import COMPARED, guard_of

from guardrails.guard import Guard
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.meters import SEPARATOR
from guardrails.session import Session

Files = list[tuple[str, str]]
Link = tuple[list[str] | None, Files | None]

GRANTS = st.sampled_from([None, None, ["*"], ["pay*"], ["pay", "send"], []])


def chains(policies: st.SearchStrategy[Files]) -> st.SearchStrategy[list[Link]]:
    return st.lists(st.tuples(GRANTS, st.one_of(st.none(), policies)), min_size=1, max_size=3)


def renamed(files: Files, number: int) -> Files:
    """A policy of its own: counters go by the policy's name."""
    return [(name, text.replace("policy ", f"policy own{number}_", 1)) for name, text in files]


def guards_of(chain: list[Link], tools: str) -> list[Guard | None]:
    return [files and guard_of(renamed(files, n), tools) for n, (_, files) in enumerate(chain)]


def last_child(session: Session, chain: list[Link], guards: list[Guard | None]) -> Session:
    for (tools, _), guard in zip(chain, guards, strict=True):
        session = session.delegate(tools=tools, guard=guard)
    return session


def checked(session: Session, event: dict[str, Any]) -> Decision:
    return session.check_call(event["tool"], event["args"])


@settings(COMPARED, max_examples=40)
@given(drawn.policies(), chains(drawn.policies()), drawn.days())
def test_a_child_is_never_freer_than_its_parent(
    files: Files, chain: list[Link], day: list[drawn.Step]
) -> None:
    alone, shared, guards = (
        guard_of(files, drawn.TOOLS),
        guard_of(files, drawn.TOOLS),
        guards_of(chain, drawn.TOOLS),
    )
    clock = FrozenClock(drawn.NOW)
    for guard in filter(None, (alone, shared, *guards)):
        guard.clock = clock
    for step in day:
        clock.advance(step.wait)
        if step.event is None:
            continue
        who = {"principal": step.event["principal"], "id": step.event["session"]}
        child = checked(last_child(shared.session(**who), chain, guards), step.event)
        assert_as_strict(child, alone.session(**who), step.event)
        assert in_force(shared) == in_force(alone)


def in_force(guard: Guard) -> list[Any]:
    """What limits have used up; those in shadow are charged, and not given back, on their own."""
    shadow = {meter[1] for meter in guard.engine.program.head["meters"] if meter[-1]}
    levels = guard.state.store.levels("", now=guard.clock.now())
    return [level for level in levels if level.key.partition(SEPARATOR)[0] not in shadow]


def assert_as_strict(child: Decision, parent: Session, event: dict[str, Any]) -> None:
    """The parent does what the child was let do, so that both have used up the same."""
    if child.outcome is Outcome.ALLOW:
        assert checked(parent, event).outcome is Outcome.ALLOW
        return
    before = checked(parent, event)
    assert before.outcome <= child.outcome
    if before.reservation:
        parent.release(before)


@settings(COMPARED, max_examples=40)
@given(strategies.policies("typed"), chains(strategies.policies("typed")), strategies.calls())
def test_nor_by_conditions_halts_and_transforms(
    files: Files, chain: list[Link], event: dict[str, Any]
) -> None:
    guard, guards = guard_of(files, strategies.TOOLS), guards_of(chain, strategies.TOOLS)
    parent = checked(guard.session(principal=event["principal"], id="s"), event)
    child = checked(last_child(guard.session(principal=event["principal"], id="t"), chain, guards), event)
    assert parent.outcome <= child.outcome
    names = {(each.name, each.outcome) for each in parent.applied}
    assert names <= {(each.name, each.outcome) for each in child.applied}
    if child.outcome is Outcome.ALLOW:
        assert {change.paths for change in parent.transforms} <= {change.paths for change in child.transforms}


def test_every_grant_is_met_at_every_depth() -> None:
    guard = Guard.from_text('policy p\non call "a*" { allow }')
    grants: list[list[str] | None] = [None, ["a*"], ["ab"], ["*b"], []]
    for chain in itertools.product(grants, repeat=3):
        session: Session = guard.session()
        for tools in chain:
            session = session.delegate(tools=tools)
        allowed = all(tools is None or tools in (["a*"], ["ab"], ["*b"]) for tools in chain)
        assert session.check_call("ab", {}).allowed == allowed
        assert not session.check_call("b", {}).allowed
