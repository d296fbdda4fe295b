"""Distinct members in memory: who counts, and until when.

Takes stamps per member. A member counts by the latest of its stamps that was not given back, so it keeps all
stamps that still may be: those that are held, and of the settled ones the latest.
"""

from __future__ import annotations

from bisect import bisect_left, insort

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.stores.memory_counters import Charge


class Member:
    """`settled` is the latest stamp that stays, `held` are those that may be given back, in order."""

    __slots__ = ("held", "settled")

    def __init__(self) -> None:
        self.settled: int | None = None
        self.held: list[int] = []

    def stamp(self) -> int | None:
        """Where it counts; None: nowhere."""
        held = self.held[-1] if self.held else None
        if held is None or (self.settled is not None and self.settled > held):
            return self.settled
        return held

    def drop(self, stamp: int) -> bool:
        """Hold `stamp` no longer; whether it was held."""
        place = bisect_left(self.held, stamp)
        if self.held[place : place + 1] != [stamp]:
            return False
        del self.held[place]
        return True


class Members:
    """All members of a counter. `order` holds `(stamp, name)` of those that count, oldest first.

    A move within `order` is a binary search and a move of pointers, which is small change as long as there
    are no more than some hundred thousand members; a limit bounds them.
    """

    __slots__ = ("counted", "order", "unit")

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.counted: dict[str, Member] = {}
        self.order: list[tuple[int, str]] = []

    def add(self, name: str, stamp: int, *, settled: bool) -> None:
        member = self.counted.get(name)
        if member is None:
            member = self.counted[name] = Member()
        before = member.stamp()
        if settled:
            member.settled = stamp
        else:
            insort(member.held, stamp)
        self._move(name, before, member.stamp())

    def take_back(self, name: str, stamp: int) -> bool:
        """Give one held stamp back; whether the member does not count any more because of it."""
        member = self.counted.get(name)
        if member is None:
            return False
        before = member.stamp()
        if not member.drop(stamp):
            return False
        after = member.stamp()
        self._move(name, before, after)
        if after is None:
            del self.counted[name]
        return after is None

    def settle(self, name: str, stamp: int) -> None:
        member = self.counted.get(name)
        if member is not None and member.drop(stamp):
            member.settled = stamp if member.settled is None else max(stamp, member.settled)

    def leave(self, horizon: int) -> int:
        """Drop the members that only count up to `horizon`; how many those were."""
        gone = bisect_left(self.order, (horizon + 1, ""))
        for _, name in self.order[:gone]:
            del self.counted[name]
        del self.order[:gone]
        return gone

    def seen_from(self, horizon: int, late: Iterable[Charge]) -> tuple[int, int]:
        """Units of those that count after `horizon`, and of those that nothing settled holds there.

        `late` are charges that have run out by then.
        """
        lost: dict[str, list[int]] = {}
        kept: dict[str, int] = {}
        for _, demand, (stamp, _), _, hold in late:
            name = demand.member or ""
            if hold.stays:
                kept[name] = max(stamp, kept.get(name, stamp))
            else:
                lost.setdefault(name, []).append(stamp)
        counted = unsettled = 0
        for name, member in self.counted.items():
            settled = max([s for s in (member.settled, kept.get(name)) if s is not None], default=horizon)
            held = list(member.held)
            for stamp in lost.get(name, ()):
                if stamp in held:
                    held.remove(stamp)
            counted += max(settled, *held, horizon) > horizon
            unsettled += settled <= horizon < max([*held, horizon])
        return counted * self.unit, unsettled * self.unit

    def _move(self, name: str, before: int | None, after: int | None) -> None:
        if before == after:
            return
        if before is not None:
            del self.order[bisect_left(self.order, (before, name))]
        if after is not None:
            insort(self.order, (after, name))
