"""The plain truth about limits: every charge is kept for ever and every answer is a sum over all of them.

Takes the same calls as a store and gives the same answers, slowly, with nothing shared with the stores but
the value classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guardrails.stores import Calendar, Demand, Sliding

INFINITE = 10**30
HOUR = 3_600_000_000


@dataclass(eq=False)
class Charge:
    counter: str
    demand: Demand
    leaves: int
    units: int
    deadline: int = INFINITE
    held: bool = False
    there: bool = True
    stays: bool = False

    def give_back(self) -> None:
        self.held = self.there = False


@dataclass
class Hold:
    charges: list[Charge]
    fills: tuple[int, ...]
    deadline: int
    request: str | None
    stays: bool = False
    state: str = "open"


@dataclass
class Limits:
    charges: list[Charge] = field(default_factory=list)
    high: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)

    def see(self, counter: str, now: int) -> int:
        at = self.high[counter] = max(now, self.high.get(counter, 0))
        for charge in self.charges:
            if charge.counter == counter and charge.held and charge.deadline <= at:
                charge.held = False
                charge.there = charge.stays
        return at

    def known(self, request: str | None, now: int) -> tuple[str, Hold] | None:
        """The grant that a repeated request gets."""
        name = self.requests.get(request or "")
        if name is None or self.holds[name].deadline + HOUR <= now:
            return None
        hold = self.holds[name]
        for charge in hold.charges if hold.state == "open" else ():
            self.see(charge.counter, now)
        open_still = all(c.held for c in hold.charges) if hold.charges else hold.stays or now < hold.deadline
        if hold.state == "committed" or (hold.state == "open" and open_still):
            return name, hold
        if hold.state == "open":
            self.give_back(hold)
        return None

    def rename(self, demand: Demand) -> None:
        before = demand.was and f"{demand.was}{demand.counter.removeprefix(demand.key)}"
        if demand.counter in self.high or before not in self.high:
            return
        self.high[demand.counter] = self.high.pop(before)
        for charge in self.charges:
            if charge.counter == before:
                charge.counter = demand.counter

    def reserve(
        self, demands: list[Demand], now: int, ttl: int | None, request: str | None
    ) -> Hold | tuple[int, int | None, tuple[int, ...]]:
        """What the call holds, or which demand is refused, for how long, and the fills so far."""
        made: list[Charge] = []
        fills: list[int] = []
        for index, demand in enumerate(demands):
            self.rename(demand)
            at = self.see(demand.counter, now)
            used, total = self.used(demand.counter, at), self.used(demand.counter, at, [demand])
            if total > most(demand):
                self.charges = [charge for charge in self.charges if charge not in made]
                before = [other for other in demands[:index] if other.counter == demand.counter]
                return index, self.wait(at, [*before, demand]), (*fills, used)
            lasts, stays = (HOUR, True) if ttl is None else (ttl, False)
            charge = Charge(
                demand.counter, demand, leaves(demand, at), demand.units, at + lasts, True, stays=stays
            )
            made.append(charge)
            self.charges.append(charge)
            fills.append(total)
        deadline = max([now, *(self.high[charge.counter] for charge in made)]) + (ttl or 0)
        return Hold(made, tuple(fills), deadline, request, ttl is None)

    def keep(self, name: str, hold: Hold) -> None:
        self.holds[name] = hold
        if hold.request is not None:
            self.requests[hold.request] = name

    def used(self, counter: str, at: int, more: list[Demand] | None = None) -> int:
        """Units that count at `at`, with what `more` demands on top."""
        there = [c.demand for c in self.charges if c.counter == counter and c.there and c.leaves > at]
        units = sum(c.units for c in self.plain(counter) if c.there and c.leaves > at)
        units += sum(demand.units for demand in more or () if demand.member is None)
        members = {
            demand.member: demand.units for demand in [*there, *(more or ())] if demand.member is not None
        }
        return units + sum(members.values())

    def plain(self, counter: str) -> list[Charge]:
        return [c for c in self.charges if c.counter == counter and c.demand.member is None]

    def fill(self, counter: str, now: int) -> tuple[int, int]:
        """What is used and reserved at `now`; looking changes nothing."""
        at = max(now, self.high.get(counter, 0))
        before = [(charge, charge.held, charge.there) for charge in self.charges]
        mark = self.high.get(counter)
        self.see(counter, at)
        reserved = sum(c.units for c in self.plain(counter) if c.held)
        there = [c for c in self.charges if c.counter == counter and c.there and c.leaves > at]
        members = {c.demand.member: c.units for c in there if c.demand.member is not None}
        settled = {c.demand.member for c in there if not c.held}
        reserved += sum(units for member, units in members.items() if member not in settled)
        used = self.used(counter, at)
        for charge, held, was_there in before:
            charge.held, charge.there = held, was_there
        if mark is None:
            del self.high[counter]
        else:
            self.high[counter] = mark
        return used, reserved

    def wait(self, at: int, demands: list[Demand]) -> int | None:
        """The first instant that is late enough, found by trying every one at which something leaves."""
        counter = demands[-1].counter
        times = {c.leaves for c in self.charges if c.counter == counter and c.there and c.leaves > at}
        for later in sorted(times - {INFINITE}):
            if self.used(counter, later, demands) <= most(demands[-1]):
                return later - at
        return None

    def settle(self, name: str, now: int) -> Hold | None:
        """The reservation, if it can be settled at `now`."""
        hold = self.holds.get(name)
        if hold is None or hold.state == "committed" or hold.deadline + HOUR <= now:
            return None
        for charge in hold.charges:
            self.see(charge.counter, now)
        return hold

    def commit(self, name: str, actual: dict[str, int], now: int) -> bool:
        hold = self.settle(name, now)
        if hold is None:
            return False
        for charge in hold.charges:
            self.finish(charge, actual.get(charge.demand.key, charge.units), now)
        hold.state = "committed"
        if hold.request is None:
            del self.holds[name]
        return True

    def finish(self, charge: Charge, final: int, now: int) -> None:
        counts, demand = charge.there, charge.demand
        late = 0 if counts else final
        if counts and demand.member is None:
            late, charge.units = max(0, final - charge.units), min(final, charge.units)
        elif counts and final == 0 and charge.held:
            charge.there = False
        charge.held = False
        if late:
            units = late if demand.member is None else demand.units
            at = self.high[charge.counter]
            self.charges.append(Charge(charge.counter, demand, leaves(demand, at), units))

    def release(self, name: str, now: int) -> bool:
        hold = self.settle(name, now)
        return hold is not None and self.give_back(hold)

    def give_back(self, hold: Hold) -> bool:
        hold.state = "released"
        held = [charge for charge in hold.charges if charge.held]
        for charge in hold.charges:
            charge.give_back() if charge.held else None
        return bool(held)


def most(demand: Demand) -> int:
    """The total up to which `demand` fits."""
    return demand.ceiling - 1 if demand.left else demand.ceiling


def leaves(demand: Demand, at: int) -> int:
    """When a charge made at `at` no longer counts."""
    window = demand.window
    if isinstance(window, Sliding):
        slot = -(-window.width // window.buckets) if window.buckets else 1
        return (at // slot + 1) * slot - 1 + window.width
    if isinstance(window, Calendar):
        day = 86_400_000_000
        assert (window.unit, window.zone) == ("day", "UTC")
        return (at // day + 1) * day
    return INFINITE
