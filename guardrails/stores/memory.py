"""The store in this process: counters, breakers and logs in dicts, behind one lock.

Takes demands and gives grants. Kept at most: a counter until `KEEP` after it is empty, a reservation until
`KEEP` after its deadline (one that was committed only if it came with a request), a breaker for `FORGOTTEN`,
a log for as long as its notes say. Clearing away is spread over the calls, so twice as much may lie around.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from threading import Lock

from guardrails.stores.demands import (
    Fill,
    Granted,
    Level,
    Refused,
    RequestReused,
    amount_of,
    amounts_of,
    granted_units,
    levels_of,
    settlements,
    signature,
)
from guardrails.stores.documents import MOST_SCANNED, Changed, Document, check_document
from guardrails.stores.halts import Halt
from guardrails.stores.memory_breakers import Breakers
from guardrails.stores.memory_counters import Counter, give_back, is_held, settle
from guardrails.stores.memory_documents import Documents
from guardrails.stores.memory_holds import COMMITTED, OPEN, RELEASED, Hold, Request
from guardrails.stores.memory_logs import SessionLogs
from guardrails.stores.port import KEEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from guardrails.exact import Exact
    from guardrails.stores.breaker_states import Outcome
    from guardrails.stores.breakers import Gate, Gauge, Shut
    from guardrails.stores.demands import Demand
    from guardrails.stores.memory_counters import Charge
    from guardrails.stores.sessions import Moved, Note, Past

FEW_COUNTERS = 1_024
# How many old reservations one call clears away.
DROP_AT_MOST = 64


class MemoryStore:
    """Exact among the threads of one process; gone with it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[str, Counter] = {}
        self._holds: OrderedDict[str, Hold] = OrderedDict()
        self._requests: dict[str, Request] = {}
        self._breakers = Breakers()
        self._logs = SessionLogs()
        self._halts: dict[str, Halt] = {}
        self._documents = Documents()
        self._numbers = count(1)
        self._sweep_above = FEW_COUNTERS
        self._drop_at = 0

    def reserve(
        self,
        demands: Sequence[Demand],
        *,
        now: int,
        ttl: int | None,
        request: str | None = None,
        gates: Sequence[Gate] = (),
        note: Note | None = None,
    ) -> Granted | Refused | Shut | Moved:
        with self._lock:
            if request is not None:
                granted = self._answered(request, demands, now)
                if granted is not None:
                    return granted
            if gates or note is not None:
                stopped = self._in_the_way(gates, note, now)
                if stopped is not None:
                    return stopped
            hold = Hold(now, ttl, gates)
            totals: list[int] = []
            refused = self._charge_all(hold, totals, demands)
            if refused is not None:
                return refused
            name = str(next(self._numbers))
            self._holds[name] = hold
            if request is not None:
                self._keep(Request(request, signature(demands), hold), name, totals)
            if gates:
                self._breakers.let_through(gates, name, now, ttl)
            if note is not None:
                self._logs.write(note, now)
            if now >= self._drop_at:
                self._drop_old(now)
            return granted_units(name, totals, demands)

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        with self._lock:
            hold = self._holds.get(reservation)
            if hold is None or hold.state == COMMITTED or hold.deadline + KEEP <= now:
                return False
            charges = hold.charges
            given_back = hold.state != OPEN
            finals = settlements(actual, [(c[1].key, c[1].decimals) for c in charges]) if actual else None
            for index, charge in enumerate(charges):
                counter, demand, _, deadline, _ = charge
                if now > counter.high:
                    counter.high = now
                if counter.high >= counter.due:
                    counter.advance(now)
                if finals is not None or demand.member is not None or deadline <= counter.high or given_back:
                    settle(charge, finals[index] if finals else None)
            hold.state = COMMITTED
            hold.charges = []
            for charge in charges:
                held = charge[0].held
                if held and held[0] is charge:
                    held.popleft()
                if held and held[0][4].state != OPEN:
                    charge[0].tidy()
            if hold.gates:
                self._report(hold, reservation, now, "success")
            if hold.request is None:
                del self._holds[reservation]
            return True

    def release(self, reservation: str, *, now: int, failed: bool = False) -> bool:
        with self._lock:
            hold = self._holds.get(reservation)
            if hold is None or hold.state == COMMITTED or hold.deadline + KEEP <= now:
                return False
            if hold.gates:
                self._report(hold, reservation, now, "failure" if failed else "none")
            for charge in hold.charges:
                charge[0].advance(now)
            return _give_back(hold)

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        with self._lock:
            return tuple([self._fill(demand, now) for demand in demands])

    def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]:
        with self._lock:
            seen = [(name, c.seen_from(now)) for name, c in self._counters.items() if name.startswith(prefix)]
        return levels_of([(name, *amounts) for name, amounts in seen], prefix)

    def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]:
        with self._lock:
            return tuple([self._breakers.gauge(gate, now) for gate in gates])

    def remember(self, note: Note, *, now: int) -> int | Moved:
        with self._lock:
            moved = self._logs.moved(note, now)
            return self._logs.write(note, now) if moved is None else moved

    def recall(self, session: str, *, after: int, now: int) -> Past:
        with self._lock:
            return self._logs.recall(session, after, now)

    def forget(self, session: str) -> bool:
        with self._lock:
            return self._logs.forget(session)

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        with self._lock:
            self._halts[scope] = Halt(scope, who, why, now, until)

    def resume(self, scope: str) -> bool:
        with self._lock:
            return self._halts.pop(scope, None) is not None

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        with self._lock:
            return tuple([halt for _, halt in sorted(self._halts.items()) if halt.in_force(now)])

    def read(self, key: str, *, now: int) -> Document | None:
        with self._lock:
            return self._documents.read(key, now)

    def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed:
        check_document(key, text)
        with self._lock:
            return self._documents.swap(Document(key, version + 1, text), now + keep, now)

    def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]:
        with self._lock:
            return self._documents.scan(prefix, after, min(most, MOST_SCANNED), now)

    def close(self) -> None:
        """Nothing is open; here so that every store can be closed."""

    def _in_the_way(self, gates: Sequence[Gate], note: Note | None, now: int) -> Shut | Moved | None:
        if note is not None:
            moved = self._logs.moved(note, now)
            if moved is not None:
                return moved
        return self._breakers.shut(gates, now)

    def _charge_all(self, hold: Hold, totals: list[int], demands: Sequence[Demand]) -> Refused | None:
        now = latest = hold.deadline
        charges, find = hold.charges, self._counters.get
        for demand in demands:
            counter = find(demand.counter)
            if counter is None:
                counter = self._new_counter(demand, now)
                find = self._counters.get
            if now > counter.high:
                counter.high = now
            elif counter.high > latest:
                latest = counter.high
            if counter.high >= counter.due:
                counter.advance(now)
            total = counter.total + (demand.units if demand.member is None else counter.missing(demand))
            if total >= demand.ceiling and (demand.left or total > demand.ceiling):
                return _refuse(hold, counter, totals, demands)
            charges.append(counter.charge(demand, hold))
            totals.append(total)
        hold.deadline = latest if hold.stays else latest + hold.lasts
        return None

    def _new_counter(self, demand: Demand, now: int) -> Counter:
        """The counter of `demand` under its earlier name, else a new one."""
        counters = self._counters
        found = None if demand.was is None else counters.pop(demand.counter_before(), None)
        if found is None:
            if len(counters) > self._sweep_above:
                self._counters = counters = {name: c for name, c in counters.items() if not c.idle(now)}
                self._sweep_above = max(FEW_COUNTERS, 2 * len(counters))
            found = Counter(demand.window)
        counters[demand.counter] = found
        return found

    def _keep(self, request: Request, name: str, totals: list[int]) -> None:
        request.hold.request = self._requests[request.text] = request
        request.name = name
        request.totals = totals

    def _answered(self, text: str, demands: Sequence[Demand], now: int) -> Granted | None:
        """The grant that the request holds already; None if there is none or it has been given back."""
        request = self._requests.get(text)
        if request is None or request.hold.deadline + KEEP <= now:
            return None
        if request.asked != signature(demands):
            raise RequestReused(text)
        if _stands(request.hold, now):
            return granted_units(request.name, request.totals, demands)
        _give_back(request.hold)
        return None

    def _report(self, hold: Hold, name: str, now: int, outcome: Outcome) -> None:
        """Tell the gates how the call ended, once."""
        if hold.gates and not hold.reported:
            hold.reported = outcome != "none"
            self._breakers.settle(hold.gates, name, now, outcome)

    def _fill(self, demand: Demand, now: int) -> Fill:
        counter = self._counters.get(demand.counter)
        if counter is None and demand.was is not None:
            counter = self._counters.get(demand.counter_before())
        used, reserved = counter.seen_from(now) if counter else (0, 0)
        decimals = demand.decimals
        return Fill(demand.key, amount_of(used, decimals), amount_of(reserved, decimals), demand.limit)

    def _drop_old(self, now: int) -> None:
        """Drop reservations that nobody can ask for any more."""
        for _ in range(DROP_AT_MOST):
            name, hold = next(iter(self._holds.items()))
            if hold.deadline + KEEP > now:
                self._drop_at = hold.deadline + KEEP
                return
            del self._holds[name]
            hold.charges = []
            request = hold.request
            if request is not None and self._requests.get(request.text) is request:
                del self._requests[request.text]


def _refuse(hold: Hold, counter: Counter, totals: list[int], demands: Sequence[Demand]) -> Refused:
    """Undo what `hold` has charged so far, because the next demand does not fit on `counter`."""
    index = len(totals)
    before = [charge for charge in hold.charges if charge[0] is counter]
    refused = Refused(
        index, counter.wait(demands[index], before), amounts_of([*totals, counter.total], demands)
    )
    _undo(hold, hold.charges)
    return refused


def _give_back(hold: Hold) -> bool:
    """Undo every charge that still counts; whether there was one."""
    held = [charge for charge in hold.charges if is_held(charge)]
    _undo(hold, held)
    return bool(held)


def _undo(hold: Hold, charges: Sequence[Charge]) -> None:
    hold.state = RELEASED
    for charge in reversed(charges):
        give_back(charge)
        charge[0].tidy()


def _stands(hold: Hold, now: int) -> bool:
    """Whether what was granted is there in full."""
    if hold.state != OPEN:
        return hold.state == COMMITTED
    for charge in hold.charges:
        charge[0].advance(now)
    if not hold.charges:
        return hold.stays or now < hold.deadline
    return all(map(is_held, hold.charges))
