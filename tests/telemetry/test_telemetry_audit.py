"""Telemetry beside the audit log: its time is told apart, and both speak of the same trace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from telemetry_guards import POLICY, Sdk

from guardrails import Guard
from guardrails.audit.log import AuditLog
from guardrails.audit.query import query_of
from guardrails.audit.query_open import open_reader
from guardrails.observing import Observer
from guardrails.telemetry import instrument

KEY = "a key for tests that nobody uses"


def _phases(text: str) -> dict[str, float]:
    return {
        sample.labels["guard_phase"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "guard_phase_duration_seconds_count"
    }


@pytest.mark.parametrize("order", ["audit first", "telemetry first"])
def test_the_time_of_the_audit_log_is_told_apart(order: str, tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log", key=KEY)
    if order == "audit first":
        guard = Guard.from_text(POLICY, audit=log, telemetry="metrics")
    else:
        guard = Guard.from_text(POLICY, telemetry="metrics")
        guard.write_to(log)
    assert guard.telemetry is not None
    session = guard.session(principal={"id": "ana"})
    for _ in range(3):
        session.check_output("hello")
    log.close()
    phases = _phases(guard.telemetry.prometheus())
    assert phases["engine"] == 3
    assert phases["audit"] >= 2, "the first check puts the observers in order"


def test_without_an_audit_log_there_is_no_time_of_one() -> None:
    guard = Guard.from_text(POLICY, telemetry="metrics")
    assert guard.telemetry is not None
    guard.session().check_output("hello")
    assert "audit" not in _phases(guard.telemetry.prometheus())


def test_a_record_has_the_trace_and_span_of_its_check(tmp_path: Path) -> None:
    sdk, log = Sdk(), AuditLog.open(f"file://{tmp_path}/log", key=KEY)
    guard = Guard.from_text(POLICY, audit=log, telemetry=sdk.telemetry)

    async def work() -> None:
        session = guard.session(principal={"id": "ana"}, id="s-1")
        session.check_call("refund", {"amount": 5})
        await session.acheck_call("refund", {"amount": 500})

    asyncio.run(work())
    log.close()
    records = list(open_reader(str(tmp_path / "log")).records(query_of({"kind": ["intent"]})))
    spans = [(f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}") for span in sdk.spans]
    assert [(record["trace"], record["span"]) for record in records] == spans
    assert len(spans) == 2


def test_an_observer_that_fails_leaves_no_span_and_no_stopwatch_open() -> None:
    class Failing(Observer):
        def ended(self, check: Any, decision: Any) -> Any:
            raise OSError("the disk is full of secrets")

    from opentelemetry.trace import get_current_span

    from guardrails.telemetry import timing

    sdk, guard = Sdk(), Guard.from_text(POLICY)
    guard.observers = (Failing(),)
    instrument(guard, sdk.telemetry)
    session = guard.session(principal={"id": "ana"})
    with pytest.raises(OSError, match="full of secrets"):
        session.check_output("hello")
    with pytest.raises(OSError, match="full of secrets"):
        asyncio.run(session.acheck_output("hello"))
    assert [span.attributes["error.type"] for span in sdk.spans] == ["OSError", "OSError"]
    assert not get_current_span().get_span_context().is_valid
    assert timing._RUNNING.get() is None
    assert "full of secrets" not in sdk.everything()
