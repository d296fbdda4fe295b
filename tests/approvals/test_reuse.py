"""Law L10 where the policy lets an approval be good for more calls: for as many as it says, and never for more."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from approving import HOUR, REVIEWERS, asked_for, clock_of, guard_of, session_of
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Outcome
from guardrails.approvals.answering import Rejected
from guardrails.approvals.request import Need, Request, Subject
from guardrails.approvals.reusing import good_for, reuse_as_json, used
from guardrails.approvals.writing import read, written
from guardrails.decision_json import decision_as_json
from guardrails.decision_text import render_decision
from guardrails.server.decision_read import decision_of
from guardrails.stores.memory import MemoryStore
from guardrails.stores.port import StoreUnavailable

FAR = "for 3 calls in session, args.amount up to 200 each, args.amount up to 500 total"
POLICY = f"""
policy pay
type principal {{ id: string }}
on call refund {{
  size: threshold args.amount {{
    up to 100: allow
    up to 500: ask finance within 4h else security {FAR}
    above: deny because "Too much."
  }}
  daily: limit sum(args.amount) to 700 per 1d by principal.id
}}
on call pay {{ each: ask finance within 4h else security {FAR} }}
on call mail {{ ask finance within 4h for 2 calls in session }}
on call note {{ allow }}
"""


def pay(session: Any, amount: Any, tool: str = "pay", **more: Any) -> Any:
    return session.check_call(tool, {"to": "x", "amount": amount}, **more)


def given_for(guard: Any, session: Any, amount: Any = 150, tool: str = "pay", **answer: Any) -> str:
    """The id of an approval, for which this call asked."""
    request = asked_for(session, tool, {"to": "x", "amount": amount})
    guard.approvals.approve(request, by="ana", **answer)
    return request


# --- what it is good for -----------------------------------------------------------------------


def test_it_lets_so_many_calls_through_whatever_their_other_arguments() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    calls = [session.check_call("pay", {"to": to, "amount": 100}) for to in ("a", "b", "c", "d")]
    assert [call.approval for call in calls] == [request, request, request, None]
    assert calls[3].outcome is Outcome.ASK
    assert calls[3].request not in (None, request)
    found = guard.approvals.get(request)
    assert (found.state, len(found.uses)) == ("consumed", 3)
    assert used(found) == "3 of 3 calls, 300 of 500 args.amount"


def test_calls_that_one_approval_could_let_through_wait_for_one_request() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = asked_for(session, "pay", {"to": "a", "amount": 1})
    assert pay(session, 200).request == request
    assert asked_for(session, "mail", {}) != request
    assert len(guard.approvals.list()) == 2


def test_it_is_good_for_one_tool_even_where_one_statement_speaks_of_several() -> None:
    guard = guard_of(policy="on call pay, refund { ask finance within 1h for 2 calls in session }")
    session = session_of(guard)
    request = given_for(guard, session)
    named = pay(session, 1, "refund", approval=request)
    assert "it is for another call" in named.message
    assert pay(session, 1, "refund").outcome is Outcome.ASK
    assert pay(session, 1).allowed


def test_people_and_hosts_are_told_how_far_it_goes() -> None:
    guard = guard_of(policy=POLICY)
    decision = pay(session_of(guard), 150)
    words = "3 calls in the session, args.amount up to 200 each, args.amount up to 500 total"
    assert str(decision.approvals[0].reuse) == words
    assert f"good for {words}" in render_decision(decision)
    data = decision_as_json(decision)
    assert data["approvals"][0]["reuse"] == {
        "calls": 3,
        "bounds": [
            {"amount": "args.amount", "most": "200", "unit": "", "per": "each"},
            {"amount": "args.amount", "most": "500", "unit": "", "per": "total"},
        ],
    }
    assert decision_of(data).approvals == decision.approvals
    request = guard.approvals.get(decision.request)
    assert good_for(request) == words.replace("calls in the", "calls of pay in this")
    assert reuse_as_json(request)["used"] == 0  # type: ignore[index]  # it has one


def test_a_policy_that_says_nothing_of_it_is_as_it_was() -> None:
    guard = guard_of()
    decision = session_of(guard).check_call("deploy", {})
    effects = guard.engine.program.unit("call", "deploy").effects
    assert [len(effect.ask) for effect in effects if effect.ask] == [4]
    assert list(decision_as_json(decision)["approvals"][0]) == [
        "statement", "reviewers", "quorum", "within", "otherwise",
    ]  # fmt: skip
    request = guard.approvals.get(decision.request or "")
    assert "reuse" not in written(request)
    assert "alone" not in written(request)
    assert good_for(request) == "this one call, once"


def test_it_goes_as_far_as_all_that_asks() -> None:
    far = Need("a", "", reuse=(3, (("args.amount", "each", "200", ""),)))
    subject = Subject("call", "pay", {}, "s1")
    assert Request("r", "ask", subject, (far,), 0).reuse == far.reuse
    assert Request("r", "ask", subject, (far, Need("b", "")), 0).reuse is None
    assert Request("r", "ask", subject, (far,), 0, alone="why").reuse is None
    assert Request("r", "ask", subject, (Need("b", ""),), 0).reuse is None


def test_what_is_left_of_it_is_kept_for_as_long_as_it_can_be_used() -> None:
    guard = guard_of(policy="on call pay { ask finance within 60d for 3 calls in session }")
    session = session_of(guard)
    request = given_for(guard, session)
    for days in (35, 20):
        assert pay(session, 1).approval == request
        clock_of(guard).advance(days * 24 * HOUR)
    assert pay(session, 1).approval == request
    assert guard.approvals.get(request).state == "consumed"


def test_a_request_is_read_as_it_was_written() -> None:
    far = (3, (("args.amount", "each", "200", ""), ("m", "total", "5", "EUR")))
    subject = Subject("call", "pay", {}, "s1")
    request = Request("r", "ask", subject, (Need("a", "", reuse=far), Need("b", "")), 0, alone="why")
    assert read(written(request)) == request
    bare = Request("r", "ask", subject, (Need("a", "", reuse=far),), 0, uses=((1, "x", "2", "3"),))
    assert read(written(bare)) == bare
    assert asdict(read(written(bare)))["uses"] == ((1, "x", "2", "3"),)


# --- amounts -----------------------------------------------------------------------------------


def test_a_larger_amount_is_asked_about_alone_and_leaves_it_as_it_is() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    larger = pay(session, Decimal("200.01"))
    assert larger.outcome is Outcome.ASK
    assert larger.request != request
    found = guard.approvals.get(larger.request)
    assert (found.reuse, found.alone) == (None, "`args.amount` is more than 200")
    guard.approvals.approve(found.id, by="bob")
    assert pay(session, 201).outcome is Outcome.ASK
    assert pay(session, 150).approval == request
    assert pay(session, Decimal("200.01")).approval == found.id
    named = pay(session, 201, approval=request)
    assert named.outcome is Outcome.DENY
    assert "does not count: it is not good for this call: `args.amount` is more than 200" in named.message
    assert len(guard.approvals.get(request).uses) == 1


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({}, "`args.amount` is missing"), ({"amount": None}, "`args.amount` is missing"),
        ({"amount": "150"}, "expected a number"), ({"amount": True}, "expected a number"),
        ({"amount": [150]}, "expected a number"), ({"amount": -1}, "less than nothing"),
        ({"amount": Decimal("1e-80")}, "cannot be compared"),
    ],
)  # fmt: skip
def test_an_amount_that_is_not_known_for_certain_is_asked_about_alone(args: Any, why: str) -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    decision = session.check_call("pay", args)
    assert decision.outcome is Outcome.ASK
    assert decision.request not in (None, request)
    assert why in guard.approvals.get(decision.request or "").alone


def test_amounts_are_added_exactly() -> None:
    policy = "on call pay { ask finance within 1h for 9 calls in session, args.amount up to 0.3 total }"
    guard = guard_of(policy=policy)
    session = session_of(guard)
    request = given_for(guard, session, 0.1)
    assert [pay(session, amount).approval for amount in (0.1, Decimal("0.1"), 0.1)] == [request] * 3
    assert guard.approvals.get(request).state == "consumed"  # 0.3, and not a trace more, is used
    assert pay(session, 0).outcome is Outcome.ASK


def test_what_the_total_has_no_room_for_is_asked_about_alone() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    assert [pay(session, 200).approval for _ in range(2)] == [request] * 2
    alone = pay(session, 101)
    assert alone.outcome is Outcome.ASK
    assert guard.approvals.get(alone.request).alone == "only 100 of `args.amount` is left of it"
    assert pay(session, 100).approval == request
    named = pay(session, 1, approval=request)
    assert "it is consumed" in named.message or "used already" in named.message


def test_amounts_of_money_have_a_currency() -> None:
    policy = """
    let price = money(args.amount, args.currency)
    on call pay { ask finance within 1h for 5 calls in session, price up to 20 EUR each }
    """
    guard = guard_of(policy=policy)
    session = session_of(guard)
    args = {"amount": 20, "currency": "EUR"}
    request = asked_for(session, "pay", args)
    guard.approvals.approve(request, by="ana")
    assert good_for(guard.approvals.get(request)) == "5 calls of pay in this session, price up to 20 EUR each"
    assert session.check_call("pay", args).approval == request
    for other in ({**args, "currency": "USD"}, {**args, "amount": 21}, {"amount": 20}):
        assert session.check_call("pay", other).outcome is Outcome.ASK


def test_bounds_are_parameters_if_one_likes() -> None:
    policy = """
    param most: decimal = 50
    param times: int = 2
    on call pay { ask finance within 1h for times calls in session, args.amount * args.n up to most each }
    """
    guard = guard_of(policy=policy, params={"most": 60})
    session = session_of(guard)
    request = asked_for(session, "pay", {"amount": 20, "n": 3})
    assert good_for(guard.approvals.get(request)).endswith("args.amount * args.n up to 60 each")
    guard.approvals.approve(request, by="ana")
    assert session.check_call("pay", {"amount": 30, "n": 2}).approval == request
    assert session.check_call("pay", {"amount": 31, "n": 2}).outcome is Outcome.ASK


# --- what makes it void ------------------------------------------------------------------------


CHANGES = [
    "time",
    "session",
    "principal",
    "agent",
    "policy",
    "tool",
    "halt",
    "limit",
    "used",
    "amount",
    "denied",
]


@settings(max_examples=80)
@given(st.sets(st.sampled_from(CHANGES), max_size=2), st.sampled_from(["named", "found"]))
def test_it_lets_another_call_through_if_and_only_if_nothing_changed(changes: set[str], how: str) -> None:
    store = MemoryStore()
    guard = guard_of(store, POLICY)
    session = session_of(guard)
    first = {"to": "a", "amount": 150}
    request = asked_for(session, "refund", first, digest="d1")
    guard.approvals.approve(request, by="ana")
    assert session.check_call("refund", first, digest="d1").approval == request
    if "used" in changes:
        assert all(pay(session, 101, "refund", digest="d1").allowed for _ in range(2))
    if "denied" in changes and "used" not in changes:
        guard.approvals.deny(request, by="bob")
    if "limit" in changes:
        while pay(session, 90, "refund", digest="d1").allowed:
            pass
    if "halt" in changes:
        guard.halt("tool:refund", by="eve", why="stop")
    if "time" in changes:
        clock_of(guard).advance(4 * HOUR)
    if "policy" in changes:
        clock, guard = guard.clock, guard_of(store, POLICY + "\non call more { allow }")
        guard.clock = clock
    other = guard.session(
        id="s2" if "session" in changes else "s1",
        principal={"id": "else" if "principal" in changes else "paul"},
        agent={"id": "else" if "agent" in changes else "bot"},
    )
    args = {"to": "b", "amount": 201 if "amount" in changes else 199}
    named = {"approval": request} if how == "named" else {}
    decision = other.check_call("refund", args, digest="d2" if "tool" in changes else "d1", **named)
    assert decision.allowed is (not changes)
    assert (decision.approval == request) is (not changes)
    assert len(guard.approvals.get(request).uses) <= 3


def test_a_newer_policy_or_tool_makes_it_void_for_good() -> None:
    store = MemoryStore()
    guard = guard_of(store, POLICY)
    request = given_for(guard, session_of(guard))
    newer = guard_of(store, POLICY + "\non call more { allow }")
    assert pay(session_of(newer), 1).outcome is Outcome.ASK
    assert guard.approvals.get(request).state == "void"
    assert pay(session_of(guard), 1).approval is None


def test_a_statement_that_asks_as_well_is_not_covered_and_leaves_it_as_it_is() -> None:
    policy = f"""
    on call pay {{ each: ask finance within 4h {FAR}; far: ask security within 4h {FAR} when args.to == "mars" }}
    """
    guard = guard_of(policy=policy)
    session = session_of(guard)
    request = given_for(guard, session)
    mars = session.check_call("pay", {"to": "mars", "amount": 1})
    assert mars.outcome is Outcome.ASK
    assert mars.request != request
    assert pay(session, 1).approval == request
    guard.approvals.approve(mars.request or "", by="ana")
    assert session.check_call("pay", {"to": "mars", "amount": 2}).outcome is Outcome.ASK
    guard.approvals.approve(mars.request or "", by="eve")
    assert session.check_call("pay", {"to": "mars", "amount": 2}).approval == mars.request
    assert pay(session, 1).approval == request
    named = pay(session, 1, approval=mars.request)
    assert "something else is asked for now" in named.message


def test_one_statement_that_asks_about_each_call_is_enough_for_one_call() -> None:
    policy = "on call pay { far: ask finance within 1h for 9 calls in session; near: ask security within 1h }"
    guard = guard_of(policy=policy)
    session = session_of(guard)
    request = asked_for(session, "pay", {"n": 1})
    found = guard.approvals.get(request)
    assert found.reuse is None
    assert "near` asks about each call" in found.alone
    assert asked_for(session, "pay", {"n": 2}) != request


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_statements_the_narrowest_counts_whatever_their_order(turned: bool) -> None:  # noqa: FBT001
    parts = [
        "a: ask finance within 1h for 5 calls in session, args.amount up to 100 total",
        "b: ask security within 1h for 2 calls in session, args.amount up to 90 each",
    ]
    guard = guard_of(policy=f"on call pay {{ {'; '.join(parts[::-1] if turned else parts)} }}")
    session = session_of(guard)
    request = asked_for(session, "pay", {"amount": 90})
    for by in ("ana", "eve"):
        guard.approvals.approve(request, by=by)
    assert pay(session, 91).outcome is Outcome.ASK
    assert pay(session, 60).approval == request
    assert pay(session, 41).outcome is Outcome.ASK
    assert pay(session, 39).approval == request
    assert pay(session, 1).outcome is Outcome.ASK


def test_a_limit_or_halt_that_came_since_wins_and_takes_no_use() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session, tool="refund")
    for _ in range(6):
        assert pay(session, 100, "refund").allowed
    full = pay(session, 101, "refund")
    assert full.outcome is Outcome.DENY
    assert "`pay.daily` lets 700 through" in full.message
    guard.halt("session:s1", by="eve", why="stop")
    assert pay(session, 101, "refund", approval=request).outcome is Outcome.DENY
    assert guard.approvals.get(request).uses == ()


def test_a_use_does_not_come_back() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session, tool="refund")
    for _ in range(3):
        call = pay(session, 101, "refund")
        assert call.approval == request
        session.failed("refund", {"to": "x", "amount": 101}, decision=call)
    assert guard.limits()[0].used == 0  # what the calls were charged came back
    assert pay(session, 101, "refund").outcome is Outcome.ASK


def test_a_sub_agent_has_its_parents_session_and_not_its_name() -> None:
    guard = guard_of(policy=POLICY)
    parent = session_of(guard)
    request = given_for(guard, parent)
    assert pay(parent.delegate(tools=["pay"]), 1).approval == request
    stranger = guard.session(id="s1", principal={"id": "paul"}, agent={"id": "other"})
    for amount in (150, 1):  # the first is the very call that it shows
        assert pay(stranger, amount).outcome is Outcome.ASK
    assert pay(parent, 2).approval == request
    assert pay(session_of(guard, "s9"), 1).outcome is Outcome.ASK
    assert pay(parent, 3).approval == request


# --- what people can say -----------------------------------------------------------------------


def test_who_approves_can_make_it_this_one_call() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session, 150, once=True)
    assert guard.approvals.get(request).alone == "ana answered for this call only"
    other = pay(session, 151)
    assert other.outcome is Outcome.ASK
    assert other.request != request
    assert pay(session, 150).approval == request
    assert guard.approvals.get(request).state == "consumed"
    assert pay(session, 150).outcome is Outcome.ASK


def test_one_of_several_who_narrows_it_is_enough() -> None:
    policy = "on call pay { ask 2 of release within 1h for 3 calls in session }"
    for first, second in ((True, False), (False, True)):
        guard = guard_of(policy=policy)
        session = session_of(guard)
        request = asked_for(session, "pay", {"to": "x", "amount": 1})
        guard.approvals.approve(request, by="ana", once=first)
        guard.approvals.approve(request, by="bob", once=second)
        assert guard.approvals.get(request).state == "approved"
        assert pay(session, 2).outcome is Outcome.ASK
        assert pay(session, 1).approval == request


def test_a_denial_is_as_wide_as_what_was_asked() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    guard.approvals.deny(asked_for(session, "pay", {"amount": 150}), by="bob", reason="Not today.")
    denied = pay(session, 1)
    assert denied.outcome is Outcome.DENY
    assert "bob denied it because Not today" in denied.message
    assert pay(session, 201).outcome is Outcome.ASK  # it was never a part of it
    clock_of(guard).advance(4 * HOUR)
    assert pay(session, 1).outcome is Outcome.ASK


def test_a_denial_of_one_call_leaves_the_others_to_be_asked_about() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = asked_for(session, "pay", {"to": "x", "amount": 150})
    guard.approvals.deny(request, by="bob", once=True)
    assert pay(session, 150).outcome is Outcome.DENY
    other = pay(session, 151)
    assert other.outcome is Outcome.ASK
    guard.approvals.approve(other.request, by="ana")
    assert pay(session, 150).outcome is Outcome.DENY
    assert pay(session, 152).approval == other.request


def test_what_is_left_of_it_can_be_taken_back_by_who_was_asked() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    assert pay(session, 1).allowed
    for by in ("zoe", "paul", ""):
        with pytest.raises(Rejected):
            guard.approvals.deny(request, by=by)
    assert pay(session, 2).allowed
    guard.approvals.deny(request, by="eve", reason="Enough.")  # after `else` she is asked as well
    refused = pay(session, 3)
    assert refused.outcome is Outcome.DENY
    assert "eve denied it because Enough" in refused.message
    with pytest.raises(Rejected, match="is denied already"):
        guard.approvals.approve(request, by="ana")


def test_who_asks_takes_nothing_back() -> None:
    guard = guard_of(policy=POLICY, reviewers={"finance": ["ana", "paul"]})
    request = given_for(guard, session_of(guard))
    with pytest.raises(Rejected, match="four eyes"):
        guard.approvals.deny(request, by="paul")


def test_an_approval_of_one_call_can_be_taken_back_as_well() -> None:
    guard = guard_of()
    session = session_of(guard)
    request = asked_for(session, "wipe", {})
    guard.approvals.approve(request, by="ana")
    guard.approvals.deny(request, by="bob")
    assert session.check_call("wipe", {}).outcome is Outcome.DENY
    with pytest.raises(Rejected, match="is denied already"):
        guard.approvals.deny(request, by="ana")


def test_who_watches_sees_every_use() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = asked_for(session, "pay", {"amount": 1})
    steps = iter([
        lambda: guard.approvals.approve(request, by="ana"), lambda: pay(session, 1), lambda: pay(session, 1),
        lambda: pay(session, 1),
    ])  # fmt: skip
    seen = guard.approvals.watch(wait=lambda _: next(steps)())
    told = [next(seen) for _ in range(5)]
    assert [(each.state, len(each.uses)) for each in told] == [
        ("open", 0), ("approved", 0), ("approved", 1), ("approved", 2), ("consumed", 3),
    ]  # fmt: skip


def test_like_requests_are_put_together_only_where_they_go_as_far() -> None:
    guard = guard_of(policy=POLICY)
    for id, amount in (("s1", 1), ("s2", 2), ("s3", 201), ("s4", 202)):
        asked_for(session_of(guard, id), "pay", {"amount": amount})
    assert sorted(len(batch.requests) for batch in guard.approvals.batches()) == [2, 2]


# --- calls that come again ---------------------------------------------------------------------


def test_a_repeated_call_id_takes_one_use() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session, tool="refund")
    first = pay(session, 150, "refund", call_id="c1")
    again = [pay(session, 150, "refund", call_id="c1") for _ in range(3)]
    assert {call.approval for call in (first, *again)} == {request}
    assert {call.reservation for call in again} == {first.reservation}
    assert len(guard.approvals.get(request).uses) == 1
    assert guard.limits()[0].used == 150


def test_an_id_that_comes_with_other_arguments_is_another_call() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    assert [pay(session, amount, call_id="c1").approval for amount in (1, 2, 3)] == [request] * 3
    assert pay(session, 4, call_id="c1").outcome is Outcome.ASK
    assert pay(session, 2, call_id="c1").approval == request
    assert len(guard.approvals.get(request).uses) == 3


def test_a_call_that_was_let_through_has_its_answer_after_all_is_over_and_not_after_it_was_taken_back() -> (
    None
):
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = given_for(guard, session)
    assert pay(session, 1, call_id="c1").allowed
    clock_of(guard).advance(4 * HOUR)
    assert pay(session, 1, call_id="c1").approval == request
    assert pay(session, 1, call_id="c2").outcome is Outcome.ASK
    other = given_for(guard, session, 2)
    assert pay(session, 2, call_id="c3").approval == other
    guard.approvals.deny(other, by="ana")
    assert pay(session, 2, call_id="c3").outcome is Outcome.DENY


def test_a_call_is_found_by_its_id_whatever_was_asked_since() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    first = given_for(guard, session)
    assert [pay(session, n, call_id=f"c{n}").approval for n in (1, 2, 3)] == [first] * 3
    second = given_for(guard, session)
    assert [pay(session, n, call_id=f"c{n}").approval for n in (1, 2, 3, 4)] == [first] * 3 + [second]
    assert len(guard.approvals.get(second).uses) == 1


def test_to_look_takes_no_use() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)

    def look(amount: Any, **more: Any) -> Any:
        args = {"amount": amount}
        return session.ledger.look("call", "pay", args, args, **more)

    assert look(1).request is None
    waiting = look(1, asks=True)
    assert waiting.outcome is Outcome.ASK
    assert look(2).request == waiting.request
    guard.approvals.approve(waiting.request, by="ana")
    for _ in range(5):
        assert look(1).approval == waiting.request
    assert look(201).outcome is Outcome.ASK
    assert [pay(session, 200).allowed for _ in range(2)] == [True] * 2
    alone = look(101, asks=True)
    assert alone.request != waiting.request
    assert "only 100" in guard.approvals.get(alone.request).alone
    assert len(guard.approvals.get(waiting.request).uses) == 2
    guard.approvals.deny(waiting.request, by="ana")
    assert look(1).outcome is Outcome.DENY


def test_two_policies_have_an_approval_each() -> None:
    guard = guard_of(policy=POLICY)
    own = guard_of(policy="policy own\non call pay { ask security within 1h for 2 calls in session }")
    child = session_of(guard).delegate(guard=own)
    mine = asked_for(child, "pay", {"amount": 1})
    own.approvals.approve(mine, by="eve")
    theirs = asked_for(child, "pay", {"amount": 2})
    guard.approvals.approve(theirs, by="ana")
    assert [pay(child, n).allowed for n in (3, 4, 5)] == [True, True, False]
    assert (own.approvals.get(mine).state, guard.approvals.get(theirs).state) == ("consumed", "approved")


@pytest.mark.parametrize("home", ["memory", "sqlite", "redis"])
def test_awaited_checks_use_it_as_well(home: str, tmp_path: Any, request: Any) -> None:
    url = {"memory": "memory:", "sqlite": f"sqlite://{tmp_path}/s.db"}.get(home)
    if url is None:
        url = f"{request.getfixturevalue('redis_url')}?clock=caller&timeout=10&prefix=test-{uuid4().hex}"
    guard = guard_of(url, POLICY)
    session = session_of(guard)

    async def flow() -> list[Any]:
        waiting = await session.acheck_call("pay", {"amount": 5})
        guard.approvals.approve(waiting.request or "", by="ana")
        return [waiting.request, *[await session.acheck_call("pay", {"amount": n}) for n in range(4)]]

    id, *calls = asyncio.run(flow())
    assert [call.approval for call in calls] == [id, id, id, None]


# --- crashes -----------------------------------------------------------------------------------


class Failing:
    """A store that stops answering, for good, before (or after) a call of `operation`."""

    def __init__(self, store: Any, operation: str, number: int, *, late: bool) -> None:
        self._store = store
        self._operation = operation
        self._left = number
        self._late = late

    def __getattr__(self, name: str) -> Any:
        def ask(*positional: Any, **named: Any) -> Any:
            self._left -= name == self._operation
            if self._left < 0 and self._late and name == self._operation:
                getattr(self._store, name)(*positional, **named)
            if self._left < 0:
                raise StoreUnavailable("gone")
            return getattr(self._store, name)(*positional, **named)

        return ask


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("operation", ["read", "swap", "reserve"])
@pytest.mark.parametrize("number", range(5))
def test_wherever_the_store_goes_away_no_use_is_had_twice(operation: str, number: int, late: bool) -> None:  # noqa: FBT001
    store = MemoryStore()
    guard = guard_of(store, POLICY)
    request = given_for(guard, session_of(guard), tool="refund")
    broken = guard_of(Failing(store, operation, number, late=late), POLICY)
    allowed = sum(pay(session_of(broken), 101 + n, "refund").allowed for n in range(4))
    after = sum(pay(session_of(guard), 110 + n, "refund").approval == request for n in range(4))
    found = guard.approvals.get(request)
    assert allowed + after <= 3
    assert len(found.uses) >= allowed + after
    assert guard.limits()[0].used >= 101 * (allowed + after)


@pytest.mark.parametrize("number", range(5))
def test_a_request_that_was_half_written_is_written_by_the_next(number: int) -> None:
    store = MemoryStore()
    pay(session_of(guard_of(Failing(store, "swap", number, late=False), POLICY)), 1)
    guard = guard_of(store, POLICY)
    session = session_of(guard)
    request = given_for(guard, session, 2)
    assert [found.id for found in guard.approvals.list("any")] == [request]
    assert [pay(session, n).approval for n in (1, 2, 3)] == [request] * 3


# --- what comes in between ---------------------------------------------------------------------


class Between:
    """A store that lets something else happen right before an operation on a request."""

    def __init__(self, store: Any, operation: str, number: int, happens: Any) -> None:
        self._store = store
        self._operation = operation
        self._left = number
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        def ask(*positional: Any, **named: Any) -> Any:
            if name == self._operation and str(positional[0]).startswith("approval/"):
                self._left -= 1
                if self._left == 0:
                    self._happens()
            return getattr(self._store, name)(*positional, **named)

        return ask


def between(operation: str, number: int, happens: Any) -> tuple[Any, Any, str]:
    """A guard, a session for which `happens` comes in between, and an approval for three calls."""
    store = MemoryStore()
    guard = guard_of(store, POLICY)
    request = given_for(guard, session_of(guard), 101, "refund")
    other = guard_of(Between(store, operation, number, lambda: happens(guard, request)), POLICY)
    return guard, session_of(other), request


def taking(*amounts: float, **more: Any) -> Any:
    """Calls of another process come in between, and are let through."""

    def happens(guard: Any, request: str) -> None:
        assert all(pay(session_of(guard), each, "refund", **more).approval == request for each in amounts)

    return happens


def test_who_comes_second_takes_a_use_that_is_left() -> None:
    guard, session, request = between("swap", 1, taking(110, 120))
    assert pay(session, 130, "refund").approval == request
    assert [use[2] for use in guard.approvals.get(request).uses] == ["110", "120", "130"]
    assert guard.limits()[0].used == 360


@pytest.mark.parametrize(("taken", "state"), [((200, 199), "approved"), ((110, 111, 112), "consumed")])
def test_who_comes_too_late_takes_nothing_and_is_charged_nothing(taken: Any, state: str) -> None:
    guard, session, request = between("swap", 1, taking(*taken))
    decision = pay(session, 130, "refund")
    assert decision.outcome is Outcome.ASK
    assert guard.approvals.get(request).state == state
    assert guard.limits()[0].used == sum(taken)
    assert (guard.approvals.get(decision.request).reuse is None) is (state == "approved")


def test_who_is_taken_back_in_between_takes_nothing() -> None:
    guard, session, request = between("swap", 1, lambda guard, id: guard.approvals.deny(id, by="bob"))
    assert pay(session, 130, "refund").outcome is Outcome.DENY
    assert guard.approvals.get(request).uses == ()
    assert guard.limits()[0].used == 0


def test_the_same_call_twice_at_once_takes_one_use() -> None:
    guard, session, request = between("swap", 1, taking(130, call_id="c1"))
    assert pay(session, 130, "refund", call_id="c1").approval == request
    assert len(guard.approvals.get(request).uses) == 1
    assert guard.limits()[0].used == 130


def test_a_look_in_between_does_no_harm() -> None:
    guard, session, request = between("swap", 1, lambda guard, id: guard.approvals.show(id, by="bob"))
    assert pay(session, 130, "refund").approval == request
    assert guard.approvals.get(request).shown
    assert len(guard.approvals.get(request).uses) == 1


def test_what_had_no_room_and_is_used_up_meanwhile_is_asked_about_as_far_as_it_may_go() -> None:
    store = MemoryStore()
    guard = guard_of(store, POLICY)
    request = given_for(guard, session_of(guard))
    assert all(pay(session_of(guard), 200).approval == request for _ in range(2))
    last = lambda: pay(session_of(guard), 100)  # noqa: E731
    other = guard_of(Between(store, "read", 2, last), POLICY)  # after it was read, before anything is asked
    decision = pay(session_of(other), 150)
    assert guard.approvals.get(request).state == "consumed"
    found = guard.approvals.get(decision.request)
    assert (found.alone, found.reuse is None) == ("", False)


# --- against what it means ---------------------------------------------------------------------

Step = tuple[str, Any]
AMOUNTS = st.sampled_from([0, 1, 99.5, 150, 200, Decimal("200.01"), 300, None, "1"])
STEPS = st.one_of(
    st.tuples(st.just("call"), AMOUNTS),
    st.tuples(st.sampled_from(["approve", "deny", "once", "deny once", "wait", "take back"]), st.none()),
)


class Meaning:
    """What the page says of `pay`, with nothing of how it is done: grants, of which the last is looked at."""

    def __init__(self) -> None:
        self.now = 0
        self.alone: dict[Any, list[Any]] = {}  # what is known of one call, by its amount
        self.wide: list[Any] | None = None  # [state, since, left, room, the amount that asked]

    def _is_over(self, it: list[Any] | None) -> bool:
        """Nothing is to be said of a call by it any more; four hours are what each step lasts."""
        return it is None or it[0] == "consumed" or self.now - it[1] >= (8 if it[0] == "open" else 4)

    def call(self, amount: Any) -> str:
        mine = self.alone.get(repr(amount))
        if not self._is_over(mine) and mine is not None:
            return self._by(mine, 0)
        fits = not isinstance(amount, str | None) and amount <= 200
        if not fits:
            self.alone[repr(amount)] = ["open", self.now, 1, 10**9]
            return "ask"
        value = Decimal(str(amount))
        if self._is_over(self.wide):
            self.wide = ["open", self.now, 3, Decimal(500), amount]
            return "ask"
        assert self.wide is not None
        if self.wide[0] == "approved" and value > self.wide[3]:
            self.alone[repr(amount)] = ["open", self.now, 1, 10**9]
            return "ask"
        return self._by(self.wide, value)

    def _by(self, it: list[Any], value: Any) -> str:
        if it[0] == "approved":
            it[2], it[3] = it[2] - 1, it[3] - value
            if not it[2] or not it[3]:
                it[0] = "consumed"
            return "allow"
        return {"open": "ask", "denied": "deny"}[it[0]]

    def answer(self, verdict: str, amounts: list[Any]) -> None:
        for amount in amounts:
            it = self.wide if amount == "wide" else self.alone[amount]
            assert it is not None
            it[:2] = ["denied" if verdict.startswith("deny") else "approved", self.now]
            if verdict.endswith("once") and amount == "wide":
                self.alone[repr(it[4])] = [*it[:2], 1, 10**9]
                self.wide = None


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_a_session_goes_as_the_page_says(steps: list[Step]) -> None:
    guard = guard_of(policy=POLICY)
    session, meaning = session_of(guard), Meaning()
    for what, amount in steps:
        if what == "call":
            expected = meaning.call(amount)
            assert pay(session, amount).outcome.value == expected, (what, amount)
        elif what == "wait":
            clock_of(guard).advance(2 * HOUR)
            meaning.now += 2
        elif what == "take back":
            for request in guard.approvals.list("approved"):
                guard.approvals.deny(request.id, by="ana")
                meaning.answer("deny", [_named(request)])
        else:
            for request in guard.approvals.list():
                by = "ana" if guard.approvals.state_of(request) == "pending" else "eve"
                say = guard.approvals.deny if what.startswith("deny") else guard.approvals.approve
                name = _named(request)
                say(request.id, by=by, once="once" in what)
                meaning.answer(f"{what.split()[0]}{' once' if 'once' in what else ''}", [name])


def _named(request: Request) -> str:
    return "wide" if request.reuse is not None else repr(_given(request.subject.args["amount"]))


def _given(shown: Any) -> Any:
    return Decimal(str(shown)) if shown == 200.01 else shown


assert set(REVIEWERS) >= {"finance", "security", "release"}
