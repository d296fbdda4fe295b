"""Queries over a log in a database: the database itself answers.

Takes the URL of a log in SQLite or PostgreSQL, gives a reader that can only read. Records lie there as JSON
texts, with indexes on time, session, trace and id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditError
from guardrails.audit.query_sql import PostgresDialect, SqliteDialect, condition, counting

if TYPE_CHECKING:
    from guardrails.audit.query import Query
    from guardrails.audit.query_open import Reader

BATCH = 2_000
"""Records that are fetched at once."""

LINE = "line"


def database_reader(url: str) -> Reader:
    """The reader of the log at a URL. Raises `AuditError`."""
    from guardrails.audit.log import Address

    address = Address(url)
    if address.scheme == "sqlite":
        return SqliteReader(address.path)
    return PostgresReader(address.url, address.options.get("log", "guard"))


class SqliteReader:
    """A log in a database file, opened for reading alone."""

    def __init__(self, path: str) -> None:
        if not Path(path).is_file():
            raise AuditError(f"there is no audit log at `{path}`")
        self._path = path
        self._dialect = SqliteDialect(LINE)
        with self._telling():
            self._connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)

    @property
    def engine(self) -> str:
        return "SQLite"

    def records(self, query: Query) -> Iterator[dict[str, Any]]:
        statement, parameters = chosen("records", "TRUE", query, self._dialect)
        with self._telling():
            yield from map(_record, self._connection.execute(statement, parameters))

    def counts(self, query: Query, by: tuple[str, ...]) -> list[tuple[Any, ...]]:
        statement, parameters = counting(query, by, "records", self._dialect)
        with self._telling():
            return self._connection.execute(statement, parameters).fetchall()

    def unreadable(self, query: Query) -> int:
        with self._telling():
            found = self._connection.execute(
                "SELECT count(*) FROM records WHERE NOT json_valid(line)"
            ).fetchone()
        return int(found[0])

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise AuditError(f"the audit log `{self._path}` cannot be read: {error}") from error


class PostgresReader:
    """One log in a database, read in transactions that cannot write."""

    def __init__(self, url: str, name: str) -> None:
        from guardrails.audit.postgres import _driver

        self._driver = _driver()
        self._name = name
        self._dialect = PostgresDialect(f"{LINE}::jsonb")
        with self._telling():
            self._connection = self._driver.connect(
                url, connect_timeout=5, options="-c default_transaction_read_only=on"
            )
            self._connection.autocommit = True
            (there,) = self._connection.execute("SELECT to_regclass('guard_audit_records')").fetchone()
        if there is None:
            raise AuditError("there is no audit log in this database")

    @property
    def engine(self) -> str:
        return "PostgreSQL"

    def records(self, query: Query) -> Iterator[dict[str, Any]]:
        statement, parameters = chosen("guard_audit_records", "log = %s", query, self._dialect)
        with (
            self._telling(),
            self._connection.transaction(),
            self._connection.cursor(name="guard_query") as cursor,
        ):
            cursor.itersize = BATCH
            cursor.execute(statement, [self._name, *parameters])
            yield from map(_record, cursor)

    def counts(self, query: Query, by: tuple[str, ...]) -> list[tuple[Any, ...]]:
        table = f"(SELECT {LINE} FROM guard_audit_records WHERE log = %s) AS records"
        statement, parameters = counting(query, by, table, self._dialect)
        with self._telling():
            return [tuple(row) for row in self._connection.execute(statement, [self._name, *parameters])]

    def unreadable(self, query: Query) -> int:
        """A text that is no JSON could not be indexed, so none is in the table."""
        return 0

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise AuditError(
                f"the audit log `{self._name}` in PostgreSQL cannot be read: {reason}"
            ) from error


def chosen(table: str, where: str, query: Query, dialect: Any) -> tuple[str, list[Any]]:
    """The statement for the records of a query, in the order of the log."""
    more, parameters = condition(query, dialect)
    statement = f"SELECT seq, {LINE} FROM {table} WHERE {where} AND {more}"
    if query.newest is not None:
        statement = (
            f"SELECT seq, {LINE} FROM ({statement} ORDER BY seq DESC LIMIT {int(query.newest)}) AS newest"
        )
    return f"{statement} ORDER BY seq", parameters


def _record(row: Any) -> dict[str, Any]:
    from json import loads

    found: dict[str, Any] = loads(row[1])
    return found
