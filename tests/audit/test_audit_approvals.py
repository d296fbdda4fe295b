"""What people do with requests is in the audit log before it counts, and nothing counts that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orjson import loads

from guardrails import Guard, Outcome, Session
from guardrails.approvals.answering import Rejected
from guardrails.approvals.chronicle import Chronicle, Unwritten
from guardrails.approvals.desk import Approvals
from guardrails.approvals.groups import groups_of
from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.log import AuditLog
from guardrails.audit.query import query_of
from guardrails.audit.query_open import open_reader
from guardrails.audit.query_revealing import Revealer
from guardrails.audit.timeline import timeline
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000
KEY = "a key of tests, long enough"
REVIEWERS = {"finance": ["ana", "bob"], "security": ["eve"], "quality": ["zoe"]}
POLICY = """
policy desk
audit durable
type principal { id: string }
on call pay {
  size: threshold args.amount {
    up to 100: allow
    up to 500: ask finance within 4h else security
    above: deny
  }
  redact args.card with last 4
}
on call two { ask 2 of finance within 4h }
on call note { allow; look: review by quality within 1d }
"""
PAY = {"amount": 200, "card": "4111111111111111"}


class Office:
    """A guard with a log in a folder, the session of somebody, and what was written."""

    def __init__(self, folder: Path) -> None:
        self.url = f"file://{folder}/log?key={folder}/key"
        (folder / "key").write_text(KEY)
        self.clock = FrozenClock(NOW)
        self.guard = Guard.from_text(
            POLICY, store="memory:", clock=self.clock, reviewers=REVIEWERS, audit=self.url
        )

    @property
    def log(self) -> AuditLog:
        assert self.guard.audit is not None
        return self.guard.audit

    @property
    def desk(self) -> Approvals:
        return self.guard.approvals

    def session(self, id: str = "s1") -> Session:
        return self.guard.session(id=id, principal={"id": "paul"}, agent={"id": "bot"})

    def asked(self, tool: str = "pay", args: Any = None, session: str = "s1") -> str:
        decision = self.session(session).check_call(tool, PAY if args is None else args)
        assert decision.outcome is Outcome.ASK
        assert decision.request
        return decision.request

    def records(self, kind: str = "approval") -> list[dict[str, Any]]:
        self.log.flush()
        lines = [loads(line) for part in self.log.home.parts() for line in part.lines]
        return [record for record in lines if record["kind"] == kind]

    def facts(self) -> list[dict[str, Any]]:
        return [record["facts"] for record in self.records()]

    def story(self, id: str = "s1") -> str:
        self.log.flush()
        reader = open_reader(self.url)
        try:
            return "\n".join(timeline(list(reader.records(query_of({"session": [id]})))))
        finally:
            reader.close()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_session_tells_who_was_asked_who_answered_and_what_used_it(office: Office) -> None:
    request = office.asked()
    office.desk.show(request, by="ana")
    office.desk.approve(request, by="ana", reason="a known payee")
    assert office.session().check_call("pay", PAY).approval == request
    story = office.story()
    places = [
        story.index(f"request {request[:10]} (pay): finance asked"),
        story.index(f"request {request[:10]} (pay): approve by ana, now approved"),
        story.index(f"with approval {request}"),
    ]
    assert places == sorted(places)
    assert "unread" not in story


def test_a_request_is_opened_once_beside_its_decision(office: Office) -> None:
    request = office.asked()
    office.asked()
    (opened,) = office.records()
    (intent, again) = office.records("intent")
    assert (opened["ref"], opened["request"], opened["facts"]) == (
        intent["id"], request, {"what": "asked", "of": ["finance"]},
    )  # fmt: skip
    assert opened["statements"] == ["desk.size"]
    assert intent["request"] == again["request"] == request


def test_every_kind_of_answer_is_a_record(office: Office) -> None:
    office.desk.deny(office.asked(), by="bob", reason="no")
    two = office.asked("two", {})
    office.desk.approve(two, by="ana")
    office.desk.approve(two, by="bob")
    (review,) = office.session().check_call("note", {"text": "hi"}).reviews
    office.desk.judge(review, "wrong", by="zoe")
    (other,) = office.session("s2").check_call("note", {"text": "hi"}).reviews
    office.desk.judge(other, "upheld", by="zoe")
    told = [(fact["what"], fact.get("by"), fact.get("state")) for fact in office.facts()]
    assert told == [
        ("asked", None, None), ("deny", "bob", "denied"),
        ("asked", None, None), ("approve", "ana", "pending"), ("approve", "bob", "approved"),
        ("to be reviewed", None, None), ("wrong", "zoe", "wrong"),
        ("to be reviewed", None, None), ("upheld", "zoe", "upheld"),
    ]  # fmt: skip


def test_what_time_does_is_written_once_when_somebody_sees_it(office: Office) -> None:
    request = office.asked()
    office.desk.list()
    assert len(office.facts()) == 1
    office.clock.advance(5 * HOUR)
    for _ in range(3):
        office.desk.list()
        office.desk.get(request)
    office.clock.advance(5 * HOUR)
    for _ in range(3):
        office.desk.list("any")
    assert office.facts()[1:] == [
        {"what": "escalated", "to": ["security"]},
        {"what": "expired", "state": "pending"},
    ]


def test_who_answers_first_after_it_went_on_leaves_both_records(office: Office) -> None:
    request = office.asked()
    office.clock.advance(5 * HOUR)
    office.desk.approve(request, by="eve")
    _, went_on, answer = office.facts()
    assert went_on["what"] == "escalated"
    assert (answer["by"], answer["instead of"]) == ("eve", ["finance"])


def test_reasons_are_sealed_for_the_person_and_reviewers_are_in_the_clear(
    office: Office, tmp_path: Path
) -> None:
    office.desk.deny(office.asked(), by="bob", reason="Paul is on holiday")
    raw = b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*") if path.is_file())
    assert b"bob" in raw
    for secret in (b"holiday", b"paul", b"4111111111111111", b"sha256:"):
        assert secret not in raw.replace(office.guard.digest.encode(), b"")
    record = office.records()[-1]
    body = Revealer(office.url).body(record)
    assert body is not None
    assert "Paul is on holiday" in str(body)


class Broken:
    """A log that takes nothing."""

    def append(self, *_: Any, **__: Any) -> None:
        raise AuditUnavailable("the disk is full")


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_an_answer_that_cannot_be_written_does_not_count(office: Office, verdict: str) -> None:
    request = office.asked()
    store = office.guard.state.store
    desk = Approvals(store, office.clock, groups_of(REVIEWERS), chronicle=Chronicle(Broken(), office.clock))
    with pytest.raises(Unwritten, match=r"does not count, because .* the disk is full"):
        getattr(desk, verdict)(request, by="ana")
    assert office.desk.state_of(office.desk.get(request)) == "pending"
    office.clock.advance(5 * HOUR)
    assert desk.state_of(desk.get(request)) == "escalated"  # looking works, and is written when it can be
    office.desk.get(request)
    office.desk.list()
    assert office.facts()[-1]["what"] == "escalated"


def test_a_request_that_cannot_be_written_is_not_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrails.audit import recorder

    def fails(*_: Any) -> Any:
        raise AuditUnavailable("the disk is full")

    monkeypatch.setattr(recorder, "requests_of", fails)
    decision = office.session().check_call("pay", PAY)
    assert decision.outcome is Outcome.DENY
    assert "the disk is full" in str(decision.applied[-1].message)


def test_where_the_policy_says_audit_a_desk_without_a_log_answers_nothing(office: Office) -> None:
    request = office.asked()
    desk = Approvals(office.guard.state.store, office.clock, groups_of(REVIEWERS))
    with pytest.raises(Rejected, match="no audit log is named"):
        desk.approve(request, by="ana")
    with pytest.raises(Rejected, match="no audit log is named"):
        desk.deny(request, by="ana")
    assert office.desk.state_of(office.desk.get(request)) == "pending"


def test_an_answer_that_came_too_late_is_taken_back_in_the_log(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = office.asked()
    slow, tell = office.desk, Chronicle.answer

    def meanwhile(self: Chronicle, *what: Any) -> None:
        tell(self, *what)
        monkeypatch.setattr(Chronicle, "answer", tell)
        office.desk.deny(request, by="bob")

    monkeypatch.setattr(Chronicle, "answer", meanwhile)
    with pytest.raises(Rejected, match="denied already"):
        slow.approve(request, by="ana")
    assert [(fact["what"], fact.get("by")) for fact in office.facts()[1:]] == [
        ("approve", "ana"), ("deny", "bob"), ("not counted", "ana"),
    ]  # fmt: skip
    assert "approve by ana did not count" in office.story()


STEP = st.sampled_from(["ask", "ana", "bob", "eve", "deny", "use", "wait", "look"])


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=14))
def test_the_log_says_what_the_store_says(steps: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever people do in whatever order: the last that the log says of a request is its state."""
    office = Office(tmp_path_factory.mktemp("office"))
    for step in steps:
        _do(office, step)
    office.session("other").check_call("note", {"text": "the log has begun"})
    requests = office.desk.list("any", kind="ask")
    said: dict[str, str] = {}
    for record in office.records():
        what, state = record["facts"]["what"], record["facts"].get("state")
        said[record["request"]] = {"asked": "pending", "escalated": "escalated", "expired": "expired"}.get(
            what, str(state)
        )
    used = {record["approval"] for record in office.records("intent") if record.get("approval")}
    for request in requests:
        assert ("consumed" if request.id in used else said[request.id]) == office.desk.state_of(request)
    office.log.close()


def _do(office: Office, step: str) -> None:
    if step in ("ask", "use"):
        office.session().check_call("pay", PAY)
    elif step == "wait":
        office.clock.advance(3 * HOUR)
    elif step == "look":
        office.desk.list("any")
    for request in office.desk.list() if step in ("ana", "bob", "eve", "deny") else ():
        try:
            if step == "deny":
                office.desk.deny(request.id, by="bob")
            else:
                office.desk.approve(request.id, by=step)
        except Rejected:
            continue
