"""What stands: halts, breakers, approvals and the store of a guard, read when somebody looks.

Takes a guard, gives gauges. Nothing here is kept, because other processes change it too: each look asks the
store, and charges nothing.
"""

from __future__ import annotations

from collections import Counter

from guardrails.inspection import Described
from guardrails.stores.breakers import Gate
from guardrails.telemetry import catalogue as of
from guardrails.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from weakref import ReferenceType

    from guardrails.guard import Guard
    from guardrails.telemetry.numbers import Numbers, Reading

STATES = ("closed", "half open", "open")
WAITING = ("pending", "escalated")
ANYONE = "anyone"
SCOPES = ("all", "agent", "principal", "session", "tool")


class Standing:
    """Reads one guard, as long as it lives."""

    def __init__(self, guard: ReferenceType[Guard]) -> None:
        self._guard = guard

    def join(self, numbers: Numbers) -> None:
        numbers.read_by(self.policy, of.INFO)
        numbers.read_by(self.halts, of.HALTS)
        numbers.read_by(self.breakers, of.BREAKERS)
        numbers.read_by(self.store, of.STORE_UP)
        numbers.read_by(self.approvals, of.PENDING, of.OLDEST)

    def policy(self) -> Reading:
        guard = self._guard()
        return [] if guard is None else [(of.INFO, (guard.name, guard.digest, VERSION), 1)]

    def store(self) -> Reading:
        """Whether it answers: asked now, and not only when a decision needs it."""
        guard = self._stateful()
        if guard is None:
            return []
        from guardrails.errors import Unavailable

        try:
            guard.state.store.halts(now=guard.clock.now())
        except Unavailable:
            return [(of.STORE_UP, (guard.name,), 0)]
        return [(of.STORE_UP, (guard.name,), 1)]

    def halts(self) -> Reading:
        guard = self._stateful()
        if guard is None:
            return []
        found = guard.state.store.halts(now=guard.clock.now())
        counts = Counter(halt.scope.partition(":")[0] for halt in found)
        return [(of.HALTS, (guard.name, scope), counts[scope]) for scope in SCOPES]

    def breakers(self) -> Reading:
        """Those that do not count apart by a value: of others it is not known which there are."""
        guard = self._stateful()
        return [] if guard is None else list(_breakers(guard))

    def approvals(self) -> Reading:
        """What waits for people, by who is asked now."""
        guard = self._stateful()
        return [] if guard is None else list(_approvals(guard))

    def _stateful(self) -> Guard | None:
        guard = self._guard()
        return guard if guard is not None and guard.is_stateful else None


def _approvals(guard: Guard) -> Iterator[tuple[of.Measure, tuple[str, str], float]]:
    now, ages = guard.clock.now(), dict[str, list[float]]()
    for request in guard.approvals.list(*WAITING, kind="ask"):
        asked = {name for need in request.unmet for name in need.asked(need.stage(request.created, now))}
        ages.setdefault(", ".join(sorted(asked)) or ANYONE, []).append(
            max(now - request.created, 0) / 1_000_000
        )
    for reviewers, waited in ages.items():
        yield of.PENDING, (guard.name, reviewers), len(waited)
        yield of.OLDEST, (guard.name, reviewers), max(waited)


def _breakers(guard: Guard) -> Iterator[tuple[of.Measure, tuple[str, str], float]]:
    meters = [
        meter for meter in map(Described, guard.engine.program.head["meters"]) if meter.kind == "breaker"
    ]
    plain = [meter for meter in meters if not meter.by]
    gates = [Gate(meter.key, tuple(meter.openings), meter.retry_after) for meter in plain]
    gauges = guard.state.store.gauges(gates, now=guard.clock.now()) if gates else ()
    for meter, gauge in zip(plain, gauges, strict=True):
        for state in STATES:
            yield of.BREAKERS, (meter.name, state), float(gauge.state == state)
