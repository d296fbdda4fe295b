"""Samples: a policy and its mutant in, series of events that they decide differently out.

Begins with the events of the tests, which get past the other statements, and changes one thing at a time: first to
what the mutant is about, then to a value around the constants of either policy, or to a text that is a little
different. For what counts, an event comes again and again. The order is shuffled by a seed, so that the same seed
finds the same samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from guardrails.errors import GuardError
from guardrails.guard import Guard
from guardrails.language.checked import Change, Checked, Rule
from guardrails.model import Decision
from guardrails.testing.cases import SESSION
from guardrails.testing.guessing_tasks import sessions_for
from guardrails.testing.knowing import Fields, forms_of, known_of, places_of
from guardrails.testing.mutation_histories import histories, looks_anywhere
from guardrails.testing.mutation_variations import Aim, Event, aim_of, aimed, guessed, varied
from guardrails.testing.running import Make
from guardrails.testing.sampling import neighbours

if TYPE_CHECKING:
    from guardrails.testing.mutation_bench import Altered, Stand

MOST_SAMPLES = 500
"""Events near those of the tests that are tried for one mutant."""

MOST_AIMED = 500
"""Events aimed at what it changed that are tried before them, of each of two kinds: those that are about it for
certain, and those that may be."""

SLOWER = 3
"""Of what remembers, one event of so many is tried: each begins with a store and a session of its own."""

MOST_FOUND = 3
"""Events that tell a mutant apart after which no more are looked for."""

POINTS = ("call", "result", "input", "output")

MOST_SEEDS = 24
"""Events of the tests that are changed for it."""

MOST_REPEATS = 64
"""How often an event comes again for what counts."""

MOST_LIKE = 8
"""Events of the tests that are shown to a task."""

Series: TypeAlias = tuple[tuple[Event, int, Decision], ...]
"""Events, how often each, and what the policy as it is decides."""


def differing(stand: Stand, altered: Altered, seed: int) -> Iterator[Series]:
    """Series on which the last decision is another one with the mutant, those without errors first."""
    chance = Random(f"{seed} {altered.mutant.id}")
    seeds = list(_seeds(stand, altered))
    near = list(_near(stand, altered, chance.sample(seeds, min(MOST_SEEDS, len(seeds)))))
    chance.shuffle(near)
    others = [*_aimed(stand, altered, seeds, chance), *near[:MOST_SAMPLES]]
    found: list[tuple[Event, Decision]] = []
    before, after = _fresh(stand.make), _fresh(altered.make)
    if stand.make().is_stateful:
        others = others[::SLOWER]
    for event in [*seeds, *others]:
        decision = _decided(before(), event)
        if decision is not None and differs(decision, _decided(after(), event)):
            found.append((event, decision))
            if len(found) == MOST_FOUND:
                break
    for event, decision in sorted(found, key=lambda pair: (bool(pair[1].errors), pair[1].outcome.rank)):
        yield ((event, 1, decision),)
    if stand.checked.counters:
        for event in _seeds(stand, altered):
            yield from _repeated(stand.make(), altered.make(), event)
    if looks_anywhere(stand, altered):
        yield from islice(_experienced(stand, altered, chance), MOST_FOUND)


def _fresh(make: Make) -> Make:
    """A guard that knows of no other event; where nothing is remembered, the same one will do."""
    guard = make()
    return make if guard.is_stateful else lambda: guard


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


def _experienced(stand: Stand, altered: Altered, chance: Random) -> Iterator[Series]:
    """Sessions in which something came before."""
    aim = _aim(stand, altered)
    for events in histories(stand, altered, aim, chance):
        series = _told_apart(stand.make(), altered.make(), events)
        if series is not None:
            yield series


def _told_apart(guard: Guard, other: Guard, events: list[Event]) -> Series | None:
    """The events up to the first that is decided differently."""
    steps: list[tuple[Event, int, Decision]] = []
    for event in events:
        decision = _decided(guard, event)
        if decision is None:
            return None
        steps.append((event, 1, decision))
        if differs(decision, _decided(other, event)):
            return tuple(steps)
    return None


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
        [(each.reviewers, each.quorum, each.within, each.otherwise, each.reuse) for each in decision.approvals],
    )  # fmt: skip


# --- events ------------------------------------------------------------------------------------


def _seeds(stand: Stand, altered: Altered) -> Iterator[Event]:
    """The events of the tests, and one made up for each tool that a changed rule speaks of."""
    seen: set[str] = set()
    for case in stand.cases(altered):
        for step in case.steps:
            if step.action == "event" and step.value["type"] in POINTS:
                event = {name: value for name, value in step.value.items() if name not in ("time", "call_id")}
                if repr(event) not in seen:
                    seen.add(repr(event))
                    yield event
    for rule in _rules(stand, altered):
        for tool in _tools(stand, rule) if rule.block.point in POINTS else ():
            event = stand.sample(rule.block.point, tool)
            yield event
            if rule.task is not None:
                yield from _in_task(stand, rule.task.name, event)


def _rules(stand: Stand, altered: Altered) -> list[Rule]:
    """The rules that changed; where a task is gone, its rules."""
    gone = stand.checked.tasks.keys() - altered.checked.tasks.keys()
    return [
        rule
        for rule in stand.checked.rules
        if rule.index in altered.rules or (rule.task is not None and rule.task.name in gone)
    ]


def _tools(stand: Stand, rule: Rule) -> list[str | None]:
    """The tools that a rule is about. What a task is left with is about all others, and may be about fewer."""
    named = [tool for point, tool in places_of(stand.checked) if point == rule.block.point]
    if rule.spared:
        return list(dict.fromkeys([*(each.text for each in rule.spared), *named]))
    found = stand.lowering.subjects(rule)
    fitting = [tool for tool in named if tool is not None and stand.lowering.matches(rule, tool)]
    return found if found != [None] else [*fitting] or found


def _in_task(stand: Stand, task: str, event: Event) -> Iterator[Event]:
    """The event, and those of the tests of its tool, in sessions that were opened for a task."""
    tool = event.get("tool")
    forms = forms_of(stand.checked, event["type"], tool)
    like = [each for each in _all_events(stand) if (each["type"], each.get("tool")) == (event["type"], tool)]
    for each in [event, *like[:MOST_LIKE]]:
        for session in sessions_for(stand.checked, task, forms, each):
            yield {**each, "session": session}


def _aimed(stand: Stand, altered: Altered, seeds: list[Event], chance: Random) -> list[Event]:
    """Events about what the mutant changed; of many, some by chance."""
    aim = _aim(stand, altered)
    certain = [event for seed in seeds for event in aimed(seed, aim)]
    perhaps = [event for seed in seeds for event in guessed(seed, aim, chance)]
    return [event for found in (certain, perhaps) for event in _some(found, chance)]


def _aim(stand: Stand, altered: Altered) -> Aim:
    text = stand.loaded.sources.texts[altered.mutant.span.file]
    return aim_of(altered.mutant, text, _all_events(stand))


def _some(events: list[Event], chance: Random) -> list[Event]:
    return chance.sample(events, min(MOST_AIMED, len(events)))


def _all_events(stand: Stand) -> Iterator[Event]:
    for case in stand.suite.cases:
        for step in case.steps:
            if step.action == "event":
                yield step.value


def _near(stand: Stand, altered: Altered, seeds: list[Event]) -> Iterator[Event]:
    """Events that are near the seeds."""
    known = _Known(stand.checked, altered)
    fields_named = _named(stand, altered)
    for event in seeds:
        for fields in known.of(event["type"], event.get("tool")):
            for _, near in neighbours(event, fields):
                yield near
        yield from varied(event)
        yield from _with_fields(event, fields_named)


def _named(stand: Stand, altered: Altered) -> list[tuple[str, ...]]:
    """The fields of a payload that changed rules keep, leave out or redact."""
    forms = [form for (index, _), form in stand.checked.forms.items() if index in altered.rules]
    return [path for form in forms if isinstance(form.meaning, Change) for path in form.meaning.paths]


def _with_fields(event: Event, paths: list[tuple[str, ...]]) -> Iterator[Event]:
    """The event with a field that a statement names, where its payload has none."""
    place = "args" if event["type"] == "call" else str(event["type"])
    payload = event.get(place)
    rows = payload if isinstance(payload, list) else [payload]
    if rows and isinstance(rows[0], dict):
        for name in dict.fromkeys(part for path in paths for part in path if part != "*"):
            if name not in rows[0]:
                changed = {**rows[0], name: "4111 1111 1111 1111"}
                yield {**event, place: [changed, *rows[1:]] if isinstance(payload, list) else changed}


class _Known:
    """What the changed rules read in the policy as it is and with the mutant, by point and tool."""

    def __init__(self, checked: Checked, altered: Altered) -> None:
        aligned = len(checked.rules) == len(altered.checked.rules)
        policies = (checked, altered.checked) if aligned else (checked,)
        self.policies = [_only(each, altered.rules) for each in policies]
        self._found: dict[tuple[str, str | None], list[Fields]] = {}

    def of(self, point: str, tool: str | None) -> list[Fields]:
        key = (point, tool)
        if key not in self._found:
            every = [known_of(checked, point, tool) for checked in self.policies]
            self._found[key] = every[:1] if every[0] == every[-1] else every
        return self._found[key]


def _only(checked: Checked, rules: frozenset[int]) -> Checked:
    """The policy as if only these rules were in it; with none, all of them."""
    if not rules:
        return checked
    return replace(checked, forms={key: form for key, form in checked.forms.items() if key[0] in rules})
