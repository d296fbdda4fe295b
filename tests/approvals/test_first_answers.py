"""What whoever answers from Python for the first time does wrong: nothing of it is an answer, and all of it is told."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails import Guard
from guardrails.approvals.answering import Rejected
from guardrails.approvals.desk import Approvals
from guardrails.errors import EvaluationError

POLICY = "policy p\ntype principal { id: string }\non call pay { ask finance }\n"


@pytest.fixture
def asked() -> tuple[Approvals, Any, Any]:
    guard = Guard.from_text(POLICY, reviewers={"finance": ["ana"]}, store="memory:")
    decision = guard.session(principal={"id": "paul"}).check_call("pay", {"amount": 1})
    return guard.approvals, decision.request, decision


def test_a_request_is_named_by_its_id(asked: tuple[Approvals, Any, Any]) -> None:
    desk, id, decision = asked
    for wrong, said in (
        (None, "needs a session with a store: `Guard.load(..., store=...)`"),
        (desk.get(id), "and not by `Request`: give its `id`"),
        (decision, "and not by `Decision`"),
        (3, "and not by `int`"),
    ):
        for act in (desk.approve, desk.deny):
            with pytest.raises(Rejected) as told:
                act(wrong, by="ana")
            assert said in str(told.value)
    assert desk.state_of(desk.get(id)) == "pending"


def test_several_are_not_one_text(asked: tuple[Approvals, Any, Any]) -> None:
    desk, id, _ = asked
    with pytest.raises(EvaluationError, match="a list of ids"):
        desk.answer_all(id, "approve", by="ana")
    assert desk.state_of(desk.get(id)) == "pending"


@pytest.mark.parametrize("by", [None, 3, "", "  "])
def test_an_answer_has_a_name(asked: tuple[Approvals, Any, Any], by: Any) -> None:
    desk, id, _ = asked
    for act in (desk.approve, desk.deny):
        with pytest.raises(Rejected, match="needs the name of who gives it"):
            act(id, by=by)
    assert desk.state_of(desk.get(id)) == "pending"


@pytest.mark.parametrize("seconds", ["10m", 0, -5, float("nan"), float("inf"), True])
def test_a_time_is_a_number_of_seconds(asked: tuple[Approvals, Any, Any], seconds: Any) -> None:
    desk, id, _ = asked
    with pytest.raises(EvaluationError, match="`seconds` is a number above 0"):
        desk.approve(id, by="ana", seconds=seconds)
    assert desk.state_of(desk.get(id)) == "pending"


def test_a_reason_is_a_text(asked: tuple[Approvals, Any, Any]) -> None:
    desk, id, _ = asked
    wrong: Any = 3
    with pytest.raises(EvaluationError, match="`reason` is a text"):
        desk.approve(id, by="ana", reason=wrong)
    assert desk.state_of(desk.get(id)) == "pending"


def test_a_state_that_is_none_is_no_empty_list(asked: tuple[Approvals, Any, Any]) -> None:
    desk, id, _ = asked
    with pytest.raises(EvaluationError, match="there is no state `open`: use one of pending, "):
        desk.list("open")
    assert [request.id for request in desk.list("any")] == [id]


def test_reviewers_are_groups(asked: tuple[Approvals, Any, Any]) -> None:
    wrong: Any = ["ana"]
    with pytest.raises(EvaluationError, match="`reviewers` is groups, such as"):
        Guard.from_text(POLICY, reviewers=wrong)
