"""Who may answer a request, when, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from approving import DAY, HOUR, REFUND, REVIEWERS, asked_for, clock_of, guard_of, session_of
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Guard
from guardrails.approvals.answering import Rejected, answered, nobody
from guardrails.approvals.groups import Groups, groups_of
from guardrails.approvals.request import STATES, Answer, Need, Request, Subject
from guardrails.approvals.writing import read, showable, written
from guardrails.errors import EvaluationError, Unavailable

PEOPLE = Groups({"finance": ["ana", "bob", "cat"], "security": ["eve", "ana"]})


def request_of(*needs: Need, **more: Any) -> Request:
    subject = Subject("call", "pay", {}, "s1", principal="paul", agent="bot")
    return Request("r", "ask", subject, needs, 0, **more)


def answer(request: Request, by: str, at: int = 0, verdict: str = "approve") -> Request:
    return answered(request, Answer(by, verdict, at), PEOPLE)


# --- who ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["paul", "Paul", " paul ", "bot", "ＰＡＵＬ"])
def test_nobody_approves_what_they_ask_for(by: str) -> None:
    people = Groups({"finance": ["paul", "Paul", " paul ", "bot", "ＰＡＵＬ"]})
    with pytest.raises(Rejected, match="four eyes"):
        answered(request_of(Need("a", "", ("finance",))), Answer(by, "approve", 0), people)


def test_somebody_of_another_group_cannot_answer() -> None:
    for verdict in ("approve", "deny"):
        with pytest.raises(Rejected, match="`eve` is not asked: it takes somebody of `finance`"):
            answer(request_of(Need("a", "", ("finance",))), "eve", verdict=verdict)


def test_of_an_unknown_group_nobody_can_approve() -> None:
    for by in ("ana", "treasury"):
        with pytest.raises(Rejected, match="nobody is known in `treasury`"):
            answer(request_of(Need("a", "", ("treasury",))), by)
    with pytest.raises(Rejected, match="no reviewers are known"):
        answered(request_of(Need("a", "")), Answer("ana", "approve", 0), Groups())


def test_a_person_can_be_asked_by_name() -> None:
    assert answer(request_of(Need("a", "", ("eve",))), "eve").state == "approved"
    with pytest.raises(Rejected):
        answer(request_of(Need("a", "", ("eve",))), "ana")


def test_who_is_asked_by_no_name_is_anybody_known() -> None:
    assert answer(request_of(Need("a", "")), "eve").state == "approved"
    with pytest.raises(Rejected):
        answer(request_of(Need("a", "")), "stranger")


# --- how many ----------------------------------------------------------------------------------


def test_a_quorum_is_of_different_people() -> None:
    request = answer(request_of(Need("a", "", ("finance",), quorum=2)), "ana")
    assert request.state_at(1) == "pending"
    with pytest.raises(Rejected, match="somebody else is needed"):
        answer(request, "ana")
    assert answer(request, "bob").state == "approved"


def test_one_who_denies_is_enough() -> None:
    request = answer(request_of(Need("a", "", ("finance",), quorum=2)), "ana")
    assert answer(request, "bob", verdict="deny").state == "denied"
    assert answer(request, "ana", verdict="deny").state == "denied"


def test_every_statement_that_asks_needs_its_own_people() -> None:
    both = request_of(Need("a", "", ("finance",)), Need("b", "", ("security",)))
    assert answer(both, "bob").state_at(0) == "pending"
    assert answer(answer(both, "bob"), "eve").state == "approved"
    assert answer(both, "ana").state == "approved"  # who is in both groups answers for both


def test_an_answer_to_what_is_closed_does_not_count() -> None:
    denied = answer(request_of(Need("a", "", ("finance",))), "ana", verdict="deny")
    with pytest.raises(Rejected, match="is denied already"):
        answer(denied, "bob")
    with pytest.raises(Rejected, match="is answered with `approve` or `deny`, not with `wrong`"):
        answer(request_of(Need("a", "", ("finance",))), "ana", verdict="wrong")


@given(
    st.lists(
        st.tuples(st.sampled_from(["ana", "bob", "cat", "eve", "paul", "zoe"]), st.booleans()), max_size=8
    )
)
def test_it_is_approved_when_enough_did_and_nobody_denied(said: list[tuple[str, bool]]) -> None:
    request = request_of(Need("a", "", ("finance",), quorum=2))
    heard: list[tuple[str, bool]] = []
    for by, approves in said:
        try:
            request = answer(request, by, verdict="approve" if approves else "deny")
        except Rejected:
            continue
        heard.append((by, approves))
    able = {by for by, approves in heard if approves}
    assert able <= {"ana", "bob", "cat"}
    assert (request.state == "approved") == (len(able) >= 2 and all(approves for _, approves in heard))


# --- when --------------------------------------------------------------------------------------


def test_it_goes_on_to_others_and_then_runs_out() -> None:
    request = request_of(Need("a", "", ("finance",), 1, 4 * HOUR, ("security",)))
    states = [request.state_at(at) for at in (0, 4 * HOUR - 1, 4 * HOUR, 8 * HOUR - 1, 8 * HOUR)]
    assert states == ["pending", "pending", "escalated", "escalated", "expired"]
    assert (request.deadline, request.escalates(0), request.escalates(4 * HOUR)) == (8 * HOUR, 4 * HOUR, None)
    with pytest.raises(Rejected):
        answer(request, "eve", 4 * HOUR - 1)
    with pytest.raises(Rejected):
        answer(request, "bob", 4 * HOUR)
    assert answer(request, "eve", 4 * HOUR).until == 4 * HOUR + request.lasting
    with pytest.raises(Rejected, match="expired"):
        answer(request, "eve", 8 * HOUR)


def test_the_others_decide_on_their_own() -> None:
    request = answer(request_of(Need("a", "", ("finance",), 2, HOUR, ("security",))), "ana")
    later = answer(request, "eve", HOUR)
    assert later.state_at(HOUR) == "escalated"
    assert answer(later, "ana", HOUR).state == "approved"  # she is in that group too, and says so again


def test_without_others_it_runs_out_at_once() -> None:
    assert request_of(Need("a", "", ("finance",), 1, HOUR)).state_at(HOUR) == "expired"


def test_without_a_deadline_it_waits_a_week() -> None:
    request = request_of(Need("a", "", ("finance",), otherwise=("security",)))
    assert [request.state_at(at) for at in (7 * DAY - 1, 7 * DAY)] == ["pending", "expired"]


def test_what_was_met_in_time_stays_met() -> None:
    request = request_of(Need("a", "", ("finance",), 1, HOUR), Need("b", "", ("security",), 1, 2 * HOUR))
    request = answer(request, "bob", 0)
    assert request.state_at(HOUR) == "pending"
    assert answer(request, "eve", HOUR).state == "approved"


def test_why_nobody_can_answer_is_said() -> None:
    asked = request_of(Need("a", "", ("finance",), 4))
    assert "too few people are in `finance`: name 4 or more" in nobody(asked, PEOPLE, 0)
    assert "nobody is known in `treasury`" in nobody(request_of(Need("a", "", ("treasury",))), PEOPLE, 0)
    assert nobody(request_of(Need("a", "", ("finance",), 3)), PEOPLE, 0) == ""
    assert "nobody" in nobody(request_of(Need("a", "")), Groups(), 0)


# --- groups from the host ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.yaml", "finance: [ana, bob]\nsecurity: [eve]\n"),
        ("r.toml", 'finance = ["ana", "bob"]\nsecurity = ["eve"]\n'),
        ("r.json", '{"finance": ["ana", "bob"], "security": ["eve"]}'),
    ],
)
def test_groups_come_from_a_file(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_text(text)
    wanted = {"finance": ("ana", "bob"), "security": ("eve",)}
    assert groups_of(path).members == groups_of(str(path)).members == wanted
    monkeypatch.setenv("GUARD_REVIEWERS", str(path))
    guard = Guard.from_text("on call pay { ask finance }", store="memory:")
    request = asked_for(guard.session(id="s"), "pay", {})
    assert guard.approvals.approve(request, by="bob").state == "approved"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.txt", "finance: [ana]", "use .yaml, .toml or .json"),
        ("r.yaml", "finance: [ana", "cannot be read"),
        ("r.yaml", "[ana]", "says no groups"),
        ("r.yaml", "finance: ana", "is a list of names"),
        ("r.toml", "finance = 1", "is a list of names"),
        ("r.json", '{"finance": [1]}', "is a list of names"),
        ("r.json", '{"": ["ana"]}', "has a name"),
        ("none.json", None, "no such file"),
    ],
)
def test_a_file_of_groups_that_is_none_is_an_error(
    name: str, text: str | None, message: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(EvaluationError, match=message):
        groups_of(tmp_path / name)
    with pytest.raises(EvaluationError, match=message):
        Guard.from_text("on call pay { ask finance }", reviewers=tmp_path / name)


# --- the document ------------------------------------------------------------------------------


def test_a_request_is_read_back_as_it_was_written() -> None:
    guard = guard_of()
    request = guard.approvals.get(asked_for(session_of(guard)))
    assert read(written(request)) == request
    full = request_of(
        Need("a", "p:1:1", ("x",), 2, HOUR, ("y",), "why", (("args.a", "1", "2"),)),
        answers=(Answer("ana", "approve", 5, "r", 4, ((0, 1),), 3),),
        shown={"ana": 4},
        uses=((5, "c"),),
    )
    assert read(written(full)) == full
    for text in ("{}", "no JSON", written(full).replace('"format": 1', '"format": 2')):
        with pytest.raises(Unavailable, match="cannot be read"):
            read(text)


def test_people_are_shown_plain_values() -> None:
    from decimal import Decimal

    odd = {1: (Decimal("2.50"), Decimal("3"), float("inf")), "b": object(), "n": 10**400}
    assert showable(odd) == {"1": [2.5, 3, "inf"], "b": "<object>", "n": str(10**400)}


def test_the_states_are_those_that_a_request_can_be_in() -> None:
    assert set(STATES) == {
        "pending", "escalated", "approved", "consumed", "denied", "expired", "void", "upheld", "wrong",
    }  # fmt: skip
    assert set(REVIEWERS) == {"finance", "security", "release"}
    guard = guard_of()
    request = guard.approvals.get(asked_for(session_of(guard), args=REFUND))
    clock_of(guard).advance(1)
    assert guard.approvals.state_of(request) == "pending"
