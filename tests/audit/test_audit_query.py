"""Queries: the same answer from DuckDB as from looking at every record, whatever is asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from query_logs import KEY, SECRETS, folder_of

from guardrails.audit.errors import AuditError
from guardrails.audit.query import COUNTED, LISTS, TEXTS, Query, fits, moment, query_of
from guardrails.audit.query_duckdb import in_time
from guardrails.audit.query_open import files_at, open_reader
from guardrails.audit.query_revealing import ERASED, Revealer
from guardrails.audit.record import FIELDS

NOW = 1_795_276_228_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def records(folder: Path) -> list[dict[str, Any]]:
    """Every record, read by hand."""
    return [json.loads(line) for path in files_at(folder) for line in path.read_text().splitlines()]


def test_the_log_of_these_tests_has_several_segments_and_all_kinds(
    folder: Path, records: list[dict[str, Any]]
) -> None:
    assert len(files_at(folder)) > 3
    assert {"log", "opened", "intent", "outcome", "usage", "halt", "checkpoint"} <= {
        r["kind"] for r in records
    }
    assert {"allow", "ask", "deny"} <= {record.get("outcome") for record in records}


def test_all_records_come_back_as_they_were_written(folder: Path, records: list[dict[str, Any]]) -> None:
    assert list(open_reader(str(folder)).records(Query())) == records


def test_every_field_of_a_record_has_a_column(records: list[dict[str, Any]]) -> None:
    assert {field for record in records for field in record} <= set(FIELDS)


VALUES = st.sampled_from(
    ["refund", "mail.*", "*", "re*", "wait", "deny", "allow", "ask", "s-1", "s-*", "shop.big", "shop.*", "call", "bot1",
     "intent", "outcome", "x' OR '1'='1", "'; DROP TABLE records; --", "%", "_", "[a-z]*", "?", "\\", "*'*", "", "é"]
)  # fmt: skip
NAMES = st.dictionaries(st.sampled_from(COUNTED), st.lists(VALUES, min_size=1, max_size=3), max_size=3)


@given(names=NAMES, newest=st.none() | st.integers(1, 5), data=st.data())
def test_duckdb_finds_what_looking_at_every_record_finds(
    folder: Path,
    records: list[dict[str, Any]],
    names: dict[str, list[str]],
    newest: int | None,
    data: st.DataObject,
) -> None:
    times = st.none() | st.sampled_from([record["us"] for record in records])
    query = query_of(names, since=data.draw(times), before=data.draw(times), newest=newest)
    expected = [record for record in records if query.matches(record)]
    assert list(open_reader(str(folder)).records(query)) == (expected[-newest:] if newest else expected)


@given(by=st.lists(st.sampled_from(COUNTED), min_size=1, max_size=3, unique=True))
def test_counts_are_those_of_all_records(folder: Path, records: list[dict[str, Any]], by: list[str]) -> None:
    expected: Counter[tuple[Any, ...]] = Counter()
    for record in records:
        rows: list[tuple[Any, ...]] = [()]
        for field in by:
            values = record.get(field, []) if field in LISTS else [record.get(field)]
            rows = [(*row, value) for row in rows for value in values]
        expected.update(rows)
    found = {tuple(row[:-1]): row[-1] for row in open_reader(str(folder)).counts(Query(), tuple(by))}
    assert found == expected


def test_nothing_that_was_typed_becomes_part_of_a_statement(folder: Path) -> None:
    for text in ("x'); DROP TABLE x; --", "' OR true --", '"', "\x00", "${HOME}", "?"):
        for field in TEXTS:
            assert list(open_reader(str(folder)).records(query_of({field: [text]}))) == []


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(AuditError, match="records are not found by `tool; --`"):
        query_of({"tool; --": ["x"]})


@given(pattern=st.text("ab*.[\\", max_size=6), text=st.text("ab.[\\", max_size=6))
def test_a_star_is_all_that_is_special_in_a_pattern(pattern: str, text: str) -> None:
    pieces = pattern.split("*")
    at = 0
    ok = text.startswith(pieces[0]) and text.endswith(pieces[-1])
    for piece in pieces[:-1]:
        at = text.find(piece, at)
        ok = ok and at >= 0
        at += len(piece)
    ok = ok and ((len(pieces) > 1 and len(text) - len(pieces[-1]) >= at) or pattern == text)
    assert fits(pattern, text) == ok


# --- lines that are no records, and segments that cannot match ----------------------------------


def test_a_line_that_is_not_finished_is_no_answer_and_is_counted(folder: Path, tmp_path: Path) -> None:
    for path in files_at(folder):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with open(files_at(tmp_path)[-1], "ab") as file:
        file.write(b'{"v":1,"seq":9999,"at":"2026-')
    reader = open_reader(str(tmp_path))
    assert reader.unreadable(Query()) == 1
    assert open_reader(str(folder)).unreadable(Query()) == 0
    assert list(reader.records(Query())) == list(open_reader(str(folder)).records(Query()))


def test_segments_of_another_time_are_not_read(tmp_path: Path) -> None:
    hour = 3_600_000_000
    paths = []
    for number in range(6):
        path = tmp_path / f"{number:020d}.jsonl"
        path.write_text(json.dumps({"seq": number, "us": NOW + number * 10 * hour}) + "\n")
        paths.append(path)
    assert in_time(paths, Query()) == paths
    assert in_time(paths, query_of({}, since=NOW + 35 * hour)) == paths[3:]
    assert in_time(paths, query_of({}, before=NOW + 15 * hour)) == paths[:2]
    assert in_time(paths, query_of({}, since=NOW + 30 * hour)) == paths[2:], "clocks go back a little"


def test_what_is_no_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="there is no audit log at"):
        open_reader(str(tmp_path / "nowhere"))
    with pytest.raises(AuditError, match="neither segments nor Parquet"):
        open_reader(str(tmp_path))
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(AuditError, match="is no audit log"):
        open_reader(str(tmp_path / "x.txt"))


# --- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15m", NOW - 15 * 60 * 1_000_000),
        ("2h", NOW - 7_200 * 1_000_000),
        ("3d", NOW - 3 * 86_400 * 1_000_000),
        ("1w", NOW - 7 * 86_400 * 1_000_000),
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:01.000001Z", 1_000_001),
        ("1970-01-01T01:00:00+01:00", 0),
        (" 1970-01-01T00:00:00 ", 0),
    ],
)
def test_times_as_people_write_them(text: str, expected: int) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "15", "5y", "2026-13-01", "-1h", "1h30m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(AuditError, match="is no time"):
        moment(text, NOW)


# --- bodies ------------------------------------------------------------------------------------


def test_bodies_stay_sealed_without_the_key_and_open_with_it(folder: Path) -> None:
    records = list(open_reader(str(folder)).records(query_of({"tool": ["refund"], "session": ["s-1"]})))
    assert not any(secret in json.dumps(records) for secret in SECRETS)
    revealer = Revealer(f"file://{folder}", key=KEY)
    bodies = [revealer.body(record) for record in records]
    assert {"principal": {"id": "person-1"}, "args": {"amount": 500}} in bodies
    assert revealer.revealed(records[0])["body"] == bodies[0]


def test_what_the_policy_redacted_is_not_in_an_opened_body_either(folder: Path) -> None:
    records = list(open_reader(str(folder)).records(query_of({"point": ["output"]})))
    revealer = Revealer(f"file://{folder}", key=KEY)
    opened = json.dumps([revealer.body(record) for record in records])
    assert "write to" in opened
    assert SECRETS[0] not in opened


def test_another_key_opens_nothing(folder: Path) -> None:
    revealer = Revealer(f"file://{folder}", key="another key that is long enough")
    (record, *_) = open_reader(str(folder)).records(query_of({"kind": ["intent"]}))
    with pytest.raises(AuditError, match="another key"):
        revealer.body(record)


def test_who_was_erased_says_nothing_more(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    revealer = Revealer(f"file://{folder}", key=KEY)
    pseudonym = revealer.pseudonym("person-1")
    assert pseudonym is not None
    (record, *_) = open_reader(str(folder)).records(
        query_of({"principal": [pseudonym], "tool": ["refund"], "kind": ["intent"]})
    )
    assert Revealer(f"file://{folder}", key=KEY).body(record) != {"withheld": ERASED}
    assert revealer._subjects.erase("person-1") == pseudonym
    after = Revealer(f"file://{folder}", key=KEY)
    assert after.body(record) == {"withheld": ERASED}
    assert after.pseudonym("person-1") is None
