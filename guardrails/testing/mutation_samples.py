"""Samples: a policy and its mutant in, series of events that they decide differently out.

Begins with the events of the tests, which get past the other statements, and changes one thing at a time: first to
what the mutant is about, then to a value around the constants of either policy, or to a text that is a little
different. For what counts, an event comes again and again. The order is shuffled by a seed, so that the same seed
finds the same samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from guardrails.errors import GuardError
from guardrails.guard import Guard
from guardrails.language import syntax
from guardrails.language.checked import Change, Checked
from guardrails.model import Decision
from guardrails.testing.cases import SESSION
from guardrails.testing.knowing import Fields, known_of
from guardrails.testing.mutation_variations import (
    Event,
    aim_of,
    aimed,
    at,
    guessed,
    paths_of,
    texts_of,
    varied,
    with_value,
)
from guardrails.testing.running import Make
from guardrails.testing.sampling import neighbours, sample_event

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

MOST_PAIRS = 200
"""Calls that are tried after an event that is labelled."""

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
    if _is_about_labels(stand, altered):
        yield from _followed(stand, altered, seeds, chance)


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


def _is_about_labels(stand: Stand, altered: Altered) -> bool:
    """Whether what a changed rule does is to label: that shows at a later event only."""
    rules = [rule for rule in stand.checked.rules if rule.index in altered.rules]
    return any(isinstance(rule.statement.effect, syntax.Label) for rule in rules)


def _followed(stand: Stand, altered: Altered, seeds: list[Event], chance: Random) -> Iterator[Series]:
    """An event that is labelled, and then a call of the tests that takes a text from it."""
    pairs = [
        (event, with_value(call, path, text))
        for event in seeds
        for text in dict.fromkeys(texts_of(event))
        for call in _all_events(stand)
        for path in (paths_of(call) if call["type"] == "call" else ())
        if path[0] == "args" and isinstance(at(call, path), str)
    ]
    for event, call in chance.sample(pairs, min(MOST_PAIRS, len(pairs))):
        guard, other = stand.make(), altered.make()
        event, call = ({**each, "session": SESSION} for each in (event, call))
        first, _ = _decided(guard, event), _decided(other, event)
        then = _decided(guard, call)
        if first is not None and then is not None and differs(then, _decided(other, call)):
            yield ((event, 1, first), (call, 1, then))
            return


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
    for rule in stand.checked.rules:
        if rule.block.point in POINTS and rule.index in altered.rules:
            for tool in stand.lowering.subjects(rule):
                yield _made_up(stand, rule.block.point, tool)


def _made_up(stand: Stand, point: str, tool: str | None) -> Event:
    if (point, tool) not in stand.made_up:
        known = known_of(stand.checked, point, tool)
        stand.made_up[point, tool] = sample_event(stand.checked, point, tool, known)
    made = stand.made_up[point, tool]
    return {**made, **stand.suite.fixtures.defaults}


def _aimed(stand: Stand, altered: Altered, seeds: list[Event], chance: Random) -> list[Event]:
    """Events about what the mutant changed; of many, some by chance."""
    text = stand.loaded.sources.texts[altered.mutant.span.file]
    aim = aim_of(altered.mutant, text, _all_events(stand))
    certain = [event for seed in seeds for event in aimed(seed, aim)]
    perhaps = [event for seed in seeds for event in guessed(seed, aim, chance)]
    return [event for found in (certain, perhaps) for event in _some(found, chance)]


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
