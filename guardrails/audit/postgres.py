"""PostgreSQL: a log in a database, for many writers on many machines.

Takes records, adds them in one transaction that holds the row with the end of the log, so that writers wait for
one another and no place is given twice. The keys of people are in a table beside it: copies of the database keep
them for as long as the copies are kept, so erasing somebody there is done when the last copy is gone.

`?log=name` tells logs in one database apart.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from guardrails.audit.chain import Head, chain_of
from guardrails.audit.errors import AuditError, AuditUnavailable, needs_extra
from guardrails.audit.file_notes import note_of, parse_note
from guardrails.audit.forking import in_each_child
from guardrails.audit.linking import Linker
from guardrails.audit.port import Part

if TYPE_CHECKING:
    from guardrails.audit.keys import Keys
    from guardrails.audit.subjects import Subjects

WAIT = 5
"""Seconds for a connection, and for other writers."""

BATCH = 5_000
"""Records that are fetched at a time when a log is read."""

LOCK = 0x47554155
"""Number of the lock that makers of the tables hold."""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS guard_audit_records "
    "(log text NOT NULL, seq bigint NOT NULL, line text NOT NULL, PRIMARY KEY (log, seq))",
    "CREATE TABLE IF NOT EXISTS guard_audit_heads (log text PRIMARY KEY, id text NOT NULL, note bytea)",
    "CREATE TABLE IF NOT EXISTS guard_audit_keys "
    "(log text NOT NULL, name text NOT NULL, value bytea NOT NULL, PRIMARY KEY (log, name))",
    "CREATE INDEX IF NOT EXISTS guard_audit_by_time ON guard_audit_records (log, ((line::jsonb ->> 'us')::bigint))",
    *(
        f"CREATE INDEX IF NOT EXISTS guard_audit_by_{field} ON guard_audit_records (log, (line::jsonb ->> '{field}'))"
        for field in ("session", "trace", "id")
    ),
)


class PostgresHome:
    """A log in a database. Thread-safe: threads of a process take turns, and so do processes."""

    def __init__(self, url: str, keys: Keys, *, name: str = "guard") -> None:
        self._url = url
        self._keys = keys
        self._name = name
        self._start()
        _renew_after_fork(self)
        with self._mutex, self._using() as connection:
            self.linker = Linker(self._id(connection), keys)

    def _start(self) -> None:
        self._mutex = Lock()
        self._connection: Any = None
        self._inherited: list[Any] = []

    # --- the port ------------------------------------------------------------------------------

    def append(self, bodies: Sequence[bytes]) -> Head:
        with self._mutex, self._using() as connection, connection.transaction():
            row = connection.execute(
                "SELECT note FROM guard_audit_heads WHERE log = %s FOR UPDATE", (self._name,)
            ).fetchone()
            head = self._checked(connection, row)
            growing = self.linker.grown(head, bodies, begins=False)
            with (
                connection.cursor() as cursor,
                cursor.copy("COPY guard_audit_records (log, seq, line) FROM STDIN") as copy,
            ):
                for at, line in enumerate(growing.lines):
                    copy.write_row((self._name, head.size + at, line[:-1].decode()))
            after = growing.head()
            note = note_of(self.linker.log, after, "records", 0, self._keys.head)
            connection.execute("UPDATE guard_audit_heads SET note = %s WHERE log = %s", (note, self._name))
        return after

    def head(self) -> Head:
        with self._mutex, self._using() as connection, connection.transaction():
            return self._checked(connection, self._row(connection))

    def claim(self) -> int | None:
        with self._mutex, self._using() as connection:
            row = self._row(connection)
        note = parse_note(bytes(row[0]), self._keys.head) if row and row[0] is not None else None
        return None if note is None else note.head.size

    def parts(self) -> Iterator[Part]:
        yield Part(f"the log `{self._name}`", self._lines())

    def subjects(self) -> Subjects:
        from guardrails.audit.subjects import Subjects

        return Subjects(TableOfKeys(self), self._keys)

    def close(self) -> None:
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def renew(self) -> None:
        """Start afresh in a child process; what its parent had open is left alone."""
        inherited = [*self._inherited, self._connection]
        self._start()
        self._inherited = inherited

    # --- inside --------------------------------------------------------------------------------

    def _row(self, connection: Any) -> Any:
        return connection.execute(
            "SELECT note FROM guard_audit_heads WHERE log = %s", (self._name,)
        ).fetchone()

    def _checked(self, connection: Any, row: Any) -> Head:
        """The end of the log; the last record has to be the one that the note is about."""
        last = connection.execute(
            "SELECT seq, line FROM guard_audit_records WHERE log = %s ORDER BY seq DESC LIMIT 1",
            (self._name,),
        ).fetchone()
        if row is not None and row[0] is None and last is None:
            return Head()
        note = parse_note(bytes(row[0]), self._keys.head) if row is not None and row[0] is not None else None
        if note is None or last is None or last[0] != note.head.size - 1:
            raise AuditError(self._wrong_end())
        if chain_of(last[1].encode()) != note.head.chain:
            raise AuditError(self._wrong_end())
        return note.head

    def _wrong_end(self) -> str:
        return f"the log `{self._name}` does not end where its note says: `guard audit verify` says more"

    def _id(self, connection: Any) -> str:
        connection.execute(
            "INSERT INTO guard_audit_heads VALUES (%s, %s, NULL) ON CONFLICT (log) DO NOTHING",
            (self._name, os.urandom(16).hex()),
        )
        return str(
            connection.execute("SELECT id FROM guard_audit_heads WHERE log = %s", (self._name,)).fetchone()[0]
        )

    def _lines(self) -> Iterator[bytes]:
        with (
            self._translating(),
            _connected(self._url) as connection,
            connection.transaction(),
            connection.cursor(name="guard_audit") as cursor,
        ):
            cursor.itersize = BATCH
            cursor.execute("SELECT line FROM guard_audit_records WHERE log = %s ORDER BY seq", (self._name,))
            for (line,) in cursor:
                yield line.encode() + b"\n"

    @contextmanager
    def _using(self) -> Iterator[Any]:
        """The connection. One that failed is closed, so that the next call makes a new one."""
        with self._translating():
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = _prepared(_connected(self._url))
                yield self._connection
            except AuditError:
                raise
            except BaseException:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                raise

    @contextmanager
    def _translating(self) -> Iterator[None]:
        psycopg = _driver()
        try:
            yield
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise AuditUnavailable(
                f"the audit log `{self._name}` in PostgreSQL cannot be used: {reason}"
            ) from error


class TableOfKeys:
    """A box in the database of the log; see `guardrails.audit.subjects`."""

    def __init__(self, home: PostgresHome) -> None:
        self._home = home

    def get(self, name: str) -> bytes | None:
        row = self._asked("SELECT value FROM guard_audit_keys WHERE log = %s AND name = %s", name)
        return None if row is None else bytes(row[0])

    def put(self, name: str, value: bytes) -> bytes:
        self._asked(
            "INSERT INTO guard_audit_keys VALUES (%s, %s, %s) ON CONFLICT (log, name) DO NOTHING RETURNING 1",
            name, value,
        )  # fmt: skip
        return self.get(name) or value

    def destroy(self, name: str) -> bool:
        self._asked(
            "UPDATE guard_audit_keys SET value = %s WHERE name = %s AND log = %s RETURNING 1",
            name, os.urandom(72), reverse=True,
        )  # fmt: skip
        self._asked(
            "INSERT INTO guard_audit_keys VALUES (%s, %s, %s) "
            "ON CONFLICT (log, name) DO UPDATE SET value = excluded.value RETURNING 1",
            "erased", os.urandom(8),
        )  # fmt: skip
        gone = self._asked("DELETE FROM guard_audit_keys WHERE log = %s AND name = %s RETURNING 1", name)
        return gone is not None

    def version(self) -> object:
        return self.get("erased")

    def _asked(self, statement: str, name: str, value: bytes | None = None, *, reverse: bool = False) -> Any:
        given: tuple[Any, ...] = (
            (self._home._name, name) if value is None else (self._home._name, name, value)
        )
        with self._home._mutex, self._home._using() as connection:
            return connection.execute(statement, given[::-1] if reverse else given).fetchone()


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise needs_extra("postgres", "psycopg") from error
    return psycopg


def _connected(url: str) -> Any:
    options = f"-c lock_timeout={WAIT * 1000} -c synchronous_commit=on"
    return _driver().connect(url, connect_timeout=WAIT, autocommit=True, options=options)


def _prepared(connection: Any) -> Any:
    """Make the tables that are not there. Makers wait for each other: two at once would collide."""
    found = connection.execute("SELECT to_regclass('guard_audit_keys')").fetchone()[0]
    if found is None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            for statement in SCHEMA:
                connection.execute(statement)
    return connection


def _renew_after_fork(home: PostgresHome) -> None:
    known = weakref.ref(home)

    def renew() -> None:
        survivor = known()
        if survivor is not None:
            survivor.renew()

    in_each_child(renew)
