"""The store in a file: SQLite in WAL mode, for all processes of one machine.

Takes a path, gives a store. Every call is part of one `BEGIN IMMEDIATE` transaction, so a process that is
killed leaves either all of it or nothing. Committed work outlives the process at once; to outlive a crash of
the operating system too, ask for `?durable=os`, which waits for the disk before it answers: once for all
threads that call at the same time, so many threads get many answers per wait, and a single one gets one.

Kept at most: a counter until `KEEP` after it is of no use, a reservation until `KEEP` after its deadline (one
that was committed only if it came with a request), a breaker for `FORGOTTEN`, a log for as long as its notes
say. One reservation in `CLEAR_EVERY` clears away what is over.
"""

from __future__ import annotations

from guardrails.stores import sqlite_documents as documents
from guardrails.stores import sqlite_sessions as sessions
from guardrails.stores.demands import (
    Fill,
    Granted,
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
from guardrails.stores.port import KEEP
from guardrails.stores.sqlite_file import File
from guardrails.stores.sqlite_ledger import Ahead, Ledger
from guardrails.stores.sqlite_reservations import COMMITTED, OPEN, Reservation, insert, requested, reserved
from guardrails.stores.sqlite_sessions import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from sqlite3 import Connection

    from guardrails.exact import Exact
    from guardrails.stores.breakers import Gate, Gauge, Shut
    from guardrails.stores.demands import Demand, Level
    from guardrails.stores.sessions import Moved, Note, Past
    from guardrails.stores.sqlite_reservations import Terms

TIMEOUT = 5.0
# One reservation or note in so many also clears away what nobody can ask for any more, and so much at most.
CLEAR_EVERY, CLEAR_AT_MOST = 64, 256

OLD = "SELECT id, request FROM reservation WHERE deadline <= ? ORDER BY deadline LIMIT ?"
DROP = "DELETE FROM reservation WHERE id = ?"
DROP_REQUEST = "DELETE FROM request WHERE request = ? AND reservation = ?"
EMPTY = "SELECT id FROM counter WHERE ends <= ? ORDER BY ends LIMIT ?"
EMPTIED = tuple(f"DELETE FROM {table} WHERE counter = ?" for table in ("entry", "member", "held"))
DROP_COUNTER = "DELETE FROM counter WHERE id = ?"
NAMES = "SELECT name FROM counter WHERE name >= ? AND substr(name, 1, length(?1)) = ?1"
HALT = "INSERT OR REPLACE INTO halt VALUES (?, ?, ?, ?, ?)"
RESUME = "DELETE FROM halt WHERE scope = ?"
HALTS = "SELECT scope, who, why, since, until FROM halt WHERE until IS NULL OR until > ? ORDER BY scope"


class SqliteStore:
    """Exact among threads and processes of one machine, and durable.

    `durable` is `process` (what was granted outlives a killed process) or `os` (and a crash of the machine).
    A call that waits longer than `timeout` seconds for the other processes raises `StoreUnavailable`.
    """

    def __init__(self, path: str, durable: str = "process", timeout: float = TIMEOUT) -> None:
        self._file = File(path, durable, timeout)

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
        terms = (now, ttl, request, tuple(gates))
        return self._file.write(lambda ledger: _reserve(ledger, tuple(demands), terms, note))

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        def commit(ledger: Ledger) -> bool:
            found = reserved(ledger, reservation, now)
            if found is None or found.state == COMMITTED:
                return False
            _settle(ledger, found, actual, now)
            found.report(now, "success")
            found.committed()
            return True

        return self._file.write(commit)

    def release(self, reservation: str, *, now: int, failed: bool = False) -> bool:
        def release(ledger: Ledger) -> bool:
            found = reserved(ledger, reservation, now)
            if found is None or found.state == COMMITTED:
                return False
            found.report(now, "failure" if failed else "none")
            found.advance(now)
            return found.give_back()

        return self._file.write(release)

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        asked = tuple(demands)
        return self._file.read(lambda ledger: tuple([_fill(ledger, demand, now) for demand in asked]))

    def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]:
        def seen(ledger: Ledger) -> list[tuple[str, int, int]]:
            names = ledger.connection.execute(NAMES, (prefix,)).fetchall()
            rows = [row for (name,) in names if (row := ledger.find(name))]
            return [(row.name, *row.seen_from(now)) for row in rows]

        return levels_of(self._file.read(seen), prefix)

    def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]:
        asked = tuple(gates)
        return self._file.read(
            lambda ledger: tuple([sessions.gauge(ledger.connection, gate, now) for gate in asked])
        )

    def remember(self, note: Note, *, now: int) -> int | Moved:
        def remember(ledger: Ledger) -> int | Moved:
            log = Log(ledger.connection, note.session, now)
            answer = log.moved(note) or log.write(note, now)
            if answer.__class__ is int and answer % CLEAR_EVERY == 0:
                sessions.clear_away(ledger.connection, now, CLEAR_AT_MOST)
            return answer

        return self._file.write(remember)

    def recall(self, session: str, *, after: int, now: int) -> Past:
        return self._file.read(lambda ledger: Log(ledger.connection, session, now).recall(after))

    def forget(self, session: str) -> bool:
        return self._file.write(lambda ledger: sessions.forget_log(ledger.connection, session))

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        self._file.write(lambda ledger: ledger.connection.execute(HALT, (scope, who, why, now, until)))

    def resume(self, scope: str) -> bool:
        return self._file.write(lambda ledger: ledger.connection.execute(RESUME, (scope,)).rowcount == 1)

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        rows = self._file.read(lambda ledger: ledger.connection.execute(HALTS, (now,)).fetchall())
        return tuple([Halt(*row) for row in rows])

    def read(self, key: str, *, now: int) -> Document | None:
        return self._file.read(lambda ledger: documents.read(ledger.connection, key, now))

    def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed:
        check_document(key, text)
        following = Document(key, version + 1, text)
        return self._file.write(lambda ledger: documents.swap(ledger.connection, following, now + keep, now))

    def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]:
        most = min(most, MOST_SCANNED)
        return self._file.read(lambda ledger: documents.scan(ledger.connection, prefix, after, most, now))

    def close(self) -> None:
        self._file.close()


def _reserve(
    ledger: Ledger, demands: tuple[Demand, ...], terms: Terms, note: Note | None
) -> Granted | Refused | Shut | Moved:
    now, _, request, gates = terms
    connection = ledger.connection
    granted = None if request is None else _answered(ledger, request, demands, now)
    if granted is not None:
        return granted
    log = None if note is None else Log(connection, note.session, now)
    stopped = (log and note and log.moved(note)) or sessions.shut(connection, gates, now)
    if stopped:
        return stopped
    totals = _totals(ledger, demands, now)
    if isinstance(totals, Refused):
        return totals
    number = insert(ledger, demands, totals, terms)
    if log and note:
        log.write(note, now)
    if number % CLEAR_EVERY == 0:
        _clear_away(ledger, now)
    return granted_units(str(number), totals, demands)


def _answered(ledger: Ledger, request: str, demands: Sequence[Demand], now: int) -> Granted | None:
    """The grant that `request` holds already; None if there is none or it has been given back."""
    found, asked = requested(ledger, request, now)
    if found is None:
        return None
    if asked != signature(demands):
        raise RequestReused(request)
    if found.stands(now):
        return granted_units(str(found.number), found.fills, demands)
    if found.state == OPEN:
        found.give_back()
    return None


def _totals(ledger: Ledger, demands: Sequence[Demand], now: int) -> Refused | list[int]:
    """The totals that the demands lead to, nothing charged yet; or which of them does not fit."""
    totals: list[int] = []
    aheads: dict[int, Ahead] = {}
    for index, demand in enumerate(demands):
        row = ledger.counter(demand)
        row.advance(now)
        ahead = aheads.get(row.id)
        if ahead is None:
            ahead = aheads[row.id] = Ahead()
        total = row.total + ahead.with_demand(row, demand)
        if total > demand.ceiling - demand.left:
            before = row.total + ahead.asked(row)
            return Refused(index, row.wait(demand, ahead), amounts_of([*totals, before], demands))
        ahead.add(row, demand)
        totals.append(total)
    return totals


def _settle(ledger: Ledger, found: Reservation, actual: Mapping[str, Exact] | None, now: int) -> None:
    charges = found.charges
    rows = [ledger.numbered(charge.counter) for charge in charges]
    asked = [(charge.key, row.decimals) for charge, row in zip(charges, rows, strict=True)]
    stays = found.stays and found.state == OPEN
    for row, charge, final in zip(rows, charges, settlements(actual, asked), strict=True):
        row.advance(now)
        row.settle(charge, final, stays=stays)


def _fill(ledger: Ledger, demand: Demand, now: int) -> Fill:
    row = ledger.find(demand.counter)
    if row is None and demand.was is not None:
        row = ledger.find(demand.counter_before())
    used, held = row.seen_from(now) if row else (0, 0)
    decimals = demand.decimals
    return Fill(demand.key, amount_of(used, decimals), amount_of(held, decimals), demand.limit)


def _clear_away(ledger: Ledger, now: int) -> None:
    """Drop reservations that nobody can ask for any more, and whatever else nothing is left of."""
    connection = ledger.connection
    old = connection.execute(OLD, (now - KEEP, CLEAR_AT_MOST)).fetchall()
    for number, request in old:
        connection.execute(DROP, (number,))
        connection.execute(DROP_REQUEST, (request, number))
    sessions.clear_away(connection, now, CLEAR_AT_MOST)
    # Reservations name the counters that they are on, and are all gone so long after the counter's end.
    if len(old) < CLEAR_AT_MOST:
        _drop_counters(ledger, connection, now)


def _drop_counters(ledger: Ledger, connection: Connection, now: int) -> None:
    for (number,) in connection.execute(EMPTY, (now - KEEP, CLEAR_AT_MOST)).fetchall():
        for statement in (*EMPTIED, DROP_COUNTER):
            connection.execute(statement, (number,))
        ledger.forget(number)
