"""Queries of an audit log: DuckDB over segments and Parquet, and SQLite, beside a loop that reads every line.

All of them have to find the same records before they are timed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measuring import seconds_of
from tables import Ratio, Seconds, Table

from guardrails.audit.query import Query, query_of
from guardrails.audit.query_open import Reader, files_at, open_reader
from guardrails.audit.record import rfc3339
from guardrails.audit.sqlite import SCHEMA

RECORDS = 300_000
SEGMENT = 25_000
START = 1_795_276_228_000_000

SHOWN: dict[str, Query] = {
    "one session": query_of({"session": ["s-77"]}),
    "one decision": query_of({"id": [f"{RECORDS // 2:032x}"]}),
    "denials of a tool": query_of({"tool": ["payments.*"], "outcome": ["deny"]}, newest=100),
    "the last minute": query_of({}, since=START + (RECORDS - 600) * 100_000),
}


def run() -> list[Table]:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        _write(path)
        readers = {
            "DuckDB": open_reader(str(path)),
            "Parquet": open_reader(str(_parquet(path))),
            "SQLite": open_reader(f"sqlite://{_sqlite(path)}"),
        }
        return [_found(path, readers), _counted(path, readers["DuckDB"])]


def _found(path: Path, readers: dict[str, Reader]) -> Table:
    table = Table(
        f"finding records among {RECORDS:,}",
        ("query", "a loop", *(column for name in readers for column in (name, f"loop / {name}"))),
    )
    for name, query in SHOWN.items():
        expected = _looped(path, query)
        loop = seconds_of(lambda query=query: _looped(path, query), 1)  # type: ignore[misc]
        cells: list[Any] = []
        for reader in readers.values():
            if list(reader.records(query)) != expected:
                raise SystemExit(f"{reader.engine} finds other records for `{name}`")
            seconds = seconds_of(lambda reader=reader, query=query: list(reader.records(query)), 3)  # type: ignore[misc]
            cells += [Seconds(seconds), Ratio(loop / seconds)]
        table.add(name, Seconds(loop), *cells)
    return table


def _counted(path: Path, reader: Reader) -> Table:
    table = Table(f"counting {RECORDS:,} records in segments", ("by", "DuckDB", "records a second"))
    for by in (("outcome",), ("tool", "outcome"), ("statements",)):
        seconds = seconds_of(lambda by=by: reader.counts(Query(), by), 3)  # type: ignore[misc]
        table.add(", ".join(by), Seconds(seconds), int(RECORDS / seconds))
    return table


def _looped(path: Path, query: Query) -> list[dict[str, Any]]:
    found = [record for record in map(json.loads, _lines(path)) if query.matches(record)]
    return found[-query.newest :] if query.newest else found


def _lines(path: Path) -> Iterator[bytes]:
    for segment in files_at(path):
        with open(segment, "rb") as file:
            yield from file


def _write(path: Path) -> None:
    for begin in range(0, RECORDS, SEGMENT):
        lines = [json.dumps(_record(seq), separators=(",", ":")) for seq in range(begin, begin + SEGMENT)]
        (path / f"{begin:020d}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _record(seq: int) -> dict[str, Any]:
    us = START + seq * 100_000
    return {
        "v": 1, "seq": seq, "at": rfc3339(us), "us": us, "kind": "intent", "id": f"{seq:032x}",
        "trace": f"{seq % 5_000:032x}", "span": f"{seq:016x}", "session": f"s-{seq % 5_000}",
        "principal": f"{seq % 900:016x}", "agent": "bot", "point": "call",
        "tool": ("search", "read", "payments.send", "write")[seq % 4], "call_id": f"c{seq}",
        "outcome": "deny" if seq % 19 == 0 else "allow", "statements": ["shop.small", "shop.big"],
        "reasons": ["shop.small"], "policy": "sha256:" + "a" * 64, "engine": "0.1.0", "latency_us": 12,
        "body": {"sealed": "A" * 160}, "chain": f"{seq:064x}",
    }  # fmt: skip


def _parquet(path: Path) -> Path:
    from guardrails.audit.export_parquet import write_parquet

    target = path / "all.parquet"
    write_parquet(open_reader(str(path)), Query(), target)
    return target


def _sqlite(path: Path) -> Path:
    """With the tables and indexes of a log, and without its chain."""
    target = path / "audit.db"
    with sqlite3.connect(target) as connection:
        for statement in SCHEMA.strip().split(";\n"):
            connection.execute(statement)
        rows = ((seq, line.decode().rstrip("\n")) for seq, line in enumerate(_lines(path)))
        connection.executemany("INSERT INTO records VALUES (?, ?)", rows)
    return target
