"""The plain truth about limits: every charge is kept for ever and every answer is a sum over all of them.

Takes the same calls as a store and gives the same answers, slowly, with nothing shared with the stores but
the value classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guardrails.stores import Calendar, Demand, Sliding

INFINITE = 10**30


@dataclass(eq=False)
class Charge:
    counter: str
    key: str
    leaves: int
    units: int
    deadline: int = INFINITE
    held: bool = False


@dataclass
class Hold:
    charges: list[Charge]
    answer: tuple[object, ...]
    committed: bool = False


@dataclass
class Oracle:
    charges: list[Charge] = field(default_factory=list)
    high: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)

    def see(self, counter: str, now: int) -> int:
        at = self.high[counter] = max(now, self.high.get(counter, 0))
        for charge in self.charges:
            if charge.counter == counter and charge.held and charge.deadline <= at:
                charge.held, charge.units = False, 0
        return at

    def fill(self, counter: str, now: int) -> tuple[int, int]:
        """What is used and reserved at `now`; looking changes nothing."""
        at = max(now, self.high.get(counter, 0))
        there = [c for c in self.charges if c.counter == counter and not (c.held and c.deadline <= at)]
        return sum(c.units for c in there if c.leaves > at), sum(c.units for c in there if c.held)

    def used(self, counter: str, at: int) -> int:
        return sum(c.units for c in self.charges if c.counter == counter and c.leaves > at)

    def reserve(
        self, name: str, demands: list[Demand], now: int, ttl: int, request: str | None = None
    ) -> tuple[object, ...]:
        """`("granted", name, fills)` or `("refused", index, wait, fills)`."""
        earlier = self.holds.get(self.requests.get(request or "", ""))
        if earlier is not None:
            for charge in earlier.charges:
                self.see(charge.counter, now)
            if earlier.committed or all(c.held for c in earlier.charges):
                return earlier.answer
            self.give_back(earlier)
        made: list[Charge] = []
        fills: list[int] = []
        for index, demand in enumerate(demands):
            at = self.see(demand.counter, now)
            used = self.used(demand.counter, at)
            if used + demand.units > demand.ceiling:
                self.charges = [charge for charge in self.charges if charge not in made]
                ahead = sum(c.units for c in made if c.counter == demand.counter)
                return ("refused", index, self.wait(demand, at, ahead), (*fills, used))
            charge = Charge(demand.counter, demand.key, leaves(demand, at), demand.units, at + ttl, held=True)
            made.append(charge)
            self.charges.append(charge)
            fills.append(used + demand.units)
        answer = ("granted", name, tuple(fills))
        self.holds[name] = Hold(made, answer)
        if request:
            self.requests[request] = name
        return answer

    def wait(self, demand: Demand, at: int, ahead: int) -> int | None:
        """The first instant that is late enough, found by trying every one at which something leaves."""
        for later in sorted(
            {c.leaves for c in self.charges if c.counter == demand.counter and c.leaves > at}
        ):
            if (
                later != INFINITE
                and self.used(demand.counter, later) + ahead + demand.units <= demand.ceiling
            ):
                return later - at
        return None

    def commit(self, name: str, actual: dict[str, int], demands: list[Demand], now: int) -> bool:
        hold = self.holds[name]
        if hold.committed:
            return False
        hold.committed = True
        for charge, demand in zip(hold.charges, demands, strict=True):
            at = self.see(charge.counter, now)
            final = actual.get(charge.key, demand.units)
            late = final if not charge.held else max(0, final - charge.units)
            if charge.held:
                charge.held, charge.units = False, min(final, charge.units)
            self.charges.append(Charge(charge.counter, charge.key, leaves(demand, at), late))
        return True

    def release(self, name: str) -> bool:
        hold = self.holds[name]
        return not hold.committed and self.give_back(hold)

    def give_back(self, hold: Hold) -> bool:
        held = [charge for charge in hold.charges if charge.held]
        for charge in held:
            charge.held, charge.units = False, 0
        return bool(held)


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
