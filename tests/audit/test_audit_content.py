"""What a record holds: the event as the policy left it, and nothing of what the policy took out (law L9).

The corpora of personal data and secrets go through; then the raw bytes of all files are searched, and, because
sealed bytes would hide anything, everything that was sealed is opened and searched as well.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from audit_logs import records_of
from detectors.pii_corpus import texts as pii_texts
from detectors.secrets.secrets_corpus import assigned, formats, placed
from hypothesis import given
from hypothesis import strategies as st

from guardrails.audit.cleaning import Cleaner
from guardrails.audit.content import told_safely
from guardrails.audit.log import AuditLog, home_at
from guardrails.detectors.secrets import SecretDetector
from guardrails.guard import Guard
from guardrails.model import Outcome

POLICY = """
policy content
on call send { allow; redact pii in args; redact secrets in args }
on call plain { allow }
on call strict { allow when args.amount < 5; redact pii in args.text }
on result send { redact pii in result; redact secrets in result }
on input { redact pii }
on output { redact pii; redact secrets }
"""


class Logged:
    """A guard with a log, and everything that its log says."""

    def __init__(self, folder: Path, policy: str = POLICY, **settings: Any) -> None:
        self.url = f"file://{folder}/log"
        self.folder = folder
        self.log = AuditLog.open(self.url)
        self.guard = Guard.from_text(policy, audit=self.log, **settings)
        self.session = self.guard.session(principal={"id": "ana", "mail": "ana@example.com"}, id="s-1")

    def raw(self) -> bytes:
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file())

    def opened(self) -> list[dict[str, Any]]:
        """All records with their bodies opened."""
        self.log.flush()
        home = home_at(self.url)
        subjects, found = home.subjects(), []
        for record in records_of(home):
            sealed = record.get("body", {}).get("sealed")
            if sealed:
                subject = subjects.by_handle(record["principal"])
                assert subject is not None
                record["body"] |= json.loads(subject.open(sealed, record["id"]))
                del record["body"]["sealed"]
            found.append(record)
        return found

    def last(self) -> dict[str, Any]:
        return self.opened()[-1]


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    return Logged(tmp_path)


def said(records: list[dict[str, Any]]) -> str:
    return json.dumps(records, ensure_ascii=False)


# --- the corpora -------------------------------------------------------------------------------


def test_no_personal_data_that_was_redacted_is_in_the_log(logged: Logged) -> None:
    removed: set[str] = set()
    for each in pii_texts(7, 250):
        decision = logged.session.check_call("send", {"text": each.text})
        logged.session.check_result("send", {"said": each.text})
        logged.session.check_input(each.text)
        logged.session.check_output(each.text)
        left = str(decision.payload["text"])
        values = {each.text[start:end] for start, end, _ in each.labels}
        removed |= {value for value in values if value not in left and len(value) > 6}
    assert len(removed) > 150
    raw, opened = logged.raw(), said(logged.opened())
    for value in removed:
        assert value.encode() not in raw
        assert json.dumps(value, ensure_ascii=False)[1:-1] not in opened


def test_no_secret_is_in_the_log_even_where_the_policy_forgot_it(logged: Logged) -> None:
    detector = SecretDetector()
    cases = [*formats(), *assigned(count=80), *placed()]
    known = [each for each in cases if each.secret and detector.find(each.text)]
    assert len(known) > 150
    for each in known:
        logged.session.check_call("plain", {"text": each.text})
        logged.session.check_call("plain", {each.text[:200]: 1})
        logged.session.check_result("plain", [each.text])
        logged.session.check_input(f"tool {each.text}")
    raw, opened = logged.raw(), said(logged.opened())
    for each in known:
        secret = each.secret.strip()
        assert secret.encode() not in raw
        assert json.dumps(secret, ensure_ascii=False)[1:-1] not in opened, each
    assert sum(record.get("cleaned", 0) for record in logged.opened()) >= len(known)


def test_secrets_in_names_from_outside_are_taken_out(logged: Logged) -> None:
    token = next(each.secret for each in formats() if each.secret and SecretDetector().find(each.secret))
    logged.session.check_call(token, {})
    logged.session.check_call("plain", {}, call_id=token)
    logged.guard.session(
        id=f"s {token}", agent={"id": token}, principal={"id": "x", "token": token}
    ).check_input("a")
    assert token.encode() not in logged.raw()
    assert token not in said(logged.opened())


def test_a_host_can_leave_secrets_to_the_policy(tmp_path: Path) -> None:
    token = next(each.secret for each in formats() if each.secret and SecretDetector().find(each.secret))
    log = AuditLog.open(f"file://{tmp_path}/log?clean=no")
    guard = Guard.from_text(POLICY, audit=log)
    guard.session(principal={"id": "ana"}).check_call("plain", {"text": token})
    record = records_of(log.home)[-1]
    subject = log.home.subjects().by_handle(record["principal"])
    assert subject is not None
    assert token in subject.open(record["body"]["sealed"], record["id"]).decode()


# --- what is withheld --------------------------------------------------------------------------

CARD = "4111 1111 1111 1111"


def test_what_came_in_is_written_where_nothing_changes_it(logged: Logged) -> None:
    logged.session.check_call("plain", {"text": CARD})
    assert logged.last()["body"]["args"] == {"text": CARD}


def test_a_denied_call_is_written_as_redacted(logged: Logged) -> None:
    decision = logged.session.check_call("strict", {"amount": 9, "text": CARD})
    assert decision.outcome is Outcome.DENY
    body = logged.last()["body"]
    assert body["args"] == decision.payload
    assert CARD not in said(logged.opened())


def test_a_halted_session_writes_nothing_of_what_comes_later(tmp_path: Path) -> None:
    logged = Logged(tmp_path, POLICY + "on call stop { halt; redact pii in args.text }\n")
    logged.session.check_call("stop", {"text": f"first {CARD}"})
    logged.session.check_call("send", {"text": f"second {CARD}"})
    assert "withheld" in logged.last()["body"]
    assert "second" not in said(logged.opened())
    assert CARD not in said(logged.opened())


def test_a_kill_switch_writes_nothing_of_what_it_stops(logged: Logged) -> None:
    logged.guard.halt(by="ops", why="a test")
    logged.session.check_call("send", {"text": CARD})
    assert logged.last()["body"]["withheld"] == "the policy was not asked"
    assert CARD not in said(logged.opened())


def test_a_malformed_event_is_withheld(logged: Logged) -> None:
    logged.session.check_call("send", [CARD])
    assert "withheld" in logged.last()["body"]
    assert CARD not in said(logged.opened())


def test_a_redaction_that_fails_withholds(tmp_path: Path) -> None:
    class Broken:
        name = "pii"
        hold = left = 0

        def find(self, text: str, context: Any = ()) -> Any:
            raise ValueError(f"cannot read {text}")

        def settled(self, text: str) -> int:
            return 0

    logged = Logged(tmp_path, detectors={"pii": Broken()})
    decision = logged.session.check_call("strict", {"amount": 1, "text": CARD})
    assert decision.outcome is Outcome.DENY
    assert "withheld" in logged.last()["body"]
    assert CARD not in said(logged.opened())
    assert logged.last()["errors"]


def test_values_behind_tokens_stay_out(tmp_path: Path) -> None:
    policy = """
    on call find { allow }
    on result find { redact pii with token }
    on call pay { allow }
    on output { }
    reveal in call pay.card
    reveal in output
    """
    logged = Logged(tmp_path, policy, key="a key for tokens, long enough")
    token = logged.session.check_result("find", {"card": CARD}).payload["card"]
    assert token != CARD
    decision = logged.session.check_call("pay", {"card": token})
    assert decision.payload == {"card": CARD}
    assert logged.last()["body"]["args"] == {"card": token}
    assert CARD in str(logged.session.check_output(f"paid with {token}").payload)
    assert CARD not in said(logged.opened())


def test_streamed_outputs_are_written_as_they_left(logged: Logged) -> None:
    stream = logged.session.stream_output()
    for piece in (f"the card is {CARD[:7]}", CARD[7:], ", thank you"):
        stream.feed(piece)
    stream.close()
    begin, end = logged.opened()[-2:]
    assert (begin["kind"], begin["status"], end["kind"], end["status"]) == (
        "intent",
        "streamed",
        "outcome",
        "streamed",
    )
    assert end["body"]["text"].startswith("the card is [")
    assert CARD not in said(logged.opened())


def test_a_huge_body_is_withheld(logged: Logged) -> None:
    logged.session.check_call("plain", {"text": "x" * (1 << 20)})
    assert "bytes" in logged.last()["body"]["withheld"]
    assert logged.last()["digest"]["args"]


def test_objects_that_are_no_json_do_not_stop_a_record(logged: Logged) -> None:
    class Odd:
        def __repr__(self) -> str:
            return CARD

    loop: list[Any] = []
    loop.append(loop)
    for value in (Odd(), loop, float("nan"), 1 << 90, "\ud800", {1: 2}, b"bytes", object):
        logged.session.check_call("plain", {"value": value})
        assert logged.last()["point"] == "call"
    assert CARD not in said(logged.opened())


def test_what_changes_after_the_check_does_not_change_the_record(tmp_path: Path) -> None:
    logged = Logged(tmp_path, POLICY + "audit buffered\n")
    args = {"text": "before"}
    logged.session.check_call("plain", args)
    args["text"] = "after"
    assert logged.last()["body"]["args"] == {"text": "before"}


# --- digests and messages ----------------------------------------------------------------------


def test_the_digest_of_an_original_tells_whoever_has_both(logged: Logged) -> None:
    args = {"text": CARD}
    logged.session.check_call("send", args)
    record = logged.last()
    subject = home_at(logged.url).subjects().by_handle(record["principal"])
    assert subject is not None
    assert record["digest"]["args"] == subject.digest(json.dumps(args, separators=(",", ":")).encode())


def test_errors_are_told_without_what_they_quote(logged: Logged) -> None:
    logged.session.check_call("strict", {"amount": f"of {CARD}", "text": "hello"})
    (error,) = logged.last()["errors"]
    assert error["kind"] == "type"
    assert "expected a number" in error["message"]
    assert "4111" not in said(logged.opened()[-1]["errors"])


@pytest.mark.parametrize(
    ("message", "event", "told"),
    [
        ("`bob@x.org` is not a number", "bob@x.org", "… is not a number"),
        ("the value 4111 is beyond 100", "4111", "the value … is beyond …"),
        ("look-up failed: no customer Wilhelmine here", "wilhelmine", "look-up failed: no customer … here"),
        ("a list, expected an object", "{}", "a list, expected an object"),
    ],
)
def test_messages(message: str, event: str, told: str) -> None:
    assert told_safely(message, json.dumps(event).encode()) == told


@given(st.text(min_size=4, max_size=20), st.text(max_size=40))
def test_no_word_of_an_event_is_told(word: str, rest: str) -> None:
    from guardrails.audit.content import _STANDING

    event = json.dumps({"value": word}, ensure_ascii=False).encode("utf-8", "replace")
    told = told_safely(f"the value {word} is wrong {rest}", event)
    for part in word.split():
        if len(part) > 3 and part.casefold() not in _STANDING and part.isalnum() and part not in "wrong":
            assert part not in told or part in rest or part.casefold() in "the value is wrong"


@given(
    st.recursive(st.text(max_size=12) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3))
)
def test_cleaning_leaves_clean_data_alone(value: Any) -> None:
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    clean, count = Cleaner().cleaned(data)
    if not count:
        assert clean == data


def test_async_checks_are_written_too(logged: Logged) -> None:
    async def check() -> None:
        await logged.session.acheck_call("send", {"text": CARD})
        await logged.session.acheck_result("send", CARD)
        await logged.session.acheck_input(CARD)
        await logged.session.acheck_output(CARD)

    asyncio.run(check())
    points = [record.get("point") for record in logged.opened()][-4:]
    assert points == ["call", "result", "input", "output"]
    assert CARD not in said(logged.opened())
