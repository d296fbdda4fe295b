"""Gathering: who leads waits a moment for those who took part in the last write, and never for nobody."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from audit_logs import KEYS, note, records_of, report_of

from guardrails.audit import journal as journals
from guardrails.audit.files import FileHome
from guardrails.audit.journal import Journal

LONG = 60.0
"""Seconds: far longer than any test runs."""


class Counting(FileHome):
    """A home that knows how many records came with each write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), KEYS)
        self.sizes: list[int] = []

    def append(self, bodies: Any) -> Any:
        self.sizes.append(len(bodies))
        return super().append(bodies)


def journal_after(home: Counting, threads: int, took: float) -> Journal:
    """A journal as it is after a write for so many threads that took so long."""
    journal = Journal(home, list)
    journal.write(note(number=-1))
    journal._expected, journal._took = threads, took
    return journal


def started(journal: Journal, number: int, told: dict[int, str]) -> Thread:
    def write() -> None:
        try:
            journal.write(note(number=number))
            told[number] = "written"
        except BaseException as error:
            told[number] = type(error).__name__

    thread = Thread(target=write, daemon=True)
    thread.start()
    return thread


def until_gathering(journal: Journal) -> None:
    until = monotonic() + LONG
    while not journal._gathers and monotonic() < until:
        sleep(0.001)
    assert journal._gathers


def test_whoever_leads_waits_for_those_of_the_last_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "LONGEST_GATHERING", LONG)
    home, told = Counting(tmp_path), dict[int, str]()
    journal = journal_after(home, threads=3, took=LONG)
    threads = [started(journal, 0, told)]
    until_gathering(journal)
    threads += [started(journal, number, told) for number in (1, 2)]
    for thread in threads:
        thread.join(LONG)
    assert home.sizes == [1, 3]
    assert told == {0: "written", 1: "written", 2: "written"}
    assert report_of(home).is_sound


def test_nobody_is_waited_for_longer_than_the_last_write_took(tmp_path: Path) -> None:
    home = Counting(tmp_path)
    journal = journal_after(home, threads=2, took=0.0)
    journal.write(note(number=0))
    assert home.sizes == [1, 1]
    assert journal._expected == 1
    journal._took = LONG  # it is no longer asked for
    journal.write(note(number=1))
    assert home.sizes == [1, 1, 1]


def test_a_slow_disk_makes_no_one_wait_for_long(tmp_path: Path) -> None:
    home = Counting(tmp_path)
    journal = journal_after(home, threads=2, took=LONG)
    journal.write(note(number=0))
    assert home.sizes == [1, 1]


def test_what_nobody_waits_for_is_not_expected_again(tmp_path: Path) -> None:
    home = Counting(tmp_path)
    journal = Journal(home, list)
    for number in range(5):
        journal.keep(note(number=number), 100, patience=1.0)
    journal.flush()
    assert journal._expected == 0


class Interrupted:
    """A gate at which the first one who waits is interrupted."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def acquire(self, **how: Any) -> bool:
        if "timeout" in how:
            raise KeyboardInterrupt
        return bool(self._inner.acquire(**how))

    def locked(self) -> bool:
        return bool(self._inner.locked())

    def release(self) -> None:
        self._inner.release()


def test_whoever_is_interrupted_while_gathering_hands_over(tmp_path: Path) -> None:
    home, told = Counting(tmp_path), dict[int, str]()
    journal = journal_after(home, threads=2, took=LONG)
    gate, journal._gate = journal._gate, Interrupted(journal._gate)  # type: ignore[assignment]
    started(journal, 0, told).join(LONG)
    journal._gate = gate
    assert told == {0: "KeyboardInterrupt"}
    for number in (1, 2):
        started(journal, number, told).join(LONG)
    assert told == {0: "KeyboardInterrupt", 1: "written", 2: "written"}
    journal.flush()
    assert [record["facts"].get("number") for record in records_of(home)[1:]] == [-1, 0, 1, 2]
    assert report_of(home).is_sound


def test_threads_that_come_again_and_again_are_written_together(tmp_path: Path) -> None:
    home = Counting(tmp_path)
    journal = Journal(home, list)

    def work(own: int) -> None:
        for number in range(40):
            journal.write(note(own=own, number=number))

    threads = [Thread(target=work, args=(own,)) for own in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [record["facts"] for record in records_of(home) if "own" in record["facts"]]
    assert sum(home.sizes) == len(written) == 240
    for own in range(6):
        assert [each["number"] for each in written if each["own"] == own] == list(range(40))
    assert report_of(home).is_sound
