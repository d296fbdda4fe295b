"""Answers and the audit log, on every home of it, among threads, and where a process ends in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from audit_logs import records_of, report_of

from guardrails import Guard, Outcome
from guardrails.approvals.answering import Rejected
from guardrails.approvals.chronicle import Chronicle
from guardrails.approvals.desk import Approvals
from guardrails.audit.query import query_of
from guardrails.audit.query_open import open_reader
from guardrails.audit.query_revealing import Revealer
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
PEOPLE = [f"person{number}" for number in range(8)]
POLICY = """
policy desk
audit durable
type principal { id: string }
on call pay { ask 3 of finance within 4h }
"""
SETTLED = ("approve", "deny")


def guard_of(folder: Path, audit: str | None = None) -> Guard:
    return Guard.from_text(
        POLICY, store=f"sqlite://{folder}/store.db", clock=FrozenClock(NOW), reviewers={"finance": PEOPLE},
        audit=audit or f"sqlite://{folder}/log.db",
    )  # fmt: skip


def asked(guard: Guard, session: str = "s1") -> str:
    decision = guard.session(id=session, principal={"id": "paul"}).check_call("pay", {"amount": 5})
    assert decision.outcome is Outcome.ASK
    assert decision.request
    return decision.request


def log_of(guard: Guard) -> list[dict[str, Any]]:
    assert guard.audit is not None
    guard.audit.flush()
    return [record for record in records_of(guard.audit.home) if record["kind"] == "approval"]


def counted(records: list[dict[str, Any]]) -> list[str]:
    """Who answered, by the log: those whose answer was not taken back."""
    answers: list[str] = []
    for facts in (record["facts"] for record in records):
        if facts["what"] in SETTLED:
            answers.append(facts["by"])
        elif facts["what"] == "not counted":
            answers.remove(facts["by"])
    return sorted(answers)


def test_every_home_is_asked_for_a_request_and_tells_its_story(audit_url: str, tmp_path: Path) -> None:
    guard = guard_of(tmp_path, audit_url)
    request = asked(guard)
    for person in PEOPLE[:3]:
        guard.approvals.approve(request, by=person, reason=f"{person} knows the payee")
    assert (
        guard.session(id="s1", principal={"id": "paul"}).check_call("pay", {"amount": 5}).approval == request
    )
    assert guard.audit is not None
    guard.audit.flush()
    reader, revealer = open_reader(audit_url), Revealer(audit_url)
    try:
        found = sorted(reader.records(query_of({"request": [request]})), key=lambda record: record["seq"])
        (used,) = reader.records(query_of({"approval": [request]}))
    finally:
        reader.close()
    told = [(each["kind"], (each.get("facts") or {}).get("by")) for each in found]
    assert told == [("intent", None), ("approval", None), *(("approval", person) for person in PEOPLE[:3])]
    assert [each["facts"]["state"] for each in found[2:]] == ["pending", "pending", "approved"]
    assert used["seq"] > found[-1]["seq"]
    reasons = [(revealer.body(each) or {})["facts"]["reason"] for each in found[2:]]
    assert reasons == [f"{person} knows the payee" for person in PEOPLE[:3]]
    assert len({each["principal"] for each in (*found, used)}) == 1
    guard.audit.close()


def test_of_many_who_answer_at_once_the_log_knows_whose_answers_count(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    for number in range(10):
        request = asked(guard, f"s{number}")

        def answer(person: str, request: str = request) -> None:
            try:
                guard.approvals.approve(request, by=person)
            except Rejected:
                return

        with ThreadPoolExecutor(len(PEOPLE)) as pool:
            list(pool.map(answer, PEOPLE))
        there = guard.approvals.get(request)
        assert guard.approvals.state_of(there) == "approved"
        told = [record for record in log_of(guard) if record["request"] == request]
        assert counted(told) == sorted(each.by for each in there.answers)
        assert len(there.answers) == 3


STEPS = [(part, when) for part in ("answer", "_swapped") for when in ("before", "after")]


def _dies(kind: type, name: str, when: str, at: int) -> None:
    """Let the process end, as if its power was cut, before or after the time `at` that a method is called."""
    plain: Callable[..., Any] = getattr(kind, name)
    calls = 0

    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if when == "before" and calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        done = plain(*arguments, **named)
        if when == "after" and calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(kind, name, called)


@pytest.mark.parametrize(("part", "when"), STEPS)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_whoever_dies_in_between_leaves_no_answer_that_the_log_does_not_know(
    part: str, when: str, at: int, tmp_path: Path
) -> None:
    child = os.fork()
    if not child:
        try:
            _dies(Chronicle if part == "answer" else Approvals, part, when, at)
            guard = guard_of(tmp_path)
            request = asked(guard)
            for person in PEOPLE[:3]:
                guard.approvals.approve(request, by=person)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the process got further than it should"
    guard = guard_of(tmp_path)
    (there,) = guard.approvals.list("any")
    written, known = counted(log_of(guard)), sorted(each.by for each in there.answers)
    assert set(known) <= set(written)
    assert len(written) - len(known) == (
        1 if (part, when) in (("answer", "after"), ("_swapped", "before")) else 0
    )
    for person in PEOPLE[len(known) : 3]:
        guard.approvals.approve(there.id, by=person)
    assert (
        guard.session(id="s1", principal={"id": "paul"}).check_call("pay", {"amount": 5}).approval == there.id
    )
    assert guard.audit is not None
    assert report_of(guard.audit.home).damage is None
