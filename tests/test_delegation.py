"""Delegation: a sub-agent may do what its parent may and no more; nothing is charged twice or left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guardrails import Guard, Outcome, Session
from guardrails.delegation import MOST_DEPTH
from guardrails.errors import EvaluationError
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.usage import Usage

NOW = 1_800_000_000_000_000
PARENT = """
policy parent
on call pay {
  size: threshold args.amount { up to 100: allow; up to 500: ask finance; above: deny }
  daily: limit 3 per 1d
}
on call search, "docs.*" { allow }
on call wipe { halt because "never" }
on call note { allow; redact args.text with mask }
on result search { redact result.card with mask }
on result secret { deny }
on output { deny when text contains "forbidden" }
"""
CHILD = """
policy child
on call pay {
  deny when args.amount > 50
  own: limit 2 per 1d
}
on call "*" { allow }
on result search { redact result.mail with mask }
on call note { redact args.to with mask }
"""


@pytest.fixture
def guard() -> Guard:
    return Guard.from_text(PARENT, clock=FrozenClock(NOW))


@pytest.fixture
def own() -> Guard:
    return Guard.from_text(CHILD, clock=FrozenClock(NOW))


def pay(session: Session, amount: int = 10, **more: Any) -> Outcome:
    return session.check_call("pay", {"amount": amount}, **more).outcome


def test_a_child_may_do_what_its_parent_may(guard: Guard) -> None:
    child = guard.session().delegate()
    assert [pay(child, amount) for amount in (100, 200, 900)] == [Outcome.ALLOW, Outcome.ASK, Outcome.DENY]


def test_a_child_may_only_call_what_was_delegated(guard: Guard) -> None:
    child = guard.session().delegate(tools=["search", "docs.*"])
    assert child.check_call("docs.read", {}).allowed
    decision = child.check_call("pay", {"amount": 1})
    assert decision.outcome is Outcome.DENY
    assert "`pay` was not delegated to this agent, which may call `search`, `docs.*`" in decision.message
    assert decision.denial is not None
    assert decision.denial.kind == "never"


def test_what_is_not_granted_is_not_charged_either(guard: Guard) -> None:
    parent = guard.session()
    child = parent.delegate(tools=["search"])
    assert [pay(child) for _ in range(4)] == [Outcome.DENY] * 4
    assert [pay(parent) for _ in range(4)] == [Outcome.ALLOW] * 3 + [Outcome.DENY]


def test_grants_only_ever_shrink(guard: Guard) -> None:
    grandchild = guard.session().delegate(tools=["search"]).delegate(tools=["*"])
    assert grandchild.check_call("search", {}).allowed
    assert pay(grandchild) is Outcome.DENY


@pytest.mark.parametrize("tools", ["search", [""], [5]])
def test_a_grant_is_a_list_of_names(guard: Guard, tools: Any) -> None:
    with pytest.raises(EvaluationError, match="is a list of names or patterns"):
        guard.session().delegate(tools=tools)


def test_chains_end(guard: Guard) -> None:
    session = guard.session()
    for _ in range(MOST_DEPTH):
        session = session.delegate()
    assert pay(session) is Outcome.ALLOW
    with pytest.raises(EvaluationError, match="in a row"):
        session.delegate()


def test_parent_and_children_draw_on_one_limit(guard: Guard) -> None:
    parent = guard.session()
    first, second = parent.delegate(), parent.delegate()
    outcomes = [pay(session) for session in (parent, first, second, parent, first)]
    assert outcomes == [Outcome.ALLOW] * 3 + [Outcome.DENY] * 2


def test_the_own_policy_holds_as_well(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own)
    decision = child.check_call("pay", {"amount": 70})
    assert decision.outcome is Outcome.DENY
    assert pay(child) is pay(child) is Outcome.ALLOW
    refused = child.check_call("pay", {"amount": 10})
    assert [reason.name for reason in refused.reasons] == ["child.own"]


def used(guard: Guard, prefix: str) -> list[Any]:
    return [level.used for level in guard.state.store.levels(prefix, now=NOW)]


def test_a_refusal_by_the_own_policy_charges_the_parent_nothing(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own)
    assert [pay(child) for _ in range(5)] == [Outcome.ALLOW] * 2 + [Outcome.DENY] * 3
    assert used(guard, "parent.daily") == [2]


def test_a_refusal_by_the_parent_charges_the_own_policy_nothing(guard: Guard, own: Guard) -> None:
    parent = guard.session()
    for _ in range(3):
        assert pay(parent) is Outcome.ALLOW
    assert pay(parent.delegate(guard=own)) is Outcome.DENY
    assert used(own, "child.own") == []


def test_an_ask_charges_nobody(guard: Guard) -> None:
    own = Guard.from_text("policy child\non call pay { allow; own: limit 2 per 1d }", clock=FrozenClock(NOW))
    assert pay(guard.session().delegate(guard=own), 200) is Outcome.ASK
    assert (used(own, "child.own"), used(guard, "parent.daily")) == ([], [])


def test_release_and_failure_give_back_both(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own)
    assert child.release(child.check_call("pay", {"amount": 1}))
    decision = child.check_call("pay", {"amount": 1})
    child.failed("pay", {"amount": 1}, decision=decision)
    assert (used(own, "child.own"), used(guard, "parent.daily")) == ([], [])


def test_two_children_may_use_the_same_call_id(guard: Guard) -> None:
    parent = guard.session()
    first, second = parent.delegate(), parent.delegate()
    for _ in range(2):
        assert pay(first, call_id="1") is pay(second, call_id="1") is Outcome.ALLOW
    assert used(guard, "parent.daily") == [2]


def test_what_is_held_runs_out_for_both(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own)
    decision = child.check_call("pay", {"amount": 1}, hold=10)
    assert used(own, "child.own") == used(guard, "parent.daily") == [1]
    later = NOW + 10_000_000
    for each, prefix in ((own, "child.own"), (guard, "parent.daily")):
        assert each.state.store.levels(prefix, now=later) == ()
    assert child.settle(decision)
    assert used(own, "child.own") == used(guard, "parent.daily") == [1]


def test_the_result_settles_what_was_held(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own)
    decision = child.check_call("pay", {"amount": 1}, hold=10)
    child.check_result("pay", "done", args={"amount": 1}, reservation=decision.reservation)
    later = NOW + 10_000_000
    for each, prefix in ((own, "child.own"), (guard, "parent.daily")):
        assert [level.used for level in each.state.store.levels(prefix, now=later)] == [1]


def test_both_transform_the_result(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own)
    decision = child.check_result("search", {"card": "1234", "mail": "a@b.c", "n": 1})
    assert decision.payload == {"card": "***", "mail": "***", "n": 1}
    assert {change.statement.split(":")[0] for change in decision.transforms} == {"policy.guard"}
    assert len(decision.transforms) == 2


def test_both_transform_the_arguments(guard: Guard, own: Guard) -> None:
    decision = guard.session().delegate(guard=own).check_call("note", {"text": "t", "to": "x"})
    assert decision.payload == {"text": "***", "to": "***"}


def test_the_parent_transforms_what_the_own_policy_left() -> None:
    parent = Guard.from_text(
        "policy p\non result a { only rows where row.ok; redact result.*.id with last 1 }"
    )
    child = Guard.from_text("policy c\non result a { redact result.*.id with last 2 }").session()
    own = Guard.from_text("policy o\non result a { drop fields mail }")
    rows = [{"ok": True, "id": "1234", "mail": "m"}, {"ok": False, "id": "9", "mail": "m"}]
    assert parent.session().delegate(guard=own).check_result("a", rows).payload == [
        {"ok": True, "id": "***4"}
    ]
    assert child.delegate(guard=own).check_result("a", rows[:1]).payload == [{"ok": True, "id": "***34"}]


def test_conditions_see_what_came_and_not_what_the_own_policy_left() -> None:
    parent = Guard.from_text('policy p\non result a { deny when result.text contains "secret" }')
    own = Guard.from_text("policy o\non result a { redact result.text with mask }")
    assert parent.session().delegate(guard=own).check_result("a", {"text": "secret"}).outcome is Outcome.DENY


def test_texts_and_results_are_checked_by_all(guard: Guard, own: Guard) -> None:
    child = guard.session().delegate(guard=own).delegate(tools=["search", "secret"])
    assert child.check_input("hello").allowed
    assert child.check_output("forbidden").outcome is Outcome.DENY
    assert child.check_result("secret", 1).outcome is Outcome.DENY
    assert child.check_result("pay", 1).outcome is Outcome.DENY


def test_a_rule_that_halts_stops_the_parent_and_all_its_children(guard: Guard) -> None:
    parent = guard.session()
    first, second = parent.delegate(), parent.delegate()
    assert first.check_call("wipe", {}).outcome is Outcome.HALT
    assert [each.check_call("search", {}).outcome for each in (first, second, parent)] == [Outcome.DENY] * 3


def test_a_halt_of_the_own_policy_stops_the_child_only(guard: Guard) -> None:
    own = Guard.from_text('policy child\non call search { halt }\non call "*" { allow }')
    parent = guard.session()
    child = parent.delegate(guard=own)
    assert child.check_call("search", {}).outcome is Outcome.HALT
    assert child.check_call("docs.a", {}).outcome is Outcome.DENY
    assert parent.check_call("search", {}).allowed


@pytest.mark.parametrize("scope", ["session:mother", "agent:planner", "principal:ana", "all", "tool:search"])
def test_what_halts_the_parent_halts_the_child(guard: Guard, scope: str) -> None:
    parent = guard.session(principal={"id": "ana"}, agent={"id": "planner"}, id="mother")
    child = parent.delegate(agent={"id": "worker"}, id="daughter")
    guard.halt(scope, by="op", why="test")
    assert child.check_call("search", {}).outcome is Outcome.DENY
    guard.resume(scope)
    assert child.check_call("search", {}).allowed


@pytest.mark.parametrize("scope", ["session:daughter", "agent:worker"])
def test_what_halts_the_child_leaves_the_parent(guard: Guard, scope: str) -> None:
    parent = guard.session(agent={"id": "planner"}, id="mother")
    child = parent.delegate(agent={"id": "worker"}, id="daughter")
    grandchild = child.delegate()
    guard.halt(scope, by="op", why="test")
    assert child.check_call("search", {}).outcome is Outcome.DENY
    assert grandchild.check_call("search", {}).outcome is Outcome.DENY
    assert child.reserve(Usage(input_tokens=1)).outcome is Outcome.DENY
    assert parent.check_call("search", {}).allowed


def test_what_the_parent_offers_instead_is_only_offered_when_it_would_pass() -> None:
    parent = Guard.from_text("policy p\non call pay { allow when args.amount <= 100 }").session()
    narrow = Guard.from_text("policy c\non call pay { allow when args.amount <= 50 }")
    wide = Guard.from_text("policy c\non call pay { allow when args.amount <= 500 }")
    for own, amount in ((narrow, 50), (wide, 100)):
        denial = parent.delegate(guard=own).check_call("pay", {"amount": 900}).denial
        assert denial is not None
        assert denial.counterfactual == {"args.amount": amount}
    other = Guard.from_text('policy c\non call pay { allow when args.to == "bob" }')
    denial = parent.delegate(guard=other).check_call("pay", {"amount": 900, "to": "eve"}).denial
    assert denial is not None
    assert denial.counterfactual is None
    assert "would pass" not in denial.message


BUDGET = 'policy p\non call "*" { allow }\non session { b: budget tokens 100 }'


def test_usage_is_charged_to_the_parent_once_and_to_the_own_policy() -> None:
    guard = Guard.from_text(BUDGET)
    parent = guard.session()
    child = parent.delegate(guard=Guard.from_text(BUDGET.replace("policy p", "policy c")))
    assert child.report(Usage(input_tokens=60)).allowed
    assert parent.check_call("a", {}).allowed
    assert parent.report(Usage(input_tokens=40)).outcome is Outcome.DENY
    assert child.check_call("a", {}).outcome is Outcome.DENY


def test_an_estimate_is_held_by_both_or_by_none() -> None:
    parent = Guard.from_text(BUDGET).session()
    wide = Guard.from_text(BUDGET.replace("policy p", "policy c").replace("100", "1000"))
    child = parent.delegate(guard=wide)
    assert child.reserve(Usage(input_tokens=200)).outcome is Outcome.DENY
    held = child.reserve(Usage(input_tokens=100))
    assert held.allowed
    assert parent.check_call("a", {}).outcome is Outcome.DENY
    assert child.settle(held, Usage(input_tokens=30))
    assert parent.reserve(Usage(input_tokens=70)).allowed
    levels = wide.state.store.levels("c.b", now=wide.clock.now())
    assert [level.used for level in levels] == [30]


def test_async_and_enforcement(guard: Guard, own: Guard, tmp_path: Any) -> None:
    shared = Guard.from_text(PARENT, store=f"sqlite:///{tmp_path}/s.db")
    for parent in (guard.session(), shared.session()):
        child = parent.delegate(tools=["pay", "search"], guard=own)

        async def work(child: Session = child) -> list[Any]:
            found = await child.acheck_result("search", {"card": "1", "mail": "m"})
            texts = [await child.acheck_input("x"), await child.acheck_output("forbidden")]
            outcomes = [(await child.acheck_call("pay", {"amount": n})).outcome for n in (60, 10)]
            return [found.payload, *[text.outcome for text in texts], *outcomes]

        answers = asyncio.run(work())
        assert answers == [
            {"card": "***", "mail": "***"},
            Outcome.ALLOW,
            Outcome.DENY,
            Outcome.DENY,
            Outcome.ALLOW,
        ]

        @child.tool
        def search(q: str) -> dict[str, str]:
            return {"card": q, "mail": q}

        assert search("1") == {"card": "***", "mail": "***"}


def test_a_guard_of_the_chain_is_not_asked_twice(guard: Guard) -> None:
    child = guard.session().delegate(guard=guard)
    assert [pay(child) for _ in range(4)] == [Outcome.ALLOW] * 3 + [Outcome.DENY]


PAST = """
policy past
on call read { allow; few: limit 2 per 1d }
on call send { allow; deny when seen(call read) }
on session { limit retries 1 }
"""


def test_what_a_child_does_is_part_of_the_past_of_its_parent() -> None:
    parent = Guard.from_text(PAST, clock=FrozenClock(NOW)).session()
    assert parent.check_call("send", {}).allowed
    assert parent.delegate(tools=["read"]).delegate().check_call("read", {}).allowed
    assert parent.check_call("send", {}).outcome is Outcome.DENY
    assert parent.delegate().check_call("send", {}).outcome is Outcome.DENY


def test_what_a_child_was_refused_is_not() -> None:
    parent = Guard.from_text(PAST, clock=FrozenClock(NOW)).session()
    own = Guard.from_text("policy own\non call read { deny }", clock=FrozenClock(NOW))
    for child in (parent.delegate(tools=["send"]), parent.delegate(guard=own)):
        assert child.check_call("read", {}).outcome is Outcome.DENY
    assert parent.check_call("send", {}).allowed


def test_what_the_parent_refuses_is_no_past_of_the_own_policy() -> None:
    own = Guard.from_text(
        "policy own\non call read { allow }\non call send { allow; deny when seen(call read) }",
        clock=FrozenClock(NOW),
    )
    parent = Guard.from_text(PAST, clock=FrozenClock(NOW)).session()
    child = parent.delegate(guard=own)
    for _ in range(2):
        assert parent.check_call("read", {}).allowed
    assert child.check_call("read", {}).outcome is Outcome.DENY
    assert len(child.check_call("send", {}).reasons) == 1  # the parent's alone


def test_retries_are_counted_over_the_whole_chain() -> None:
    parent = Guard.from_text('policy p\non call "*" { allow }\non session { limit retries 1 }').session()
    for session in (parent, parent.delegate()):
        decision = session.check_call("a", {"n": 1})
        session.failed("a", {"n": 1}, decision=decision)
    assert parent.delegate().check_call("a", {"n": 1}).outcome is Outcome.DENY
