"""What is made from kept stretches is what is made field by field, byte for byte."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pytest
from audit_logs import KEYS, note, records_of
from hypothesis import given
from hypothesis import strategies as st

from guardrails.audit import journal as journals
from guardrails.audit import subjects as people
from guardrails.audit.content import Content
from guardrails.audit.files import FileHome
from guardrails.audit.forms import MOST, Forms
from guardrails.audit.journal import Journal
from guardrails.audit.record import as_json
from guardrails.audit.scribe import Draft, Scribe, Sheet
from guardrails.guard import Guard
from guardrails.model import Decision

GUARD = Guard.from_text("""
policy shop
on call pay { small: allow when args.amount <= 5; flagged: flag "x" when args.amount == 3; nosy: shadow deny }
on call note { all: allow; mail: redact pii(EMAIL_ADDRESS) in args }
""")
SESSION = GUARD.session(id="s", principal={"id": "ana"})
NAMES = st.none() | st.text(max_size=6) | st.sampled_from(["a\0b", "\ud800", 'q"uote', "\\u0000", "näme", ""])


def decisions() -> list[tuple[Decision, Any]]:
    said: list[tuple[str, Any]] = [
        ("pay", {"amount": 3}), ("pay", {"amount": 9}), ("pay", {"amount": "odd"}), ("pay", {}),
        ("note", {"text": "to a@mail.test"}), ("note", {"text": "hello"}), ("unknown", {"x": 1}),
    ]  # fmt: skip
    return [(SESSION.check_call(tool, args), args) for tool, args in said]


DECISIONS = decisions()


@pytest.fixture(scope="module")
def scribe(tmp_path_factory: pytest.TempPathFactory) -> Scribe:
    return Scribe(FileHome(str(tmp_path_factory.mktemp("forms")), KEYS).subjects())


def both(scribe: Scribe, decision: Decision, args: Any, fields: dict[str, Any]) -> tuple[bytes | None, bytes]:
    """A record by its form, and the same one field by field."""

    def sheet() -> Sheet:
        original = as_json(args)
        body = original if decision.payload is None else as_json(decision.payload)
        known = {"id": "1" * 32, "trace": "2" * 32, "span": "3" * 16, "clock": None, **fields}
        draft = Draft("intent", known, "ana", {"id": "ana"}, decision, Content(body, original), "args")
        draft.us = 1_800_000_000_123_456
        return Sheet(draft, scribe.subjects.of("ana"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "new_nonce", lambda: b"n" * 12)
        return scribe._by_form(sheet()), scribe._by_field(sheet(), is_suspect=False)


@given(
    st.sampled_from(DECISIONS), NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, st.integers(0, 1 << 40),
    st.sampled_from([None, 0, 5]),
)  # fmt: skip
def test_a_form_is_the_record_field_by_field(
    scribe: Scribe, known: tuple[Decision, Any], session: Any, tool: Any, agent: Any, call: Any, ref: Any,
    held: Any, status: Any, took: int, clock: int | None,
) -> None:  # fmt: skip
    fields = {
        "session": session, "tool": tool, "agent": agent, "call_id": call, "ref": ref, "reservation": held,
        "status": status, "latency_us": took, "clock": clock, "point": "call",
    }  # fmt: skip
    by_form, by_field = both(scribe, *known, fields)
    assert by_form is None or by_form == by_field


def test_most_records_are_made_by_a_form_and_others_are_not(scribe: Scribe) -> None:
    plain: dict[str, Any] = {"session": "s", "tool": "pay", "agent": None, "call_id": "c", "latency_us": 1}
    made = [both(scribe, *known, dict(plain))[0] is not None for known in DECISIONS]
    assert made == [not known[0].errors for known in DECISIONS]
    for more in ({"clock": 0}, {"facts": {"a": 1}}, {"answers_to": ["x"]}, {"call_id": 7}, {"unknown": 1}):
        assert both(scribe, *DECISIONS[0], plain | more)[0] is None


def test_what_is_kept_is_bounded() -> None:
    forms = Forms()
    for number in range(MOST * 2 + 5):
        forms._place((f"s-{number}", "h", None, "call", "pay"))
    assert len(forms._places) <= MOST


class Fragile:
    """A lock whose second taker is interrupted when it gets it, once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken = 0

    def acquire(self) -> bool:
        self._lock.acquire()
        self._taken += 1
        if self._taken == 2:
            raise KeyboardInterrupt
        return True

    def release(self) -> None:
        self._lock.release()


def test_whoever_is_interrupted_on_waking_wakes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, opened = Event(), Event()

    class Gate(FileHome):
        def append(self, bodies: Any) -> Any:
            entered.set()
            opened.wait()
            return super().append(bodies)

    home = Gate(str(tmp_path), KEYS)
    journal, told = Journal(home, list), dict[int, str]()

    def write(number: int) -> None:
        try:
            journal.write(note(number=number))
            told[number] = "written"
        except KeyboardInterrupt:
            told[number] = "interrupted"

    threads = [Thread(target=write, args=(number,), daemon=True) for number in range(6)]
    for number, thread in enumerate(threads):
        if number == 3:
            monkeypatch.setattr(journals, "Lock", Fragile)
        thread.start()
        entered.wait()
        while number and len(journal._waiting) < number:
            pass
        monkeypatch.setattr(journals, "Lock", Lock)
    opened.set()
    for thread in threads:
        thread.join(20)
    assert told == {number: "interrupted" if number == 3 else "written" for number in range(6)}
    assert [each["facts"].get("number") for each in records_of(home)[1:]] == [0, 1, 2, 3, 4, 5]
