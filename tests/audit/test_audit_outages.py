"""A database that goes away while it is written to: decisions are denied, and go on when it is back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from audit_logs import records_of, report_of
from postgres_program import Postgres

from guardrails.audit.log import AuditLog
from guardrails.guard import Guard

POLICY = "policy p\naudit durable\non call pay { allow }\n"


@pytest.fixture
def server() -> Iterator[Postgres]:
    if os.environ.get("GUARD_TEST_POSTGRES"):
        pytest.skip("the server of others is not stopped")
    server = Postgres()
    yield server
    server.remove()


def test_a_server_that_crashes_loses_nothing_that_was_told(server: Postgres) -> None:
    log = AuditLog.open(server.url)
    session = Guard.from_text(POLICY, audit=log).session(id="s-1", principal={"id": "ana"})
    told = [session.check_call("pay", {"number": number}).id for number in range(5)]
    server.stop("immediate")
    refused = session.check_call("pay", {"number": 5})
    assert not refused.allowed
    assert "could not be written to the audit log" in refused.message
    server.start()
    log.journal._again = 0.0
    told.append(session.check_call("pay", {"number": 6}).id)
    written = [record["id"] for record in records_of(log.home) if record["kind"] == "intent"]
    assert written == told
    report = report_of(log.home)
    assert report.is_sound
    notes = [record["facts"] for record in records_of(log.home) if "missed" in record.get("facts", {})]
    assert [note["refused"] for note in notes] == [1]
