"""Counters in memory: what one limit has been charged, and when it leaves.

Takes charges and the time. A counter keeps a running sum, its charges by stamp, and `due`, the first instant
at which anything leaves or runs out; until then a decision is an addition and a comparison, however wide or
full the window is. Each charge is added once and dropped once.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import islice

from guardrails.stores.memory_holds import OPEN
from guardrails.stores.memory_members import Members
from guardrails.stores.port import KEEP, LOOK_AHEAD
from guardrails.stores.windows import Sliding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from guardrails.stores.demands import Demand
    from guardrails.stores.memory_holds import Hold
    from guardrails.stores.windows import Window

    # What one demand put where, until when it is held, and the reservation that knows whether it still is.
    # A plain tuple, because one is made for each demand of each call.
    Charge: TypeAlias = "tuple[Counter, Demand, list[int], int, Hold]"

NEVER = 2**200


class Counter:
    """One running sum. `entries` holds `[stamp, units]`, oldest first; `high` is the latest time seen.

    `held` are the charges that may run out, in the order of their deadlines, and `early` is a heap of those
    that were to run out before an older one (reservations mostly last equally long). Until `slot_end` charges
    are filed in the last entry.
    """

    __slots__ = (
        "deadline", "due", "early", "entries", "exact", "held", "high", "horizon", "members", "pushed",
        "slot_end", "total", "window",
    )  # fmt: skip

    def __init__(self, window: Window) -> None:
        self.window = window
        self.exact = window.width if isinstance(window, Sliding) and not window.buckets else 0
        self.high = 0
        self.due = self.slot_end = 0
        self.horizon = -1
        self.total = 0
        self.deadline = self.pushed = 0
        self.entries: deque[list[int]] = deque()
        self.held: deque[Charge] = deque()
        self.early: list[tuple[int, int, Charge]] = []
        self.members: Members | None = None

    def advance(self, now: int) -> None:
        """Move to `now` (never backwards): what left the window or ran out of time no longer counts."""
        if now > self.high:
            self.high = now
        if self.high >= self.due:
            self._clear()

    def charge(self, demand: Demand, hold: Hold) -> Charge:
        """Put what `demand` asks for on the counter, to be settled or given back."""
        if demand.member is None:
            units = demand.units
            high = self.high
            if self.exact and high >= self.slot_end:
                # What `put` would do, without asking it: by far the most charges are of this kind.
                entry = [high, units]
                self.entries.append(entry)
                self.total += units
                self.slot_end = high + 1
                if high + self.exact < self.due:
                    self.due = high + self.exact
            else:
                entry = self.put(units)
        else:
            entry = self.join(demand, settled=False)
        deadline = self.high + hold.lasts
        charge = (self, demand, entry, deadline, hold)
        if deadline >= self.deadline:
            self.deadline = deadline
            self.held.append(charge)
        else:
            self.pushed += 1
            heappush(self.early, (deadline, self.pushed, charge))
        if deadline < self.due:
            self.due = deadline
        return charge

    def put(self, units: int) -> list[int]:
        """File `units` under the present stamp; the entry that they are in."""
        self.total += units
        high, width = self.high, self.exact
        if high < self.slot_end:
            entry = self.entries[-1]
            entry[1] += units
            return entry
        entry = [high, units]
        if width:
            self.slot_end = high + 1
            if high + width < self.due:
                self.due = high + width
        else:
            self._begin_slot(entry)
        self.entries.append(entry)
        return entry

    def take_back(self, entry: list[int], units: int) -> None:
        if units and entry[0] > self.horizon:
            entry[1] -= units
            self.total -= units
            # Else calls that are refused again and again would leave an empty entry each.
            if entry[1] == 0 and self.entries[-1] is entry:
                self.entries.pop()
                self.slot_end = 0

    def tidy(self) -> None:
        """Forget the charges at either end of `held` that were settled or given back."""
        held = self.held
        while held and held[0][4].state != OPEN:
            held.popleft()
        while held and held[-1][4].state != OPEN:
            held.pop()

    def missing(self, demand: Demand) -> int:
        """What `demand` would add: nothing for a member that counts already."""
        members = self.members
        return 0 if members is not None and demand.member in members.counted else demand.units

    def join(self, demand: Demand, *, settled: bool) -> list[int]:
        """Count the member of `demand` from now on; an entry of its own, without units."""
        members = self.members
        if members is None:
            members = self.members = Members(demand.units)
        stamp = self.window.stamp(self.high)
        self.total += self.missing(demand)
        members.add(demand.member or "", stamp, settled=settled)
        ends = self.window.ends(stamp)
        if ends is not None and ends < self.due:
            self.due = ends
        return [stamp, 0]

    def wait(self, demand: Demand, before: Sequence[Charge]) -> int | None:
        """Microseconds until `demand` fits, if nothing else comes.

        `before` is what the same call has charged on this counter, and will again.
        """
        most = demand.ceiling - demand.left
        if demand.member is not None:
            names = {charged.member or "" for _, charged, *_ in before} | {demand.member}
            ahead, excess = len(names) * demand.units, self.total + self.missing(demand) - most
            leaving = self._members_leaving(names, demand.units)
        else:
            ahead = sum(charged.units for _, charged, *_ in before) + demand.units
            excess = self.total + demand.units - most
            leaving = iter(self.entries)
        return None if ahead > most else self._wait_for(excess, leaving)

    def seen_from(self, now: int) -> tuple[int, int]:
        """What is used and what of it is reserved at `now`, without moving there."""
        at = max(now, self.high)
        horizon = self.window.horizon(at)
        held = [c for c in (*self.held, *(charge for *_, charge in self.early)) if c[4].state == OPEN]
        late = [charge for charge in held if charge[3] <= at]
        reserved = sum(c[1].units for c in held if c[3] > at and c[1].member is None)
        left = sum(entry[1] for entry in self.entries if entry[0] <= horizon)
        lost = sum(
            demand.units
            for _, demand, entry, _, hold in late
            if demand.member is None and entry[0] > horizon and not hold.stays
        )
        used = self.total - left - lost
        if self.members is None:
            return used, reserved
        counted, unsettled = self.members.seen_from(horizon, late)
        return used - len(self.members.counted) * self.members.unit + counted, reserved + unsettled

    def idle(self, now: int) -> bool:
        """Whether nothing would be lost with this counter.

        It is kept for a while when it is empty, because its mark holds a clock that steps back, and because
        a call may still be committed that its reservation did not last for.
        """
        return max(self.high, self.deadline) + KEEP <= now and self.seen_from(now) == (0, 0)

    def _begin_slot(self, entry: list[int]) -> None:
        stamp = entry[0] = self.window.stamp(self.high)
        ends = self.window.ends(stamp)
        if ends is None:
            self.slot_end = NEVER
            return
        self.slot_end = stamp + 1 if isinstance(self.window, Sliding) else ends
        if ends < self.due:
            self.due = ends

    def _clear(self) -> None:
        high = self.high
        self.horizon = horizon = self.window.horizon(high)
        entries = self.entries
        while entries and entries[0][0] <= horizon:
            self.total -= entries.popleft()[1]
            if not entries:
                self.slot_end = 0
        if self.members is not None:
            self.total -= self.members.leave(horizon) * self.members.unit
        held, early = self.held, self.early
        while held and (held[0][3] <= high or held[0][4].state != OPEN):
            run_out(held.popleft())
        while early and (early[0][0] <= high or early[0][2][4].state != OPEN):
            run_out(heappop(early)[2])
        self.due = self._next_due()

    def _next_due(self) -> int:
        dues = [NEVER]
        firsts = [self.entries[0][0]] if self.entries else []
        if self.members is not None:
            firsts += [stamp for stamp, _ in self.members.order[:1]]
        for ends in map(self.window.ends, firsts):
            if ends is not None:
                dues.append(ends)
        if self.held:
            dues.append(self.held[0][3])
        if self.early:
            dues.append(self.early[0][0])
        return min(dues)

    def _members_leaving(self, names: set[str], unit: int) -> Iterator[Sequence[int]]:
        assert self.members is not None
        return ([stamp, unit] for stamp, name in self.members.order if name not in names)

    def _wait_for(self, excess: int, leaving: Iterator[Sequence[int]]) -> int | None:
        stamp = self.window.horizon(self.high) + 1
        for stamp, units in islice(leaving, LOOK_AHEAD):  # noqa: B007  # the last one is of use
            excess -= units
            if excess <= 0:
                break
        ends = self.window.ends(stamp)
        return None if ends is None else ends - self.high


def is_held(charge: Charge) -> bool:
    """Whether it can still be given back; only to be asked of a counter that is up to date."""
    return charge[4].state == OPEN and charge[0].high < charge[3]


def give_back(charge: Charge) -> None:
    """Undo a charge that is held."""
    counter, demand, entry, _, _ = charge
    if demand.member is None:
        counter.take_back(entry, demand.units)
    elif counter.members is not None and counter.members.take_back(demand.member, entry[0]):
        counter.total -= demand.units
    elif demand.member is not None:
        counter.due = 0  # it may have fallen back on a stamp that has left the window: look at the next event


def run_out(charge: Charge) -> None:
    """The time of a charge is over: it is given back, or stays for good."""
    counter, demand, entry, _, hold = charge
    if hold.state != OPEN:
        return
    if not hold.stays:
        give_back(charge)
    elif demand.member is not None and counter.members is not None:
        counter.members.settle(demand.member, entry[0])


def settle(charge: Charge, final: int | None) -> None:
    """Turn the estimate into `final` units (None: the estimate was right).

    What exceeds the estimate is charged at the time it becomes known, and so is the whole of it if the
    reservation had been given back by then: the call did run.
    """
    counter, demand, entry, deadline, hold = charge
    if demand.member is not None:
        _settle_member(charge, final)
        return
    units = demand.units
    if hold.state != OPEN or (deadline <= counter.high and not hold.stays):
        counter.put(units if final is None else final)
        return
    if final is None:
        return
    if final < units:
        counter.take_back(entry, units - final)
    elif final > units:
        counter.put(final - units)


def _settle_member(charge: Charge, final: int | None) -> None:
    """A member counts or does not: 0 gives it back, anything else keeps it."""
    counter, demand, entry, _, hold = charge
    assert counter.members is not None
    if is_held(charge):
        if final == 0:
            give_back(charge)
        else:
            counter.members.settle(demand.member or "", entry[0])
    elif final != 0 and not (hold.stays and hold.state == OPEN):
        counter.join(demand, settled=True)
