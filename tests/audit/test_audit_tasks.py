"""Tasks: decisions of event loops are on disk before they are told, whoever else writes to the same log."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from audit_logs import KEYS, note, records_of, report_of
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.audit.chain import Head
from guardrails.audit.content import Content
from guardrails.audit.drafts import Draft
from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.files import FileHome
from guardrails.audit.journal import TOGETHER, Journal
from guardrails.audit.log import LARGE, AuditLog
from guardrails.audit.scribe import Scribe
from guardrails.guard import Guard
from guardrails.model import Decision, Outcome

POLICY = "policy shop\naudit durable\non call pay { allow; limit 3 per 1d by session.id }\non call look { allow }\n"


class Stopped(BaseException):
    """What nobody expects."""


class Slow(FileHome):
    """A home whose writes wait until it is opened, and fail or stop as they are told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), KEYS)
        self.entered, self.opened = Event(), Event()
        self.opened.set()
        self.fails: list[BaseException] = []
        self.sizes: list[int] = []

    def append(self, bodies: Sequence[bytes]) -> Head:
        self.entered.set()
        assert self.opened.wait(60)
        self.sizes.append(len(bodies))
        if self.fails:
            raise self.fails.pop(0)
        return super().append(bodies)


def numbers(home: Any) -> list[int]:
    return [r["facts"]["number"] for r in records_of(home) if "number" in r.get("facts", {})]


def is_idle(journal: Journal) -> bool:
    """Whether nobody leads any more; the thread for what nobody waits for may still look whether there is any."""
    for _ in range(6_000):
        if not journal._busy and not journal._waiting:
            return True
        sleep(0.01)
    return False


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.001)


# --- before it is told -------------------------------------------------------------------------


def test_many_tasks_are_told_what_is_on_disk(audit_url: str) -> None:
    log = AuditLog.open(audit_url)
    session = Guard.from_text(POLICY, audit=log).session(id="s-1", principal={"id": "ana"})

    async def ask(number: int) -> None:
        decision = await session.acheck_call("look", {"number": number})
        assert decision.allowed
        told.append((decision.id, len(written(log))))
        assert decision.id in written(log)

    async def many() -> None:
        await asyncio.gather(*(ask(number) for number in range(30)))

    told: list[tuple[str, int]] = []
    asyncio.run(many())
    assert sorted(written(log)) == sorted(id for id, _ in told)
    assert report_of(log.home).is_sound
    log.close()


def written(log: AuditLog) -> list[str]:
    return [record["id"] for record in records_of(log.home) if record["kind"] == "intent"]


def test_tasks_wait_for_the_disk_and_those_that_come_meanwhile_share_the_next_write(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    journal = Journal(home, list)

    async def scene() -> None:
        home.opened.clear()
        first = asyncio.ensure_future(journal.write_later(note(number=0)))
        await asyncio.to_thread(home.entered.wait)
        others = [asyncio.ensure_future(journal.write_later(note(number=n))) for n in range(1, 40)]
        await turns()
        assert not any(future.done() for future in (first, *others))
        home.opened.set()
        await asyncio.gather(first, *others)

    asyncio.run(scene())
    assert home.sizes == [1, 39]
    assert numbers(home) == list(range(40))


def test_more_than_one_write_holds_are_all_written_in_order(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    journal, count = Journal(home, list), 2 * TOGETHER + 7

    async def scene() -> None:
        home.opened.clear()
        waiting = [journal.write_later(note(number=number)) for number in range(count)]
        home.opened.set()
        await asyncio.gather(*waiting)

    asyncio.run(scene())
    assert numbers(home) == list(range(count))
    assert max(home.sizes) <= TOGETHER


def test_a_large_record_is_made_beside_the_loop(tmp_path: Path) -> None:
    log = AuditLog(FileHome(str(tmp_path), KEYS))
    session = Guard.from_text(POLICY, audit=log).session(id="s-1")
    decision = asyncio.run(session.acheck_call("look", {"text": "word " * LARGE}))
    assert decision.allowed
    assert written(log) == [decision.id]


# --- with others on the same log ---------------------------------------------------------------


class Crowd:
    """Loops and threads that write to one journal at once, each with its own draw of what it does."""

    def __init__(self, journal: Journal, seed: int) -> None:
        self.journal, self.seed = journal, seed
        self.told: set[int] = set()
        self.refused: set[int] = set()
        self.cancelled: set[int] = set()

    def thread(self, first: int, count: int) -> None:
        draw = Random(self.seed + first)
        for number in range(first, first + count):
            if draw.random() < 0.2:
                self.journal.keep(note(number=number), 100, patience=30.0)
                continue
            try:
                self.journal.write(note(number=number))
                self.told.add(number)
            except AuditUnavailable:
                self.refused.add(number)

    def loop(self, first: int, count: int) -> None:
        asyncio.run(self._tasks(first, count))

    async def _tasks(self, first: int, count: int) -> None:
        draw, tasks = Random(self.seed + first), []
        for number in range(first, first + count):
            tasks.append(asyncio.ensure_future(self._one(number)))
            if draw.random() < 0.1:
                await turns(2)
                tasks[draw.randrange(len(tasks))].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, number: int) -> None:
        try:
            await self.journal.write_later(note(number=number))
            self.told.add(number)
        except AuditUnavailable:
            self.refused.add(number)
        except asyncio.CancelledError:
            self.cancelled.add(number)
            raise


@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 30), failing=st.sets(st.integers(1, 25), max_size=4))
def test_whatever_loops_and_threads_do_one_chain_holds_all_that_was_told(
    tmp_path_factory: pytest.TempPathFactory, seed: int, failing: set[int]
) -> None:
    home = FileHome(str(tmp_path_factory.mktemp("log")), KEYS)
    plain, calls = home.append, iter(range(1, 1 << 30))

    def append(bodies: Sequence[bytes]) -> Head:
        if next(calls) in failing:
            raise AuditUnavailable("the disk is full")
        return plain(bodies)

    home.append = append  # type: ignore[method-assign]
    journal = Journal(home, list)
    crowd = Crowd(journal, seed)
    kinds = (crowd.loop, crowd.thread, crowd.loop, crowd.thread)
    threads = [Thread(target=kind, args=(at * 1000, 40)) for at, kind in enumerate(kinds)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
        assert not each.is_alive()
    failing.clear()
    journal._again = 0.0
    journal.flush()
    found = numbers(home)
    assert len(found) == len(set(found))
    assert crowd.told <= set(found)
    assert not crowd.refused & set(found)
    assert is_idle(journal)
    assert journal._unawaited == journal._unawaited_bytes == 0
    for first in range(0, 4000, 1000):  # each one's own order is kept, but for what was tried again
        mine = [n for n in found if first <= n < first + 1000 and n in crowd.told]
        assert mine == sorted(mine)
    assert report_of(home).is_sound


def test_a_thread_that_comes_while_tasks_are_written_leads_next(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    journal = Journal(home, list)

    async def scene() -> None:
        home.opened.clear()
        first = journal.write_later(note(number=0))
        await asyncio.to_thread(home.entered.wait)
        thread = Thread(target=journal.write, args=(note(number=1),))
        thread.start()
        await until(lambda: len(journal._waiting) == 1)
        last = journal.write_later(note(number=2))
        home.opened.set()
        await asyncio.gather(first, last)
        await asyncio.to_thread(thread.join)

    asyncio.run(scene())
    assert numbers(home) == [0, 1, 2]
    assert is_idle(journal)


def test_a_loop_that_blocks_for_a_record_of_its_own_does_not_block_for_ever(tmp_path: Path) -> None:
    """`opened`, `failed` and the like are told by callers that cannot wait otherwise."""
    journal = Journal(Slow(tmp_path), list)

    async def scene() -> None:
        for number in range(0, 40, 2):
            later = journal.write_later(note(number=number))
            journal.write(note(number=number + 1))
            await later

    asyncio.run(asyncio.wait_for(scene(), 60))
    assert numbers(journal.home) == list(range(40))


# --- what goes wrong ---------------------------------------------------------------------------


def test_a_disk_that_fails_refuses_each_one_that_waits(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    log = AuditLog(home)
    session = Guard.from_text(POLICY, audit=log).session(id="s-1")

    async def ask(count: int) -> list[Decision]:
        return await asyncio.gather(*(session.acheck_call("pay", {"n": n}) for n in range(count)))

    home.fails = [AuditUnavailable("the disk is full")] * 50
    refused = asyncio.run(ask(9))
    assert [decision.outcome for decision in refused] == [Outcome.DENY] * 9
    assert all(
        "the disk is full" in decision.message
        for decision in refused
        if decision.applied[-1].label == "audit"
    )
    home.fails.clear()
    log.journal._again = 0.0
    allowed = asyncio.run(ask(4))  # what the refused ones charged was given back
    assert [decision.allowed for decision in allowed] == [True, True, True, False]
    assert written(log) == [decision.id for decision in allowed]
    missed = [r["facts"] for r in records_of(home) if "missed" in r.get("facts", {})]
    assert [facts["refused"] for facts in missed] == [9]


def test_the_second_log_is_used_for_tasks_as_well(tmp_path: Path) -> None:
    home, second = Slow(tmp_path / "log"), FileHome(str(tmp_path / "second"), KEYS)
    log = AuditLog(home, spill=second)
    text = POLICY.replace("audit durable", "audit durable else spill")
    session = Guard.from_text(text, audit=log).session(id="s-1")
    home.fails = [AuditUnavailable("the disk is full")] * 50
    decision = asyncio.run(session.acheck_call("look", {}))
    assert decision.allowed
    assert decision.id in {record.get("id") for record in records_of(second)}


def test_a_write_that_is_stopped_refuses_its_tasks_and_the_next_are_written(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    journal = Journal(home, list)

    async def scene() -> None:
        home.opened.clear()
        home.fails = [Stopped(), ValueError("a bug")]
        waiting = [journal.write_later(note(number=0))]
        await asyncio.to_thread(home.entered.wait)
        waiting += [journal.write_later(note(number=number)) for number in range(1, TOGETHER + 3)]
        home.opened.set()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        said = [str(each) for each in ended if each is not None]
        assert (
            said
            == ["the write was interrupted: Stopped"] + ["the write was interrupted: ValueError"] * TOGETHER
        )
        await journal.write_later(note(number=-1))

    asyncio.run(scene())
    assert numbers(home) == [TOGETHER + 1, TOGETHER + 2, -1]
    assert is_idle(journal)


def test_a_record_that_cannot_be_made_refuses_its_own_task_alone(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    journal = Journal(home, Scribe(home.subjects()).bodies)

    def draft(number: int, **more: Any) -> Draft:
        content = Content(b"{}", b"{}")
        return Draft("intent", {"id": f"{number:032x}"}, "ana", "ana", content=content, **more)

    async def scene() -> list[BaseException | None]:
        home.opened.clear()
        bad = draft(1, decision=object())
        waiting = [journal.write_later(each) for each in (draft(0), bad, draft(2))]
        home.opened.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    first, second, third = asyncio.run(scene())
    assert first is None
    assert isinstance(second, AuditUnavailable)
    assert "a record cannot be made" in str(second)
    assert third is None
    assert [record["id"] for record in records_of(home)[1:]] == [f"{n:032x}" for n in (0, 2)]


def test_where_no_thread_can_be_started_the_loop_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(FileHome(str(tmp_path), KEYS), list)

    def fails(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scene() -> None:
        monkeypatch.setattr(Thread, "start", fails)
        await asyncio.gather(*(journal.write_later(note(number=number)) for number in range(3)))

    asyncio.run(scene())
    assert numbers(journal.home) == [0, 1, 2]
    assert is_idle(journal)


def test_a_full_queue_keeps_the_task_waiting_and_not_its_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardrails.audit.journal.MOST", 3)
    monkeypatch.setattr("guardrails.audit.journal.PATIENCE", 60.0)
    home = Slow(tmp_path)
    log = AuditLog(home)
    session = Guard.from_text(POLICY.replace("durable", "buffered"), audit=log).session(id="s-1")
    log.flush()

    async def scene() -> list[Decision]:
        home.opened.clear()
        for number in range(3):
            log.journal.keep(note(number=number), 100, patience=0.0)
        asking = [asyncio.ensure_future(session.acheck_call("look", {"n": n})) for n in range(2)]
        await turns()  # the loop goes on
        assert not any(task.done() for task in asking)
        home.opened.set()
        return await asyncio.gather(*asking)

    decisions = asyncio.run(scene())
    assert all(decision.allowed for decision in decisions)
    log.flush()
    assert sorted(written(log)) == sorted(decision.id for decision in decisions)


# --- cancellation, and ends --------------------------------------------------------------------


def test_a_task_that_is_cancelled_is_told_nothing_its_record_stays_and_its_charge_goes_back(
    tmp_path: Path,
) -> None:
    home = Slow(tmp_path)
    log = AuditLog(home)
    session = Guard.from_text(POLICY, audit=log).session(id="s-1")

    async def scene() -> None:
        home.entered.clear()
        home.opened.clear()
        tasks = [asyncio.ensure_future(session.acheck_call("pay", {"n": n})) for n in range(3)]
        await asyncio.to_thread(home.entered.wait)
        await turns()
        for task in tasks[1:]:
            task.cancel()
        await turns()
        assert tasks[1].cancelled()
        home.opened.set()
        assert (await tasks[0]).allowed

    asyncio.run(scene())
    log.flush()
    intents = [record for record in records_of(home) if record["kind"] == "intent"]
    assert [record["outcome"] for record in intents] == ["allow"] * 3
    ends = {r["ref"]: (r["status"], r["reservation"]) for r in records_of(home) if r["kind"] == "outcome"}
    assert ends == {record["id"]: ("not run", record["reservation"]) for record in intents[1:]}
    again = [session.check_call("pay", {"n": n}).allowed for n in range(3)]
    assert again == [True, True, False]


def test_a_loop_that_is_closed_before_the_disk_is_done_keeps_nobody_waiting(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    journal = Journal(home, list)
    home.opened.clear()

    async def leaves(number: int) -> None:
        journal.write_later(note(number=number))
        await asyncio.to_thread(home.entered.wait)

    asyncio.run(leaves(0))
    asyncio.run(leaves(1))
    thread = Thread(target=journal.write, args=(note(number=2),))
    thread.start()
    home.opened.set()
    thread.join(60)
    assert not thread.is_alive()
    assert numbers(home) == [0, 1, 2]


def test_close_writes_what_tasks_wait_for(tmp_path: Path) -> None:
    home = Slow(tmp_path)
    log = AuditLog(home)

    async def scene() -> None:
        home.opened.clear()
        waiting = [log.journal.write_later(note(number=number)) for number in range(5)]
        closing = asyncio.create_task(asyncio.to_thread(log.close))
        await asyncio.to_thread(home.entered.wait)
        assert not closing.done()
        home.opened.set()
        await asyncio.gather(closing, *waiting)
        await log.journal.write_later(note(number=5))  # late, and not lost

    asyncio.run(scene())
    assert numbers(home) == list(range(6))


def test_the_thread_ends_with_its_log(tmp_path: Path) -> None:
    async def scene() -> list[Thread]:
        journal = Journal(FileHome(str(tmp_path), KEYS), list)
        await journal.write_later(note(number=0))
        return [each for each in threading.enumerate() if each not in before]

    before = threading.enumerate()
    (thread,) = [each for each in asyncio.run(scene()) if each.name == "guard-audit-tasks"]
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


def test_a_child_process_writes_with_a_thread_of_its_own(tmp_path: Path) -> None:
    journal = Journal(FileHome(str(tmp_path), KEYS), list)

    async def write(number: int) -> None:
        await journal.write_later(note(number=number))

    asyncio.run(write(0))
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(write(1))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(write(2))
    assert numbers(journal.home) == [0, 1, 2]
    assert report_of(journal.home).is_sound


def test_what_a_loop_left_is_written_at_the_end_of_the_process(tmp_path: Path) -> None:
    program = f"""
import asyncio
from guardrails.audit import open_log
from guardrails.audit.linking import own_record
log = open_log("file://{tmp_path}/log")
async def leave():
    for number in range(700):
        log.journal.write_later(own_record("note", {{"number": number}}))
asyncio.run(leave())
"""
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ})
    assert numbers(FileHome(f"{tmp_path}/log", KEYS)) == list(range(700))


def test_a_program_without_a_loop_does_not_pay_for_one() -> None:
    program = """
import sys
import guardrails.audit.recorder, guardrails.audit.log
print("asyncio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
