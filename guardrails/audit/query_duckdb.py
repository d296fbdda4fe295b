"""Queries over files: DuckDB reads a log's segments, or what was exported to Parquet.

Takes files, gives records. The one idea: the segments are lines of JSON with known fields, so an engine can
read millions of them in parallel, and only those segments whose time can match. A line that is no record (a
write that is under way, or damage) is no answer to any query; `unreadable` says how many there were.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditError, needs_extra
from guardrails.audit.query import LISTS, Query
from guardrails.audit.query_sql import DuckDialect, condition, counting
from guardrails.audit.record import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

WHOLE = ("v", "seq", "us", "clock", "latency_us", "cleaned")
JSON = ("errors", "transforms", "obligations", "origins", "parts", "facts", "body", "digest")
BATCH = 2_000
"""Records that are fetched at once."""


def type_of(field: str) -> str:
    """The type of a field's column."""
    if field in WHOLE:
        return "BIGINT"
    if field in JSON:
        return "JSON"
    return "VARCHAR[]" if field in LISTS else "VARCHAR"


class FileReader:
    """Records in files of one kind: segments (`.jsonl`) or Parquet."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._is_parquet = paths[0].suffix == ".parquet" if paths else False
        self._connection = connected()

    @property
    def engine(self) -> str:
        return "DuckDB"

    def records(self, query: Query) -> Iterator[dict[str, Any]]:
        """The records that match, in the order of the log."""
        table, files = self._table(query)
        if not files:
            return
        where, parameters = condition(query, DuckDialect())
        chosen = f"SELECT {_columns()} FROM {table} WHERE seq IS NOT NULL AND {where}"
        if query.newest is not None:
            chosen = f"SELECT * FROM ({chosen} ORDER BY seq DESC LIMIT {int(query.newest)}) ORDER BY seq"
            yield from self._rows(chosen, [files, *parameters])
        else:
            yield from self._rows(chosen + self._order(), [files, *parameters])

    def _rows(self, statement: str, parameters: list[Any]) -> Iterator[dict[str, Any]]:
        found = self._asked(statement, parameters)
        while rows := found.fetchmany(BATCH):
            for row in rows:
                yield _record(row)

    def counts(self, query: Query, by: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """How many records there are by fields: `(value, ..., number)`."""
        table, files = self._table(query)
        if not files:
            return []
        statement, parameters = counting(query, by, table, DuckDialect())
        rows: list[tuple[Any, ...]] = self._asked(statement, [files, *parameters]).fetchall()
        return rows

    def unreadable(self, query: Query) -> int:
        """How many lines are no records, in the segments that the query reads."""
        if self._is_parquet or not self._paths:
            return 0
        table, files = self._table(query)
        if not files:
            return 0
        ((number,),) = self._asked(f"SELECT count(*) FROM {table} WHERE seq IS NULL", [files]).fetchall()
        return int(number)

    def parquet(self, query: Query, path: Path) -> int:
        """Write the records that match to a Parquet file; gives how many."""
        table, files = self._table(query)
        where, parameters = condition(query, DuckDialect())
        chosen = f"SELECT {_columns()} FROM {table} WHERE seq IS NOT NULL AND {where}{self._order()}"
        target = str(path).replace("'", "''")
        statement = f"COPY ({chosen}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        ((number,),) = self._asked(statement, [files, *parameters]).fetchall()
        return int(number)

    def close(self) -> None:
        self._connection.close()

    def _order(self) -> str:
        """Segments, and one file that was exported, are in order already, and DuckDB keeps it: so all of a log goes
        by without being held. Several exports may overlap."""
        return " ORDER BY seq" if self._is_parquet and len(self._paths) > 1 else ""

    def _table(self, query: Query) -> tuple[str, list[str]]:
        files = [str(path) for path in self._paths]
        if self._is_parquet:
            return self._exported(files), files
        spec = ", ".join(f"'{field}': '{type_of(field)}'" for field in FIELDS)
        table = f"read_json(?, format='newline_delimited', columns={{{spec}}}, ignore_errors=true)"
        return table, [str(path) for path in in_time(self._paths, query)]

    def _exported(self, files: list[str]) -> str:
        """The table of exports; a field that records did not have yet when one was written is empty there."""
        plain = "read_parquet(?, union_by_name=true)"
        found = self._asked(f"DESCRIBE SELECT * FROM {plain}", [files]).fetchall()
        known = {row[0] for row in found}
        later = [f'NULL::{type_of(field)} AS "{field}"' for field in FIELDS if field not in known]
        return f"(SELECT {', '.join(['*', *later])} FROM {plain})"

    def _asked(self, statement: str, parameters: list[Any]) -> Any:
        import duckdb

        try:
            return self._connection.execute(statement, parameters)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise AuditError(f"the records cannot be read: {reason}") from error


def connected() -> DuckDBPyConnection:
    """A DuckDB in memory that loads nothing from the network."""
    try:
        import duckdb
    except ImportError as error:
        raise needs_extra("audit", "duckdb") from error
    return duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "true",
            "temp_directory": "",  # records are written nowhere but where somebody asked for it
        },
    )


def in_time(paths: Sequence[Path], query: Query) -> list[Path]:
    """The segments that can hold records of the query's time. Clocks go back now and then, and processes wait
    for each other: a segment counts an hour longer at either end."""
    since, before = query.since, query.before
    if since is None and before is None:
        return list(paths)
    begins = [_begin_of(path) for path in paths]
    found = []
    for at, path in enumerate(paths):
        following = next((begin for begin in begins[at + 1 :] if begin is not None), None)
        is_over = since is not None and following is not None and following < since - SLACK
        is_ahead = before is not None and (begin := begins[at]) is not None and begin > before + SLACK
        if not is_over and not is_ahead:
            found.append(path)
    return found


SLACK = 3_600_000_000


def _begin_of(path: Path) -> int | None:
    """When the first record of a segment was written; None where that cannot be read."""
    from json import loads

    try:
        with open(path, "rb") as file:
            begin = loads(file.readline())["us"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return begin if isinstance(begin, int) else None


def _columns() -> str:
    return ", ".join(f'"{field}"' for field in FIELDS)


def _record(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row as the record that it was: without the fields that say nothing."""
    from json import loads

    return {
        field: loads(value) if field in JSON else value
        for field, value in zip(FIELDS, row, strict=True)
        if value is not None
    }
