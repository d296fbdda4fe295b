"""Queries give the same answer wherever a log is kept: files, Parquet, SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from query_logs import KEY, filled

from guardrails.audit.errors import AuditError
from guardrails.audit.export_parquet import write_parquet
from guardrails.audit.log import AuditLog, home_at
from guardrails.audit.query import COUNTED, Query, Term, query_of
from guardrails.audit.query_following import FollowedFiles, FollowedReader, last_place
from guardrails.audit.query_open import Reader, open_reader

HOMES = ("sqlite", "postgres", "parquet of files", "parquet of sqlite")


@pytest.fixture(scope="module", params=HOMES)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("homes")
    place = _filled(request, request.param, folder)
    reader = open_reader(place)
    yield reader
    reader.close()


def _filled(request: pytest.FixtureRequest, home: str, folder: Path) -> str:
    if home == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
        url += ("&" if "?" in url else "?") + "log=queries"
        filled(url)
        return url
    url = f"sqlite://{folder}/audit.db" if home.endswith("sqlite") else f"file://{folder}/log?rotate=4096"
    filled(url)
    if not home.startswith("parquet"):
        return url
    assert write_parquet(open_reader(url), Query(), folder / "audit.parquet") > 40
    return str(folder / "audit.parquet")


@pytest.fixture(scope="module")
def records(reader: Reader) -> list[dict[str, Any]]:
    return list(reader.records(Query()))


VALUES = st.sampled_from(
    ["refund", "REFUND", "mail.*", "*", "re*d", "deny", "allow", "s-1", "s-*", "shop.big", "shop.*", "Shop.*", "call",
     "intent", "x' OR '1'='1", "%", "_", "[r]efund*", "r?fund*", "%*", "_*", "\\*", ""]
)  # fmt: skip
NAMES = st.dictionaries(st.sampled_from(COUNTED), st.lists(VALUES, min_size=1, max_size=3), max_size=3)


def test_the_log_holds_what_was_written(reader: Reader, records: list[dict[str, Any]]) -> None:
    assert len(records) > 40
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert reader.unreadable(Query()) == 0


@given(names=NAMES, newest=st.none() | st.integers(1, 5), data=st.data())
def test_every_home_finds_what_looking_at_every_record_finds(
    reader: Reader,
    records: list[dict[str, Any]],
    names: dict[str, list[str]],
    newest: int | None,
    data: st.DataObject,
) -> None:
    times = st.none() | st.sampled_from([record["us"] for record in records])
    query = query_of(names, since=data.draw(times), before=data.draw(times), newest=newest)
    expected = [record for record in records if query.matches(record)]
    assert list(reader.records(query)) == (expected[-newest:] if newest else expected)


def test_counts_are_the_same_everywhere(reader: Reader, records: list[dict[str, Any]]) -> None:
    query = query_of({"kind": ["intent"]})
    found = {tuple(row[:-1]): row[-1] for row in reader.counts(query, ("outcome", "statements", "reasons"))}
    expected: dict[tuple[Any, ...], int] = {}
    for record in records:
        for statement in record.get("statements", ()) if record["kind"] == "intent" else ():
            for reason in record.get("reasons", ()):
                key = record["outcome"], statement, reason
                expected[key] = expected.get(key, 0) + 1
    assert found == expected


def test_a_place_in_the_log_is_a_term_too(reader: Reader, records: list[dict[str, Any]]) -> None:
    assert list(reader.records(Query([Term("seq", "after", (len(records) - 4,))]))) == records[-3:]
    assert last_place(reader) == len(records) - 1


def test_a_reader_of_sqlite_cannot_write(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/audit.db"
    filled(url, sessions=1)
    reader: Any = open_reader(url)
    with pytest.raises(Exception, match="readonly"):
        reader._connection.execute("DELETE FROM records")


def test_a_database_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="there is no audit log at"):
        open_reader(f"sqlite://{tmp_path}/none.db")
    (tmp_path / "other.db").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(AuditError, match="cannot be read"):
        list(open_reader(f"sqlite://{tmp_path}/other.db").records(Query()))


# --- following ---------------------------------------------------------------------------------


def _halts(log: AuditLog, count: int) -> None:
    for number in range(count):
        log.append("note", {"number": number})


@pytest.mark.parametrize("home", ["file", "sqlite"])
def test_following_gives_every_new_record_once_and_in_order(home: str, tmp_path: Path) -> None:
    path = tmp_path / ("log" if home == "file" else "audit.db")
    log = AuditLog.open(f"{home}://{path}?rotate=4096", key=KEY)
    _halts(log, 3)
    seen = last_place(open_reader(f"{home}://{path}"))
    follower = (
        FollowedFiles(path, seen) if home == "file" else FollowedReader(open_reader(f"sqlite://{path}"), seen)
    )
    assert follower.poll() == []
    found = []
    for count in (1, 40, 0, 7, 60):
        _halts(log, count)
        new = follower.poll()
        assert len(new) >= count, "checkpoints come on top"
        found += [record["seq"] for record in new]
    assert found == list(range(seen + 1, found[-1] + 1))
    if home == "file":
        assert len(list(path.glob("*.jsonl"))) > 5, "the log was rotated while it was followed"
    assert follower.poll() == []


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log", key=KEY)
    _halts(log, 1)
    (segment,) = (tmp_path / "log").glob("*.jsonl")
    line = segment.read_bytes().splitlines(keepends=True)[-1].replace(b'"seq":1,', b'"seq":2,')
    assert b'"seq":2,' in line
    follower = FollowedFiles(tmp_path / "log", 1)
    with open(segment, "ab") as file:
        for piece in (line[:20], line[20:-1]):
            file.write(piece)
            file.flush()
            assert follower.poll() == []
        file.write(line[-1:])
        file.flush()
    assert [record["seq"] for record in follower.poll()] == [2]


def test_following_begins_with_a_log_that_is_still_empty(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log", key=KEY)
    follower = FollowedFiles(tmp_path / "log", -1)
    assert follower.poll() == []
    _halts(log, 2)
    assert next(record["seq"] for record in follower.poll()) == 0


def test_a_home_that_is_open_elsewhere_can_be_read(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/audit.db"
    home = home_at(url, key=KEY)
    home.append([json.dumps({"kind": "note", "at": "2026-01-01T00:00:00.000000Z", "us": 1}).encode()[1:-1]])
    assert [record["kind"] for record in open_reader(url).records(Query())][-1] == "note"
