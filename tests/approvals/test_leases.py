"""Law L10: an approval is a lease for one call, and whatever changes makes it void."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from approving import (
    DAY,
    HOUR,
    POLICY,
    REFUND,
    SECOND,
    Stopping,
    asked_for,
    clock_of,
    guard_of,
    session_of,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guardrails import ApprovalRequired, Outcome
from guardrails.approvals.digests import digest_of
from guardrails.errors import EvaluationError
from guardrails.runtime.usage import Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def approved(guard: Any, session: Any, tool: str = "refund", args: Any = None, **more: Any) -> str:
    request = asked_for(session, tool, args, **more)
    guard.approvals.approve(request, by="ana")
    return request


# --- the plain course --------------------------------------------------------------------------


def test_an_approved_call_is_allowed_once_with_what_the_policy_changes() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = asked_for(session)
    assert asked_for(session) == request
    guard.approvals.approve(request, by="ana")
    decision = session.check_call("refund", REFUND)
    assert (decision.outcome, decision.approval, decision.request) == (Outcome.ALLOW, request, None)
    assert decision.payload["card"] == "***1111"
    assert decision.reservation
    assert decision.denial is None
    assert [a.name for a in decision.applied] == ["desk.size", "policy.guard:13:3"]
    assert guard.approvals.get(request).state == "consumed"
    again = asked_for(session)
    assert again != request


def test_what_an_approved_call_owes_and_charges_is_as_for_any_call() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = asked_for(session, "deploy", {})
    guard.approvals.approve(request, by="ana")
    assert asked_for(session, "deploy", {}) == request
    guard.approvals.approve(request, by="bob")
    decision = session.check_call("deploy", {})
    assert decision.allowed
    assert [duty.kind for duty in decision.obligations] == ["flag"]
    approved(guard, session)
    session.check_call("refund", REFUND)
    assert [state.used for state in guard.limits()] == [200]


def test_a_named_approval_is_the_one_that_is_used() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session)
    assert session.check_call("refund", REFUND, approval=request).approval == request
    second = session.check_call("refund", REFUND, approval=request)
    assert second.outcome is Outcome.DENY
    assert "used already" in second.message
    unknown = session.check_call("refund", REFUND, approval="nonsense")
    assert unknown.outcome is Outcome.DENY
    assert "there is no approval `nonsense`" in unknown.message


def test_an_approval_that_is_not_needed_is_not_used() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session)
    assert session.check_call("note", {}, approval=request).approval is None
    assert guard.approvals.get(request).state == "approved"


def test_a_repeated_call_id_has_the_same_answer() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session, call_id="c1")
    first = session.check_call("refund", REFUND, call_id="c1")
    second = session.check_call("refund", REFUND, call_id="c1")
    assert first.approval == second.approval == request
    assert first.reservation == second.reservation
    assert guard.limits()[0].used == 200
    assert session.check_call("refund", REFUND, call_id="c2").outcome is Outcome.ASK


@pytest.mark.parametrize("home", ["memory", "sqlite", "redis"])
def test_awaited_checks_use_leases_as_well(home: str, tmp_path: Any, request: Any) -> None:
    url = {"memory": "memory:", "sqlite": f"sqlite://{tmp_path}/s.db"}.get(home)
    if url is None:
        url = f"{request.getfixturevalue('redis_url')}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"
    guard = guard_of(url)

    async def flow() -> tuple[Any, Any]:
        session = session_of(guard)
        waiting = await session.acheck_call("refund", REFUND)
        guard.approvals.approve(waiting.request or "", by="ana")
        return waiting, await session.acheck_call("refund", REFUND)

    waiting, done = asyncio.run(flow())
    assert done.approval == waiting.request
    assert session_of(guard).check_call("refund", REFUND).outcome is Outcome.ASK


def test_a_guarded_function_raises_with_the_request_and_runs_once_approved() -> None:
    guard = guard_of()
    ran: list[int] = []

    def refund(customer: str, amount: int, card: str) -> str:
        ran.append(amount)
        return card

    tool = session_of(guard).enforce(refund)
    with pytest.raises(ApprovalRequired) as caught:
        tool(**REFUND)
    assert caught.value.request
    guard.approvals.approve(caught.value.request, by="bob")
    assert tool(**REFUND) == "***1111"
    assert ran == [200]


def test_without_a_store_nobody_is_asked() -> None:
    from guardrails import Guard

    guard = Guard.from_text("on call wipe { ask finance }")
    assert guard.session(id="s").check_call("wipe", {}).request is None


def test_an_event_of_no_session_opens_no_request() -> None:
    guard = guard_of()
    decision = guard.decide({"type": "call", "tool": "wipe", "args": {}})
    assert (decision.outcome, decision.request) == (Outcome.ASK, None)
    assert guard.approvals.list("any") == ()


# --- what makes it void ------------------------------------------------------------------------


@settings(max_examples=60)
@given(JSON, JSON)
def test_any_other_value_has_another_digest(one: Any, other: Any) -> None:
    same = digest_of(one) == digest_of(other)
    assert same == (exact(one) == exact(other))


def exact(value: Any) -> Any:
    """A form that is equal for values that are the same, written in another way than the digest is."""
    if isinstance(value, dict):
        return ("object", frozenset((name, exact(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(exact, value)))
    if isinstance(value, bool) or value is None:
        return ("word", str(value))
    if isinstance(value, int | float):
        return ("number", Decimal(repr(value)))
    return ("text", value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [12]), (["a", "b"], ["a,b"]), ({"a": None}, {}), ("1", 1), (True, 1), (["a'1'b"], ["a", "b"]),
        ({"a": {"b": 1}}, {"a": {}, "b": 1}), (0.1, 0.10000000000000002), (10**30, 10**30 + 1), ("é", "e\u0301"),
    ],
)  # fmt: skip
def test_values_that_look_alike_are_told_apart(one: Any, other: Any) -> None:
    assert digest_of(one) != digest_of(other)


def test_numbers_are_the_same_however_they_are_written() -> None:
    assert len({digest_of(number) for number in (50, 50.0, Decimal("50.00"), Decimal("5E+1"))}) == 1
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_a_key_hides_what_could_be_guessed() -> None:
    assert digest_of("4111", b"k" * 32) != digest_of("4111")
    assert digest_of("4111", b"k" * 32) != digest_of("4111", b"l" * 32)


@pytest.mark.parametrize("odd", [float("nan"), {1, 2}, b"x", object(), {1: "a"}, Decimal("inf")])
def test_what_cannot_be_compared_cannot_be_approved(odd: Any) -> None:
    with pytest.raises(EvaluationError, match="approve"):
        digest_of({"a": odd})
    guard = guard_of()
    decision = session_of(guard).check_call("wipe", {"a": odd})
    assert (decision.outcome, decision.request) == (Outcome.ASK, None)
    assert "cannot get it" in decision.message


@settings(max_examples=60)
@given(st.data())
def test_any_changed_byte_is_another_call(data: st.DataObject) -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session)
    text = json.dumps(REFUND)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters(min_codepoint=32, max_codepoint=126)) + text[place + 1 :]
    try:
        args = json.loads(changed)
    except ValueError:
        args = None
    assume(isinstance(args, dict) and exact(args) != exact(REFUND))
    decision = session.check_call("refund", args)
    assert decision.approval is None
    named = session.check_call("refund", args, approval=request)
    assert named.approval is None
    assert guard.approvals.get(request).state == "approved"


@pytest.mark.parametrize("wait", [4 * HOUR - 1, 4 * HOUR])
def test_an_approval_expires(wait: int) -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session)
    clock_of(guard).advance(wait)
    decision = session.check_call("refund", REFUND)
    assert decision.allowed is (wait < 4 * HOUR)
    if wait == 4 * HOUR:
        assert guard.approvals.state_of(guard.approvals.get(request)) == "expired"
        assert decision.request not in (None, request)


def test_an_approver_may_say_that_it_expires_earlier() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = asked_for(session)
    guard.approvals.approve(request, by="ana", seconds=60)
    clock_of(guard).advance(60 * SECOND)
    assert session.check_call("refund", REFUND).outcome is Outcome.ASK
    other = asked_for(session)
    guard.approvals.approve(other, by="ana", seconds=1e6)
    assert guard.approvals.get(other).lasting == 4 * HOUR


def test_an_approval_is_of_one_session_one_principal_and_one_agent() -> None:
    guard = guard_of()
    request = approved(guard, session_of(guard))
    others = [
        session_of(guard, "s2"),
        guard.session(id="s1", principal={"id": "else"}, agent={"id": "bot"}),
        guard.session(id="s1", principal={"id": "paul"}, agent={"id": "else"}),
    ]
    named = [other.check_call("refund", REFUND, approval=request) for other in others]
    assert [decision.outcome for decision in named] == [Outcome.DENY] * 3
    assert "of another session" in named[0].message
    assert "somebody else asks" in named[1].message
    assert [other.check_call("refund", REFUND).outcome for other in others] == [Outcome.ASK] * 3


def test_a_newer_policy_makes_it_void(tmp_path: Any) -> None:
    url = f"sqlite://{tmp_path}/s.db"
    guard = guard_of(url)
    request = approved(guard, session_of(guard))
    newer = guard_of(url, POLICY.replace("up to 100", "up to 101"))
    with pytest.raises(Exception, match="the policy has changed"):
        newer.approvals.approve(asked_for(session_of(guard, "s2")), by="ana")
    named = session_of(newer).check_call("refund", REFUND, approval=request)
    assert named.outcome is Outcome.DENY
    assert "the policy has changed" in named.message
    assert asked_for(session_of(newer)) != request
    assert guard.approvals.get(request).state == "void"
    assert session_of(guard).check_call("refund", REFUND).approval is None


def test_policies_of_other_names_ask_on_their_own() -> None:
    from guardrails.stores.memory import MemoryStore

    store = MemoryStore()
    guards = [guard_of(store), guard_of(store, POLICY.replace("policy desk", "policy other"))]
    requests = [asked_for(session_of(guard)) for guard in guards]
    assert len(set(requests)) == 2
    guards[0].approvals.approve(requests[0], by="ana")
    assert [asked_for(session_of(guards[1])), session_of(guards[0]).check_call("refund", REFUND).approval] == [
        requests[1], requests[0],
    ]  # fmt: skip


def test_a_changed_tool_makes_it_void() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session, digest="sha256:one")
    named = session.check_call("refund", REFUND, digest="sha256:two", approval=request)
    assert "the tool has changed" in named.message
    assert session.check_call("refund", REFUND, digest="sha256:two").outcome is Outcome.ASK
    assert guard.approvals.get(request).state == "void"


def test_another_statement_that_asks_makes_it_void() -> None:
    policy = 'on call pay { ask finance; ask security when now >= time("2027-01-16T00:00:00Z") }'
    guard = guard_of(policy=policy)
    session = session_of(guard)
    request = approved(guard, session, "pay", {})
    clock_of(guard).at = 1_800_057_600_000_000 - SECOND  # the second before 2027-01-16
    assert session.check_call("pay", {}, approval=request).allowed
    other = asked_for(session, "pay", {})
    guard.approvals.approve(other, by="ana")
    clock_of(guard).advance(2 * SECOND)
    later = session.check_call("pay", {})
    assert later.outcome is Outcome.ASK
    assert later.request != other
    assert guard.approvals.get(other).state == "void"
    assert [need.reviewers for need in guard.approvals.get(later.request or "").needs] == [
        ("finance",),
        ("security",),
    ]


def test_a_later_halt_wins() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session)
    guard.halt("session:s1", by="eve", why="stop")
    assert session.check_call("refund", REFUND, approval=request).outcome is Outcome.DENY
    assert guard.approvals.get(request).state == "approved"


def test_a_limit_that_is_full_by_then_wins() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = approved(guard, session)
    for _ in range(9):
        assert session.check_call("refund", {"amount": 99, "card": "x"}).allowed
    decision = session.check_call("refund", REFUND, approval=request)
    assert decision.outcome is Outcome.DENY
    assert "`desk.daily` lets 1000 through" in decision.message
    assert guard.approvals.get(request).state == "approved"
    assert guard.limits()[0].used == 891


def test_a_denial_that_came_since_wins() -> None:
    policy = 'on call pay { ask finance; deny when now >= time("2027-01-15T09:00:00Z") because "Closed." }'
    guard = guard_of(policy=policy)
    session = session_of(guard)
    approved(guard, session, "pay", {})
    clock_of(guard).advance(2 * HOUR)
    assert session.check_call("pay", {}).outcome is Outcome.DENY


def test_a_budget_that_is_spent_by_then_wins() -> None:
    guard = guard_of(policy="on call pay { ask finance }\non session { budget tokens 10 }")
    session = session_of(guard)
    approved(guard, session, "pay", {})
    session.report(Usage("m", input_tokens=11))
    assert session.check_call("pay", {}).outcome is Outcome.DENY


@settings(max_examples=80)
@given(
    st.sets(
        st.sampled_from(
            [
                "args",
                "time",
                "session",
                "principal",
                "agent",
                "policy",
                "tool",
                "halt",
                "limit",
                "used",
                "denied",
            ]
        ),
        max_size=3,
    ),
    st.sampled_from(["named", "found"]),
)
def test_it_lets_the_call_through_if_and_only_if_nothing_changed(changes: set[str], how: str) -> None:
    from guardrails.stores.memory import MemoryStore

    store = MemoryStore()
    guard = guard_of(store)
    session = session_of(guard)
    request = asked_for(session, digest="d1")
    verdict = guard.approvals.deny if "denied" in changes else guard.approvals.approve
    verdict(request, by="ana")
    if "used" in changes and "denied" not in changes:
        assert session.check_call("refund", REFUND, digest="d1").allowed
    if "limit" in changes:
        while session.check_call("refund", {"amount": 90, "card": "x"}).allowed:
            pass
    if "halt" in changes:
        guard.halt("tool:refund", by="eve", why="stop")
    if "time" in changes:
        clock_of(guard).advance(4 * HOUR)
    if "policy" in changes:
        clock, guard = guard.clock, guard_of(store, POLICY + "\non call more { allow }")
        guard.clock = clock
    principal = {"id": "else" if "principal" in changes else "paul"}
    agent = {"id": "else" if "agent" in changes else "bot"}
    other = guard.session(id="s2" if "session" in changes else "s1", principal=principal, agent=agent)
    args = {**REFUND, "amount": 201} if "args" in changes else REFUND
    digest = "d2" if "tool" in changes else "d1"
    named = {"approval": request} if how == "named" else {}
    decision = other.check_call("refund", args, digest=digest, **named)
    assert decision.allowed is (not changes)
    assert (decision.approval == request) is (not changes)


def test_a_denial_holds_for_as_long_as_people_had_to_decide() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = asked_for(session)
    guard.approvals.deny(request, by="bob", reason="Not this customer.")
    for approval in (None, request):
        decision = session.check_call("refund", REFUND, approval=approval)
        assert decision.outcome is Outcome.DENY
        assert "bob denied it because Not this customer" in decision.message
    assert session_of(guard, "s2").check_call("refund", REFUND).outcome is Outcome.ASK
    clock_of(guard).advance(4 * HOUR)
    assert asked_for(session) != request


def test_a_request_that_nobody_answered_can_be_asked_again() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = asked_for(session)
    clock_of(guard).advance(8 * HOUR)
    assert guard.approvals.state_of(guard.approvals.get(request)) == "expired"
    named = session.check_call("refund", REFUND, approval=request)
    assert named.outcome is Outcome.DENY
    assert asked_for(session) != request


# --- crashes and floods ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["read", "swap", "reserve"])
@pytest.mark.parametrize("number", range(4))
def test_wherever_the_store_goes_away_nothing_is_allowed_twice(operation: str, number: int) -> None:
    from guardrails.stores.memory import MemoryStore

    store = MemoryStore()
    guard = guard_of(store)
    request = approved(guard, session_of(guard))
    broken = guard_of(Stopping(store, operation, number))
    allowed = session_of(broken).check_call("refund", REFUND).allowed
    after = session_of(guard).check_call("refund", REFUND)
    assert allowed + after.allowed <= 1
    assert guard.limits()[0].used >= 200 * (allowed + after.allowed)
    if not allowed and guard.approvals.get(request).state == "approved":
        assert after.allowed


@pytest.mark.parametrize("number", range(5))
def test_a_request_that_was_half_written_is_written_by_the_next(number: int) -> None:
    from guardrails.stores.memory import MemoryStore

    store = MemoryStore()
    broken = session_of(guard_of(Stopping(store, "swap", number))).check_call("refund", REFUND)
    guard = guard_of(store)
    request = asked_for(session_of(guard))
    assert [found.id for found in guard.approvals.list("any")] == [request]
    if broken.outcome is Outcome.ASK:
        assert broken.request == request
    else:
        assert broken.outcome is Outcome.DENY
        assert [error.kind for error in broken.errors] == ["unavailable"]


def test_a_session_cannot_flood_people_with_requests() -> None:
    guard = guard_of()
    session = session_of(guard)
    for number in range(100):
        asked_for(session, "wipe", {"n": number})
    decision = session.check_call("wipe", {"n": 100})
    assert decision.outcome is Outcome.DENY
    assert "more than 100 approvals in an hour" in decision.message
    assert decision.denial is not None
    assert decision.denial.retry_after == 3600
    assert asked_for(session, "wipe", {"n": 7})
    assert asked_for(session_of(guard, "s2"), "wipe", {"n": 100})
    clock_of(guard).advance(HOUR)
    assert asked_for(session, "wipe", {"n": 100})
    assert len(guard.approvals.list()) == 102


def test_requests_go_away_in_the_end() -> None:
    guard = guard_of()
    asked_for(session_of(guard))
    clock_of(guard).advance(31 * DAY)
    assert guard.approvals.list("any") == ()


# --- sub-agents --------------------------------------------------------------------------------


def test_a_sub_agent_asks_in_the_session_of_its_parent() -> None:
    guard = guard_of()
    child = session_of(guard).delegate(tools=["refund"])
    request = asked_for(child)
    guard.approvals.approve(request, by="ana")
    assert child.check_call("refund", REFUND).approval == request
    assert child.check_call("refund", REFUND).outcome is Outcome.ASK


def test_a_policy_of_its_own_asks_as_well() -> None:
    guard = guard_of()
    own = guard_of(policy="policy own\non call refund { ask security; limit 1 per 1d }")
    child = session_of(guard).delegate(guard=own)
    request = asked_for(child)
    own.approvals.approve(request, by="eve")
    theirs = asked_for(child)
    assert theirs != request
    guard.approvals.approve(theirs, by="ana")
    assert child.check_call("refund", REFUND).allowed
    assert own.approvals.get(request).state == guard.approvals.get(theirs).state == "consumed"
    assert not child.check_call("refund", REFUND).allowed
