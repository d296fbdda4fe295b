"""Crashes: a process that is killed at any step loses nothing that it acknowledged, and leaves a sound log.

A child process writes with several threads, with tasks of event loops, or with both. It counts its system calls, and
kills itself before, in the middle of, or after the one that the test chose; every record that it was told is written
it acknowledges through a pipe first. The parent then opens the log as the next process would.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
from audit_logs import KEYS, note, records_of, report_of

from guardrails.audit.drafts import Draft
from guardrails.audit.files import FileHome
from guardrails.audit.journal import Journal
from guardrails.audit.log import AuditLog

RUNS = 500 if os.environ.get("GUARD_SOAK") else 25
THREADS = 4
RECORDS = 12
ROTATE = 6_000
CALLS = ("write", "fdatasync", "fsync", "pwrite", "ftruncate", "open", "link", "unlink")
HOW = ("before", "middle", "after")
BY = ("threads", "tasks", "both")


class Killer:
    """Kills this process at system call number `at`."""

    def __init__(self, at: int, how: str) -> None:
        self._left = at
        self._how = how

    def around(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                if self._how == "middle" and name in ("write", "pwrite"):
                    handle, data, *rest = arguments
                    plain(handle, bytes(data)[: len(data) // 2], *rest)
                elif self._how == "after":
                    plain(*arguments, **named)
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*arguments, **named)

        return called


def _child(folder: str, pipe: int, at: int, how: str, by: str, *, durable: bool) -> None:
    acknowledge, killer = os.write, Killer(at, how)
    log = AuditLog(FileHome(folder, KEYS, rotate=ROTATE))
    for name in CALLS:
        setattr(os, name, killer.around(name, getattr(os, name)))

    def draft(writer: int, number: int) -> tuple[str, Draft]:
        id = f"{writer:016x}{number:016x}"
        return id, Draft("intent", {"id": id}, subject=f"person {number % 3}", who={"id": "x"})

    def work(thread: int) -> None:
        for number in range(RECORDS):
            id, each = draft(thread, number)
            log.record(each, durable=durable)
            acknowledge(pipe, id.encode())

    async def task(name: int) -> None:
        for number in range(RECORDS):
            id, each = draft(name, number)
            await log.record_later(each)
            acknowledge(pipe, id.encode())

    async def tasks(loop: int) -> None:
        await asyncio.gather(*(task(100 * loop + each) for each in range(THREADS // 2)))

    def run(loop: int) -> None:
        asyncio.run(tasks(loop))

    writers = {"threads": [work] * THREADS, "tasks": [run] * 2, "both": [run, work, work]}[by]
    threads = [Thread(target=each, args=(at,)) for at, each in enumerate(writers, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def killed(
    folder: Path, at: int, how: str, by: str = "threads", *, durable: bool = True
) -> tuple[set[str], bool]:
    """What a child acknowledged that is killed at a step; and whether it got that far."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _child(str(folder), writing, at, how, by, durable=durable)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return {data[start : start + 32] for start in range(0, len(data), 32)}, os.WIFSIGNALED(status)


@pytest.mark.parametrize("run", range(RUNS))
def test_nothing_acknowledged_is_lost_at_any_step(run: int, tmp_path: Path) -> None:
    draw, folder = Random(run), tmp_path / "log"
    acknowledged: set[str] = set()
    # Each crash is followed by another on the same log: recovery itself is killed as well.
    for _ in range(3):
        told, _ = killed(folder, draw.randrange(1, 160), draw.choice(HOW), BY[run % len(BY)])
        acknowledged |= told
    home = FileHome(str(folder), KEYS, rotate=ROTATE)
    home.append([note(after="the crash")])
    report = report_of(home)
    assert report.is_sound, report.as_json()
    ids = [record.get("id") for record in records_of(home)]
    assert acknowledged <= set(ids)
    assert len(records_of(home)) == report.records


@pytest.mark.parametrize("by", ["threads", "tasks"])
@pytest.mark.parametrize("how", HOW)
def test_every_step_of_one_record(how: str, by: str, tmp_path: Path) -> None:
    """Exhaustive over the steps of the first records, until a child comes through alive."""
    at, steps = 0, 0
    while True:
        at += 1 + (at > 24) * 9
        folder = tmp_path / f"log {at}"
        told, was_killed = killed(folder, at, how, by)
        home = FileHome(str(folder), KEYS, rotate=ROTATE)
        home.append([note(after="the crash")])
        assert report_of(home).is_sound
        assert told <= {record.get("id") for record in records_of(home)}
        steps += 1
        if not was_killed or at > 90:
            break
    assert steps > 25


def test_a_buffered_log_loses_an_end_and_nothing_else(tmp_path: Path) -> None:
    """And the test above can fail: here what was acknowledged is lost."""
    lost = 0
    for at in range(12, 60, 6):
        folder = tmp_path / f"log {at}"
        told, _ = killed(folder, at, "middle", durable=False)
        home = FileHome(str(folder), KEYS, rotate=ROTATE)
        home.append([note(after="the crash")])
        assert report_of(home).is_sound
        lost += len(told - {record.get("id") for record in records_of(home)})
    assert lost


def test_the_disk_is_waited_for_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process leaves its writes to the system; a machine without power does not."""
    steps: list[str] = []
    for name in ("write", "fdatasync"):
        plain = getattr(os, name)

        def called(*arguments: Any, name: str = name, plain: Any = plain) -> Any:
            done = plain(*arguments)
            steps.append(name)
            return done

        monkeypatch.setattr(os, name, called)
    home = FileHome(str(tmp_path / "log"), KEYS)
    for _ in range(3):
        home.append([note(number=1)])
        steps.append("told")
    assert "".join(step[0] for step in steps).endswith("wftwftwft")


@pytest.mark.parametrize("cut", range(1, 300, 13))
def test_a_torn_last_record_is_taken_away_and_told(cut: int, tmp_path: Path) -> None:
    home = FileHome(str(tmp_path), KEYS)
    home.append([note(number=number) for number in range(3)])
    home.close()
    segment = next(tmp_path.glob("*.jsonl"))
    whole = segment.read_bytes()
    torn = whole.splitlines(keepends=True)[-1][:cut]
    (tmp_path / "head").unlink()
    segment.write_bytes(whole[: -len(whole.splitlines(keepends=True)[-1])] + torn.rstrip(b"\n"))
    again = FileHome(str(tmp_path), KEYS)
    again.append([note(number=4)])
    records = records_of(again)
    if cut < len(whole.splitlines(keepends=True)[-1]) - 1:
        assert [record["kind"] for record in records] == ["log", "note", "note", "repaired", "note"]
        assert records[3]["facts"]["bytes"] == cut
        report = report_of(again)
        assert report.is_sound
        assert report.repaired[0]["bytes"] == cut


def test_a_journal_survives_the_end_of_its_process(tmp_path: Path) -> None:
    """What nobody waited for is written at an orderly end."""
    import subprocess
    import sys

    program = f"""
from guardrails.audit import open_log
log = open_log("file://{tmp_path}/log")
for number in range(50):
    log.append("note", {{"number": number}}, durable=False)
"""
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ})
    home = FileHome(f"{tmp_path}/log", KEYS)
    assert [r["facts"]["number"] for r in records_of(home) if r["kind"] == "note"] == list(range(50))


def test_a_child_does_not_write_what_its_parent_has_to(tmp_path: Path) -> None:
    journal = Journal(FileHome(str(tmp_path), KEYS), list)
    journal._ring = lambda: None  # type: ignore[method-assign]  # the thread would be quicker than the fork
    journal.keep(note(who="parent"), 1, patience=0)
    child = os.fork()
    if child == 0:
        try:
            journal.write(note(who="child"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    journal.flush()
    facts = [record["facts"] for record in records_of(journal.home)[1:]]
    assert sorted(fact["who"] for fact in facts) == ["child", "parent"]
