"""What an audit log costs: durable beside a bare group commit, buffered beside no log, and how fast it verifies."""

from __future__ import annotations

import asyncio
import os
import tempfile
from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from threading import Lock, Thread
from time import perf_counter
from typing import Any

from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails.audit.files import FileHome
from guardrails.audit.keys import Keys
from guardrails.audit.log import AuditLog
from guardrails.audit.verifying import Verifier
from guardrails.guard import Guard

POLICY = """
policy bench
on call refund {
  allow when args.amount <= 500
  deny when args.reason == "fraud"
}
"""
ARGS = {"customer_id": "c-17", "amount": 40, "reason": "the parcel arrived late and the customer was unhappy"}
PRINCIPAL = {"id": "ana", "tenant": "north", "mail": "ana@example.com"}
KEYS = Keys(b"the key of a bench, long enough")
THREADS = (1, 8, 32, 64)
TASKS = (8, 32, 64, 256)
CALLS = 2_560
"""Records of one measurement with threads or tasks."""

ROUNDS = 9
BURST = 200
"""Decisions before the buffered log gets time to write."""

VERIFIED = 200_000


def run() -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        return [
            durable(Path(folder)), awaited(Path(folder)), buffered(Path(folder)), buffered_tasks(Path(folder)),
            steps(Path(folder)), verifying(Path(folder)),
        ]  # fmt: skip


def guard(log: AuditLog | None, mode: str = "durable") -> Guard:
    return Guard.from_text(f"{POLICY}audit {mode}" if log else POLICY, audit=log)


# --- durable -----------------------------------------------------------------------------------


class Waiting:
    """A caller of the bare one."""

    __slots__ = ("leads", "turn")

    def __init__(self) -> None:
        self.leads = False
        self.turn = Lock()
        self.turn.acquire()


class Bare:
    """A group commit and nothing else: bytes of the same size, one write and one sync for all who wait."""

    def __init__(self, path: Path, size: int) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._line = b"x" * (size - 1) + b"\n"
        self._mutex = Lock()
        self._waiting: list[Waiting] = []
        self._busy = False

    def write(self) -> None:
        own = Waiting()
        with self._mutex:
            self._waiting.append(own)
            if not self._busy:
                self._busy = own.leads = True
        if not own.leads:
            own.turn.acquire()
        if own.leads:
            self._lead(own)

    def _lead(self, own: Waiting) -> None:
        with self._mutex:
            batch, self._waiting = self._waiting, []
        os.write(self._handle, self._line * len(batch))
        os.fdatasync(self._handle)
        for each in batch:
            if each is not own:
                each.turn.release()
        with self._mutex:
            self._busy = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].turn.release()


def durable(folder: Path) -> Table:
    table = Table(
        "records that are on disk before the caller goes on",
        ("threads", "bare group commit/s", "decisions/s", "part of the ceiling"),
        aim="60 % of the ceiling",
    )
    log, session, size = _logged(folder / "durable")
    bare = Bare(folder / "bare", size)
    for threads in THREADS:
        rates = [
            (_rate(threads, bare.write), _rate(threads, lambda: session.check_call("refund", ARGS)))
            for _ in range(ROUNDS)
        ]
        parts = [ours / ceiling for ceiling, ours in rates]
        ceiling, ours = (median(rate[at] for rate in rates) for at in (0, 1))
        table.add(threads, round(ceiling), round(ours), f"{median(parts):.0%}")
    log.close()
    return table


def _logged(folder: Path) -> tuple[AuditLog, Any, int]:
    """A durable log, a session that writes to it, and the bytes of a record."""
    log = AuditLog(FileHome(str(folder), KEYS))
    session = guard(log).session(id="s-1", principal=PRINCIPAL)
    session.check_call("refund", ARGS)
    size = max(map(len, next(folder.glob("*.jsonl")).read_bytes().splitlines()))
    return log, session, size + 1


def _rate(threads: int, action: Callable[[], Any]) -> float:
    def work() -> None:
        for _ in range(CALLS // threads):
            action()

    workers = [Thread(target=work) for _ in range(threads)]
    began = perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return CALLS / (perf_counter() - began)


class BareTasks:
    """The same for tasks of one event loop: a thread writes and syncs, the loop gathers meanwhile."""

    def __init__(self, path: Path, size: int, loop: AbstractEventLoop) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._line = b"x" * (size - 1) + b"\n"
        self._loop = loop
        self._waiting: list[Future[None]] = []
        self._batch: list[Future[None]] = []
        self._busy = False
        self._bell = Lock()
        self._bell.acquire()
        Thread(target=self._serve, daemon=True).start()

    async def write(self) -> None:
        future = self._loop.create_future()
        self._waiting.append(future)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._next)  # with all that the tasks which are ready will add
        await future

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._waiting:
            self._batch, self._waiting = self._waiting, []
            self._bell.release()

    def _serve(self) -> None:
        while True:
            self._bell.acquire()
            batch = self._batch
            os.write(self._handle, self._line * len(batch))
            os.fdatasync(self._handle)
            self._loop.call_soon_threadsafe(self._told, batch)

    def _told(self, batch: list[Future[None]]) -> None:
        for future in batch:
            future.set_result(None)
        self._loop.call_soon(self._next)


def awaited(folder: Path) -> Table:
    table = Table(
        "records that are on disk before a task of an event loop goes on",
        ("tasks", "bare, threads/s", "bare, tasks/s", "decisions/s", "part of threads", "part of tasks"),
        aim="60 % of the ceiling of threads",
    )
    log, session, size = _logged(folder / "awaited")
    threads = Bare(folder / "bare threads", size)

    async def run() -> None:
        tasks = BareTasks(folder / "bare tasks", size, asyncio.get_running_loop())
        for count in TASKS:
            rates = [
                (
                    _rate(min(count, THREADS[-1]), threads.write),
                    await _task_rate(count, tasks.write),
                    await _task_rate(count, lambda: session.acheck_call("refund", ARGS)),
                )
                for _ in range(ROUNDS)
            ]
            parts = [median(ours / each[at] for each in rates for ours in each[2:]) for at in (0, 1)]
            found = [round(median(each[at] for each in rates)) for at in (0, 1, 2)]
            table.add(count, *found, *(f"{part:.0%}" for part in parts))

    asyncio.run(run())
    log.close()
    return table


async def _task_rate(count: int, action: Callable[[], Awaitable[Any]]) -> float:
    async def work() -> None:
        for _ in range(CALLS // count):
            await action()

    began = perf_counter()
    await asyncio.gather(*(work() for _ in range(count)))
    return CALLS // count * count / (perf_counter() - began)


# --- buffered ----------------------------------------------------------------------------------


def buffered(folder: Path) -> Table:
    table = Table(
        f"a decision, in bursts of {BURST}", ("log", "time", "more than without"), aim="10 µs more, buffered"
    )
    log = AuditLog(FileHome(str(folder / "buffered"), KEYS))
    plain = guard(None).session(id="s-1", principal=PRINCIPAL)
    session = guard(log, "buffered").session(id="s-1", principal=PRINCIPAL)
    rows = [
        ("none", plain, False),
        ("buffered", session, False),
        ("buffered, with all that is written later", session, True),
    ]
    found: dict[str, list[float]] = {name: [] for name, _, _ in rows}
    for _ in range(ROUNDS * 4):
        for name, asked, writes in rows:
            found[name].append(_burst(asked, log.flush if writes else None))
            log.flush()
    base = median(found["none"])
    for name, _, _ in rows:
        time = median(found[name])
        more = median(mine - its for mine, its in zip(found[name], found["none"], strict=True))
        table.add(name, Seconds(time), Seconds(more) if time > base else "-")
    log.close()
    return table


def _burst(session: Any, after: Callable[[], Any] | None) -> float:
    began = perf_counter()
    for _ in range(BURST):
        session.check_call("refund", ARGS)
    if after is not None:
        after()
    return (perf_counter() - began) / BURST


def buffered_tasks(folder: Path) -> Table:
    table = Table(
        "a decision of tasks of an event loop, until all is on disk",
        ("tasks", "without a log", "buffered", "more"),
    )
    log = AuditLog(FileHome(str(folder / "buffered tasks"), KEYS))
    plain = guard(None).session(id="s-1", principal=PRINCIPAL)
    session = guard(log, "buffered").session(id="s-1", principal=PRINCIPAL)

    async def seconds(count: int, asked: Any) -> float:
        began = perf_counter()
        await _task_rate(count, lambda: asked.acheck_call("refund", ARGS))
        log.flush()
        return (perf_counter() - began) / CALLS

    async def run() -> None:
        for count in TASKS:
            found = [(await seconds(count, plain), await seconds(count, session)) for _ in range(ROUNDS)]
            more = median(ours - none for none, ours in found)
            table.add(count, *(Seconds(median(each[at] for each in found)) for at in (0, 1)), Seconds(more))

    asyncio.run(run())
    log.close()
    return table


# --- what a record is made of ------------------------------------------------------------------


def steps(folder: Path) -> Table:
    """The bytes of a record, with and without a look for secrets."""
    from guardrails.audit.content import Content
    from guardrails.audit.drafts import Draft
    from guardrails.audit.record import as_json
    from guardrails.audit.scribe import Scribe

    home = FileHome(str(folder / "steps"), KEYS)
    decision = guard(None).session(id="s-1", principal=PRINCIPAL).check_call("refund", ARGS)
    subjects = home.subjects()
    said = as_json(ARGS)

    def made(scribe: Scribe, _: Any) -> Any:
        fields = {"id": "0" * 32, "session": "s-1", "point": "call", "tool": "refund"}
        draft = Draft(
            "intent",
            fields,
            subject="ana",
            who=PRINCIPAL,
            decision=decision,
            content=Content(said, said),
            part="args",
        )
        return scribe.bodies([draft])[0]

    without = Contender("without", made, [(Scribe(subjects, clean=False), None)])
    cleaned = Contender("with a look for secrets", made, [(Scribe(subjects), None)])
    compare([without, cleaned])
    table = Table("making the bytes of a record", ("look for secrets", "time", "ratio"))
    for each in (without, cleaned):
        table.add(each.name, Seconds(each.cost), Ratio(each.ratio_to(without)))
    return table


# --- verifying ---------------------------------------------------------------------------------


def verifying(folder: Path) -> Table:
    table = Table("verifying a log", ("records", "bytes each", "records/s"), aim="100,000 records a second")
    log = AuditLog(FileHome(str(folder / "durable"), KEYS))
    line = list(log.home.parts())[-1]
    body = next(iter(line.lines)) and _body(log)
    home = FileHome(str(folder / "verified"), KEYS)
    for _ in range(VERIFIED // 1000):
        home.append([body] * 1000)
    reports = [Verifier(home.parts, key=KEYS.chain, fingerprint=KEYS.fingerprint).run() for _ in range(3)]
    assert all(report.is_sound for report in reports)
    report = sorted(reports, key=lambda each: each.seconds)[1]
    table.add(report.records, round(report.bytes / report.records), round(report.records / report.seconds))
    return table


def _body(log: AuditLog) -> bytes:
    """The body of a record as decisions make it."""
    from guardrails.audit.chain import TAIL

    lines = [line for part in log.home.parts() for line in part.lines if b'"kind":"intent"' in line]
    return lines[-1][: -TAIL - 1].partition(b'"seq":')[2].partition(b",")[2]
