"""Replay: recorded events and one or two policies in, what they make of them out.

With two policies it is the review of a change. The idea: every event is decided by both and only sums are
kept, by statement and by how the answer changed, with the first event as an example; so a recording of any
length needs the memory of its statements, not of its events.

What cannot be told to be stricter counts as looser: a transform, an obligation or a condition of approval
that is gone, and a payload that came out otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from guardrails.guard import Guard
from guardrails.model import Applied, Decision
from guardrails.runtime.events import time_of
from guardrails.testing.cases import START

Direction: TypeAlias = Literal["loosened", "tightened", "other"]
DIRECTIONS: tuple[Direction, ...] = ("loosened", "tightened", "other")


@dataclass(frozen=True, slots=True)
class Example:
    """The first event of its kind: the line of the recording that it is on, and the event."""

    line: int
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """How answers changed, and by which statement: `how` is `deny -> allow`, or what else is different."""

    direction: Direction
    statement: str
    how: str


@dataclass(slots=True)
class Tally:
    """How often, and the first example."""

    example: Example
    count: int = 0


@dataclass(slots=True)
class Review:
    """What came of a recording. `outcomes` and `statements` count by the new policy, `before` by the old one;
    `changes` counts under every statement that had a part in a change; `changed` counts events, of which one can
    be looser in one way and stricter in another."""

    outcomes: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    statements: dict[str, Tally] = field(default_factory=dict)
    changes: dict[Change, Tally] = field(default_factory=dict)
    changed: Counter[Direction] = field(default_factory=Counter)
    errors: int = 0

    @property
    def events(self) -> int:
        return sum(self.outcomes.values())

    @property
    def is_looser(self) -> bool:
        return self.changed["loosened"] > 0


class Replay:
    """Decides events one after the other by a policy, and by an older one beside it.

    Each policy keeps count for itself. An event without a `time` happens when the one before it did.
    """

    def __init__(self, guard: Guard, against: Guard | None = None, *, now: int = START) -> None:
        self.guard = guard
        self.against = against
        self.now = now
        self.review = Review()
        self._names = (_Names(guard), _Names(against) if against else None)

    def decide(self, line: int, event: Mapping[str, Any]) -> Decision:
        """Take in one event. Raises `EventError` for a malformed one, of which nothing is counted."""
        at = time_of(dict(event))
        now = self.now if at is None else at
        decision = self.guard.decide(event, now=now)
        self.now = now
        example = Example(line, event)
        self._count(decision, example)
        if self.against is not None:
            self._compare(decision, self.against.decide(event, now=now), example)
        return decision

    def _count(self, decision: Decision, example: Example) -> None:
        review, names = self.review, self._names[0]
        review.outcomes[decision.outcome.value] += 1
        review.errors += bool(decision.errors)
        for name in {names.of(applied) for applied in decision.applied}:
            review.statements.setdefault(name, Tally(example)).count += 1

    def _compare(self, new: Decision, old: Decision, example: Example) -> None:
        assert self._names[1] is not None
        self.review.before[old.outcome.value] += 1
        changes = changes_between(_Told(old, self._names[1]), _Told(new, self._names[0]))
        directions = {change.direction for change in changes}
        for change in changes:
            self.review.changes.setdefault(change, Tally(example)).count += 1
        self.review.changed.update(directions)


# --- one event, two answers --------------------------------------------------------------------


def changes_between(old: _Told, new: _Told) -> list[Change]:
    """What is different, by statement; each difference once."""
    found = [*_outcome_changes(old, new), *_part_changes(old, new)]
    if not found:
        found += list(_applied_changes(old, new, "other", "{}"))
    return list(dict.fromkeys(found))


def _outcome_changes(old: _Told, new: _Told) -> Iterator[Change]:
    before, after = old.decision.outcome, new.decision.outcome
    if before is after:
        return
    direction: Direction = "loosened" if after < before else "tightened"
    how = f"{before.value} -> {after.value}"
    changes = list(_applied_changes(old, new, direction, how + ", {}"))
    changes += [Change(direction, name, how) for name in sorted(old.differently(new))]
    yield from changes or [Change(direction, "the default, or what could not be evaluated", how)]


def _applied_changes(old: _Told, new: _Told, direction: Direction, how: str) -> Iterator[Change]:
    for name in sorted(old.applied - new.applied):
        yield Change(direction, name, how.format("no longer applies"))
    for name in sorted(new.applied - old.applied):
        yield Change(direction, name, how.format("applies now"))


def _part_changes(old: _Told, new: _Told) -> Iterator[Change]:
    """Transforms, obligations and approvals that came or went. Between two denials none of it matters."""
    if "deny" in (old.decision.outcome.value, new.decision.outcome.value):
        return
    for name, what in sorted(old.parts - new.parts):
        yield Change("loosened", name, f"no longer: {what}")
    for name, what in sorted(new.parts - old.parts):
        yield Change("tightened", name, f"new: {what}")
    if old.parts == new.parts and not _same_payload(old.decision, new.decision):
        for name in sorted({name for name, what in new.parts if what.startswith("transform")}):
            yield Change("loosened", name, "the payload comes out otherwise")


def _same_payload(old: Decision, new: Decision) -> bool:
    return repr(old.payload) == repr(new.payload)


class _Told:
    """A decision in names that mean the same in both policies: what applied, and what else came of it."""

    def __init__(self, decision: Decision, names: _Names) -> None:
        self.decision = decision
        self.outcomes = frozenset((names.of(applied), applied.outcome) for applied in decision.applied)
        self.applied = frozenset(name for name, _ in self.outcomes)
        known = {applied.name: names.of(applied) for applied in (*decision.applied, *decision.shadow)}
        self.parts = frozenset((known.get(name, name), what) for name, what in _parts_of(decision))

    def differently(self, other: _Told) -> set[str]:
        """Statements that applied in both and asked for something else, such as another row of a threshold."""
        return {name for name, _ in self.outcomes ^ other.outcomes} & self.applied & other.applied


def _parts_of(decision: Decision) -> Iterator[tuple[str, str]]:
    for transform in decision.transforms:
        for path in transform.paths or ("",):
            yield transform.statement, f"transform {transform.kind} {path}".rstrip()
    for owed in decision.obligations:
        details = " ".join(f"{name}={_plain(value)}" for name, value in owed.details if value is not None)
        yield owed.statement, f"obligation {owed.kind} {details}".rstrip()
    for asked in decision.approvals:
        who = ", ".join(asked.reviewers) or "anybody"
        within = "" if asked.within is None else f" within {asked.within:g} s"
        otherwise = f" else {', '.join(asked.otherwise)}" if asked.otherwise else ""
        yield asked.statement, f"approval by {asked.quorum} of {who}{within}{otherwise}"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class _Names:
    """Names of statements that stay the same when a line moves: the label, or the statement's own text."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._known: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    def of(self, applied: Applied) -> str:
        found = self._known.get(applied.name)
        if found is None:
            found = self._known[applied.name] = self._named(applied)
        return found

    def _named(self, applied: Applied) -> str:
        if applied.label:
            return applied.name
        text = self._text(applied)
        return f"{applied.policy}: `{text or applied.effect}`"

    def _text(self, applied: Applied) -> str:
        place = applied.place
        lines = self._source(place.file)[place.line - 1 : place.end_line] if place.line else []
        if not lines:
            return ""
        end = None if place.end_line == place.line else place.end_column - 1
        whole = [lines[0][place.column - 1 :], *lines[1:]]
        whole[-1] = whole[-1][:end] if end is not None else whole[-1][: place.end_column - place.column]
        return " ".join(" ".join(whole).split())

    def _source(self, file: str) -> list[str]:
        if file not in self._lines:
            source = self.guard.source
            self._lines[file] = _text_of(file, source.texts if source else None).split("\n")
        return self._lines[file]


def _text_of(file: str, texts: Mapping[str, str] | None) -> str:
    if texts is not None:
        return texts.get(file, "")
    try:
        with open(file, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError):
        return ""
