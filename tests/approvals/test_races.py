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
from approving import LIMITED, MORE, REFUND, asked_for, guard_of, session_of
from lease_runner import buy_for, pay_for, run_for

from guardrails import Outcome
from guardrails.approvals.answering import Rejected

MANY = 32
FILLING = {"amount": 160, "who": "a"}
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


def race(url: str, call_id: str | None = None) -> list[Any]:
    return raced(run_for, url, [(call_id,)] * MANY)


def raced(work: Any, url: str, given: list[tuple[Any, ...]]) -> list[Any]:
    start, answers = FORKING.Barrier(len(given)), FORKING.Queue()
    runners = [FORKING.Process(target=work, args=(url, start, answers, *each)) for each in given]
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


def more_of(url: str = "memory:") -> tuple[Any, str]:
    """A guard, and an approval that is good for three calls up to 200, and 500 in total."""
    guard = guard_of(url, MORE)
    request = asked_for(session_of(guard), "pay", {"amount": 1})
    guard.approvals.approve(request, by="ana")
    return guard, request


def test_of_32_processes_three_use_a_lease_that_is_good_for_three(url: str) -> None:
    guard, request = more_of(url)
    given = [(100 + n, f"c{n}" if n % 2 else None) for n in range(MANY)]
    found = raced(pay_for, url, given)
    took = [amount for came, amount in found if came == request]
    assert len(took) == 3
    assert {came for came, _ in found} - {request} <= {"ask", "deny"}
    assert guard.limits()[0].used == sum(took)
    uses = guard.approvals.get(request).uses
    assert sorted(int(amount) for _, _, amount, _ in uses) == sorted(took)


def test_of_32_processes_with_one_call_id_one_takes_a_use_and_all_have_its_answer(url: str) -> None:
    guard, request = more_of(url)
    found = raced(pay_for, url, [(150, "c1")] * MANY)
    assert found == [(request, 150)] * MANY
    assert guard.limits()[0].used == 150
    assert len(guard.approvals.get(request).uses) == 1


def limited_of(tool: str, url: str = "memory:") -> tuple[Any, str]:
    """A guard, and an approval of a call that leaves no room for another one."""
    guard = guard_of(url, LIMITED)
    request = asked_for(session_of(guard), tool, FILLING)
    guard.approvals.approve(request, by="ana")
    return guard, request


def test_of_32_processes_with_one_call_id_that_fills_a_limit_all_have_the_one_answer(url: str) -> None:
    guard, request = limited_of("pay", url)
    found = raced(buy_for, url, [("pay", "c1")] * MANY)
    assert {came for came, _ in found} == {request}
    assert len({held for _, held in found}) == 1
    assert max(level.used for level in guard.limits()) == 1
    assert len(guard.approvals.get(request).uses) == 1


def test_of_32_threads_with_one_call_id_that_fills_a_limit_all_have_the_one_answer() -> None:
    for tool, used in (("pay", 1), ("buy", 160)) * 3:
        guard, request = limited_of(tool)
        found = together(lambda _: session_of(guard).check_call(tool, FILLING, call_id="c1"))  # noqa: B023
        assert {decision.approval for decision in found} == {request}
        assert len({decision.reservation for decision in found}) == 1
        assert max(level.used for level in guard.limits()) == used
        assert len(guard.approvals.get(request).uses) == 1


@pytest.mark.parametrize("home", ["memory", "sqlite"])
def test_of_32_threads_with_two_call_ids_only_those_of_one_get_through(home: str, tmp_path: Path) -> None:
    """Two uses are left, and room for one of the calls."""
    guard, request = limited_of(
        "buy", "memory:" if home == "memory" else f"sqlite://{tmp_path}/s.db?timeout=30"
    )
    found = together(lambda n: session_of(guard).check_call("buy", FILLING, call_id=f"c{n % 2}"))
    through = [n % 2 for n, decision in enumerate(found) if decision.approval == request]
    assert len(through) == MANY / 2
    assert len(set(through)) == 1
    assert {decision.outcome for decision in found} == {Outcome.ALLOW, Outcome.DENY}
    assert max(level.used for level in guard.limits()) == 160
    assert len(guard.approvals.get(request).uses) == 1


def test_a_total_is_never_exceeded_by_those_who_come_at_once() -> None:
    for _ in range(5):
        guard, request = more_of()
        amounts = [200, 199.5, 150, 100.25, 120, 180, 90, 160] * 4
        found = together(lambda n: session_of(guard).check_call("pay", {"amount": amounts[n]}))  # noqa: B023
        took = [amounts[n] for n, decision in enumerate(found) if decision.approval == request]
        assert 2 <= len(took) <= 3
        assert sum(took) <= 500
        assert guard.limits()[0].used == sum(took)


def test_of_32_threads_three_use_it_and_no_use_is_lost_to_who_looks() -> None:
    for _ in range(5):
        guard, request = more_of()

        def work(index: int) -> Any:
            if index % 2:
                return guard.approvals.show(request, by=f"p{index}")  # noqa: B023
            return session_of(guard).check_call("pay", {"amount": index, "n": index})  # noqa: B023

        found = together(work)
        assert sum(getattr(each, "approval", None) == request for each in found) == 3
        found_request = guard.approvals.get(request)
        assert (len(found_request.uses), found_request.state) == (3, "consumed")


def test_to_take_it_back_and_to_use_it_at_once_is_one_of_both() -> None:
    for _ in range(10):
        guard, request = more_of()
        with_use = [lambda: session_of(guard).check_call("pay", {"amount": 1}).approval]  # noqa: B023
        taken_back = [lambda: guard.approvals.deny(request, by="bob").state]  # noqa: B023
        work = with_use * 6 + taken_back
        found = together(lambda n: quietly(work[n]), len(work))  # noqa: B023
        used = found.count(request)
        kept = guard.approvals.get(request)
        assert len(kept.uses) == used
        assert kept.state == ("denied" if "denied" in found else "consumed")
        assert (used == 3) if kept.state == "consumed" else (used <= 3)


def quietly(work: Any) -> Any:
    try:
        return work()
    except Rejected:
        return None


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
