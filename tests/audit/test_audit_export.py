"""Exports: OCSF events are valid by the schema itself, Parquet holds the records, time lines say what happened."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from query_logs import SECRETS, folder_of

from guardrails.audit.export_ocsf import SCHEMA, ocsf_event, ocsf_events
from guardrails.audit.export_parquet import write_parquet
from guardrails.audit.query import Query, query_of
from guardrails.audit.query_open import open_reader
from guardrails.audit.record import KINDS, rfc3339
from guardrails.audit.timeline import timeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def records(folder: Path) -> list[dict[str, Any]]:
    return list(open_reader(str(folder)).records(Query()))


# --- OCSF --------------------------------------------------------------------------------------


@cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> Draft202012Validator:
    schemas = _schemas()
    name = schemas.lookup_class_name_from_uid(class_uid)
    return Draft202012Validator(schemas.get_class_schema(name, list(profiles)))


@cache
def _schemas() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(SCHEMA))


def _mistakes(event: dict[str, Any]) -> list[str]:
    validator = _validator(event["class_uid"], tuple(event["metadata"]["profiles"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(event)]


def test_the_events_of_a_log_are_valid_by_the_schema(records: list[dict[str, Any]]) -> None:
    events = list(ocsf_events(records))
    assert len(events) == len(records)
    assert {event["class_uid"] for event in events} == {6003, 2004}
    assert [mistake for event in events for mistake in _mistakes(event)] == []


def test_the_schema_can_say_no(records: list[dict[str, Any]]) -> None:
    decision = next(record for record in records if record["kind"] == "intent")
    event = ocsf_event(decision)
    for field in ("activity_id", "actor", "api", "category_uid", "class_uid", "metadata", "severity_id",
                  "src_endpoint", "time", "type_uid"):  # fmt: skip
        without = {name: value for name, value in event.items() if name != field}
        assert list(_validator(6003, ("security_control", "trace")).iter_errors(without)), field
    assert _mistakes(event | {"disposition_id": 4711})
    assert _mistakes(event | {"unheard_of": 1})
    assert _mistakes(event | {"time": "now"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", [None, "allow", "ask", "deny", "halt"])
def test_a_record_of_any_kind_is_a_valid_event_whatever_it_leaves_out(kind: str, outcome: str | None) -> None:
    bare = {"v": 1, "seq": 3, "at": rfc3339(1_000_000), "us": 1_000_000, "kind": kind, "chain": "0" * 64}
    full = bare | {
        "id": "a" * 32, "ref": "b" * 32, "trace": "c" * 32, "span": "d" * 16, "session": "s", "principal": "p",
        "agent": "bot", "point": "call", "tool": "refund", "call_id": "c1", "status": "failed", "statements": ["x.y"],
        "reasons": ["x.y"], "errors": [{"statement": "x.y", "kind": "missing", "message": "m"}],
        "transforms": [{"kind": "redact", "statement": "x.z", "paths": ["/a"]}], "policy": "sha256:1",
        "engine": "9.9", "latency_us": 12, "facts": {"halt": "all"}, "digest": {"args": "e"},
    }  # fmt: skip
    for record in (bare, full):
        event = ocsf_event(record | ({"outcome": outcome} if outcome else {}))
        assert _mistakes(event) == []
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


@pytest.mark.parametrize(
    ("outcome", "action", "disposition"), [("allow", 1, 1), ("ask", 99, 14), ("deny", 2, 2), ("halt", 2, 24)]
)
def test_outcomes_are_actions_and_dispositions(outcome: str, action: int, disposition: int) -> None:
    record = {"seq": 1, "at": rfc3339(0), "us": 0, "kind": "intent", "point": "call", "tool": "x"}
    event = ocsf_event(record | {"outcome": outcome, "reasons": ["a.b"]})
    assert (event["action_id"], event["disposition_id"]) == (action, disposition)
    assert event["status_detail"] == "a.b"
    assert event["is_alert"] == (outcome in ("deny", "halt"))


def test_what_was_changed_is_told_apart_from_what_was_let_through() -> None:
    record = {"seq": 1, "at": rfc3339(0), "us": 0, "kind": "intent", "point": "output", "outcome": "allow"}
    event = ocsf_event(record | {"transforms": [{"kind": "redact", "statement": "a.b", "paths": []}]})
    assert (event["action_id"], event["disposition_id"]) == (4, 99)


def test_events_hold_no_body(records: list[dict[str, Any]]) -> None:
    text = json.dumps(list(ocsf_events(records)))
    assert "sealed" not in text
    assert not any(secret in text for secret in (*SECRETS, "person-1"))


# --- Parquet -----------------------------------------------------------------------------------


def test_parquet_holds_the_same_records(folder: Path, records: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "it's all.parquet"
    assert write_parquet(open_reader(str(folder)), Query(), path) == len(records)
    assert list(open_reader(str(path)).records(Query())) == records


def test_parquet_has_a_typed_column_for_each_field(folder: Path, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "denied.parquet"
    count = write_parquet(open_reader(str(folder)), query_of({"outcome": ["deny"]}), path)
    types = dict(duckdb.execute("SELECT name, duckdb_type FROM parquet_schema(?)", [str(path)]).fetchall())
    assert (types["seq"], types["us"], types["outcome"]) == ("BIGINT", "BIGINT", "VARCHAR")
    asked = "SELECT count(*), min(outcome), max(outcome), max(len(statements)) FROM read_parquet(?)"
    assert duckdb.execute(asked, [str(path)]).fetchall() == [(count, "deny", "deny", 1)]
    assert path.read_bytes()[:4] == path.read_bytes()[-4:] == b"PAR1"


# --- time lines --------------------------------------------------------------------------------


def test_a_session_is_told_as_it_happened(records: list[dict[str, Any]]) -> None:
    text = "\n".join(timeline([record for record in records if record.get("session") == "s-1"]))
    assert "session   s-1" in text
    told = [line[28:] for line in text.splitlines() if line[:2].isdigit()]
    assert [line.split(",")[0].split(" by ")[0] for line in told if not line.startswith("  request ")] == [
        "opened", "call refund (c1): allow", "result refund (c1) [ok]: allow", "call refund (c2): DENY",
        "call refund (c3): DENY", "call mail.send (c4): allow", "  mail.send: failed", "call wait (c5): ask",
        "usage: allow", "output: allow",
    ]  # fmt: skip
    assert [line.endswith("(wait): finance asked") for line in told if line.startswith("  request ")] == [
        True
    ]
    assert "DENY by shop.big" in text
    assert "changed by shop.hidden: redact" in text
    assert "error in shop.small:" in text


def test_a_time_line_cannot_act_on_a_terminal() -> None:
    record = {
        "seq": 0, "at": rfc3339(0), "us": 0, "kind": "intent", "outcome": "deny", "point": "call",
        "tool": "\x1b[2Jgone\r\n", "session": "\x07", "reasons": ["\x1b]0;x\x07"], "facts": {"a": "\x1b[31m"},
        "errors": [{"statement": "\x9b", "message": "\u202e"}],
    }  # fmt: skip
    text = "\n".join(timeline([record], lambda _: {"text": "\x1b[1m"}))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_nothing_happened() -> None:
    assert list(timeline([])) == []
