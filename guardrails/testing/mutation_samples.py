"""Samples: a policy and its mutant in, series of events that they decide differently out.

Begins with the events of the tests, which get past the other statements, and changes one thing at a time: to a
value around the constants of either policy, or to a text that is a little different. For what counts, an event
comes again and again. The order is shuffled by a seed, so that the same seed finds the same samples.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from guardrails.errors import GuardError
from guardrails.guard import Guard
from guardrails.language.checked import Checked
from guardrails.model import Decision
from guardrails.testing.cases import SESSION
from guardrails.testing.knowing import known_of
from guardrails.testing.mutation_operators import Mutant
from guardrails.testing.running import Make
from guardrails.testing.sampling import neighbours, sample_event

if TYPE_CHECKING:
    from guardrails.testing.mutation_bench import Stand

MOST_SAMPLES = 600
"""Events that are tried for one mutant."""

MOST_REPEATS = 64
"""How often an event comes again for what counts."""

Event: TypeAlias = dict[str, Any]
Series: TypeAlias = tuple[tuple[Event, int, Decision], ...]
"""Events, how often each, and what the policy as it is decides."""


def differing(stand: Stand, mutated: tuple[Checked, Make], mutant: Mutant, seed: int) -> Iterator[Series]:
    """Series on which the last decision is another one with the mutant."""
    checked, other = mutated
    events = list(_events(stand, checked, mutant))
    Random(f"{seed} {mutant.id}").shuffle(events)
    for event in events[:MOST_SAMPLES]:
        decision = _decided(stand.make(), event)
        if decision is not None and differs(decision, _decided(other(), event)):
            yield ((event, 1, decision),)
    if stand.checked.counters:
        for event in _seeds(stand, mutant):
            yield from _repeated(stand.make(), other(), event)


def _repeated(guard: Guard, other: Guard, event: Event) -> Iterator[Series]:
    event = {"session": SESSION, **event}
    first: Decision | None = None
    for times in range(MOST_REPEATS):
        decision = _decided(guard, event)
        if decision is None:
            return
        if first is not None and differs(decision, _decided(other, event)):
            yield ((event, times, first), (event, 1, decision))
            return
        if first is not None and decision.outcome is not first.outcome:
            return
        if first is None:
            _decided(other, event)
        first = first or decision


def _decided(guard: Guard, event: Event) -> Decision | None:
    try:
        return guard.decide(event)
    except GuardError:
        return None


def differs(decision: Decision, other: Decision | None) -> bool:
    """Whether a test could tell them apart."""
    return other is None or _seen(decision) != _seen(other)


def _seen(decision: Decision) -> tuple[Any, ...]:
    return (
        decision.outcome, sorted(each.label for each in decision.applied if each.label), repr(decision.payload),
        sorted({each.kind for each in decision.errors}), bool(decision.transforms),
        [(each.kind, each.details) for each in decision.obligations],
        [(each.reviewers, each.quorum, each.within, each.otherwise) for each in decision.approvals],
    )  # fmt: skip


# --- events ------------------------------------------------------------------------------------


def _seeds(stand: Stand, mutant: Mutant) -> Iterator[Event]:
    """The events of the tests, and one made up for each tool of the mutant's block."""
    seen: set[str] = set()
    for case in stand.cases(mutant):
        for step in case.steps:
            if step.action == "event" and step.value["type"] in ("call", "result", "input", "output"):
                event = {name: value for name, value in step.value.items() if name not in ("time", "call_id")}
                if repr(event) not in seen:
                    seen.add(repr(event))
                    yield event
    for rule in stand.checked.rules:
        block = rule.block.span
        if rule.block.point != "session" and mutant.block in (None, block):
            for tool in stand.lowering.subjects(rule):
                known = known_of(stand.checked, rule.block.point, tool)
                yield (
                    sample_event(stand.checked, rule.block.point, tool, known) | stand.suite.fixtures.defaults
                )


def _events(stand: Stand, mutated: Checked, mutant: Mutant) -> Iterator[Event]:
    for event in _seeds(stand, mutant):
        yield event
        point, tool = event["type"], event.get("tool")
        for checked in (stand.checked, mutated):
            for _, near in neighbours(event, known_of(checked, point, tool)):
                yield near
        yield from varied(event)


def varied(event: Event) -> Iterator[Event]:
    """The event with one of its values a little different: texts, numbers, and fields that are not there."""
    for path in _paths(event, ()):
        value = _at(event, path)
        for other in _others(value):
            yield _with(event, path, other)


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The places of plain values in what the event holds, but for its type, tool and session."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, inner in items:
        if path or name not in ("type", "tool", "session"):
            yield from _paths(inner, (*path, name)) if isinstance(inner, dict | list) else ((*path, name),)


def _others(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        digit = re.search(r"\d", value)
        yield from (
            f"{value}x",
            f"x{value}",
            f"{value} x",
            value[:-1],
            value[1:],
            value.swapcase(),
            f"{value}1",
            "",
        )
        if digit:
            at = digit.start()
            yield from (
                f"{value[:at]}1{value[at:]}",
                value[:at] + value[at + 1 :],
                f"{value[:at]}-{value[at:]}",
            )
        yield value.replace(" ", "x").replace("-", "x")
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, value * 2, -value, 0)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def _with(event: Event, path: tuple[Any, ...], value: Any) -> Event:
    changed = copy.deepcopy(event)
    _at(changed, path[:-1])[path[-1]] = value
    return changed
