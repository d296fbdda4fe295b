"""One event, two answers: what is different, statement by statement.

Takes two decisions in words that mean the same in both policies, gives `Change`s. What cannot be told to be
stricter counts as looser: a transform, an obligation or a condition of approval that is gone, and a payload
that came out otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from guardrails.guard import Guard
from guardrails.model import Applied, Decision, Outcome

Direction: TypeAlias = Literal["loosened", "tightened", "other"]
DIRECTIONS: tuple[Direction, ...] = ("loosened", "tightened", "other")

DEFAULT = "the default, or what could not be evaluated"
MOST_KEPT = 4_096
"""Combinations of statements whose description is kept."""


@dataclass(frozen=True, slots=True)
class Change:
    """How answers changed, and by which statement: `how` is `deny -> allow`, or what else is different. `tool`
    is the tool of the event, or its type where it has none."""

    direction: Direction
    statement: str
    how: str
    tool: str = ""


class Told:
    """A decision in names that mean the same in both policies: what applied, and what else came of it.

    `parts` is None where nobody wrote them down."""

    __slots__ = ("applied", "outcome", "outcomes", "parts", "payload")

    def __init__(
        self,
        outcome: Outcome,
        outcomes: frozenset[tuple[str, Outcome | None]],
        parts: frozenset[tuple[str, str]] | None = None,
        payload: Any = None,
    ) -> None:
        self.outcome = outcome
        self.outcomes = outcomes
        self.applied = frozenset([name for name, _ in outcomes])
        self.parts = parts
        self.payload = payload

    def differently(self, other: Told) -> set[str]:
        """Statements that applied in both and asked for something else, such as another row of a threshold."""
        return {name for name, _ in self.outcomes ^ other.outcomes} & self.applied & other.applied


def changes_between(old: Told, new: Told, tool: str = "") -> list[Change]:
    """What is different, by statement; each difference once."""
    same = old.outcome is new.outcome and old.outcomes == new.outcomes and old.parts == new.parts
    if same and old.payload is None and new.payload is None:
        return []
    found = [*_outcome_changes(old, new), *_part_changes(old, new)]
    if not found:
        found += list(_applied_changes(old, new, "other", "{}"))
    unique = dict.fromkeys(found)
    return [Change(change.direction, change.statement, change.how, tool) for change in unique]


def changes_from_recorded(old: Told, new: Told, tool: str = "") -> list[Change]:
    """The same against a decision of which only the outcome and the names of statements were written down."""
    if old.outcome is new.outcome and old.applied == new.applied:
        return []
    direction: Direction = "other"
    how = "{}"
    if old.outcome is not new.outcome:
        direction = "loosened" if new.outcome < old.outcome else "tightened"
        how = f"{old.outcome.value} -> {new.outcome.value}, {{}}"
    found = list(_applied_changes(old, new, direction, how))
    if not found:
        names = sorted(old.applied & new.applied) or [DEFAULT]
        how = f"{old.outcome.value} -> {new.outcome.value}"
        found = [Change(direction, name, how) for name in names]
    return [Change(change.direction, change.statement, change.how, tool) for change in dict.fromkeys(found)]


def _outcome_changes(old: Told, new: Told) -> Iterator[Change]:
    before, after = old.outcome, new.outcome
    if before is after:
        return
    direction: Direction = "loosened" if after < before else "tightened"
    how = f"{before.value} -> {after.value}"
    changes = list(_applied_changes(old, new, direction, how + ", {}"))
    changes += [Change(direction, name, how) for name in sorted(old.differently(new))]
    yield from changes or [Change(direction, DEFAULT, how)]


def _applied_changes(old: Told, new: Told, direction: Direction, how: str) -> Iterator[Change]:
    for name in sorted(old.applied - new.applied):
        yield Change(direction, name, how.format("no longer applies"))
    for name in sorted(new.applied - old.applied):
        yield Change(direction, name, how.format("applies now"))


def _part_changes(old: Told, new: Told) -> Iterator[Change]:
    """Transforms, obligations and approvals that came or went. Between two denials none of it matters."""
    if Outcome.DENY in (old.outcome, new.outcome) or old.parts is None or new.parts is None:
        return
    for name, what in sorted(old.parts - new.parts):
        yield Change("loosened", name, f"no longer: {what}")
    for name, what in sorted(new.parts - old.parts):
        yield Change("tightened", name, f"new: {what}")
    if old.parts == new.parts and repr(old.payload) != repr(new.payload):
        for name in sorted({name for name, what in new.parts if what.startswith("transform")}):
            yield Change("loosened", name, "the payload comes out otherwise")


# --- a decision in words -----------------------------------------------------------------------


class Teller:
    """Puts decisions of one policy in words. Decisions with the same statements are described once."""

    def __init__(self, guard: Guard, *, by_place: bool = False) -> None:
        self.names = Names(guard, by_place=by_place)
        self._known: dict[tuple[int, ...], tuple[tuple[Applied, ...], frozenset[Any]]] = {}

    def told(self, decision: Decision) -> Told:
        parts = self._parts(decision)
        return Told(decision.outcome, self.outcomes(decision.applied), parts, decision.payload)

    def outcomes(self, applied: tuple[Applied, ...]) -> frozenset[tuple[str, Outcome | None]]:
        """The statements that applied, and what each asked for."""
        key = tuple(map(id, applied))
        known = self._known.get(key)
        if known is not None:
            return known[1]
        of = self.names.of
        found = frozenset([(of(each), each.outcome) for each in applied])
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[key] = (applied, found)  # which keeps these objects, so that no other gets their ids
        return found

    def _parts(self, decision: Decision) -> frozenset[tuple[str, str]]:
        if not (decision.transforms or decision.obligations or decision.approvals):
            return _NOTHING
        of = self.names.of
        known = {applied.name: of(applied) for applied in (*decision.applied, *decision.shadow)}
        return frozenset((known.get(name, name), what) for name, what in _parts_of(decision))


_NOTHING: frozenset[tuple[str, str]] = frozenset()


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
        far = f", good for {asked.reuse}" if asked.reuse else ""
        yield asked.statement, f"approval by {asked.quorum} of {who}{within}{otherwise}{far}"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class Names:
    """Names of statements. Those without a label are named by their own text, which stays the same when a line
    moves; with `by_place` by their place, as in decisions that were written down."""

    def __init__(self, guard: Guard, *, by_place: bool = False) -> None:
        self.guard = guard
        self.by_place = by_place
        self._known: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    def of(self, applied: Applied) -> str:
        found = self._known.get(applied.name)
        if found is None:
            found = self._known[applied.name] = self._named(applied)
        return found

    def _named(self, applied: Applied) -> str:
        if applied.label or self.by_place:
            return name_of(applied.name)
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


def name_of(written: str) -> str:
    """A statement's name as it was written down. Places are those of a file, wherever the file was then."""
    file, _, place = written.partition(":")
    return f"{os.path.basename(file)}:{place}" if place else written


def _text_of(file: str, texts: Mapping[str, str] | None) -> str:
    if texts is not None:
        return texts.get(file, "")
    try:
        with open(file, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError):
        return ""
