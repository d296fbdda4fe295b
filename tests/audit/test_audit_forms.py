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
from guardrails.audit.content import content_of
from guardrails.audit.drafts import Sketch
from guardrails.audit.files import FileHome
from guardrails.audit.forms import MOST, Forms
from guardrails.audit.journal import Journal
from guardrails.audit.scribe import Scribe, Sheet
from guardrails.audit.sketching import Standing, is_plain, sketched, standing_of
from guardrails.guard import Guard
from guardrails.model import Decision
from guardrails.observing import Check, Observer
from guardrails.runtime.clock import FrozenClock

GUARD = Guard.from_text("""
policy shop
on call pay { small: allow when args.amount <= 5; flagged: flag "x" when args.amount == 3; nosy: shadow deny }
on call note { all: allow; mail: redact pii(EMAIL_ADDRESS) in args }
""")
FROZEN = Guard.from_text("policy shop\non call pay { all: allow }", clock=FrozenClock(5))
OBSERVER = Observer()
SESSION = GUARD.session(id="s", principal={"id": "ana"})
NAMES = st.none() | st.text(max_size=6) | st.sampled_from(["a\0b", "\ud800", 'q"uote', "\\u0000", "näme", ""])


CASES: list[tuple[str, Any]] = [
    ("pay", {"amount": 3}), ("pay", {"amount": 9}), ("pay", {"amount": "odd"}), ("pay", {}),
    ("note", {"text": "to a@mail.test"}), ("note", {"text": "hello"}), ("unknown", {"x": 1}),
]  # fmt: skip
DECISIONS = [(SESSION.check_call(tool, args), args) for tool, args in CASES]


@pytest.fixture(scope="module")
def scribe(tmp_path_factory: pytest.TempPathFactory) -> Scribe:
    return Scribe(FileHome(str(tmp_path_factory.mktemp("forms")), KEYS).subjects())


def sketch(known: tuple[Decision, Any], tool: Any = "pay", session: Any = "s", **more: Any) -> Sketch | None:
    """The sketch of a check; None for one that is out of the ordinary."""
    decision, args = known
    check = Check(GUARD, (session, {"id": "ana"}, more.pop("agent", {})), "call", tool, args, args)
    for name in list(more):
        if name in Check.__slots__:
            setattr(check, name, more.pop(name))
    content = content_of(check, decision)
    if not is_plain(check, decision, content):
        return None
    made = sketched(check, decision.known_as("1" * 32), content, Standing(check))
    made.us = 1_800_000_000_123_456
    for name, value in more.items():
        setattr(made, name, value)
    return made


def both(scribe: Scribe, made: Sketch) -> tuple[bytes | None, bytes]:
    """A record by its form, and the same one field by field."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "new_nonce", lambda: b"n" * 12)
        subject = scribe.subjects.of("ana")
        return scribe._by_form(Sheet(made, subject)), scribe._by_field(Sheet(made, subject), is_suspect=False)


@given(
    st.sampled_from(DECISIONS), NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, st.integers(0, 1 << 40),
    st.sampled_from([None, ("a" * 32, "b" * 16)]),
)  # fmt: skip
def test_a_form_is_the_record_field_by_field(
    scribe: Scribe, known: tuple[Decision, Any], session: Any, tool: Any, agent: Any, call: Any, ref: Any,
    held: Any, status: Any, took: int, trace: Any,
) -> None:  # fmt: skip
    made = sketch(
        known, tool, session, agent={"id": agent}, call_id=call, ref=ref, reservation=held, status=status,
        latency_us=took, trace=trace,
    )  # fmt: skip
    if made is None:
        assert not session or known[0].errors
        return
    by_form, by_field = both(scribe, made)
    assert by_form is None or by_form == by_field


def test_most_records_are_made_by_a_form_and_others_are_not(scribe: Scribe) -> None:
    def is_formed(known: tuple[Decision, Any], **more: Any) -> bool:
        made = sketch(known, **more)
        return made is not None and both(scribe, made)[0] is not None

    assert [is_formed(known) for known in DECISIONS] == [not known[0].errors for known in DECISIONS]
    more: list[dict[str, Any]] = [
        {"time": 0}, {"above": ("x",)}, {"call_id": 7}, {"streamed": "end"}, {"session": ""}, {"session": 7},
        {"halted": True}, {"tool": "a\0b"}, {"tool": "\ud800"}, {"guard": FROZEN},
    ]  # fmt: skip
    assert not any(is_formed(DECISIONS[0], **each) for each in more)


def test_the_person_of_a_session_is_taken_once_where_nobody_can_change_it() -> None:
    roles = ["clerk"]
    for principal, is_kept in (({"id": "ana", "level": 3}, True), ({"id": "ana", "roles": roles}, False)):
        check = Check(GUARD, ("s", principal, {}), "call", "pay", {}, {})
        check.lasting = {}
        first, second = standing_of(check, OBSERVER), standing_of(check, OBSERVER)
        assert (first is second) is is_kept
    roles.append("chief")
    assert b"chief" in standing_of(check, OBSERVER).who


def test_what_is_kept_is_bounded() -> None:
    forms = Forms()
    for number in range(MOST * 2 + 5):
        made = sketch(DECISIONS[0], session=f"s-{number}")
        assert made is not None
        forms.begun(made, "h")
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
