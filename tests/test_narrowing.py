"""Narrowed sessions: a task or a list of calls takes away, and never gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Guard
from guardrails.errors import EvaluationError, EventError
from guardrails.model import Outcome

POLICY = """
type principal { id: string }
on call get_order, "docs.*" { allow }
on call issue_refund { allow when args.amount <= 100; ask finance when args.amount > 50 }
on call wipe { deny }

task refund(order: string, most: decimal) {
  only call get_order, issue_refund
  on call issue_refund {
    same: require args.order_id == order
    value: threshold args.amount { up to most: ask; above: deny }
  }
}
task reading { only call "docs.*" }
"""


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.from_text(POLICY)


def test_a_task_narrows_to_its_tools_and_values(guard: Guard) -> None:
    session = guard.session(task="refund", given={"order": "A1", "most": 40})
    assert session.check_call("get_order", {}).allowed
    assert session.check_call("docs.read", {}).outcome is Outcome.DENY
    assert session.check_call("issue_refund", {"order_id": "A1", "amount": 40}).outcome is Outcome.ASK
    assert session.check_call("issue_refund", {"order_id": "A1", "amount": 41}).outcome is Outcome.DENY
    assert session.check_call("issue_refund", {"order_id": "A2", "amount": 1}).outcome is Outcome.DENY


def test_an_ask_in_a_task_grants_nothing(guard: Guard) -> None:
    """`wipe` and unknown tools stay denied, and so does what no statement outside of the task allows."""
    session = guard.session(task="refund", given={"order": "A1", "most": 1000})
    found = session.check_call("issue_refund", {"order_id": "A1", "amount": 10})
    assert found.outcome is Outcome.ASK
    other = Guard.from_text("task t { on call x { ask } }").session(task="t")
    assert other.check_call("x", {}).outcome is Outcome.DENY


def test_a_wildcard_spares_tools_that_nobody_named(guard: Guard) -> None:
    session = guard.session(task="reading")
    assert session.check_call("docs.read", {}).allowed
    assert not session.check_call("docs", {}).allowed
    assert not session.check_call("get_order", {}).allowed


@pytest.mark.parametrize(
    ("opened", "message"),
    [
        ({"task": "refnd"}, "no task `refnd`; did you mean `refund`"),
        ({"task": 5}, "no task"),
        ({"task": "refund"}, "needs a value for `order`"),
        (
            {"task": "refund", "given": {"order": "A", "most": 5, "mst": 1}},
            "takes no `mst`; did you mean `most`",
        ),
        ({"given": {"order": "A"}}, "name the task"),
        ({"allow": "get_order"}, "a list of tools"),
        ({"allow": [""]}, "names tools"),
        ({"allow": {"pay": ["x"]}}, "by name"),
        ({"allow": {"pay": {"to": "ana"}}}, "are a list"),
    ],
)
def test_opening_it_wrongly_is_an_error(guard: Guard, opened: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        guard.session(**opened)


def test_an_event_of_an_unknown_task_is_malformed(guard: Guard) -> None:
    event = {"type": "call", "tool": "get_order", "args": {}, "session": {"id": "s", "task": "refnd"}}
    with pytest.raises(EventError, match="no task `refnd`"):
        guard.decide(event)


def test_a_value_of_another_type_denies_what_reads_it(guard: Guard) -> None:
    session = guard.session(task="refund", given={"order": "A1", "most": "plenty"})
    decision = session.check_call("issue_refund", {"order_id": "A1", "amount": 1})
    assert decision.outcome is Outcome.DENY
    assert [error.kind for error in decision.errors] == ["type"]


def test_allowed_values_are_compared_as_the_language_does(guard: Guard) -> None:
    session = guard.session(allow={"issue_refund": {"order_id": ["A1"], "amount": [10]}, "docs.*": None})
    assert session.check_call("issue_refund", {"order_id": "A1", "amount": 10.0}).allowed
    assert session.check_call("docs.read", {"page": 3}).allowed
    for args in ({"order_id": "A1", "amount": 11}, {"order_id": "a1", "amount": 10}, {"amount": 10}, {}):
        refused = session.check_call("issue_refund", args)
        assert refused.outcome is Outcome.DENY
        assert "other values" in refused.message
    assert session.check_result("get_order", {"id": 1}).outcome is Outcome.DENY
    assert session.check_result("docs.read", "text").allowed


def test_a_sub_agent_is_as_narrow_as_its_parent(guard: Guard) -> None:
    parent = guard.session(task="refund", given={"order": "A1", "most": 40})
    assert not parent.delegate().check_call("docs.read", {}).allowed
    assert not guard.session(allow=["get_order"]).delegate().check_call("docs.read", {}).allowed


def test_a_policy_without_the_task_anymore_denies(tmp_path: Any) -> None:
    path = tmp_path / "p.guard"
    path.write_text("on call a { allow }\ntask t { only call a }", encoding="utf-8")
    guard = Guard.load(path)
    session = guard.session(task="t")
    assert session.check_call("a", {}).allowed
    path.write_text("on call a { allow; flag seen }", encoding="utf-8")
    guard.reload()
    assert session.check_call("a", {}).outcome is Outcome.DENY


ARGS = st.fixed_dictionaries(
    {}, optional={"order_id": st.sampled_from(["A1", "A2"]), "amount": st.integers(0, 120)}
)
TOOLS = st.sampled_from(["get_order", "issue_refund", "docs.read", "wipe", "other"])


@settings(max_examples=150, deadline=None)
@given(
    tool=TOOLS,
    args=ARGS,
    task=st.sampled_from([None, "refund", "reading"]),
    allow=st.none() | st.lists(TOOLS, max_size=3),
)
def test_narrowing_never_loosens(
    guard: Guard, tool: str, args: dict[str, Any], task: Any, allow: Any
) -> None:
    values = {"order": "A1", "most": 40} if task == "refund" else None
    narrow = guard.session(task=task, given=values, allow=allow).check_call(tool, args)
    assert narrow.outcome >= guard.session().check_call(tool, args).outcome
