"""The desk: what waits, what is like it, and how people decide."""

from __future__ import annotations

from itertools import islice

import pytest
from approving import HOUR, REFUND, SECOND, asked_for, clock_of, guard_of, session_of

from guardrails.approvals.answering import Rejected


def test_requests_are_listed_by_what_has_become_of_them() -> None:
    guard = guard_of()
    ids = []
    for number in range(4):
        ids.append(asked_for(session_of(guard, f"s{number}")))
        clock_of(guard).advance(SECOND)
    desk = guard.approvals
    desk.approve(ids[0], by="ana")
    desk.deny(ids[1], by="ana")
    session_of(guard, "s0").check_call("refund", REFUND)
    assert [request.id for request in desk.list()] == ids[2:]
    assert [request.id for request in desk.list("consumed", "denied")] == ids[:2]
    assert [request.id for request in desk.list("any")] == ids
    assert [request.id for request in desk.list(session="s3")] == ids[3:]
    assert desk.list(kind="review") == ()
    clock_of(guard).advance(5 * HOUR)
    assert {desk.state_of(request) for request in desk.list()} == {"escalated"}


def test_a_request_is_named_by_the_beginning_of_its_id() -> None:
    guard = guard_of()
    request = asked_for(session_of(guard))
    assert guard.approvals.get(request[:6]).id == request
    for wrong in ("", request[:3], "zzzz", "x" * 1000):
        with pytest.raises(Rejected):
            guard.approvals.get(wrong)


def test_ids_cannot_be_guessed() -> None:
    guard = guard_of()
    ids = {asked_for(session_of(guard, f"s{number}")) for number in range(50)}
    assert len(ids) == 50
    assert all(len(bytes.fromhex(each)) == 16 for each in ids)


def test_all_that_is_listed_is_more_than_a_page() -> None:
    guard = guard_of()
    for number in range(250):
        asked_for(session_of(guard, f"s{number}"))
    assert len(guard.approvals.list()) == 250


def test_watching_gives_what_is_new_and_what_changes() -> None:
    guard = guard_of()
    old = asked_for(session_of(guard, "s0"))
    guard.approvals.deny(old, by="ana")
    first = asked_for(session_of(guard, "s1"))
    slept: list[float] = []

    def wait(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            guard.approvals.approve(first, by="ana")
        if len(slept) == 3:
            asked_for(session_of(guard, "s2"))

    found = list(islice(guard.approvals.watch(interval=2.0, wait=wait), 3))
    assert [(each.id == first, guard.approvals.state_of(each)) for each in found] == [
        (True, "pending"), (True, "approved"), (False, "pending"),
    ]  # fmt: skip
    assert set(slept) == {2.0}


def test_waiting_for_one_request() -> None:
    guard = guard_of()
    request = asked_for(session_of(guard))

    def wait(_: float) -> None:
        clock_of(guard).advance(HOUR)

    assert guard.approvals.state_of(guard.approvals.wait(request, wait=wait)) == "expired"


def test_like_requests_are_decided_together() -> None:
    guard = guard_of()
    for number in range(3):
        asked_for(session_of(guard, f"s{number}"), args={**REFUND, "amount": 200 + number})
    asked_for(session_of(guard), "wipe", {})
    first, second = guard.approvals.batches()
    assert [(batch.tool, len(batch.ids)) for batch in (first, second)] == [("refund", 3), ("wipe", 1)]
    assert first.statements == ("desk.size",)
    guard.approvals.deny(first.ids[0], by="bob")
    found = guard.approvals.answer_all(first.ids, "approve", by="ana", reason="all fine")
    assert [isinstance(each, Rejected) for each in found.values()] == [True, False, False]
    assert {guard.approvals.get(id).answers[-1].together for id in first.ids[1:]} == {3}


def test_approving_unread_or_at_once_is_reported() -> None:
    guard = guard_of()
    desk = guard.approvals

    def one(number: int, by: str, seconds: float | None) -> None:
        request = asked_for(session_of(guard, f"s{number}"))
        if seconds is not None:
            desk.show(request, by=by)
            clock_of(guard).advance(int(seconds * SECOND))
        desk.approve(request, by=by)

    one(0, "ana", None)
    one(1, "ana", 3)
    one(2, "ana", 60)
    one(3, "bob", 30)
    desk.deny(asked_for(session_of(guard, "s4")), by="bob")
    ana, bob = desk.report()
    assert (ana.by, ana.approved, ana.unread, ana.quick, ana.suspicious) == ("ana", 3, 1, 1, 2)
    assert (bob.by, bob.approved, bob.denied, bob.suspicious, bob.median) == ("bob", 1, 1, 0, 30 * SECOND)
    assert desk.report(quick=61)[0].quick == 2


def test_what_a_person_needs_to_decide_is_there() -> None:
    policy = """
    policy desk
    on call look { allow }
    on call pay {
      after: ask finance when seen(call look) because "It looked before."
      daily: limit sum(args.amount) to 1000 per 1d
      threshold args.amount { up to 50: allow; above: ask finance within 2h }
    }
    """
    guard = guard_of(policy=policy)
    session = session_of(guard)
    session.check_call("look", {"n": 1})
    session.check_result("look", "seen", args={"n": 1})
    session.check_call("pay", {"amount": 40.5})
    request = guard.approvals.get(asked_for(session, "pay", {"amount": 200.25}))
    assert [(need.statement, need.because, need.within) for need in request.needs] == [
        ("desk.after", "It looked before.", None),
        ("policy.guard:7:48", None, 2 * HOUR),
    ]
    assert request.needs[1].bounds == (("args.amount", "200.25", "50"),)
    assert request.dossier.fills == (("desk.daily", "0", "1000"),)
    assert [event[:3] for event in request.dossier.events] == [("call", "look", ""), ("result", "look", "ok")]
    assert request.deadline == request.created + 2 * HOUR
    assert (request.subject.principal, request.subject.agent) == ("paul", "bot")


def test_people_see_what_led_there_although_the_policy_keeps_no_past() -> None:
    guard = guard_of()
    session = session_of(guard)
    for number in range(25):
        clock_of(guard).advance(SECOND)
        session.check_call("note", {"n": number})
    session.check_call("refund", {"amount": 501, "card": "x"})
    session.check_output("done")
    request = guard.approvals.get(asked_for(session))
    events = request.dossier.events
    assert len(events) == 20
    assert [event[:3] for event in events[-3:]] == [
        ("call", "note", "allow"), ("call", "refund", "deny"), ("output", "", "allow"),
    ]  # fmt: skip
    assert events[-3][3] == request.created
    guard_without = guard_of(policy="on call a { allow; limit 9 per 1d }")
    assert session_of(guard_without).ledger.accounts.recent is None


def test_what_a_tool_says_of_itself_is_a_risk() -> None:
    tools = """{"tools": [{"name": "wipe", "annotations": {"destructiveHint": true, "openWorldHint": false},
                 "inputSchema": {"type": "object"}}]}"""
    guard = guard_of(policy="policy desk\non call wipe { ask finance }", tools=tools)
    request = guard.approvals.get(asked_for(session_of(guard), "wipe", {}))
    assert request.dossier.risk == ("destructive",)
    assert request.subject.tool_digest.startswith("sha256:")


def test_whom_nobody_knows_is_told_before_anybody_is_asked() -> None:
    assert guard_of().approvals.problems() == ()
    policy = """
    on call a { ask treasury within 1h else finance }
    on call b { ask 3 of finance }
    on call c { ask ana; review by zoe }
    default call ask nobody
    """
    found = guard_of(policy=policy).approvals.problems()
    assert [text.split(": ", 1)[1] for text in found] == [
        "nobody is known in `treasury`", "3 are asked, and `finance` has 2", "nobody is known in `zoe`",
        "nobody is known in `nobody`",
    ]  # fmt: skip
    assert found[0].startswith("policy.guard:2:")
    everybody = guard_of(policy="on call a { ask }", reviewers={}).approvals.problems()
    assert [text.split(": ", 1)[1] for text in everybody] == ["nobody is known in any group"]


def test_people_are_not_shown_what_stands_behind_a_token() -> None:
    policy = """
    on result lookup { redact pii(EMAIL_ADDRESS) in result with token }
    on call lookup { allow }
    on call mail { ask finance }
    reveal in call mail.to
    """
    guard = guard_of(policy=policy, key="a key of sixteen bytes")
    session = session_of(guard)
    token = session.check_result("lookup", "ana@example.com", args={}).payload
    assert "ana@" not in token
    request = asked_for(session, "mail", {"to": token})
    assert guard.approvals.get(request).subject.args == {"to": token}
    guard.approvals.approve(request, by="ana")
    assert session.check_call("mail", {"to": token}).payload == {"to": "ana@example.com"}
    assert "ana@example" not in str(list(guard.state.store.scan("", now=guard.clock.now())))
