"""Readers: an audit log that is only read, wherever it is kept, or what was exported from one.

    file:///folder, /folder         segments of a log, or the Parquet files in a folder
    /folder/one.parquet, .jsonl     one file
    sqlite:///file.db               a log in SQLite
    postgresql://host/database      a log in PostgreSQL

Takes such a place, gives a `Reader`. Reading needs no key: people stand in a log under pseudonyms, and what was
about them is sealed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from guardrails.audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.audit.query import Query


class Reader(Protocol):
    """Reads records. Methods raise `AuditError` where the log cannot be read."""

    @property
    def engine(self) -> str:
        """What answers: DuckDB, SQLite or PostgreSQL."""
        ...

    def records(self, query: Query) -> Iterator[dict[str, Any]]:
        """The records that match, in the order of the log."""
        ...

    def counts(self, query: Query, by: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """How many there are by fields, the most frequent first: `(value, ..., number)`. A record counts for
        every name in a field that is a list."""
        ...

    def unreadable(self, query: Query) -> int:
        """How many lines are no records, of those that were looked at for a query: one may be under way, more are
        damage."""
        ...

    def close(self) -> None: ...


def open_reader(place: str) -> Reader:
    """The reader of a log at a URL or path. Raises `AuditError` for what is no log."""
    if place.startswith(("sqlite:", "postgresql:", "postgres:")):
        from guardrails.audit.query_database import database_reader

        return database_reader(place)
    from guardrails.audit.query_duckdb import FileReader

    return FileReader(files_at(folder_of(place)))


def folder_of(place: str) -> Path:
    """The path that a place names. Raises `AuditError`."""
    if "://" not in place and not place.startswith("file:"):
        return Path(place)
    from guardrails.audit.log import Address

    return Path(Address(place).path)


def files_at(path: Path) -> list[Path]:
    """The files to read: segments, else Parquet, in the order of their names."""
    if path.is_file():
        if path.suffix not in (".jsonl", ".parquet"):
            raise AuditError(
                f"`{path}` is no audit log: name a folder of segments, a `.jsonl` or a `.parquet` file, "
                "or `sqlite:///file.db`"
            )
        return [path]
    if not path.is_dir():
        raise AuditError(f"there is no audit log at `{path}`")
    from guardrails.audit.segments import segments_of

    segments = [path / name for name in segments_of(path)]
    found = segments or sorted(path.glob("*.parquet"))
    if not found:
        raise AuditError(f"there is no audit log in `{path}`: it holds neither segments nor Parquet files")
    return found
