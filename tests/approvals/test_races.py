"""Thirty-two at once for one lease: exactly one gets it, in every home of the store."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from approving import REFUND, asked_for, guard_of, session_of
from lease_runner import run_for

from guardrails.approvals.answering import Rejected

MANY = 32
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["__main__", "lease_runner"])


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that runners are forked from; it finds what it preloads by the environment only."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    forkserver.ensure_running()


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/s.db?timeout=30"
    return f"{request.getfixturevalue('redis_url')}?clock=caller&timeout=30&prefix=test-{uuid4().hex}"


def race(url: str, call_id: str | None = None) -> list[str]:
    start, answers = FORKING.Barrier(MANY), FORKING.Queue()
    runners = [FORKING.Process(target=run_for, args=(url, start, answers, call_id)) for _ in range(MANY)]
    for runner in runners:
        runner.start()
    found = [answers.get(timeout=300) for _ in runners]
    for runner in runners:
        runner.join()
    return found


def test_of_32_processes_one_uses_the_lease(url: str) -> None:
    guard = guard_of(url)
    request = asked_for(session_of(guard))
    guard.approvals.approve(request, by="ana")
    found = race(url)
    assert found.count(request) == 1
    assert set(found) - {request} <= {"ask", "deny"}
    assert guard.limits()[0].used == 200
    assert len(guard.approvals.list("any")) <= 2  # the one that was used, and one for all who came too late


def test_of_32_processes_with_one_call_id_all_have_the_one_answer(url: str) -> None:
    guard = guard_of(url)
    request = asked_for(session_of(guard))
    guard.approvals.approve(request, by="ana")
    assert race(url, "c1") == [request] * MANY
    assert guard.limits()[0].used == 200
    assert len(guard.approvals.get(request).uses) == 1


def together(work: Any, number: int = MANY) -> list[Any]:
    start = threading.Barrier(number)

    def one(index: int) -> Any:
        start.wait(60)
        return work(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_of_32_threads_one_uses_the_lease() -> None:
    for _ in range(5):
        guard = guard_of()
        request = asked_for(session_of(guard))
        guard.approvals.approve(request, by="ana")
        found = together(lambda _: session_of(guard).check_call("refund", REFUND))  # noqa: B023
        assert sum(decision.approval == request for decision in found) == 1
        assert sum(decision.allowed for decision in found) == 1
        assert guard.limits()[0].used == 200


def test_32_who_ask_at_once_wait_for_one_request() -> None:
    guard = guard_of()
    found = together(lambda _: asked_for(session_of(guard)))
    assert len(set(found)) == 1
    assert [request.id for request in guard.approvals.list("any")] == found[:1]


def test_of_all_who_answer_at_once_no_answer_is_lost(url: str) -> None:
    people = [f"p{number}" for number in range(12)]
    guard = guard_of(url, "on call pay { ask 10 of crowd }", reviewers={"crowd": people})
    request = asked_for(session_of(guard), "pay", {})

    def answer(index: int) -> bool:
        try:
            guard.approvals.approve(request, by=people[index])
        except Rejected:
            return False
        return True

    assert sum(together(answer, len(people))) == 10
    found = guard.approvals.get(request)
    assert found.state == "approved"
    assert len({each.by for each in found.answers}) == 10
