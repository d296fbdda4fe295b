"""SQLite: a log as one database file, for hosts where a folder of files is no option.

Takes records, adds them in one transaction that ends with a sync. The end of the log stands in a row beside the
records, sealed like the note of a log in files; the last record has to agree with it.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from guardrails.audit.chain import Head, chain_of, seq_of
from guardrails.audit.errors import AuditError, AuditUnavailable
from guardrails.audit.file_notes import Note, note_of, parse_note
from guardrails.audit.forking import in_each_child
from guardrails.audit.linking import Linker
from guardrails.audit.port import Part

if TYPE_CHECKING:
    from guardrails.audit.keys import Keys
    from guardrails.audit.subjects import Subjects

APPLICATION = 0x47554155  # `GUAU`: tells a log from a store and from some other database
VERSION = 1
WAIT = 5.0
"""Seconds that another process may hold the file."""

SCHEMA = """
CREATE TABLE records (seq INTEGER PRIMARY KEY, line TEXT NOT NULL);
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), log TEXT NOT NULL, note BLOB);
CREATE INDEX by_time ON records (json_extract(line, '$.us'));
CREATE INDEX by_session ON records (json_extract(line, '$.session'));
CREATE INDEX by_trace ON records (json_extract(line, '$.trace'));
CREATE INDEX by_id ON records (json_extract(line, '$.id'))
"""


class SqliteHome:
    """A log in a database file. Thread-safe; other processes may use it at the same time."""

    def __init__(self, path: str, keys: Keys) -> None:
        self.path = path
        self._keys = keys
        self._start()
        with self._mutex, self._using() as connection:
            log = connection.execute("SELECT log FROM head").fetchone()[0]
        self.linker = Linker(log, keys)
        _renew_after_fork(self)

    def _start(self) -> None:
        self._mutex = Lock()
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection | None] = []

    # --- the port ------------------------------------------------------------------------------

    def append(self, bodies: Sequence[bytes]) -> Head:
        with self._mutex, self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            head = self._head(connection)
            growing = self.linker.grown(head, bodies, begins=False)
            rows = [(head.size + at, line[:-1].decode()) for at, line in enumerate(growing.lines)]
            connection.executemany("INSERT INTO records VALUES (?, ?)", rows)
            after = growing.head()
            note = note_of(self.linker.log, after, "records", 0, self._keys.head)
            connection.execute("UPDATE head SET note = ?", (note,))
            connection.execute("COMMIT")
            return after

    def head(self) -> Head:
        with self._mutex, self._using() as connection:
            return self._head(connection)

    def claim(self) -> int | None:
        with self._mutex, self._using() as connection:
            note = self._note(connection)
            return None if note is None else note.head.size

    def parts(self) -> Iterator[Part]:
        if not os.path.exists(self.path):
            raise AuditError(f"there is no log at `{self.path}`")
        yield Part(self.path, self._lines(), os.path.getsize(self.path))

    def subjects(self) -> Subjects:
        from guardrails.audit.subjects import FolderOfKeys, Subjects

        return Subjects(FolderOfKeys(Path(f"{self.path}.keys")), self._keys)

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

    def _note(self, connection: sqlite3.Connection) -> Note | None:
        stored = connection.execute("SELECT note FROM head").fetchone()[0]
        return None if stored is None else parse_note(bytes(stored), self._keys.head)

    def _head(self, connection: sqlite3.Connection) -> Head:
        """The end of the log; the last record has to be the one that the note is about."""
        last = connection.execute(
            "SELECT seq, CAST(line AS BLOB) FROM records ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        note = self._note(connection)
        if last is None and connection.execute("SELECT note FROM head").fetchone()[0] is None:
            return Head()
        fits = note is not None and last is not None and last[0] == note.head.size - 1
        if note is None or not fits or chain_of(last[1]) != note.head.chain or seq_of(last[1]) != last[0]:
            raise AuditError(
                f"`{self.path}` does not end where its note says: `guard audit verify` says more"
            )
        return note.head

    def _lines(self) -> Iterator[bytes]:
        connection = sqlite3.connect(f"{Path(self.path).absolute().as_uri()}?mode=ro", uri=True)
        try:
            for (line,) in connection.execute("SELECT CAST(line AS BLOB) FROM records ORDER BY seq"):
                yield line + b"\n"
        except sqlite3.Error as error:
            raise AuditError(f"`{self.path}` cannot be read: {error}") from error
        finally:
            connection.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = _connected(self.path)
            yield self._connection
        except sqlite3.Error as error:
            raise AuditUnavailable(f"the audit log `{self.path}` cannot be used: {error}") from error
        finally:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _connected(path: str) -> sqlite3.Connection:
    try:
        # Before SQLite does: it would make a file that everyone may read.
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AuditUnavailable(f"the audit log `{path}` cannot be opened: {reason}") from error
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables in an empty file; refuse a file that holds something else."""
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found == APPLICATION:
        return
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found == APPLICATION:
        connection.execute("ROLLBACK")
        return
    if found or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute("ROLLBACK")
        raise AuditError(f"`{path}` is a database of something else, and no audit log")
    for statement in SCHEMA.strip().split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO head VALUES (1, ?, NULL)", (os.urandom(16).hex(),))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _renew_after_fork(home: SqliteHome) -> None:
    known = weakref.ref(home)

    def renew() -> None:
        survivor = known()
        if survivor is not None:
            survivor.renew()

    in_each_child(renew)
