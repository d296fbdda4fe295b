"""Sessions that nobody wrote: a call whose statements ask where a value came from in, sessions out that end in it.

The same value comes in from everybody who may bring it; of sessions after which the same is decided, by the same
statements, the first is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from guardrails.errors import GuardError
from guardrails.model import Decision
from guardrails.testing.cases import SESSION
from guardrails.testing.exploring import Event, Trial
from guardrails.testing.guessing_origins import Bringer, sessions_about, sessions_of_two
from guardrails.testing.running import Make

Steps: TypeAlias = tuple[tuple[Event, int, Decision], ...]

MOST_TRIED = 100
"""Sessions that are tried for one call."""


def sessions_of(
    make: Make, call: Event, bringers: Sequence[Bringer], defaults: dict[str, Any]
) -> Iterator[tuple[str, Steps]]:
    """Who brought the value in, in words, and the session, for each way in which the call comes to be decided."""
    shown: set[tuple[str, frozenset[str]]] = set()
    every = [*sessions_about(call, bringers), *sessions_of_two(call, bringers)]
    for who, events in every[:MOST_TRIED]:
        steps = _decided(make, [{**defaults, **event, "session": SESSION} for event in events])
        if not steps or steps[-1][2].errors:
            continue
        news = Trial(steps[-1][0], steps[-1][2]).essence
        if news not in shown:
            shown.add(news)
            yield who, steps


def _decided(make: Make, events: Sequence[Event]) -> Steps:
    """The decisions one after the other; nothing where one cannot be made."""
    guard = make()
    try:
        return tuple((event, 1, guard.decide(event)) for event in events)
    except GuardError:
        return ()
