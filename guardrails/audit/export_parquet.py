"""Parquet: records as a table with a column for each field, for a warehouse, or for quick queries.

Takes a reader, writes a file. Segments go straight from DuckDB to the file; records of a database pass through
lines of JSON in a folder of their own.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from guardrails.audit.query import Query
from guardrails.audit.query_duckdb import FileReader

if TYPE_CHECKING:
    from guardrails.audit.query_open import Reader


def write_parquet(reader: Reader, query: Query, path: Path) -> int:
    """Write the records that match; gives how many. Raises `AuditError`, and OSError for a file that cannot be
    written."""
    if isinstance(reader, FileReader):
        return reader.parquet(query, path)
    from guardrails.audit.record import as_json

    with TemporaryDirectory(prefix=".guard-", dir=path.parent) as folder:
        lines = Path(folder) / "records.jsonl"
        with open(lines, "wb") as file:
            file.writelines(as_json(record) + b"\n" for record in reader.records(query))
        return FileReader([lines]).parquet(Query(), path)
