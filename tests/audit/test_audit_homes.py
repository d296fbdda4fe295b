"""The contract of all homes of a log: what was appended is there, in order, once, and follows."""

from __future__ import annotations

import multiprocessing
import os
from threading import Thread

import pytest
from audit_logs import lines_of, note, records_of, report_of

from guardrails.audit.checkpoints import EVERY
from guardrails.audit.errors import AuditError
from guardrails.audit.log import home_at
from guardrails.audit.port import Home


@pytest.fixture
def home(audit_url: str) -> Home:
    return home_at(audit_url)


def test_a_log_begins_with_a_record_about_itself(home: Home) -> None:
    home.append([note(number=1)])
    first, second = records_of(home)
    assert (first["kind"], first["seq"]) == ("log", 0)
    assert first["facts"]["log"] == home.linker.log
    assert (second["seq"], second["facts"]) == (1, {"number": 1})


def test_records_stand_in_the_order_of_appending(home: Home) -> None:
    for number in range(0, 30, 3):
        home.append([note(number=number + more) for more in range(3)])
    assert [record["facts"]["number"] for record in records_of(home)[1:]] == list(range(30))
    assert [record["seq"] for record in records_of(home)] == list(range(31))
    assert report_of(home).is_sound


def test_another_opening_goes_on_where_the_log_ends(home: Home, audit_url: str) -> None:
    home.append([note(number=1)])
    home.close()
    again = home_at(audit_url)
    again.append([note(number=2)])
    assert [record["seq"] for record in records_of(again)] == [0, 1, 2]
    assert report_of(again).is_sound
    assert again.linker.log == records_of(again)[0]["facts"]["log"]


def test_two_openings_take_turns(home: Home, audit_url: str) -> None:
    other = home_at(audit_url)
    for number in range(10):
        (home if number % 2 else other).append([note(number=number)])
    assert [record["facts"]["number"] for record in records_of(home)[1:]] == list(range(10))
    assert home.head().chain == other.head().chain
    assert home.head().peaks == other.head().peaks
    assert report_of(home).is_sound


def test_a_checkpoint_stands_after_so_many_records(home: Home) -> None:
    for _ in range(5):
        home.append([note(padding="x")] * (EVERY // 2))
    kinds = [record["kind"] for record in records_of(home)]
    places = [at for at, kind in enumerate(kinds) if kind == "checkpoint"]
    assert len(places) == 2
    assert all(later - earlier <= EVERY + 1 for earlier, later in zip([0, *places], places, strict=False))
    assert report_of(home).checkpoints == 2


def test_threads_lose_nothing(home: Home) -> None:
    def write(thread: int) -> None:
        for number in range(20):
            home.append([note(thread=thread, number=number)])

    threads = [Thread(target=write, args=(each,)) for each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = [record["facts"] for record in records_of(home)[1:]]
    assert len(facts) == 120
    for each in range(6):
        assert [fact["number"] for fact in facts if fact["thread"] == each] == list(range(20))
    assert report_of(home).is_sound


def _write(url: str, process: int, count: int) -> None:
    home = home_at(url)
    for number in range(count):
        home.append([note(process=process, number=number)])


def test_processes_lose_nothing(audit_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(audit_url, each, 25)) for each in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    home = home_at(audit_url)
    facts = [record["facts"] for record in records_of(home)[1:]]
    assert len(facts) == 100
    for each in range(4):
        assert [fact["number"] for fact in facts if fact["process"] == each] == list(range(25))
    assert report_of(home).is_sound


def test_a_child_process_goes_on_with_the_same_object(home: Home) -> None:
    home.append([note(who="parent")])
    child = os.fork()
    if child == 0:
        try:
            home.append([note(who="child")])
            os._exit(0)
        finally:
            os._exit(1)
    home.append([note(who="parent again")])
    assert os.waitpid(child, 0)[1] == 0
    home.append([note(who="parent at last")])
    assert sorted(record["facts"]["who"] for record in records_of(home)[1:]) == [
        "child", "parent", "parent again", "parent at last",
    ]  # fmt: skip
    assert report_of(home).is_sound


def test_another_key_cannot_go_on(home: Home, audit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home.append([note(number=1)])
    home.close()
    before = lines_of(home)
    monkeypatch.setenv("GUARD_AUDIT_KEY", "another key, long enough")
    with pytest.raises(AuditError, match="guard audit verify"):
        home_at(audit_url).append([note(number=2)])
    assert lines_of(home) == before


def test_the_claim_is_how_many_records_there_are(home: Home) -> None:
    home.append([note(number=1), note(number=2)])
    assert home.claim() == 3


def test_texts_of_all_kinds_come_back(home: Home) -> None:
    text = 'é 漢字 🙂 \u2028 \\ " \t'
    home.append([note(text=text, null="a\0b", half="\ud800")])
    facts = records_of(home)[1]["facts"]
    assert facts["text"] == text
    assert facts["null"] == "a\ufffdb"
    assert report_of(home).is_sound


# --- the keys of people ------------------------------------------------------------------------


def test_a_person_has_one_pseudonym(home: Home, audit_url: str) -> None:
    subjects, others = home.subjects(), home_at(audit_url).subjects()
    ana = subjects.of("ana")
    assert others.of("ana").handle == ana.handle == subjects.handle_of("ana")
    assert subjects.of("bob").handle != ana.handle
    assert "ana" not in ana.handle


def test_what_is_sealed_opens_for_its_record_only(home: Home, audit_url: str) -> None:
    ana = home.subjects().of("ana")
    sealed = ana.seal(b"text", "record 1")
    found = home_at(audit_url).subjects().by_handle(ana.handle)
    assert found is not None
    assert found.open(sealed, "record 1") == b"text"
    with pytest.raises(AuditError):
        found.open(sealed, "record 2")
    with pytest.raises(AuditError):
        home.subjects().of("bob").open(sealed, "record 1")


def test_an_erased_person_is_gone_and_comes_back_as_another(home: Home) -> None:
    subjects = home.subjects()
    before = subjects.of("ana").handle
    assert subjects.erase("ana") == before
    assert subjects.erase("ana") is None
    assert subjects.by_handle(before) is None
    assert subjects.handle_of("ana") is None
    assert subjects.of("ana").handle != before
