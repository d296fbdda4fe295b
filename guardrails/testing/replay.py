"""Replay: recorded events and one or two policies in, what they make of them out.

With two policies it is the review of a change; with `recorded=True` the policy is held against what was
decided when the recording was made. The idea: every event is decided anew and only sums are kept, by
statement and by how the answer changed, with the first event as an example; so a recording of any length
needs the memory of its statements and of what the policies count, not of its events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrails.guard import Guard
from guardrails.model import Decision, Outcome
from guardrails.runtime.events import time_of
from guardrails.testing.cases import START
from guardrails.testing.replay_calls import Calls
from guardrails.testing.replay_changes import (
    DIRECTIONS,
    Change,
    Direction,
    Teller,
    Told,
    changes_between,
    changes_from_recorded,
    name_of,
)
from guardrails.testing.replay_deciding import Decider
from guardrails.testing.replay_items import ANSWERS, STOPPED, Item, Recorded, session_name
from guardrails.testing.replay_review import Affected, Example, Review, Tally

__all__ = ["DIRECTIONS", "Change", "Direction", "Example", "Replay", "Review", "Tally"]

HALT = "guard.halt"
"""How a decision names the kill switch."""

MOST_COMBINATIONS = 4_096


class Replay:
    """Decides events one after the other by a policy, and by an older one beside it.

    Each policy keeps count for itself. An event without a `time` happens when the one before it did. `prices` is
    a price table for budgets of cost.
    """

    def __init__(
        self,
        guard: Guard,
        against: Guard | None = None,
        *,
        now: int = START,
        recorded: bool = False,
        prices: Any = None,
    ) -> None:
        self.guard = guard
        self.against = against
        self.now = now
        self.recorded = recorded
        self.new = Decider(guard, prices)
        self.old = Decider(against, prices) if against else None
        self._review = Review()
        self._teller = Teller(guard, by_place=recorded)
        self._old_teller = Teller(against) if against else None
        self._halted_then: set[str] = set()
        self._calls = Calls()
        self._groups: dict[tuple[int, ...], tuple[Tally, Decision]] = {}

    @property
    def review(self) -> Review:
        """What came of the events so far."""
        self._settle()
        return self._review

    def decide(self, line: int, event: Mapping[str, Any]) -> Decision:
        """Take in one event. Raises `EventError` for a malformed one, of which nothing is counted."""
        at = time_of(dict(event))
        return self.take((at, 0, line, 0, event, None))  # type: ignore[arg-type]  # checked when it is decided

    def take(self, item: Item) -> Decision:
        """Take in one item of a recording. Raises `EventError` for a malformed event."""
        at, chunk, line, part, event, recorded = item
        now = self.now if at is None else at
        place = (chunk, line, part)
        name = session_name(event)
        was_halted = recorded is not None and self.new.is_halted(name)
        recorded = self._as_ruled(recorded, name)
        event = self._calls.completed(event, name, recorded)
        decision = self._decided(self.new, event, now, recorded)
        self.now = now
        self._count(decision, event, place)
        if self.old is not None:
            self._compare(decision, self._decided(self.old, event, now, recorded), event, place)
            if recorded is not None and recorded[2]:
                self._review.reasons[recorded[2]] += 1
        elif self.recorded:
            self._against_record(decision, recorded, event, place, was_halted=was_halted)
        return decision

    def _as_ruled(self, recorded: Recorded | None, session: str | None) -> Recorded | None:
        """What was decided then. A refusal after a rule had halted the session is that rule's, not a person's."""
        if recorded is None or session is None:
            return recorded
        outcome, names, reason, reservation = recorded
        if outcome == "halt":
            self._halted_then.add(session)
        elif reason == STOPPED and session in self._halted_then:
            return outcome, names, "", reservation
        return recorded

    def _decided(
        self, decider: Decider, event: dict[str, Any], now: int, recorded: Recorded | None
    ) -> Decision:
        if recorded is None:
            return decider.decide(event, now)
        return decider.decide(event, now, said=recorded[2], reservation=recorded[3])

    # --- sums ----------------------------------------------------------------------------------

    def _count(self, decision: Decision, event: Mapping[str, Any], place: tuple[int, int, int]) -> None:
        self._review.outcomes[decision.outcome.value] += 1
        self._review.errors += bool(decision.errors)
        key = tuple(map(id, decision.applied))
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_COMBINATIONS:
                self._settle()
            group = self._groups[key] = (Tally(_example(event, place)), decision)
        elif place < group[0].example.place:
            group[0].example = _example(event, place)
        group[0].count += 1

    def _settle(self) -> None:
        """Add what was counted by combinations of statements to the statements."""
        statements = self._review.statements
        for tally, decision in self._groups.values():
            for name in {name for name, _ in self._teller.outcomes(decision.applied)}:
                statements.setdefault(name, Tally(tally.example)).add(tally)
        self._groups.clear()

    # --- changes -------------------------------------------------------------------------------

    def _compare(
        self, new: Decision, old: Decision, event: Mapping[str, Any], place: tuple[int, int, int]
    ) -> None:
        assert self._old_teller is not None
        told = self._old_teller.told(old), self._teller.told(new)
        changes = changes_between(*told, _tool(event))
        self._note(told[0].outcome, told[1].outcome, changes, event, place)

    def _against_record(
        self,
        new: Decision,
        recorded: Recorded | None,
        event: Mapping[str, Any],
        place: tuple[int, int, int],
        *,
        was_halted: bool,
    ) -> None:
        if recorded is None:
            self._review.unrecorded += 1
            return
        outcome, names, reason, _ = recorded
        told = self._teller.told(new)
        before = Told(Outcome(outcome), frozenset([(name_of(name), None) for name in names]))
        changes = changes_from_recorded(before, told, _tool(event))
        if was_halted and HALT in told.applied and (outcome == "halt" or HALT in names):
            changes = []  # a session that is halted is refused, in whichever words
        if reason:
            self._review.reasons[reason] += 1
        if changes and reason and reason not in ANSWERS:
            self._review.unlike[reason] += 1
            self._review.before[outcome] += 1
            return
        after = told.outcome if changes else before.outcome
        self._note(before.outcome, after, changes, event, place)

    def _note(
        self,
        before: Outcome,
        after: Outcome,
        changes: list[Change],
        event: Mapping[str, Any],
        place: tuple[int, int, int],
    ) -> None:
        review = self._review
        review.before[before.value] += 1
        if before is not after:
            review.moves[before.value, after.value] += 1
        if not changes:
            return
        review.altered += 1
        review.changed.update({change.direction for change in changes})
        review.everybody.note(event)
        example = Tally(_example(event, place), 1)
        for change in changes:
            known = review.changes.get(change)
            if known is None:
                known = review.changes[change] = Tally(example.example)
                review.affected[change] = Affected()
            known.add(example)
            review.affected[change].note(event)


def _example(event: Mapping[str, Any], place: tuple[int, int, int]) -> Example:
    return Example(place[1], event, place)


def _tool(event: Mapping[str, Any]) -> str:
    """What a change is listed under: the tool, or the type of an event without one."""
    tool = event.get("tool")
    return tool if tool.__class__ is str else str(event.get("type"))
