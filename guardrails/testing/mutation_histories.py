"""Histories: a policy and its mutant in, sessions in which they come to decide an event differently out.

What a label does, what a question about an origin or the past is content with, shows only at an event before which
something else happened. So the sessions of the tests are continued in other ways, and the values of a call are
brought into its session by everybody who may.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

from guardrails.language import syntax
from guardrails.language.checked import Rule
from guardrails.testing.cases import SESSION, Case
from guardrails.testing.guessing_origins import (
    NEVER_MIND,
    Bringer,
    bare,
    bringers_of,
    looks_back,
    sessions_about,
    sessions_of_two,
)
from guardrails.testing.guessing_tasks import sessions_for
from guardrails.testing.knowing import forms_of, places_of
from guardrails.testing.mutation_variations import Aim, Event, aimed, shifted, varied
from guardrails.testing.sampling import at, neighbours, paths_of, texts_of, with_value

if TYPE_CHECKING:
    from guardrails.testing.mutation_bench import Altered, Stand

MOST_OF_A_CASE = 24
"""Other ways in which one session of the tests goes on."""

MOST_CONTINUED = 120
"""Of these, those that are tried for one mutant."""

MOST_BROUGHT = 160
"""Sessions that are tried in which a value is brought in."""

MOST_BY_TWO = 60
"""Sessions that are tried in which two bring it in."""

MOST_NEAR = 16
"""Calls that differ from one of the tests in one thing."""

LONGEST = 12
"""Events of a case that is continued."""


def looks_anywhere(stand: Stand, altered: Altered) -> bool:
    """Whether what a mutant changed is about what came before: it labels, or asks."""
    if not altered.rules:
        return bool({"origin", "trace"} & (stand.checked.features | altered.checked.features))
    rules = _changed(stand, altered)
    if any(isinstance(rule.statement.effect, syntax.Label) or rule.task for rule in rules):
        return True
    forms = (*stand.checked.forms.items(), *altered.checked.forms.items())
    return any(index in altered.rules and looks_back(form) for (index, _), form in forms)


def histories(stand: Stand, altered: Altered, aim: Aim, chance: Random) -> Iterator[list[Event]]:
    """Sessions, each a list of events; the last is the one that may be decided differently."""
    continued = [each for case in stand.cases(altered) for each in _continued(case, aim, chance)]
    yield from _some(continued, MOST_CONTINUED, chance)
    seen = [step.value for case in stand.suite.cases for step in case.steps if step.action == "event"]
    bringers = bringers_of(stand.checked, seen, _tools(stand, altered))
    calls = [
        (bare(call), session)
        for call in _asking(stand, altered, seen)
        for session in _sessions(stand, altered, call)
    ]
    results = _results(stand, altered, seen)
    brought = [
        _within(session, events)
        for call, session in calls
        for events in (*_brought(stand, call, bringers, chance), *_after(results, call))
    ]
    yield from _some(brought, MOST_BROUGHT, chance)
    by_two = [
        _within(session, events) for call, session in calls for _, events in sessions_of_two(call, bringers)
    ]
    yield from _some(by_two, MOST_BY_TWO, chance)


def _tools(stand: Stand, altered: Altered) -> set[str]:
    """The tools that the changed statements name."""
    rules = _changed(stand, altered)
    return {tool for rule in rules for tool in stand.lowering.subjects(rule) if tool is not None}


def _within(session: Any, events: list[Event]) -> list[Event]:
    return [{**event, "session": session} for event in events]


def _brought(stand: Stand, call: Event, bringers: list[Bringer], chance: Random) -> Iterator[list[Event]]:
    """The call after its values came in; and what is near it after something else did."""
    yield from (events for _, events in sessions_about(call, bringers))
    known = stand.known("call", call["tool"])
    near = [event for _, event in neighbours(call, known)]
    for event in (*shifted(call), *chance.sample(near, min(MOST_NEAR, len(near)))):
        yield from ([bringer.event(NEVER_MIND), event] for bringer in bringers)


def _results(stand: Stand, altered: Altered, seen: list[Event]) -> list[Event]:
    """Results that the changed statements may see in another way: near those of the tests, or of made-up ones."""
    found = []
    for rule in _changed(stand, altered):
        for tool in stand.lowering.subjects(rule) if rule.block.point == "result" else ():
            like = [event for event in seen if event["type"] == "result" and event.get("tool") == tool]
            for event in like[:1] or [stand.sample("result", tool)]:
                near = (other for _, other in neighbours(event, stand.known("result", tool)))
                found += [bare(other) for other in islice(near, MOST_NEAR)]
    return found


def _after(results: list[Event], call: Event) -> Iterator[list[Event]]:
    """The call, and those with another number or truth value, after each of these results."""
    for result in results:
        yield from ([result, event] for event in (call, *shifted(call)))


def _sessions(stand: Stand, altered: Altered, call: Event) -> Iterator[Any]:
    """Sessions for the events: where a task changed, such as were opened for it."""
    forms = forms_of(stand.checked, "call", call["tool"])
    changed = dict.fromkeys(rule.task.name for rule in _changed(stand, altered) if rule.task is not None)
    for task in changed:
        yield from sessions_for(stand.checked, task, forms, call)
    yield from () if changed else (SESSION,)


def _changed(stand: Stand, altered: Altered) -> list[Rule]:
    return [rule for rule in stand.checked.rules if rule.index in altered.rules]


def _some(found: list[list[Event]], most: int, chance: Random) -> list[list[Event]]:
    return chance.sample(found, min(most, len(found)))


# --- sessions of the tests ---------------------------------------------------------------------


def _continued(case: Case, aim: Aim, chance: Random) -> list[list[Event]]:
    """The sessions of a case up to one of its events, which is another one, or before which something is missing."""
    events = [step.value for step in case.steps if step.action == "event" for _ in range(min(step.repeat, 3))]
    if not 1 < len(events) <= LONGEST:
        return []
    found = [
        [*events[:place], other]
        for place in range(1, len(events))
        for other in _others(events[:place], events[place], aim)
    ]
    found = _some(found, MOST_OF_A_CASE, chance)
    last = len(events) - 1
    return [*found, *([*events[:place], *events[place + 1 :]] for place in range(last))]


def _others(before: list[Event], event: Event, aim: Aim) -> Iterator[Event]:
    yield from aimed(event, aim)
    yield from varied(event)
    texts = dict.fromkeys(text for earlier in before for text in texts_of(earlier))
    for path in _text_paths(event):
        yield from (with_value(event, path, text) for text in texts)


def _text_paths(event: Event) -> list[tuple[Any, ...]]:
    return [path for path in paths_of(event) if path[0] == "args" and isinstance(at(event, path), str)]


# --- calls whose values are brought in ---------------------------------------------------------


def _asking(stand: Stand, altered: Altered, seen: list[Event]) -> Iterator[Event]:
    """For each tool one call of the tests, or one that is made up, whose statements ask for what came before."""
    for point, tool in places_of(stand.checked):
        if point == "call" and _asks(stand, altered, tool):
            calls = [event for event in seen if event["type"] == "call" and event.get("tool") == tool]
            yield (
                max(calls, key=lambda event: len(_text_paths(event))) if calls else stand.sample(point, tool)
            )


def _asks(stand: Stand, altered: Altered, tool: str | None) -> bool:
    """Whether the calls of a tool may show the change: all that look back where labels changed, else those that the
    changed statements are about."""
    forms = forms_of(stand.checked, "call", tool)
    rules = _changed(stand, altered)
    about = {rule.index for rule in rules if rule.block.point == "call"}
    if any(tool == spared.text for rule in rules for spared in rule.spared):
        return True
    return any(form.rule.index in about or (not about and looks_back(form)) for form in forms)
