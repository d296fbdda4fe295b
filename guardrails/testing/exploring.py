"""Looks for events at which a policy changes its mind: a tool and some events to begin with in, every event
that was tried out, with its decision.

The search is breadth first from plain events, one change at a time, and the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from guardrails.errors import GuardError
from guardrails.model import Applied, Decision
from guardrails.testing.comparing import same
from guardrails.testing.knowing import ROOTS, Fields, Path
from guardrails.testing.running import Make
from guardrails.testing.sampling import neighbours, value_at

MOST = 1_500
"""Events that are tried for one tool at one point."""

MOST_SIBLINGS = 24
"""Values of one field that are held against each other."""

CHANGES = ("redact", "only fields", "only rows", "drop fields", "reveal")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """An event that was tried, and in what it differs from the one it was made from."""

    event: Event
    decision: Decision
    path: Path = ()
    origin: Trial | None = None

    @property
    def is_clean(self) -> bool:
        return not self.decision.errors

    def fired(self) -> frozenset[str]:
        """The statements that applied, by their places. A change of the payload applies always; what counts is
        whether it changed anything."""
        return frozenset(
            key_of(each)
            for each in self.decision.applied
            if not each.kept_by_error and (each.effect not in CHANGES or self.is_changed)
        )

    @property
    def essence(self) -> tuple[str, frozenset[str]]:
        """The outcome, and the statements that applied."""
        return self.decision.outcome.value, self.fired()

    @property
    def is_changed(self) -> bool:
        before = self.event.get(ROOTS.get(self.event["type"], ""))
        return bool(self.decision.transforms) and not same(before, self.decision.payload)


def key_of(applied: Applied) -> str:
    return str(applied.place)


def explored(make: Make, known: Fields, begin: Iterable[Event]) -> list[Trial]:
    """Every event that was tried. From each that shows something new the search goes on."""
    trials: list[Trial] = []
    seen: set[str] = set()
    shown: set[tuple[str, frozenset[str]]] = set()
    waiting: list[Trial] = []

    def attempt(event: Event, path: Path = (), origin: Trial | None = None) -> None:
        key = repr(event)
        if key in seen or len(trials) >= MOST:
            return
        seen.add(key)
        trial = _tried(make, event, path, origin)
        if trial is None:
            return
        trials.append(trial)
        news = trial.essence
        if origin is None or (trial.is_clean and news not in shown):
            shown.add(news)
            waiting.append(trial)

    for event in begin:
        attempt(event)
    while waiting and len(trials) < MOST:
        trial = waiting.pop(0)
        for path, event in neighbours(trial.event, known):
            attempt(event, path, trial)
    return trials


def _tried(make: Make, event: Event, path: Path, origin: Trial | None) -> Trial | None:
    try:
        return Trial(event, make().decide(event), path, origin)
    except GuardError:
        return None


def edges(trials: Iterable[Trial]) -> Iterator[tuple[str, Trial, Trial]]:
    """`(statement, where it applies, where it does not)` for pairs of events that differ in one thing, the
    closest first."""
    clean = [trial for trial in trials if trial.is_clean]
    fired = {id(trial): trial.fired() for trial in clean}
    found = []
    for trial, origin in _pairs(clean):
        for key in fired[id(trial)] ^ fired[id(origin)]:
            fires, rests = (trial, origin) if key in fired[id(trial)] else (origin, trial)
            found.append((_distance(trial, origin), key, fires, rests))
    for _, key, fires, rests in sorted(found, key=lambda each: (each[1], each[0])):
        yield key, fires, rests


def _pairs(clean: list[Trial]) -> Iterator[tuple[Trial, Trial]]:
    """Events that differ in one thing: one was made from the other, or both from a third by changing the same."""
    siblings: dict[tuple[int, Path], list[Trial]] = {}
    for trial in clean:
        if trial.origin is not None:
            if trial.origin.is_clean:
                yield trial, trial.origin
            siblings.setdefault((id(trial.origin), trial.path), []).append(trial)
    for family in siblings.values():
        yield from combinations(family[:MOST_SIBLINGS], 2)


def _distance(trial: Trial, origin: Trial) -> tuple[int, float]:
    """Edges with fewer statements around them are easier to read, and closer numbers say more."""
    left, right = value_at(trial.event, trial.path), value_at(origin.event, trial.path)
    if isinstance(left, list) and isinstance(right, list):
        left, right = len(left), len(right)
    both = isinstance(left, int | float) and isinstance(right, int | float)
    apart = abs(left - right) if both else 1e6
    return len(trial.fired() | origin.fired()), apart


def cleanest(trials: Iterable[Trial]) -> list[Trial]:
    """Trials without errors, the loosest outcome and the fewest statements first."""
    clean = [trial for trial in trials if trial.is_clean]
    return sorted(clean, key=lambda trial: (trial.decision.outcome.rank, len(trial.decision.applied)))
