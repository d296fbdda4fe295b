"""The file of a SQLite store: opening it, and transactions that many callers share.

Takes pieces of work from threads, gives each its own answer or error. The idea is a group commit: whoever
finds nobody at work leads, takes all work that waits into one transaction, and answers once it is written.
So the disk is waited for once per transaction and not once per call; a caller that is alone waits for it
alone. No answer is given before the commit. Where a piece of work fails, the transaction is made again with
a savepoint around each piece, so that only its own changes are undone.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections import deque
from contextlib import closing
from threading import Lock
from time import monotonic, sleep

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores.port import StoreUnavailable
from guardrails.stores.sqlite_ledger import Ledger
from guardrails.stores.sqlite_schema import SCHEMA, UPGRADES, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    Answer = TypeVar("Answer")

APPLICATION = 0x47554152  # `GUAR`: tells a store from some other database
SYNCHRONOUS = {"process": "NORMAL", "os": "FULL"}
# Pages of the log before it is copied into the file: with few pages that change often, later is cheaper.
CHECKPOINT = 4_000
# Calls that share a transaction, at most: a bound on how long one of them takes.
TOGETHER = 256


class Work:
    """One call: what it does with the ledger, and what came of it.

    `failed` is an error of its own, and `error` what the caller is told: whether anything was written is not
    known before the commit.
    """

    __slots__ = ("answer", "do", "error", "failed", "leads", "reads", "turn")

    def __init__(self, do: Callable[[Ledger], Any], *, reads: bool) -> None:
        self.do = do
        self.reads = reads
        self.answer: Any = None
        self.error: Exception | None = None
        self.failed: Exception | None = None
        self.leads = False
        self.turn = Lock()
        self.turn.acquire()


class File:
    """A database that the threads of this process share, and other processes use at the same time.

    A transaction waits `timeout` seconds for those, so a call waits for that and for one transaction of
    this process before it.
    """

    def __init__(self, path: str, durable: str, timeout: float) -> None:
        if durable not in SYNCHRONOUS:
            raise EvaluationError(f"`{durable}` is not a durability: use `process` or `os`")
        self.path = path
        self._durable = durable
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection | None] = []
        self._start()
        _renew_after_fork(self)

    def read(self, do: Callable[[Ledger], Answer]) -> Answer:
        """What `do` gives of the file as it is."""
        return self._run(Work(do, reads=True))  # type: ignore[no-any-return]  # what `do` gives

    def write(self, do: Callable[[Ledger], Answer]) -> Answer:
        """What `do` gives, once what it changed is written; nothing is changed where it raises."""
        return self._run(Work(do, reads=False))  # type: ignore[no-any-return]  # what `do` gives

    def close(self) -> None:
        with self._using:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def renew(self) -> None:
        """Start afresh in a child process; what its parent had open is left alone."""
        self._inherited.append(self._connection)
        self._connection = None
        self._start()

    def _start(self) -> None:
        self._mutex = Lock()
        self._using = Lock()
        self._waiting: deque[Work] = deque()
        self._busy = False

    def _run(self, work: Work) -> Any:
        try:
            with self._mutex:
                self._waiting.append(work)
                if not self._busy:
                    self._busy = work.leads = True
            if not work.leads:
                work.turn.acquire()
            if work.leads:
                self._lead(work)
        except BaseException:
            self._abandon(work)
            raise
        if work.error is not None:
            raise work.error
        return work.answer

    def _lead(self, own: Work) -> None:
        """Do all work that waits, and hand over to whoever came in the meantime."""
        with self._mutex:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER))]
        try:
            with self._using:
                self._settle(batch)
        finally:
            for work in batch:
                if work is not own:
                    work.turn.release()
            own.leads = False
            self._hand_over()

    def _hand_over(self) -> None:
        with self._mutex:
            self._busy = bool(self._waiting)
            if self._waiting:
                following = self._waiting[0]
                following.leads = True
                following.turn.release()

    def _abandon(self, work: Work) -> None:
        """The thread of `work` was interrupted; nobody may wait for it."""
        with self._mutex:
            if work in self._waiting:
                self._waiting.remove(work)
        if work.leads:
            work.leads = False
            self._hand_over()

    def _settle(self, batch: Sequence[Work]) -> None:
        """Give all of `batch` an answer or an error."""
        for work in batch:
            work.error = StoreUnavailable(f"the store `{self.path}` was interrupted")
        try:
            self._transact(batch)
        except Exception as error:
            for work in batch:
                work.error = self._failure(error)

    def _transact(self, batch: Sequence[Work]) -> None:
        if self._connection is None:
            self._connection = _connect(self.path, SYNCHRONOUS[self._durable], self._timeout)
        connection = self._connection
        begin = "BEGIN" if all(work.reads for work in batch) else "BEGIN IMMEDIATE"
        try:
            connection.execute(begin)
            if not _done_together(connection, batch):
                _roll_back(connection)
                connection.execute(begin)
                self._do_apart(connection, batch)
            connection.execute("COMMIT")
        finally:
            _roll_back(connection)
        for work in batch:
            work.error = work.failed

    def _do_apart(self, connection: sqlite3.Connection, batch: Sequence[Work]) -> None:
        """Each piece within a savepoint, so that a failure takes back its own changes only."""
        for work in batch:
            connection.execute("SAVEPOINT work")
            try:
                ledger = Ledger(connection)
                work.answer = work.do(ledger)
                ledger.write()
            except Exception as error:
                connection.execute("ROLLBACK TO work")
                work.failed = self._failure(error)
            connection.execute("RELEASE work")

    def _failure(self, error: Exception) -> Exception:
        """The port's word for what went wrong."""
        if isinstance(error, OverflowError):
            return TooLarge("the sum of a counter is more than it can hold")
        if isinstance(error, UnicodeEncodeError):
            return EvaluationError("half a surrogate pair is no text that a store can keep")
        if isinstance(error, sqlite3.Error):
            return StoreUnavailable(f"the store `{self.path}` cannot be used: {error}")
        return error


def _done_together(connection: sqlite3.Connection, batch: Sequence[Work]) -> bool:
    """Do all work on one ledger; False: some of it failed, and nothing of it may be kept."""
    ledger = Ledger(connection)
    try:
        for work in batch:
            work.answer = work.do(ledger)
        ledger.write()
    except Exception:
        return False
    return True


def _roll_back(connection: sqlite3.Connection) -> None:
    # Some errors of SQLite have ended the transaction by themselves.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _renew_after_fork(file: File) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    known = weakref.ref(file)

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
        missing = SCHEMA if found == (0, 0) and not tables else ""
        if found[0] == APPLICATION:
            missing = UPGRADES.get(found[1], "")
        if missing:
            for statement in missing.split(";\n"):
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
