"""The store in this process: counters in a dict behind one lock.

Takes demands and gives grants. A counter keeps a running sum and its charges by stamp, oldest first, so a
decision costs the same however wide or full the window is: each charge is added once and dropped once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush
from itertools import count, islice
from threading import Lock

from guardrails.stores.demands import (
    Fill,
    Granted,
    Refused,
    RequestReused,
    amount_of,
    amounts_of,
    settlements,
    signature,
)
from guardrails.stores.halts import Halt
from guardrails.stores.port import KEEP, LOOK_AHEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from guardrails.exact import Exact
    from guardrails.stores.demands import Demand
    from guardrails.stores.windows import Window

FEW_COUNTERS = 1_024


class MemoryStore:
    """Exact among the threads of one process; gone with it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[str, _Counter] = {}
        self._holds: OrderedDict[str, _Hold] = OrderedDict()
        self._requests: dict[str, _Hold] = {}
        self._halts: dict[str, Halt] = {}
        self._numbers = count(1)
        self._sweep_above = FEW_COUNTERS

    def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused:
        with self._lock:
            if request is not None:
                granted = self._answered(request, demands, now)
                if granted is not None:
                    return granted
            hold = _Hold(next(self._numbers), now + ttl, request)
            refused = self._charge_all(hold, demands, now)
            if refused is not None:
                return refused
            self._keep(hold, demands, ttl)
            self._forget(now)
            return hold.granted

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        with self._lock:
            hold = self._holds.get(reservation)
            if hold is None or hold.committed or hold.deadline + KEEP <= now:
                return False
            finals = settlements(actual, [(charge.key, charge.decimals) for charge in hold.charges])
            for charge, final in zip(hold.charges, finals, strict=True):
                charge.counter.advance(now)
                charge.settle(final)
            hold.committed = True
            if hold.request is None:
                del self._holds[reservation]
            return True

    def release(self, reservation: str) -> bool:
        with self._lock:
            hold = self._holds.get(reservation)
            if hold is None or hold.committed:
                return False
            return hold.give_back()

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        with self._lock:
            return tuple([self._fill(demand, now) for demand in demands])

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        with self._lock:
            self._halts[scope] = Halt(scope, who, why, now, until)

    def resume(self, scope: str) -> bool:
        with self._lock:
            return self._halts.pop(scope, None) is not None

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        with self._lock:
            return tuple([halt for _, halt in sorted(self._halts.items()) if halt.in_force(now)])

    def close(self) -> None:
        """Nothing is open; here so that every store can be closed."""

    def _charge_all(self, hold: _Hold, demands: Sequence[Demand], now: int) -> Refused | None:
        counters = self._counters
        totals: list[int] = []
        for index, demand in enumerate(demands):
            counter = counters.get(demand.counter)
            if counter is None:
                counter = counters[demand.counter] = _Counter(demand.window)
            counter.advance(now)
            total = counter.total + demand.units
            if total > demand.ceiling:
                wait = counter.wait(demand, sum(c.units for c in hold.charges if c.counter is counter))
                refused = Refused(index, wait, amounts_of([*totals, counter.total], demands))
                hold.give_back()
                return refused
            hold.charges.append(_Charge(counter, demand))
            totals.append(total)
        hold.granted = Granted(hold.name, amounts_of(totals, demands))
        return None

    def _keep(self, hold: _Hold, demands: Sequence[Demand], ttl: int) -> None:
        for charge in hold.charges:
            counter = charge.counter
            charge.deadline = deadline = counter.high + ttl
            if deadline > hold.deadline:
                hold.deadline = deadline
            if deadline > counter.deadline:
                counter.deadline = deadline
            counter.held.append(charge)
            if len(counter.held) > 1 and counter.held[-2].deadline > deadline:
                heappush(counter.early, (deadline, hold.number, id(charge), counter.held.pop()))
        self._holds[hold.name] = hold
        if hold.request is not None:
            hold.signature = signature(demands)
            self._requests[hold.request] = hold

    def _answered(self, request: str, demands: Sequence[Demand], now: int) -> Granted | None:
        """The grant that `request` holds already; None if there is none or it has been given back."""
        hold = self._requests.get(request)
        if hold is None:
            return None
        if hold.signature != signature(demands):
            raise RequestReused(request)
        for charge in hold.charges:
            charge.counter.advance(now)
        if hold.committed or (all(c.held for c in hold.charges) and now < hold.deadline):
            return hold.granted
        hold.give_back()
        return None

    def _fill(self, demand: Demand, now: int) -> Fill:
        counter = self._counters.get(demand.counter)
        used, reserved = counter.seen_from(now) if counter else (0, 0)
        decimals = demand.decimals
        return Fill(demand.key, amount_of(used, decimals), amount_of(reserved, decimals), demand.limit)

    def _forget(self, now: int) -> None:
        """Drop reservations that nobody can ask for any more, and now and then counters that are empty."""
        for _ in range(2):
            hold = next(iter(self._holds.values()), None)
            if hold is None or hold.deadline + KEEP > now:
                break
            self._drop(hold)
        if len(self._counters) > self._sweep_above:
            self._counters = {name: c for name, c in self._counters.items() if not c.idle(now)}
            self._sweep_above = max(FEW_COUNTERS, 2 * len(self._counters))

    def _drop(self, hold: _Hold) -> None:
        del self._holds[hold.name]
        if hold.request is not None and self._requests.get(hold.request) is hold:
            del self._requests[hold.request]


class _Counter:
    """One running sum. `entries` holds `[stamp, units]`, oldest first; `high` is the latest time seen.

    `held` are the charges that may run out, in the order of their deadlines, and `early` is a heap of those
    that were to run out before an older one (reservations mostly last equally long).
    """

    __slots__ = ("deadline", "early", "entries", "held", "high", "horizon", "reserved", "total", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self.high = 0
        self.horizon = -1
        self.total = 0
        self.reserved = 0
        self.deadline = 0
        self.entries: deque[list[int]] = deque()
        self.held: deque[_Charge] = deque()
        self.early: list[tuple[int, int, int, _Charge]] = []

    def advance(self, now: int) -> None:
        """Move to `now` (never backwards): what left the window or ran out of time no longer counts."""
        if now > self.high:
            self.high = now
        self.horizon = horizon = self.window.horizon(self.high)
        entries = self.entries
        while entries and entries[0][0] <= horizon:
            self.total -= entries.popleft()[1]
        held = self.held
        while held and (not held[0].held or held[0].deadline <= self.high):
            held.popleft().give_back()
        early = self.early
        while early and early[0][0] <= self.high:
            heappop(early)[3].give_back()

    def seen_from(self, now: int) -> tuple[int, int]:
        """What is used and what of it is reserved at `now`, without moving there."""
        at = max(now, self.high)
        horizon = self.window.horizon(at)
        waiting = [*self.held, *(charge for *_, charge in self.early)]
        late = [charge for charge in waiting if charge.held and charge.deadline <= at]
        left = sum(units for stamp, units in self.entries if stamp <= horizon)
        given_back = sum(charge.units for charge in late if charge.entry[0] > horizon)
        return self.total - left - given_back, self.reserved - sum(charge.units for charge in late)

    def put(self, units: int) -> list[int]:
        stamp = self.window.stamp(self.high)
        self.total += units
        entries = self.entries
        if entries and entries[-1][0] == stamp:
            entries[-1][1] += units
            return entries[-1]
        entry = [stamp, units]
        entries.append(entry)
        return entry

    def take_back(self, entry: list[int], units: int) -> None:
        if units and entry[0] > self.horizon:
            entry[1] -= units
            self.total -= units
            # Else calls that are refused again and again would leave an empty entry each.
            if entry[1] == 0 and self.entries[-1] is entry:
                self.entries.pop()

    def wait(self, demand: Demand, ahead: int) -> int | None:
        """Microseconds until `demand` fits, if nothing else comes.

        `ahead` of the sum are units that the same call asks for, and will ask for again.
        """
        if ahead + demand.units > demand.ceiling:
            return None
        excess = self.total + demand.units - demand.ceiling
        stamp = self.horizon + 1
        for entry in islice(self.entries, LOOK_AHEAD):
            stamp = entry[0]
            excess -= entry[1]
            if excess <= 0:
                break
        ends = self.window.ends(stamp)
        return None if ends is None else ends - self.high

    def idle(self, now: int) -> bool:
        """Whether nothing would be lost with this counter.

        It is kept for a while when it is empty, because its mark holds a clock that steps back, and because
        a call may still be committed that its reservation did not last for.
        """
        return max(self.high, self.deadline) + KEEP <= now and self.seen_from(now) == (0, 0)


class _Charge:
    """What one demand of a reservation holds of its counter, until it is settled or given back."""

    __slots__ = ("counter", "deadline", "decimals", "entry", "held", "key", "units")

    def __init__(self, counter: _Counter, demand: Demand) -> None:
        self.counter = counter
        self.key = demand.key
        self.decimals = demand.decimals
        self.units = units = demand.units
        self.entry = counter.put(units)
        self.held = True
        self.deadline = 0
        counter.reserved += units

    def give_back(self) -> None:
        if self.held:
            self.held = False
            self.counter.reserved -= self.units
            self.counter.take_back(self.entry, self.units)

    def settle(self, final: int | None) -> None:
        """Turn the estimate into `final` units (None: the estimate was right).

        What exceeds the estimate is charged at the time it becomes known, and so is the whole of it if
        the reservation had been given back by then: the call did run.
        """
        final = self.units if final is None else final
        if not self.held:
            self.counter.put(final)
            return
        self.held = False
        self.counter.reserved -= self.units
        if final < self.units:
            self.counter.take_back(self.entry, self.units - final)
        elif final > self.units:
            self.counter.put(final - self.units)


class _Hold:
    """A reservation: its charges, and the answer that was given."""

    __slots__ = ("charges", "committed", "deadline", "granted", "name", "number", "request", "signature")

    def __init__(self, number: int, deadline: int, request: str | None) -> None:
        self.number = number
        self.name = str(number)
        self.deadline = deadline
        self.request = request
        self.charges: list[_Charge] = []
        self.committed = False
        self.signature = ""
        self.granted: Granted

    def give_back(self) -> bool:
        """Undo every charge that still counts; whether there was one."""
        held = False
        for charge in reversed(self.charges):
            held = held or charge.held
            charge.give_back()
        return held
