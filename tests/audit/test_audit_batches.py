"""Batches: what one thread makes and writes for others is as if each had done it alone."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from audit_logs import KEYS, note, records_of, report_of
from hypothesis import given
from hypothesis import strategies as st

from guardrails.audit import nonces
from guardrails.audit.cleaning import LOOK, Cleaner
from guardrails.audit.content import Content
from guardrails.audit.drafts import Draft
from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.files import FileHome
from guardrails.audit.journal import Journal
from guardrails.audit.record import as_json
from guardrails.audit.scribe import Scribe, Unmade
from guardrails.model import Decision, Outcome

SECRETS = (
    "postgres://ana:s3cr3t-word@db.example.com/x",
    "password = hunter2-and-more",
    "AKIAIOSFODNN7REALKEY",
)
PLAIN = (
    "the parcel arrived late", "order 17 of ana", "Gr\u00fc\u00dfe aus K\u00f6ln", "a \\ b", "",
    "-----BEGIN RSA PRIVATE KEY-----",
)  # fmt: skip


class Stopped(BaseException):
    """What nobody expects."""


class Gate(FileHome):
    """A home in which the first write waits, and may then be stopped."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, KEYS)
        self.entered, self.opened = Event(), Event()
        self.stops: BaseException | None = None

    def append(self, bodies: Any) -> Any:
        self.entered.set()
        self.opened.wait()
        stops, self.stops = self.stops, None
        if stops is not None:
            raise stops
        return super().append(bodies)


def _draft(text: str, number: int = 0) -> Draft:
    said = as_json({"text": text})
    fields = {"id": f"{number:032x}", "tool": "say"}
    return Draft("intent", fields, subject="ana", who="ana", content=Content(said, said), part="args")


def test_whoever_waits_for_a_thread_that_is_stopped_is_refused(tmp_path: Path) -> None:
    home = Gate(str(tmp_path))
    journal, told = Journal(home, list), dict[int, str]()

    def write(number: int) -> None:
        try:
            journal.write(note(number=number))
            told[number] = "written"
        except AuditUnavailable as error:
            told[number] = str(error)
        except Stopped:
            told[number] = "stopped"

    first = Thread(target=write, args=(0,))
    first.start()
    home.entered.wait()
    second = after_it(journal, write)
    home.stops = Stopped()
    home.opened.set()
    for thread in (first, second):
        thread.join()
    assert told == {0: "stopped", 1: "written"}
    assert [record["facts"].get("number") for record in records_of(home)[1:]] == [1]


def after_it(journal: Journal, write: Any) -> Thread:
    thread = Thread(target=write, args=(1,))
    thread.start()
    while not journal._waiting:
        pass
    return thread


def test_those_of_an_interrupted_batch_are_refused_and_what_nobody_waits_for_is_kept(tmp_path: Path) -> None:
    home = Gate(str(tmp_path))
    journal, told = Journal(home, list), dict[int, str]()

    def write(number: int) -> None:
        try:
            journal.write(note(number=number))
            told[number] = "written"
        except (AuditUnavailable, Stopped) as error:
            told[number] = str(error) or "stopped"

    threads = [Thread(target=write, args=(0,))]
    threads[0].start()
    home.entered.wait()
    for number in (1, 2, 3):
        threads.append(Thread(target=write, args=(number,)))
        threads[-1].start()
        while len(journal._waiting) < number:
            pass
    journal.keep(note(number=4), 100, patience=1.0)
    plain = FileHome.append

    def stopping(self: Any, bodies: Any) -> Any:
        if len(bodies) > 1 and not told.get(-1):
            told[-1] = "once"
            raise Stopped
        return plain(self, bodies)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileHome, "append", stopping)
        home.opened.set()
        for thread in threads:
            thread.join()
        journal.flush()
    assert told[0] == "written"
    assert sorted(told[number] for number in (1, 2, 3)) == [
        "stopped", "the write was interrupted: Stopped", "the write was interrupted: Stopped",
    ]  # fmt: skip
    assert [record["facts"].get("number") for record in records_of(home)[1:]] == [0, 4]
    assert journal._unawaited == 0
    assert report_of(home).is_sound


def test_a_record_that_cannot_be_made_refuses_its_own_caller_alone(tmp_path: Path) -> None:
    home = FileHome(str(tmp_path), KEYS)
    scribe = Scribe(home.subjects())
    bad = Draft("intent", {"id": "1" * 32}, subject="ana", who="ana", decision=object())  # type: ignore[arg-type]
    before, made, after = scribe.bodies([_draft("hello", 1), bad, _draft("hello", 2)])
    assert isinstance(before, bytes)
    assert isinstance(after, bytes)
    assert isinstance(made, Unmade)
    journal = Journal(home, scribe.bodies)
    with pytest.raises(AuditUnavailable, match="a record cannot be made"):
        journal.write(bad)
    journal.keep(bad, 100, patience=1.0)
    journal.flush()
    assert records_of(home)[-1]["facts"]["unwritable"] == "intent"


@given(st.lists(st.sampled_from((*SECRETS, *PLAIN)), max_size=12))
def test_many_texts_are_looked_at_as_each_alone(texts: list[str]) -> None:
    cleaner = Cleaner()
    alone = {at for at, text in enumerate(texts) if cleaner.suspects([text])}
    assert cleaner.suspects(texts) == alone
    assert alone >= {at for at, text in enumerate(texts) if text in SECRETS}


def test_more_than_one_look_holds_are_looked_at_all_the_same() -> None:
    texts = ["word " * (LOOK // 20)] * 9
    texts[4] += SECRETS[0]
    assert Cleaner().suspects(texts) == {4}


def test_a_secret_amid_plain_records_is_taken_out_of_its_own_alone(tmp_path: Path) -> None:
    home = FileHome(str(tmp_path), KEYS)
    subjects = home.subjects()
    bodies = Scribe(subjects).bodies([_draft(SECRETS[0] if at == 5 else PLAIN[0], at) for at in range(11)])
    home.append([body for body in bodies if isinstance(body, bytes)])
    records = records_of(home)[1:]
    assert [record.get("cleaned") for record in records] == [None] * 5 + [1] + [None] * 5
    opened = [subjects.of("ana").open(record["body"]["sealed"], record["id"]) for record in records]
    assert [PLAIN[0].encode() in text for text in opened] == [True] * 5 + [False] + [True] * 5
    assert not any(SECRETS[0].encode() in text for text in opened)


def test_nonces_never_come_twice_and_a_child_draws_its_own() -> None:
    nonces.new_nonce()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(nonces.new_nonce() for _ in range(100)))
        os._exit(0)
    mine = [nonces.new_nonce() for _ in range(1_000)]
    os.waitpid(child, 0)
    data = os.read(reading, 1 << 16)
    theirs = [data[at : at + nonces.SIZE] for at in range(0, len(data), nonces.SIZE)]
    assert len(theirs) == 100
    assert {len(nonce) for nonce in mine} == {nonces.SIZE}
    assert len({*mine, *theirs}) == 1_100


def test_a_decision_under_another_name_is_the_same_in_all_else() -> None:
    decision = Decision(Outcome.DENY, "digest")
    for name in Decision.__slots__:
        setattr(decision, name, name)
    named = decision.known_as("another")
    assert {name: getattr(named, name) for name in Decision.__slots__} == {
        name: "another" if name == "id" else name for name in Decision.__slots__
    }
