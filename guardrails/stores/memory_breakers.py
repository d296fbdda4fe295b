"""Breakers in memory, for whoever holds the lock.

Takes gates and what became of the calls. Kept are the breakers that something happened to, until they are
`FORGOTTEN`; a closed one that never saw an outcome costs nothing.
"""

from __future__ import annotations

from guardrails.stores.breaker_states import Breaker, MemoryLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guardrails.stores.breaker_states import Outcome
    from guardrails.stores.breakers import Gate, Gauge, Shut

FEW_BREAKERS = 1_024


class Breakers:
    def __init__(self) -> None:
        self._breakers: dict[str, tuple[Breaker, Gate]] = {}
        self._sweep_above = FEW_BREAKERS

    def shut(self, gates: Sequence[Gate], now: int) -> Shut | None:
        """The first gate that lets no call through."""
        for index, gate in enumerate(gates):
            found = self._breakers.get(gate.key)
            shut = found and found[0].shut(gate, index, now)
            if shut:
                return shut
        return None

    def let_through(self, gates: Iterable[Gate], reservation: str, now: int, ttl: int | None) -> None:
        for gate in gates:
            found = self._breakers.get(gate.key)
            if found is not None:
                found[0].let_through(gate, reservation, now, ttl)

    def settle(self, gates: Iterable[Gate], reservation: str, now: int, outcome: Outcome) -> None:
        for key, gate in {gate.key: gate for gate in gates}.items():
            found = self._breakers.get(key)
            if found is None:
                if outcome == "none":
                    continue
                self._sweep(now)
                found = self._breakers[key] = (Breaker(MemoryLog()), gate)
            found[0].settle(gate, reservation, now, outcome)

    def gauge(self, gate: Gate, now: int) -> Gauge:
        found = self._breakers.get(gate.key)
        return (found[0] if found else Breaker(MemoryLog())).gauge(gate, now)

    def _sweep(self, now: int) -> None:
        if len(self._breakers) > self._sweep_above:
            self._breakers = {k: (b, g) for k, (b, g) in self._breakers.items() if now < b.kept_until(g)}
            self._sweep_above = max(FEW_BREAKERS, 2 * len(self._breakers))
