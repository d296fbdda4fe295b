"""An approved call that is told again by its id has its answer again, also where it filled a limit itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from approving import HOUR, LIMITED, SECOND, Stopping, asked_for, clock_of, guard_of, session_of
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Outcome
from guardrails.runtime.usage import Usage
from guardrails.stores.memory import MemoryStore

PAY = {"to": "x", "amount": 150}


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        return f"{request.getfixturevalue('redis_url')}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"
    return "memory:" if request.param == "memory" else f"sqlite://{tmp_path}/s.db"


def let_through(
    url: str = "memory:", policy: str = LIMITED, args: Any = None, tool: str = "pay"
) -> tuple[Any, Any, Any]:
    """A guard, a session, and the decision on the call `c1`, which people approved."""
    guard = guard_of(url, policy)
    session = session_of(guard)
    guard.approvals.approve(asked_for(session, tool, PAY if args is None else args), by="ana")
    first = session.check_call(tool, PAY if args is None else args, call_id="c1")
    assert first.approval
    return guard, session, first


def again(session: Any, args: Any = None, tool: str = "pay", call_id: str = "c1", **more: Any) -> Any:
    return session.check_call(tool, PAY if args is None else args, call_id=call_id, **more)


def is_the_same(first: Any, second: Any) -> bool:
    return (first.outcome, first.approval, first.reservation, first.applied, first.obligations) == (
        second.outcome, second.approval, second.reservation, second.applied, second.obligations,
    )  # fmt: skip


# --- what is told again ------------------------------------------------------------------------


def test_a_call_that_filled_the_limit_itself_has_its_answer_again(url: str) -> None:
    guard, session, first = let_through(url)
    assert all(is_the_same(first, again(session)) for _ in range(3))
    assert [level.used for level in guard.limits() if level.name == "limited.few"] == [1]
    assert len(guard.approvals.get(first.approval).uses) == 1
    assert len(guard.approvals.list("any")) == 1


def test_so_has_one_whose_approval_is_good_for_more(url: str) -> None:
    guard = guard_of(url, LIMITED)
    session = session_of(guard)
    asked = {"amount": 1, "who": "a"}
    guard.approvals.approve(asked_for(session, "buy", asked), by="ana")
    calls = [({"amount": 140, "who": "a"}, "c1"), ({"amount": 160, "who": "b"}, "c2")]
    first = [again(session, args, "buy", id) for args, id in calls]
    assert [each.outcome for each in first] == [Outcome.ALLOW] * 2
    second = [again(session, args, "buy", id) for args, id in calls]
    assert all(map(is_the_same, first, second))
    assert again(session, {"amount": 1, "who": "a"}, "buy", "c3").outcome is Outcome.DENY
    assert again(session, {"amount": 0, "who": "c"}, "buy", "c4").outcome is Outcome.DENY
    assert len(guard.approvals.get(first[0].approval).uses) == 2


def test_so_has_one_that_is_awaited(url: str) -> None:
    _, session, first = let_through(url)
    assert is_the_same(first, asyncio.run(session.acheck_call("pay", PAY, call_id="c1")))


def test_so_has_one_that_names_its_approval() -> None:
    _, session, first = let_through()
    assert is_the_same(first, again(session, approval=first.approval))
    assert again(session, approval="another").outcome is Outcome.DENY


def test_so_has_one_of_a_sub_agent() -> None:
    guard = guard_of(policy=LIMITED)
    session = session_of(guard).delegate(agent={"id": "helper"})
    guard.approvals.approve(asked_for(session, "pay", PAY), by="ana")
    first = again(session)
    assert first.allowed
    assert is_the_same(first, again(session))


def test_numbers_and_names_are_compared_as_everywhere() -> None:
    _, session, first = let_through()
    assert is_the_same(first, again(session, {"amount": 150.0, "to": "x"}))


def test_the_warning_that_it_had_is_told_again() -> None:
    policy = "on call pay { ask finance within 1h }\non session { spent: budget calls 2 warn at 50% }"
    _, session, first = let_through(policy=policy)
    assert [duty.kind for duty in first.obligations] == ["warn"]
    assert is_the_same(first, again(session))


def test_another_process_settles_it(tmp_path: Path) -> None:
    """It finds what is held by telling the call again, so that breakers hear of the failure."""
    policy = f"{LIMITED}\nbreaker shop on call pay {{ open after 1 consecutive failures; retry after 1m }}"
    guard, session, _ = let_through(f"sqlite://{tmp_path}/s.db", policy)
    session_of(guard_of(f"sqlite://{tmp_path}/s.db", policy)).failed("pay", PAY, call_id="c1")
    assert [level.used for level in guard.limits() if level.name == "limited.few"] in ([], [0])
    refused = again(session, {"to": "y"}, call_id="c2")
    assert [reason.effect for reason in refused.reasons if reason.outcome is Outcome.DENY] == ["breaker"]


# --- what is another call ----------------------------------------------------------------------


@pytest.mark.parametrize("args", [{**PAY, "to": "y"}, {**PAY, "amount": 150.01}, {**PAY, "more": None}, {}])
def test_a_changed_byte_is_another_call(url: str, args: Any) -> None:
    guard, session, first = let_through(url)
    assert again(session, args).outcome is Outcome.DENY
    assert len(guard.approvals.list("any")) == 1
    assert is_the_same(first, again(session))


def test_another_call_under_the_same_id_is_charged_on_its_own(url: str) -> None:
    """Both were approved while there was room for one of them."""
    guard = guard_of(url, LIMITED)
    session = session_of(guard)
    other = {**PAY, "to": "y"}
    for args in (PAY, other):
        guard.approvals.approve(asked_for(session, "pay", args, call_id="c1"), by="ana")
    first = again(session)
    assert first.allowed
    assert again(session, other).outcome is Outcome.DENY
    assert is_the_same(first, again(session))


def test_another_call_under_the_same_id_is_charged_as_well_where_there_is_room(url: str) -> None:
    guard = guard_of(url, LIMITED.replace("limit 1 per", "limit 2 per"))
    session = session_of(guard)
    calls = [{**PAY, "to": to} for to in "xyz"]
    for args in calls:
        guard.approvals.approve(asked_for(session, "pay", args, call_id="c1"), by="ana")
    assert [again(session, args).allowed for args in calls] == [True, True, False]
    assert [again(session, args).allowed for args in calls] == [True, True, False]


def test_another_id_session_tool_or_caller_is_another_call() -> None:
    guard, session, first = let_through()
    assert again(session, call_id="c2").outcome is Outcome.DENY
    assert session.check_call("pay", PAY).outcome is Outcome.DENY
    assert again(session_of(guard, "s2")).outcome is Outcome.DENY
    assert again(session, digest="sha256:other").outcome is Outcome.DENY
    agent = guard.session(id="s1", principal={"id": "paul"}, agent={"id": "eve"})
    assert again(agent).outcome is Outcome.DENY
    assert is_the_same(first, again(session))


def test_a_session_whose_name_looks_like_part_of_a_call_is_another_one() -> None:
    guard = guard_of(policy=LIMITED)
    session = session_of(guard, "a\x1fb")
    guard.approvals.approve(asked_for(session, "pay", PAY), by="ana")
    assert again(session, call_id="c").allowed
    assert again(session_of(guard, "a"), call_id="b\x1fc").outcome is Outcome.DENY


# --- what came since ---------------------------------------------------------------------------


def test_a_newer_policy_wins(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/s.db"
    let_through(url)
    newer = guard_of(url, f"{LIMITED}\non call more {{ allow }}")
    assert again(session_of(newer)).outcome is Outcome.DENY


def test_a_halt_wins() -> None:
    guard, session, _ = let_through()
    guard.halt("tool:pay", by="ana", why="stop")
    assert again(session).outcome in (Outcome.DENY, Outcome.HALT)


def test_an_approval_that_was_taken_back_counts_no_more() -> None:
    guard = guard_of(policy=LIMITED.replace("within 4h else security", "within 4h for 3 calls in session"))
    session = session_of(guard)
    request = asked_for(session, "pay", PAY)
    guard.approvals.approve(request, by="ana")
    assert again(session).approval == request
    assert again(session).approval == request
    guard.approvals.deny(request, by="bob")
    assert again(session).outcome is Outcome.DENY


def test_a_denial_that_came_since_wins() -> None:
    policy = LIMITED.replace("few:", "shut: deny when seen(call note)\n  few:")
    _, session, first = let_through(policy=policy)
    assert is_the_same(first, again(session))
    assert session.check_call("note", {}).allowed
    assert again(session).outcome is Outcome.DENY


def test_a_breaker_that_opened_since_wins() -> None:
    breaker = "breaker shop on call pay, note { open after 1 consecutive failures; retry after 1m }"
    _, session, first = let_through(policy=f"{LIMITED}\n{breaker}")
    assert is_the_same(first, again(session))
    session.check_call("note", {})
    session.failed("note", {})
    assert again(session).outcome is Outcome.DENY


def test_a_budget_that_something_else_used_up_wins(url: str) -> None:
    policy = "on call pay { ask finance within 1h; few: limit 1 per 1d }\non session { budget tokens 100 }"
    _, session, first = let_through(url, policy)
    assert is_the_same(first, again(session))
    session.report(Usage("m", input_tokens=99))
    assert is_the_same(first, again(session))
    session.report(Usage("m", input_tokens=1))
    assert again(session).outcome is Outcome.DENY


def test_a_limit_that_others_passed_since_wins(url: str) -> None:
    """A call that was held for too short a time is charged when it is settled, whatever the limit is."""
    guard = guard_of(url, LIMITED)
    session, other = session_of(guard), session_of(guard, "s2")
    for each in (session, other):
        guard.approvals.approve(asked_for(each, "pay", PAY), by="ana")
    late = again(other, hold=1)
    clock_of(guard).advance(SECOND)
    first = again(session)
    assert is_the_same(first, again(session))
    assert other.settle(late)
    assert again(session).outcome is Outcome.DENY


def test_a_limit_that_others_filled_after_its_charge_had_left_wins(url: str) -> None:
    """The charge of an hour ago counts no more, and is still held: the room is another call's by now."""
    policy = LIMITED.replace("limit 1 per 1h", "limit 1 per 1m")
    guard, session, first = let_through(url, policy)
    clock_of(guard).advance(50 * SECOND)
    assert is_the_same(first, again(session))
    clock_of(guard).advance(20 * SECOND)
    assert is_the_same(first, again(session))  # nobody is in its way
    other = session_of(guard, "s2")
    guard.approvals.approve(asked_for(other, "pay", PAY), by="ana")
    assert again(other, call_id="c2").allowed
    assert again(session).outcome is Outcome.DENY
    clock_of(guard).advance(60 * SECOND)
    assert is_the_same(first, again(session))


# --- what breaks off in between ----------------------------------------------------------------


@pytest.mark.parametrize("operation", ["read", "swap", "reserve", "fill"])
@pytest.mark.parametrize("number", range(5))
def test_wherever_the_store_goes_away_the_call_gets_through_when_it_is_told_again(
    operation: str, number: int
) -> None:
    store = MemoryStore()
    guard = guard_of(store, LIMITED)
    session = session_of(guard)
    request = asked_for(session, "pay", PAY)
    guard.approvals.approve(request, by="ana")
    broken = again(session_of(guard_of(Stopping(store, operation, number), LIMITED)))
    assert broken.outcome in (Outcome.ALLOW, Outcome.DENY)
    first = again(session)
    assert first.approval == request
    if broken.allowed:
        assert is_the_same(broken, first)
    assert is_the_same(first, again(session))
    lost = again(session_of(guard_of(Stopping(store, operation, 0), LIMITED)))
    assert lost.outcome is (
        Outcome.ALLOW if operation == "swap" else Outcome.DENY
    )  # nothing has to be written
    assert [level.used for level in guard.limits() if level.name == "limited.few"] == [1]
    assert len(guard.approvals.get(request).uses) == 1


# --- what became of the call -------------------------------------------------------------------


def test_a_call_that_is_settled_is_over(url: str) -> None:
    _, session, first = let_through(url)
    assert session.settle(first)
    assert again(session).outcome is Outcome.DENY


def test_one_that_gave_a_result_is_over(url: str) -> None:
    _, session, first = let_through(url)
    assert session.check_result("pay", "ok", args=PAY, call_id="c1", reservation=first.reservation).allowed
    assert again(session).outcome is Outcome.DENY


@pytest.mark.parametrize("how", ["released", "failed"])
def test_one_that_was_given_back_is_charged_again_as_long_as_there_is_room(url: str, how: str) -> None:
    guard, session, first = let_through(url)
    assert is_the_same(first, again(session))
    give_back = session.release if how == "released" else lambda it: session.failed("pay", PAY, decision=it)
    give_back(first)
    second = again(session)
    assert second.approval == first.approval
    assert second.reservation != first.reservation
    give_back(second)
    other = session_of(guard, "s2")
    guard.approvals.approve(asked_for(other, "pay", PAY), by="ana")
    assert again(other, call_id="c2").allowed
    assert again(session).outcome is Outcome.DENY


def test_one_that_was_only_held_for_a_time_is_over_after_it(url: str) -> None:
    guard = guard_of(url, LIMITED)
    session = session_of(guard)
    guard.approvals.approve(asked_for(session, "pay", PAY), by="ana")
    first = again(session, hold=60)
    assert is_the_same(first, again(session, hold=60))
    clock_of(guard).advance(61 * SECOND)
    other = session_of(guard, "s2")
    guard.approvals.approve(asked_for(other, "pay", PAY), by="ana")
    assert again(other, call_id="c2").allowed
    assert again(session, hold=60).outcome is Outcome.DENY


def test_an_hour_later_nothing_is_known_of_what_is_held(url: str) -> None:
    guard, session, first = let_through(url, LIMITED.replace("limit 1 per 1h", "limit 1 per 1d"))
    clock_of(guard).advance(HOUR - SECOND)
    assert is_the_same(first, again(session))
    clock_of(guard).advance(SECOND)
    assert again(session).outcome is Outcome.DENY


# --- against what it means ---------------------------------------------------------------------

FEW = """
policy few
type principal { id: string }
param most: int = 1
on call pay { ask finance within 7d; few: limit most per 2h by principal.id }
"""
MOST = st.sampled_from([1, 1, 2])
SLOT = HOUR // 4
CALLS = st.tuples(
    st.sampled_from(["call", "call", "approved call"]),
    st.tuples(
        st.sampled_from(["s1", "s1", "s2"]), st.sampled_from(["c1", "c2", None]), st.sampled_from("xy")
    ),
)
STEPS = st.one_of(
    CALLS,
    st.tuples(st.sampled_from(["approve", "wait"]), st.none()),
    st.tuples(st.sampled_from(["again", "again", "settle", "release", "failed"]), st.integers(1, 2)),
)


class Charge:
    """What one call was charged: for whom, when, and what became of it."""

    def __init__(self, call: Any, at: int) -> None:
        self.call = call
        self.at = at
        self.state = "held"


class Meaning:
    """What the pages say of `pay`, with nothing of how it is done: so many charges fit into two hours, an approval is
    for one call, and an hour after a charge was made nothing is known of it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0
        self.charges: list[Charge] = []
        self.approvals: dict[Any, str] = {}
        self.let_through: set[Any] = set()

    def used(self) -> int:
        return sum(
            charge.state != "given back" and self.now - charge.at < 2 * HOUR for charge in self.charges
        )

    def call(self, session: str, id: str | None, to: str) -> str | Charge:
        call = (session, id, to)
        mine = [each for each in self.charges if each.call == call and self.is_known(each)] if id else []
        last = mine[-1] if mine and mine[-1].state != "given back" else None
        if self.used() >= self.most:
            return last if last and last.state == "held" else "deny"
        if call in self.let_through:
            return last or self.charged(call)
        state = self.approvals.get((session, to), "consumed")
        if state == "approved":
            self.approvals[session, to] = "consumed"
            if id:
                self.let_through.add(call)
            return self.charged(call)
        self.approvals[session, to] = "open"
        return "ask"

    def is_known(self, charge: Charge) -> bool:
        return self.now - charge.at < HOUR

    def charged(self, call: Any) -> Charge:
        self.charges.append(Charge(call, self.now))
        return self.charges[-1]

    def ended(self, charge: Charge, how: str) -> bool:
        """Whether there was anything to settle or to give back."""
        if charge.state != "held" or not self.is_known(charge):
            return False
        charge.state = "settled" if how == "settle" else "given back"
        return True


class Both:
    """A guard beside what it means."""

    def __init__(self, store: str, most: int) -> None:
        self.guard = guard_of(store, FEW, params={"most": most})
        self.meaning = Meaning(most)
        self.found: list[tuple[Charge, Any]] = []

    def call(self, call: Any) -> None:
        id, call_id, to = call
        decision = again(session_of(self.guard, id), {"to": to}, call_id=call_id)
        expected = self.meaning.call(*call)
        if isinstance(expected, str):
            assert decision.outcome.value == expected
            return
        assert decision.allowed
        same = {each.reservation for charge, each in self.found if charge is expected}
        others = {each.reservation for charge, each in self.found if charge is not expected}
        assert same <= {decision.reservation}
        assert decision.reservation not in others
        self.found.append((expected, decision))

    def approve(self) -> None:
        for request in self.guard.approvals.list():
            self.guard.approvals.approve(request.id, by="ana")
            self.meaning.approvals[request.subject.session, request.subject.args["to"]] = "approved"

    def end(self, how: str, number: int) -> None:
        """The last call that was let through but so many comes to its end."""
        charge, decision = self.found[-number]
        session, call_id, to = charge.call
        if self.meaning.ended(charge, how):
            session = session_of(self.guard, session)
            if how == "failed":
                session.failed("pay", {"to": to}, decision=decision, call_id=call_id)
            else:
                assert getattr(session, how)(decision)

    def step(self, what: str, given_: Any) -> None:
        if what == "wait":
            clock_of(self.guard).advance(SLOT)
            self.meaning.now += SLOT
        elif what == "approve":
            self.approve()
        elif what == "call":
            self.call(given_)
        elif what == "approved call":
            self.call(given_)
            self.approve()
            self.call(given_)
        elif given_ <= len(self.found) and what == "again":
            self.call(self.found[-given_][0].call)
        elif given_ <= len(self.found):
            self.end(what, given_)
        (level,) = self.guard.limits() or [None]
        assert (level.used if level else 0) == self.meaning.used()


def goes_as_it_means(store: str, most: int, steps: list[tuple[str, Any]]) -> None:
    both = Both(store, most)
    for step in steps:
        both.step(*step)
    both.guard.state.close()


@settings(max_examples=200, deadline=None)
@given(MOST, st.lists(STEPS, max_size=14))
def test_calls_that_come_again_go_as_the_page_says(most: int, steps: list[tuple[str, Any]]) -> None:
    goes_as_it_means("memory:", most, steps)


@settings(max_examples=15, deadline=None)
@given(MOST, st.lists(STEPS, min_size=8, max_size=14))
def test_so_they_do_in_a_file(most: int, steps: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        goes_as_it_means(f"sqlite://{folder}/s.db", most, steps)


@settings(max_examples=15, deadline=None)
@given(MOST, st.lists(STEPS, min_size=8, max_size=14))
def test_so_they_do_on_a_server(redis_url: str, most: int, steps: list[tuple[str, Any]]) -> None:
    goes_as_it_means(f"{redis_url}?clock=caller&timeout=10&prefix=test-{uuid4().hex}", most, steps)
