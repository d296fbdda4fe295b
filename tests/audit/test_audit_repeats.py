"""What is told again, with the same id, is one record: frameworks run steps once more, and hooks are called twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from audit_logs import KEYS, records_of, report_of

from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.files import FileHome
from guardrails.audit.log import AuditLog
from guardrails.guard import Guard
from guardrails.model import Outcome
from guardrails.runtime import repeats
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
POLICY = """
policy shop
on call pay { small: allow when args.amount <= 5; large: ask finance when args.amount > 50; limit 3 per 1d }
on call note { all: allow; mail: redact pii(EMAIL_ADDRESS) in args }
on result pay { shown: redact pii(EMAIL_ADDRESS) in result }
"""


class Breaking(FileHome):
    """A log whose disk is full while `broken` is set."""

    broken = False

    def append(self, bodies: Any) -> Any:
        if self.broken:
            raise AuditUnavailable("the disk is full")
        return super().append(bodies)


class Shop:
    """A guard, its log and a session."""

    def __init__(self, folder: Path, policy: str = POLICY) -> None:
        self.home = Breaking(str(folder / "log"), KEYS)
        self.log = AuditLog(self.home)
        self.guard = Guard.from_text(policy, audit=self.log, clock=FrozenClock(NOW))
        self.session = self.guard.session(id="s-1", principal={"id": "ana"})

    def pay(self, amount: int = 1, **more: Any) -> Any:
        return self.session.check_call("pay", {"amount": amount}, **{"call_id": "c", **more})

    def kept(self, *kinds: str) -> list[dict[str, Any]]:
        self.log.flush()
        return [each for each in records_of(self.home) if each["kind"] in (kinds or ("intent", "outcome"))]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_call_that_is_told_again_is_one_record_under_one_id(shop: Shop) -> None:
    decisions = [shop.pay() for _ in range(5)]
    assert all(each.allowed for each in decisions)
    (record,) = shop.kept()
    assert {each.id for each in decisions} == {record["id"]}
    assert {each.reservation for each in decisions} == {record["reservation"]}
    assert report_of(shop.home).is_sound


def test_so_is_a_result_and_it_names_its_call(shop: Shop) -> None:
    first = shop.pay()
    shop.pay()
    for _ in range(3):
        shop.session.check_result("pay", {"ok": True}, args={"amount": 1}, call_id="c")
    call, result = shop.kept()
    assert (call["kind"], result["kind"], result["ref"]) == ("intent", "outcome", first.id)


def test_without_an_id_equal_events_are_two(shop: Shop) -> None:
    for _ in range(2):
        shop.pay(call_id=None)
        shop.session.check_input("hello")
    assert len(shop.kept()) == 4


@pytest.mark.parametrize("other", [{"amount": 2}, {"call_id": "d"}])
def test_what_differs_is_written(other: dict[str, Any], shop: Shop) -> None:
    shop.pay()
    shop.pay(**other)
    assert len(shop.kept()) == 2


def test_so_is_the_same_call_in_another_session_or_of_somebody_else(shop: Shop) -> None:
    shop.pay()
    for id, who in (("s-2", "ana"), ("s-1", "bob")):
        shop.guard.session(id=id, principal={"id": who}).check_call("pay", {"amount": 1}, call_id="c")
    assert [(each["session"], each["outcome"]) for each in shop.kept()] == [
        ("s-1", "allow"), ("s-2", "allow"), ("s-1", "allow"),
    ]  # fmt: skip


def test_another_answer_to_the_same_call_is_written_and_then_known_as_well(shop: Shop) -> None:
    assert shop.pay().allowed
    shop.guard.halt(by="ops", why="a test")
    stopped = [shop.pay() for _ in range(2)]
    assert [each["outcome"] for each in shop.kept()] == ["allow", stopped[0].outcome.value]
    assert stopped[0].id == stopped[1].id


def test_another_policy_is_another_decision(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.pay()
    again = Guard.from_text(POLICY + "# newer\n", audit=shop.log, clock=FrozenClock(NOW))
    again.session(id="s-1", principal={"id": "ana"}).check_call("pay", {"amount": 1}, call_id="c")
    assert len(shop.kept()) == 2


def test_the_words_before_a_redaction_count(shop: Shop) -> None:
    for mail in ("a@mail.test", "b@mail.test", "a@mail.test"):
        shop.session.check_call("note", {"to": mail}, call_id="c")
    assert len(shop.kept()) == 2


def test_people_are_asked_in_one_record(shop: Shop) -> None:
    asked = [shop.pay(80) for _ in range(3)]
    assert {each.outcome for each in asked} == {Outcome.ASK}
    assert len(shop.kept("approval")) == 1
    assert len(shop.kept("intent")) <= 2


def test_what_was_not_written_is_no_first_time(shop: Shop) -> None:
    shop.home.broken = True
    assert shop.pay().outcome is Outcome.DENY
    shop.home.broken = False
    shop.log.journal._again = 0.0
    decision = shop.pay()
    assert decision.allowed
    assert [each["id"] for each in shop.kept()] == [decision.id]


def test_while_the_log_cannot_be_written_nothing_passes_for_written(shop: Shop) -> None:
    assert shop.pay().allowed
    shop.home.broken = True
    assert shop.pay(2, call_id="other").outcome is Outcome.DENY
    assert shop.pay().outcome is Outcome.DENY


def test_what_a_second_log_holds_is_written_here_as_well(tmp_path: Path) -> None:
    home, spill = Breaking(str(tmp_path / "log"), KEYS), FileHome(str(tmp_path / "spill"), KEYS)
    log = AuditLog(home, spill=spill)
    session = Guard.from_text("policy p\non call pay { allow }", audit=log).session(id="s-1")
    home.broken = True
    assert session.check_call("pay", {}, call_id="c").allowed
    home.broken = False
    log.journal._again = 0.0
    assert session.check_call("pay", {}, call_id="c").allowed
    assert [each["kind"] for each in records_of(home)].count("intent") == 1
    assert [each["kind"] for each in records_of(spill)].count("intent") == 1


def test_it_is_bounded_and_what_is_forgotten_is_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST", 2)
    for call in ("a", "b", "c", "a"):
        shop.session.check_call("note", {}, call_id=call)
    assert [each["call_id"] for each in shop.kept()] == ["a", "b", "c", "a"]


@pytest.mark.parametrize("odd", [7, ("a", 1)])
def test_ids_that_are_no_texts_are_never_taken_for_the_same(odd: Any, tmp_path: Path) -> None:
    shop = Shop(tmp_path, "policy p\non call note { allow }")
    for _ in range(2):
        shop.session.check_call("note", {}, call_id=odd)
    assert len(shop.kept()) == 2


def test_a_child_of_two_policies_is_told_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    child = shop.session.delegate(id="s-2", guard=Guard.from_text("policy own\non call pay { allow }"))
    ids = {child.check_call("pay", {"amount": 1}, call_id="c").id for _ in range(3)}
    assert [each["id"] for each in shop.kept()] == list(ids)
