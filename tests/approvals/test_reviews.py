"""Reviews: allowed now, looked at later, of all that happened or of a sample of the sessions."""

from __future__ import annotations

from typing import Any

import pytest
from approving import DAY, HOUR, asked_for, clock_of, guard_of, session_of
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Outcome
from guardrails.approvals.answering import Rejected
from guardrails.approvals.reviewing import is_sampled
from guardrails.stores.port import StoreUnavailable

POLICY = """
policy desk
on call pay { allow; look: review by finance within 24h because "New this month."; redact args.card with last 4 }
on output { tone: review by finance sample 25%; redact /[0-9]{16}/ }
on result lookup { seen: review }
on call erase { never: deny; erased: review by finance }
on call ask { ask finance; asked: review by finance }
"""
PAY = {"amount": 5, "card": "4111111111111111"}


def reviews(guard: Any) -> list[Any]:
    return list(guard.approvals.list("any", kind="review"))


def test_a_call_goes_on_and_waits_for_its_review() -> None:
    guard = guard_of(policy=POLICY)
    decision = session_of(guard).check_call("pay", PAY)
    assert decision.allowed
    (review,) = reviews(guard)
    assert decision.reviews == (review.id,)
    assert review.subject.args == {"amount": 5, "card": "***1111"}
    assert (review.needs[0].statement, review.needs[0].because) == ("desk.look", "New this month.")
    assert (review.outcome, review.deadline) == ("allow", review.created + DAY)
    assert guard.approvals.judge(review.id, "wrong", by="ana", reason="Not theirs.").state == "wrong"
    with pytest.raises(Rejected, match="is wrong already"):
        guard.approvals.judge(review.id, "upheld", by="bob")


def test_results_texts_and_denials_are_reviewed_too() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    assert session.check_result("lookup", {"a": 1}).reviews
    assert session.check_call("erase", {}).outcome is Outcome.DENY
    found = [(review.subject.point, review.subject.args, review.outcome) for review in reviews(guard)]
    assert sorted(map(str, found)) == sorted(map(str, [("result", {"a": 1}, "allow"), ("call", {}, "deny")]))


def test_what_a_person_looks_at_first_is_reviewed_once_it_goes_on() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    request = asked_for(session, "ask", {})
    assert reviews(guard) == []
    guard.approvals.approve(request, by="ana")
    decision = session.check_call("ask", {})
    assert decision.approval == request
    assert len(decision.reviews) == 1


def test_a_call_that_is_repeated_by_its_id_is_reviewed_once() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    first, second = (session.check_call("pay", PAY, call_id="c1") for _ in range(2))
    assert first.reviews == second.reviews
    assert len(reviews(guard)) == 1


def test_a_review_that_nobody_did_in_time_runs_out() -> None:
    guard = guard_of(policy=POLICY)
    session_of(guard).check_call("pay", PAY)
    clock_of(guard).advance(24 * HOUR)
    assert guard.approvals.state_of(reviews(guard)[0]) == "expired"


def test_a_sample_is_of_whole_sessions() -> None:
    guard = guard_of(policy=POLICY)
    drawn = {}
    for number in range(200):
        session = session_of(guard, f"s{number}")
        drawn[session.id] = {bool(session.check_output("text 4111111111111111").reviews) for _ in range(2)}
    assert all(len(each) == 1 for each in drawn.values())
    taken = [name for name, each in drawn.items() if each == {True}]
    assert 30 <= len(taken) <= 70
    assert not any("4111" in review.subject.args for review in reviews(guard))
    assert taken == [name for name in drawn if is_sampled(name, "desk.tone", "25%")]


@given(st.text(), st.text(), st.decimals(0, 100, places=3))
def test_a_larger_sample_holds_a_smaller_one(session: str, statement: str, share: Any) -> None:
    assert is_sampled(session, statement, None)
    assert is_sampled(session, statement, "100%")
    if is_sampled(session, statement, f"{share / 2}%"):
        assert is_sampled(session, statement, f"{share}%")


def test_nothing_waits_for_a_review() -> None:
    from guardrails.stores.memory import MemoryStore

    class NoDocuments(MemoryStore):
        def read(self, *_: Any, **__: Any) -> Any:
            raise StoreUnavailable("gone")

        swap = read

    decision = session_of(guard_of(NoDocuments(), policy=POLICY)).check_call("pay", PAY)
    assert (decision.outcome, decision.reviews) == (Outcome.ALLOW, ())
    assert [duty.kind for duty in decision.obligations] == ["review"]


def test_no_more_reviews_are_queued_than_people_can_do() -> None:
    guard = guard_of(policy=POLICY)
    session = session_of(guard)
    queued = [bool(session.check_call("pay", PAY).reviews) for _ in range(102)]
    assert queued == [True] * 100 + [False] * 2


def test_a_large_text_is_cut_for_a_review() -> None:
    guard = guard_of(policy="policy desk\non output { review by finance }")
    session_of(guard).check_output("x" * 500_000)
    (review,) = reviews(guard)
    assert len(review.subject.args) < 200_000
    assert review.subject.args.endswith("…")
