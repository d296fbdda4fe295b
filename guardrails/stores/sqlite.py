"""The store in a file: SQLite in WAL mode, for all processes of one machine.

Takes a path, gives a store. Every call is one `BEGIN IMMEDIATE` transaction, so a process that is killed
leaves either all of it or nothing. Committed work outlives the process at once; to outlive a crash of the
operating system too, ask for `?durable=os`, which waits for the disk in each call.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from contextlib import closing, contextmanager
from threading import Lock
from time import monotonic, sleep

from guardrails.errors import EvaluationError, TooLarge
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
from guardrails.stores.port import KEEP, StoreUnavailable
from guardrails.stores.sqlite_ledger import SCHEMA, Charge, Ledger, Row, charges_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from guardrails.exact import Exact
    from guardrails.stores.demands import Demand

VERSION = 1
APPLICATION = 0x47554152  # `GUAR`: tells a store from some other database
SYNCHRONOUS = {"process": "NORMAL", "os": "FULL"}
TIMEOUT = 5.0
# Pages of the log before it is copied into the file: with few pages that change often, later is cheaper.
CHECKPOINT = 4_000
# One reservation in so many also clears away what nobody can ask for any more, and so much at most.
CLEAR_EVERY, CLEAR_AT_MOST = 64, 256

KNOWN = """SELECT id, signature, fills, charges, committed FROM request JOIN reservation ON id = reservation
  WHERE request.request = ?"""
RESERVE = "INSERT INTO reservation (deadline, request, fills, charges) VALUES (?, ?, ?, '')"
CHARGED = "UPDATE reservation SET charges = ? WHERE id = ?"
REQUEST = "INSERT OR REPLACE INTO request VALUES (?, ?, ?)"
OPEN = "SELECT committed, request, charges FROM reservation WHERE id = ?"
COMMITTED = "UPDATE reservation SET committed = 1 WHERE id = ?"
DROP = "DELETE FROM reservation WHERE id = ?"
DROP_REQUEST = "DELETE FROM request WHERE request = ? AND reservation = ?"
OLD = "SELECT id, request FROM reservation WHERE deadline <= ? ORDER BY deadline LIMIT ?"
EMPTY = "SELECT id FROM counter WHERE ends <= ? ORDER BY ends LIMIT ?"
EMPTIED = tuple(f"DELETE FROM {table} WHERE counter = ?" for table in ("entry", "held"))
HALT = "INSERT OR REPLACE INTO halt VALUES (?, ?, ?, ?, ?)"
RESUME = "DELETE FROM halt WHERE scope = ?"
HALTS = "SELECT scope, who, why, since, until FROM halt WHERE until IS NULL OR until > ? ORDER BY scope"
DROP_COUNTER = "DELETE FROM counter WHERE id = ?"


class SqliteStore:
    """Exact among threads and processes of one machine, and durable.

    `durable` is `process` (what was granted outlives a killed process) or `os` (and a crash of the machine).
    A call that waits longer than `timeout` seconds for the other processes raises `StoreUnavailable`.
    """

    def __init__(self, path: str, durable: str = "process", timeout: float = TIMEOUT) -> None:
        if durable not in SYNCHRONOUS:
            raise EvaluationError(f"`{durable}` is not a durability: use `process` or `os`")
        self.path = path
        self._durable = durable
        self._timeout = timeout
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection | None] = []
        _renew_after_fork(self)

    def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused:
        with self._transaction() as ledger:
            if request is not None:
                granted = self._answered(ledger, request, demands, now)
                if granted is not None:
                    return granted
            answer = self._charge(ledger, demands, now)
            if isinstance(answer, Refused):
                return answer
            granted = self._hold(ledger, demands, answer, (now, ttl, request))
            if int(granted.reservation) % CLEAR_EVERY == 0:
                _forget(ledger.connection, now)
            return granted

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        with self._transaction() as ledger:
            number = _number(reservation)
            state = ledger.connection.execute(OPEN, (number,)).fetchone()
            if state is None or state[0]:
                return False
            _settle(ledger, charges_of(number, state[2]), actual, now)
            ledger.connection.execute(DROP if state[1] is None else COMMITTED, (number,))
            return True

    def release(self, reservation: str) -> bool:
        with self._transaction() as ledger:
            number = _number(reservation)
            state = ledger.connection.execute(OPEN, (number,)).fetchone()
            if state is None or state[0]:
                return False
            return _give_back(ledger, charges_of(number, state[2]))

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        with self._transaction("DEFERRED") as ledger:
            return tuple([_fill(ledger, demand, now) for demand in demands])

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        with self._transaction() as ledger:
            ledger.connection.execute(HALT, (scope, who, why, now, until))

    def resume(self, scope: str) -> bool:
        with self._transaction() as ledger:
            return ledger.connection.execute(RESUME, (scope,)).rowcount == 1

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        with self._transaction("DEFERRED") as ledger:
            return tuple([Halt(*row) for row in ledger.connection.execute(HALTS, (now,)).fetchall()])

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _answered(self, ledger: Ledger, request: str, demands: Sequence[Demand], now: int) -> Granted | None:
        """The grant that `request` holds already; None if there is none or it has been given back."""
        known = ledger.connection.execute(KNOWN, (request,)).fetchone()
        if known is None:
            return None
        number, signed, fills, text, committed = known
        if signed != signature(demands):
            raise RequestReused(request)
        charges = charges_of(number, text)
        for charge in charges:
            ledger.numbered(charge.counter).advance(now)
        if committed or all(charge.is_held(ledger.connection) for charge in charges):
            return Granted(str(number), amounts_of([int(f) for f in fills.split()], demands))
        _give_back(ledger, charges)
        return None

    def _charge(self, ledger: Ledger, demands: Sequence[Demand], now: int) -> Refused | list[int]:
        """The totals that the demands lead to, nothing written yet; or which of them does not fit."""
        totals: list[int] = []
        ahead: dict[int, int] = {}
        for index, demand in enumerate(demands):
            row = ledger.named(demand.counter)
            row.advance(now)
            before = ahead.get(row.id, 0)
            total = row.total + before + demand.units
            if total > demand.ceiling:
                fills = amounts_of([*totals, row.total + before], demands)
                return Refused(index, row.wait(demand, before), fills)
            ahead[row.id] = before + demand.units
            totals.append(total)
        return totals

    def _hold(
        self, ledger: Ledger, demands: Sequence[Demand], totals: list[int], terms: tuple[int, int, str | None]
    ) -> Granted:
        now, ttl, request = terms
        rows = [ledger.named(demand.counter) for demand in demands]
        deadline = max([now, *(row.high for row in rows)]) + ttl
        fills = " ".join(map(str, totals))
        execute = ledger.connection.execute
        number = execute(RESERVE, (deadline, request, fills)).lastrowid or 0
        charges = [
            row.hold(demand.units, row.high + ttl, (number, position))
            for position, (row, demand) in enumerate(zip(rows, demands, strict=True))
        ]
        execute(CHARGED, (";".join(charges), number))
        if request is not None:
            execute(REQUEST, (request, number, signature(demands)))
        return Granted(str(number), amounts_of(totals, demands))

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[Ledger]:
        """A ledger whose changes are written all at once, or not at all where an error comes out."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _connect(self.path, SYNCHRONOUS[self._durable], self._timeout)
                connection = self._connection
                connection.execute(f"BEGIN {kind}")
                try:
                    ledger = Ledger(connection)
                    yield ledger
                    if kind == "IMMEDIATE":
                        ledger.write()
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            except OverflowError as error:
                raise TooLarge("the sum of a counter is more than it can hold") from error
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the store `{self.path}` cannot be used: {error}") from error

    def renew(self) -> None:
        """Start afresh in a child process; what its parent had open is left alone."""
        self._lock = Lock()
        self._inherited.append(self._connection)
        self._connection = None


def _renew_after_fork(store: SqliteStore) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    known = weakref.ref(store)

    def renew() -> None:
        survivor = known()
        if survivor is not None:
            survivor.renew()

    os.register_at_fork(after_in_child=renew)


def _connect(path: str, synchronous: str, timeout: float) -> sqlite3.Connection:
    try:
        # Before SQLite does: it would make a file that everyone may read, and gives its log the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the store `{path}` cannot be opened: {error.strerror}") from error
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(connection, monotonic() + timeout)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, until: float) -> None:
    """Switch to WAL. Among processes that start at once SQLite reports busy here without waiting."""
    while True:
        try:
            with closing(connection.execute("PRAGMA journal_mode = WAL")) as cursor:
                cursor.fetchall()
            return
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            sleep(0.01)


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables in an empty file; refuse a file that holds something else."""
    if _version(connection) == (APPLICATION, VERSION):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection)
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found == (0, 0) and not tables:
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif found != (APPLICATION, VERSION):
            raise StoreUnavailable(f"`{path}` is not a store that this version can use")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _number(reservation: str) -> int:
    """The row of a reservation; 0, which no row has, for a text that never was one."""
    return int(reservation) if reservation.isdecimal() and len(reservation) < 19 else 0


def _settle(ledger: Ledger, charges: Sequence[Charge], actual: Mapping[str, Exact] | None, now: int) -> None:
    rows = [ledger.numbered(charge.counter) for charge in charges]
    finals = settlements(actual, [(row.key, row.decimals) for row in rows])
    for row, charge, final in zip(rows, charges, finals, strict=True):
        row.advance(now)
        row.settle(charge, charge.units if final is None else final)


def _give_back(ledger: Ledger, charges: Sequence[Charge]) -> bool:
    """Undo every charge that still counts; whether there was one."""
    held = [charge for charge in charges if charge.let_go(ledger.connection)]
    for charge in held:
        ledger.numbered(charge.counter).give_back(charge.stamp, charge.units)
    return bool(held)


def _fill(ledger: Ledger, demand: Demand, now: int) -> Fill:
    row: Row | None = ledger.find(demand.counter)
    used, reserved = row.seen_from(now) if row else (0, 0)
    decimals = demand.decimals
    return Fill(demand.key, amount_of(used, decimals), amount_of(reserved, decimals), demand.limit)


def _forget(connection: sqlite3.Connection, now: int) -> None:
    """Drop reservations that nobody can ask for any more, and counters that nothing is left of."""
    old = connection.execute(OLD, (now - KEEP, CLEAR_AT_MOST)).fetchall()
    for number, request in old:
        connection.execute(DROP, (number,))
        connection.execute(DROP_REQUEST, (request, number))
    if len(old) == CLEAR_AT_MOST:
        return
    # Reservations name the counters that they are on, and are all gone so long after the counter's end.
    for (number,) in connection.execute(EMPTY, (now - KEEP, CLEAR_AT_MOST)).fetchall():
        for statement in (*EMPTIED, DROP_COUNTER):
            connection.execute(statement, (number,))
