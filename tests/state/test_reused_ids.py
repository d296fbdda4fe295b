"""An id that is used again with other arguments: that is another call, charged and reviewed on its own, in whichever
store and however it is asked; and whoever tells what became of one finds its charge, in whichever process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from guardrails import Decision, Guard, Session
from guardrails.inspection import BreakerState, LimitState
from guardrails.runtime.clock import FrozenClock
from guardrails.stores.port import StoreUnavailable

NOW = 1_800_000_000_000_000
SECOND = 1_000_000

Home = Callable[[str], Guard]
Check = Callable[..., Decision]


@pytest.fixture(params=["memory", "sqlite", "redis"])
def home(request: Any, tmp_path: Path) -> Home:
    """Guards that share what they count: the memory's is one guard, of others each has its own, as two processes do."""
    url = {"memory": "memory:", "sqlite": f"sqlite://{tmp_path}/s.db"}.get(request.param)
    if url is None:
        url = f"{request.getfixturevalue('redis_url')}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"
    clock, made = FrozenClock(NOW), list[Guard]()

    def opened(policy: str) -> Guard:
        if request.param == "memory" and made:
            return made[0]
        made.append(Guard.from_text(policy, store=url, clock=clock))
        return made[-1]

    return opened


def awaited(session: Session, *call: Any, **more: Any) -> Decision:
    return asyncio.run(session.acheck_call(*call, **more))


@pytest.fixture(params=["sync", "async"])
def check(request: Any) -> Check:
    return Session.check_call if request.param == "sync" else awaited


def used(guard: Guard) -> list[Any]:
    return [level.used for level in guard.limits() if isinstance(level, LimitState) and level.used]


def outcomes(found: list[Decision]) -> list[str]:
    return [decision.outcome.value for decision in found]


def later(guard: Guard, seconds: int) -> None:
    guard.clock.advance(seconds * SECOND)  # type: ignore[attr-defined]  # it is a frozen one


# --- charges -----------------------------------------------------------------------------------


def test_other_arguments_are_counted_on_their_own(home: Home, check: Check) -> None:
    guard = home("on call pay { allow; most: limit 2 per 1d }")
    session = guard.session(id="s")
    found = [check(session, "pay", {"a": n}, call_id="c") for n in range(6)]
    assert outcomes(found) == ["allow"] * 2 + ["deny"] * 4
    assert used(guard) == [2]


def test_the_same_arguments_are_charged_once_however_they_are_written(home: Home, check: Check) -> None:
    guard = home("on call pay { allow; most: limit 1 per 1d }")
    session = guard.session(id="s")
    first = check(session, "pay", {"a": 5, "b": {"x": [1, None], "y": "z"}}, call_id="c")
    again = check(session, "pay", {"b": {"y": "z", "x": (1.0, None)}, "a": 5.0}, call_id="c")
    assert first.reservation == again.reservation
    assert used(guard) == [1]


@pytest.mark.parametrize(
    "other",
    [{}, {"a": None}, {"a": 6}, {"a": "5"}, {"a": True}, {"a": [5]}, {"A": 5}, {"a": 5, "b": None}, {"a": 5.000001}],
    ids=str,
)  # fmt: skip
def test_whatever_differs_makes_another_call(home: Home, other: dict[str, Any]) -> None:
    guard = home("on call pay { allow; most: limit 1 per 1d }")
    session = guard.session(id="s")
    assert session.check_call("pay", {"a": 5}, call_id="c").allowed
    assert not session.check_call("pay", other, call_id="c").allowed
    assert session.check_call("pay", {"a": 5}, call_id="c").allowed


def test_no_id_looks_like_other_arguments(home: Home) -> None:
    guard = home("on call pay { allow; most: limit 2 per 1d }")
    session = guard.session(id="s")
    first = session.check_call("pay", {"a": 1}, call_id="c")
    second = session.check_call("pay", {}, call_id='c\x1f{"a":1}')
    assert first.reservation != second.reservation


def test_sums_and_budgets_of_calls(home: Home, check: Check) -> None:
    guard = home("""
        on call pay { allow; total: limit sum(args.amount) to 10 per 1d }
        on session { calls: budget calls 3 per day }
    """)
    session = guard.session(id="s")
    found = [check(session, "pay", {"amount": n}, call_id="c") for n in (1, 9, 9, 9, 2, 0, 0, -0.0, 1)]
    assert outcomes(found) == ["allow"] * 4 + ["deny"] + ["allow"] * 3 + ["allow"]
    assert sorted(used(guard)) == [3, 10]


def test_arguments_that_nobody_can_compare_are_charged_each_time(home: Home) -> None:
    guard = home("on call pay { allow; most: limit 2 per 1d }")
    session = guard.session(id="s")
    odd: dict[str, Any] = {"a": object()}
    found = [session.check_call("pay", odd, call_id="c") for _ in range(3)]
    assert outcomes(found) == ["allow", "allow", "deny"]


def test_the_session_remembers_each_of_them(home: Home, check: Check) -> None:
    guard = home("on call pay { allow; many: deny when count(call pay) >= 3 }")
    session = guard.session(id="s")
    found = [check(session, "pay", {"a": n}, call_id="c") for n in (1, 1, 2, 2, 3, 4)]
    assert outcomes(found) == ["allow"] * 5 + ["deny"]


def test_each_of_them_is_reviewed(home: Home, check: Check) -> None:
    guard = home("on call pay { allow; look: review by finance }")
    session = guard.session(id="s")
    found = [check(session, "pay", {"a": n}, call_id="c") for n in (1, 1, 2, 1)]
    assert [one.reviews == found[0].reviews for one in found] == [True, True, False, True]
    assert len(guard.approvals.list("any", kind="review")) == 2


class Away:
    """A store that never answers."""

    def __getattr__(self, name: str) -> Any:
        def ask(*positional: Any, **named: Any) -> Any:
            if name == "halts":
                return ()
            raise StoreUnavailable("gone")

        return ask


def test_a_share_that_is_kept_here_counts_each_of_them() -> None:
    rules = "on call pay { allow; most: limit 20 per 1h degrade to local }"
    guard = Guard.from_text(rules, store=Away(), local_share="0.1", clock=FrozenClock(NOW))
    session = guard.session(id="s")
    found = [session.check_call("pay", {"a": n}, call_id="c") for n in (1, 1, 2, 3)]
    assert outcomes(found) == ["allow"] * 3 + ["deny"]


def test_a_sub_agent_is_no_way_round(home: Home) -> None:
    guard = home("on call pay { allow; most: limit 2 per 1d }")
    child = guard.session(id="s").delegate(id="child")
    found = [child.check_call("pay", {"a": n}, call_id="c") for n in range(4)]
    assert outcomes(found) == ["allow"] * 2 + ["deny"] * 2


def test_events_as_data_are_no_way_round(home: Home) -> None:
    guard = home("on call pay { allow; most: limit 2 per 1d }")
    event = {"type": "call", "tool": "pay", "session": "s", "call_id": "c"}
    found = [guard.decide({**event, "args": {"a": n}}) for n in range(4)]
    assert outcomes(found) == ["allow"] * 2 + ["deny"] * 2


# --- what became of them -----------------------------------------------------------------------

FRAGILE = """
on call pay {
  allow
  total: limit sum(args.amount) to 100 per 1d
  breaker { open after 2 consecutive failures; retry after 60s }
}
"""


def breaker(guard: Guard) -> tuple[str, int]:
    return next((each.state, each.failures) for each in guard.limits() if isinstance(each, BreakerState))


@pytest.mark.parametrize("told", [{"amount": 30}, {}, None, {"amount": 31}], ids=str)
def test_a_failure_that_another_process_tells_is_counted_and_nothing_is_charged_for_it(
    home: Home, check: Check, told: Any
) -> None:
    """Whatever it says of the arguments: they may be left out, or be those that the policy changed."""
    here, there = home(FRAGILE), home(FRAGILE)
    session = here.session(id="s")
    check(session, "pay", {"amount": 30}, call_id="c")
    check(session, "pay", {"amount": 7}, call_id="d")
    there.session(id="s").failed("pay", told, call_id="c")
    assert used(here) == [7]
    there.session(id="s").failed("pay", {"amount": 7}, call_id="d")
    assert used(here) == []
    assert breaker(here) == ("open", 2)


def test_a_success_that_another_process_tells_is_counted_and_nothing_is_charged_for_it(home: Home) -> None:
    here, there = home(FRAGILE), home(FRAGILE)
    for number, succeeds in enumerate((False, True, False)):
        id = f"c{number}"
        here.session(id="s").check_call("pay", {"amount": number}, call_id=id)
        session = there.session(id="s")
        if succeeds:
            session.check_result("pay", "done", args={"amount": 50}, call_id=id)
        else:
            session.failed("pay", {"amount": 50}, call_id=id)
    assert breaker(here) == ("closed", 1)
    assert used(here) == [1]


def test_of_calls_with_one_id_each_has_its_own_outcome(home: Home) -> None:
    here, there = home(FRAGILE), home(FRAGILE)
    for amount in (10, 20, 30):
        here.session(id="s").check_call("pay", {"amount": amount}, call_id="c")
    there.session(id="s").failed("pay", {"amount": 20}, call_id="c")
    assert used(here) == [40]
    there.session(id="s").failed("pay", {"amount": 20}, call_id="c")  # it is told again
    assert (used(here), breaker(here)) == ([40], ("closed", 1))
    there.session(id="s").failed("pay", {"amount": 10}, call_id="c")
    assert (used(here), breaker(here)) == ([30], ("open", 2))


def test_of_calls_with_one_id_all_have_an_outcome_where_nobody_says_which(home: Home) -> None:
    here, there = home(FRAGILE), home(FRAGILE)
    for amount in (10, 20):
        here.session(id="s").check_call("pay", {"amount": amount}, call_id="c")
    for _ in range(2):
        there.session(id="s").failed("pay", {}, call_id="c")
    assert (used(here), breaker(here)) == ([], ("open", 2))


@pytest.mark.parametrize("told", [({"a": 1}, {"a": 2}), (None, None), ({}, {"a": 1})], ids=str)
def test_what_was_only_held_stays_charged_once_its_result_is_told_by_anybody(
    home: Home, check: Check, told: tuple[Any, Any]
) -> None:
    policy = "on call pay { allow; most: limit 5 per 1d }"
    here, there = home(policy), home(policy)
    session = here.session(id="s")
    for number in (1, 2, 3):
        check(session, "pay", {"a": number}, call_id="c", hold=60)
    for args in told:
        there.session(id="s").check_result("pay", "done", args=args, call_id="c")
    later(here, 61)
    assert used(here) == [2]


def test_a_tool_is_not_settled_for_another_one_with_its_id(home: Home) -> None:
    policy = "on call pay, send { allow; most: limit 5 per 1d }"
    here, there = home(policy), home(policy)
    session = here.session(id="s")
    for tool in ("pay", "send"):
        session.check_call(tool, {}, call_id="c", hold=60)
    for guard in (here, there):
        guard.session(id="s").check_result("pay", "done", args={}, call_id="c")
    later(here, 61)
    assert used(here) == [1]


def test_an_outcome_asks_nobody_and_opens_no_review(home: Home) -> None:
    policy = FRAGILE.replace(
        "allow\n", "allow; look: review by finance; big: ask finance when args.amount > 40\n"
    )
    here, there = home(policy), home(policy)
    here.session(id="s").check_call("pay", {"amount": 3}, call_id="c")
    there.session(id="s").failed("pay", {"amount": 50}, call_id="c")
    assert len(here.approvals.list("any", kind="review")) == 1
    assert here.approvals.list("any", kind="ask") == ()
    assert breaker(here) == ("closed", 1)


class Refusing:
    """A store that takes no documents."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def swap(self, *positional: Any, **named: Any) -> Any:
        raise StoreUnavailable("gone")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_call_whose_outcome_nobody_else_could_find_is_denied(tmp_path: Path) -> None:
    from guardrails.stores import open_store

    store = Refusing(open_store(f"sqlite://{tmp_path}/s.db"))
    guard = Guard.from_text(FRAGILE, store=store, clock=FrozenClock(NOW))
    assert guard.session(id="s").check_call("pay", {"amount": 1}).allowed
    denied = guard.session(id="s").check_call("pay", {"amount": 1}, call_id="c")
    assert outcomes([denied]) == ["deny"]


@pytest.mark.parametrize("told", ["result", "failed"])
def test_the_session_remembers_the_outcome_of_each(home: Home, told: str) -> None:
    guard = home("""
        on call check { allow }
        on call pay { allow; sure: deny unless seen(call check where call.args.to == args.to and call.ok) }
        on session { again: limit retries 0 }
    """)
    session = guard.session(id="s")
    for to in "ab":
        assert session.check_call("check", {"to": to}, call_id="c").allowed
    if told == "result":
        session.check_result("check", "fine", args={"to": "a"}, call_id="c")
        assert outcomes([session.check_call("pay", {"to": to}) for to in "ab"]) == ["allow", "deny"]
    else:
        session.failed("check", {"to": "a"}, call_id="c")
        assert outcomes([session.check_call("check", {"to": to}) for to in "ab"]) == ["deny", "allow"]
