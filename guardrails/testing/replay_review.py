"""What came of a recording: sums by outcome, statement and change, with an example of each.

The one idea: sums of parts of a recording can be added up, in any order and to the same whole, so it does
not matter how many processes or machines decided them. That is why the first example is the one with the
smallest place, and why the names of who is affected are kept up to a bound that is part of the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from guardrails.testing.replay_changes import Change, Direction

MOST_NAMES = 10_000
"""Principals, agents or sessions of a change that are told apart; beyond them it is `more than` so many."""

SHOWN_NAMES = 5

Place = tuple[int, int, int]
"""Chunk, line and part: the order of the recording."""


@dataclass(frozen=True, slots=True)
class Example:
    """The first event of its kind: its place in the recording, the line that people look for it in, and the
    event. `file` is empty until the recording was read as a whole."""

    line: int
    event: Mapping[str, Any]
    place: Place = (0, 0, 0)
    file: str = ""


@dataclass(slots=True)
class Tally:
    """How often, and the first example."""

    example: Example
    count: int = 0

    def add(self, other: Tally) -> None:
        self.count += other.count
        if other.example.place < self.example.place:
            self.example = other.example


@dataclass(slots=True)
class Names:
    """Different names, up to `MOST_NAMES`; `many` says that there are more."""

    found: set[str] = field(default_factory=set)
    many: bool = False

    def add(self, name: str) -> None:
        if not self.many and name not in self.found:
            self.found.add(name)
            self._bound()

    def update(self, other: Names) -> None:
        self.many = self.many or other.many
        if not self.many:
            self.found |= other.found
        self._bound()

    def _bound(self) -> None:
        if self.many or len(self.found) > MOST_NAMES:
            self.many = True
            self.found.clear()

    @property
    def first(self) -> list[str]:
        """A few of them, in the order of the alphabet."""
        return sorted(self.found)[:SHOWN_NAMES]


@dataclass(slots=True)
class Affected:
    """Who is affected: ids of principals, agents and sessions."""

    principals: Names = field(default_factory=Names)
    agents: Names = field(default_factory=Names)
    sessions: Names = field(default_factory=Names)

    def note(self, event: Mapping[str, Any]) -> None:
        for names, record in (
            (self.principals, event.get("principal")),
            (self.agents, event.get("agent")),
            (self.sessions, event.get("session")),
        ):
            name = record.get("id") if record.__class__ is dict else record
            if name is not None:
                names.add(str(name))

    def update(self, other: Affected) -> None:
        self.principals.update(other.principals)
        self.agents.update(other.agents)
        self.sessions.update(other.sessions)


@dataclass(slots=True)
class Review:
    """What came of a recording. `outcomes` and `statements` count by the new policy, `before` by the old one;
    `moves` counts pairs of both outcomes; `changes` counts under every statement that had a part in a change,
    `affected` who was; `changed` counts events, of which one can be looser in one way and stricter in another.

    `reasons` counts events that cannot be replayed as they were, by why, and of those `unlike` what came out
    otherwise, which is no change of the policy. `unrecorded` events have no decision to be compared with.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    statements: dict[str, Tally] = field(default_factory=dict)
    changes: dict[Change, Tally] = field(default_factory=dict)
    affected: dict[Change, Affected] = field(default_factory=dict)
    everybody: Affected = field(default_factory=Affected)
    changed: Counter[Direction] = field(default_factory=Counter)
    altered: int = 0
    errors: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unlike: Counter[str] = field(default_factory=Counter)
    unrecorded: int = 0

    @property
    def events(self) -> int:
        return sum(self.outcomes.values())

    @property
    def compared(self) -> int:
        """Events that have an older decision."""
        return sum(self.before.values())

    @property
    def is_looser(self) -> bool:
        return self.changed["loosened"] > 0

    def moved(self, before: Iterable[str], after: Iterable[str]) -> int:
        """Events whose outcome went from one of `before` to one of `after`."""
        return sum(self.moves[old, new] for old in before for new in after if old != new)

    def add(self, other: Review) -> None:
        """Take in the review of another part of the recording."""
        for mine, its in (
            (self.outcomes, other.outcomes), (self.before, other.before), (self.changed, other.changed),
            (self.moves, other.moves), (self.reasons, other.reasons), (self.unlike, other.unlike),
        ):  # fmt: skip
            mine.update(its)  # type: ignore[arg-type]  # each with its own kind of key
        self.errors += other.errors
        self.altered += other.altered
        self.unrecorded += other.unrecorded
        _add_tallies(self.statements, other.statements)
        _add_tallies(self.changes, other.changes)
        self.everybody.update(other.everybody)
        for change, affected in other.affected.items():
            self.affected.setdefault(change, Affected()).update(affected)


def _add_tallies(mine: dict[Any, Tally], its: Mapping[Any, Tally]) -> None:
    for name, tally in its.items():
        known = mine.get(name)
        if known is None:
            mine[name] = Tally(tally.example, tally.count)
        else:
            known.add(tally)
