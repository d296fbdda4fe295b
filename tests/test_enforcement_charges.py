"""Enforcement settles: what a call was charged follows what became of it, sync and async."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from guardrails import Denied, Guard, Session, enforcement
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
POLICY = """
policy desk
on call work { allow; daily: limit 2 per 1d }
on call fragile {
  allow
  guarded: breaker { open after 2 consecutive failures; retry after 60s }
}
on result work { redact result.card with mask; deny when has result.bad }
"""
TIMED = """
policy timed
on call work { allow }
on session { spent: budget tool_time 10s }
"""


class Broken(Exception):
    """What a tool raises."""


def session_of(text: str) -> Session:
    return Guard.from_text(text, clock=FrozenClock(NOW)).session(id="s")


def used(session: Session, prefix: str) -> list[Any]:
    return [level.used for level in session.guard.state.store.levels(prefix, now=NOW)]


def tool_of(session: Session, name: str, ends: Callable[[], Any], *, is_async: bool) -> Callable[[], Any]:
    """A tool that ends as `ends` does; called to its end either way."""
    if not is_async:
        return session.enforce(lambda: ends(), tool=name)

    async def later() -> Any:
        await asyncio.sleep(0)
        return ends()

    wrapped = session.enforce(later, tool=name)
    return lambda: asyncio.run(wrapped())


def raises(error: BaseException) -> Callable[[], Any]:
    def end() -> Any:
        raise error

    return end


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both
def test_what_returns_is_charged_and_its_result_checked(is_async: Any) -> None:
    session = session_of(POLICY)
    work = tool_of(session, "work", lambda: {"card": "1234"}, is_async=is_async)
    assert [work(), work()] == [{"card": "***"}] * 2
    with pytest.raises(Denied, match="lets 2 through"):
        work()


@both
def test_what_raises_is_given_back_and_the_error_goes_on(is_async: Any) -> None:
    session = session_of(POLICY)
    work = tool_of(session, "work", raises(Broken("out of paper")), is_async=is_async)
    for _ in range(5):
        with pytest.raises(Broken, match="out of paper"):
            work()
    assert used(session, "desk.daily") == []


@both
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError()])
def test_what_is_cut_off_stays_charged(is_async: Any, error: BaseException) -> None:
    session = session_of(POLICY)
    with pytest.raises(type(error)):
        tool_of(session, "work", raises(error), is_async=is_async)()
    assert used(session, "desk.daily") == [1]


def test_a_task_that_is_cancelled_stays_charged() -> None:
    session = session_of(POLICY)

    @session.tool
    async def work() -> None:
        await asyncio.sleep(3600)

    async def cancelled() -> None:
        task = asyncio.create_task(work())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert used(session, "desk.daily") == [1]


@both
def test_a_result_that_is_refused_was_a_call_that_ran(is_async: Any) -> None:
    session = session_of(POLICY)
    with pytest.raises(Denied):
        tool_of(session, "work", lambda: {"bad": True, "card": ""}, is_async=is_async)()
    assert used(session, "desk.daily") == [1]


@both
def test_failures_open_a_breaker_and_a_success_closes_it(is_async: Any) -> None:
    session = session_of(POLICY)
    clock = session.guard.clock
    assert isinstance(clock, FrozenClock)
    bad = tool_of(session, "fragile", raises(Broken()), is_async=is_async)
    good = tool_of(session, "fragile", lambda: "ok", is_async=is_async)
    with pytest.raises(Broken):
        bad()
    assert good() == "ok"
    for _ in range(2):
        with pytest.raises(Broken):
            bad()
    with pytest.raises(Denied, match="open after failures"):
        good()
    clock.advance(60_000_000)
    assert [good(), good()] == ["ok", "ok"]


def test_enforced_calls_leave_nothing_waiting() -> None:
    session = session_of(POLICY)
    bad = tool_of(session, "fragile", raises(Broken()), is_async=False)
    with pytest.raises(Broken):
        bad()
    tool_of(session, "fragile", lambda: "ok", is_async=False)()
    assert not session.guard.state.reservations


@both
@pytest.mark.parametrize("ends", [lambda: "ok", raises(Broken()), raises(KeyboardInterrupt())])
def test_the_time_of_a_tool_is_reported(
    is_async: Any, ends: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([100.0, 106.5, 200.0, 204.0])
    monkeypatch.setattr(enforcement, "monotonic", lambda: next(ticks))
    session = session_of(TIMED)
    work = tool_of(session, "work", ends, is_async=is_async)
    for _ in range(2):
        try:
            work()
        except (Broken, KeyboardInterrupt):
            continue
    assert used(session, "timed.spent") == [10_500_000]
    with pytest.raises(Denied, match=r"timed\.spent"):
        work()


def test_a_policy_that_counts_nothing_keeps_no_state() -> None:
    session = session_of("policy plain\non call work { allow }")
    with pytest.raises(Broken):
        tool_of(session, "work", raises(Broken()), is_async=False)()
    with pytest.raises(Broken):
        tool_of(session, "work", raises(Broken()), is_async=True)()
    assert not session.guard.is_stateful


def generated() -> Iterator[int]:
    yield 1


async def generated_later() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [generated, generated_later])
def test_a_generator_is_no_tool(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="a result can only be judged as a whole: return a list"):
        session_of(POLICY).enforce(function, tool="work")


class Caller:
    async def __call__(self) -> dict[str, str]:
        return {"card": "1234"}


def test_whatever_is_awaited_is_checked_when_it_is_done() -> None:
    session = session_of(POLICY)

    async def work(n: int = 1) -> dict[str, str]:
        return {"card": "1234"}

    for function in (Caller(), functools.partial(work, 2), lambda: work()):
        fresh = session_of(POLICY)
        assert asyncio.run(fresh.enforce(function, tool="work")()) == {"card": "***"}
        assert used(fresh, "desk.daily") == [1]
    assert used(session, "desk.daily") == []


def test_a_child_gives_back_to_its_parent() -> None:
    session = session_of(POLICY)
    child = session.delegate(tools=["work"])
    with pytest.raises(Broken):
        tool_of(child, "work", raises(Broken()), is_async=False)()
    assert used(session, "desk.daily") == []


def test_a_result_finds_its_call_when_the_policy_changed_the_arguments() -> None:
    session = session_of(
        "policy past\n"
        "on call work { allow; redact args.key with mask; deny when count(call work where call.ok == true) >= 1 }\n"
    )

    @session.tool
    def work(key: str) -> str:
        return key

    assert work("secret") == "***"
    with pytest.raises(Denied):
        work("another")
