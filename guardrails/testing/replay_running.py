"""A replay from files to one review, in as many processes or on as many machines as there are.

Takes recordings and recipes, gives an `Account`. Where something is done is left to a `Pool`; what is done,
and that its parts add up to the same whole, is settled here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from threading import active_count
from typing import Any, Protocol
from uuid import uuid4

from guardrails.strict_json import write_json
from guardrails.testing.replay_files import Recording, chunks_of
from guardrails.testing.replay_jobs import Job, Recipe, Share, Worker, work
from guardrails.testing.replay_lines import BadLine, read_line
from guardrails.testing.replay_opening import opened
from guardrails.testing.replay_parts import Groups
from guardrails.testing.replay_reading import Bad, Chunk, People
from guardrails.testing.replay_review import Example, Review

PARTS_OF_A_PROCESS = 4
"""Parts for every process, so that a large one keeps nobody waiting for long."""

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""


class Pool(Protocol):
    """Where tasks are done."""

    size: int
    """How many tasks run at once."""

    shares_files: bool
    """Whether the tasks see the files of this machine."""

    def each(self, job: Job, task: str, chunks: Iterable[Chunk]) -> Iterator[Any]:
        """Do a task for every stretch; gives what they found, in any order."""

    def sort(self, job: Job, chunks: Iterable[Chunk]) -> tuple[list[Share], list[list[Any]]]:
        """Sort all stretches; gives what is to be said of them, and the runs of every part."""

    def decide(self, job: Job, parts: Sequence[list[Any]]) -> Iterator[Share]:
        """Decide all parts, in any order."""


@dataclass(slots=True)
class Account:
    """What came of a replay: the review, bad lines (the first of them, and how many), and how it was done."""

    review: Review = field(default_factory=Review)
    bad: list[Bad] = field(default_factory=list)
    bad_count: int = 0
    files: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    largest: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be replayed: recordings, the policy, and what it is compared with."""

    recordings: tuple[Recording, ...]
    new: Recipe
    old: Recipe | None = None
    recorded: bool = False
    people: People = field(default_factory=People)
    prices: Any = None


def replay(order: Order, pool: Pool | None = None, progress: Progress | None = None) -> Account:
    """Replay recordings; in this process without a pool. The totals are the same wherever it is done."""
    running = _Running(order, pool or Here(), progress or _silent)
    return running.run()


def _silent(what: str, done: int, of: int) -> None:
    """Nobody watches."""


class _Running:
    def __init__(self, order: Order, pool: Pool, progress: Progress) -> None:
        self.order = order
        self.pool = pool
        self.progress = progress
        self.account = Account(
            files=tuple(each.path for each in order.recordings),
            forms=tuple(each.form for each in order.recordings),
        )
        self._starts: dict[int, tuple[int, int]] = {}
        self._lines: dict[int, int] = {}

    def run(self) -> Account:
        order = self.order
        job = Job(uuid4().hex, order.new, order.old, order.recorded, order.people, order.prices)
        with TemporaryDirectory(prefix="guard-replay-") as folder:
            if self.pool.shares_files:
                job = replace(job, folder=folder)
            shares = self._with_state(job) if job.is_stateful else self._without_state(job)
            for share in shares:
                self._add(share)
        self._settle()
        return self.account

    def _without_state(self, job: Job) -> Iterator[Share]:
        return self.pool.each(job, "review", self._chunks("replaying", timed=job.is_timed))

    def _with_state(self, job: Job) -> Iterator[Share]:
        if self.pool.size > 1:
            job = replace(job, parts=self.pool.size * PARTS_OF_A_PROCESS)
            job = self._grouped(job) if job.shares else job
        self.account.parts = job.parts
        shares, parts = self.pool.sort(job, self._chunks("reading", timed=True))
        yield from shares
        for number, share in enumerate(self.pool.decide(job, parts), 1):
            self.progress("replaying", number, job.parts)
            yield share

    def _grouped(self, job: Job) -> Job:
        """The job with the places of sessions that have to be together."""
        groups = Groups()
        surveyed = replace(job, name=uuid4().hex)
        for pairs in self.pool.each(surveyed, "survey", self._chunks("grouping", timed=False)):
            for node, counter in pairs:
                groups.join(node, counter)
        groups.close()
        self.account.shared = tuple(
            dict.fromkeys(each.said for recipe in job.recipes for each in recipe.shared)
        )
        self.account.largest = groups.largest
        return replace(job, places=groups.places(job.parts))

    def _chunks(self, what: str, *, timed: bool) -> Iterator[Chunk]:
        done, whole = 0, sum(each.size for each in self.order.recordings)
        for chunk in chunks_of(self.order.recordings, timed=timed):
            self._starts[chunk.number] = (chunk.file, chunk.start)
            yield chunk if self.pool.shares_files else self._sent(chunk)
            done += chunk.end - chunk.start
            self.progress(what, done, whole)

    def _sent(self, chunk: Chunk) -> Chunk:
        """A stretch as bytes. Bodies of an audit log are opened before, because the key stays on this machine."""
        if not chunk.log:
            return replace(chunk, data=chunk.bytes())
        return replace(
            chunk, data=b"\n".join(map(partial(_opened, chunk.log), chunk.bytes().split(b"\n"))), log=""
        )

    def _add(self, share: Share) -> None:
        account = self.account
        if share.chunk >= 0:
            self._lines[share.chunk] = share.lines
        account.review.add(share.review)
        account.bad += share.bad
        account.bad_count += share.bad_count

    # --- places that people can look up --------------------------------------------------------

    def _settle(self) -> None:
        """Lines of stretches become lines of files."""
        before: dict[int, int] = {}
        last, lines = -1, 0
        for chunk in sorted(self._starts):
            file = self._starts[chunk][0]
            lines = 0 if file != last else lines
            before[chunk], last = lines, file
            lines += self._lines.get(chunk, 0)
        review = self.account.review
        for tally in (*review.statements.values(), *review.changes.values()):
            tally.example = self._placed(tally.example, before)
        self.account.bad = [
            replace(bad, line=before[bad.chunk] + bad.line, file=self._file(bad.chunk))
            for bad in sorted(self.account.bad, key=lambda bad: (bad.chunk, bad.line))
        ]

    def _placed(self, example: Example, before: dict[int, int]) -> Example:
        chunk = example.place[0]
        return replace(example, line=before[chunk] + example.place[1], file=self._file(chunk))

    def _file(self, chunk: int) -> str:
        return self.account.files[self._starts[chunk][0]]


def _opened(log: str, line: bytes) -> bytes:
    try:
        return write_json(opened(log, read_line(line))).encode() if line.strip() else line
    except BadLine:
        return line  # which is complained about where it is read


# --- here, and in processes ----------------------------------------------------------------------


class Here:
    """Everything in this process."""

    size = 1
    shares_files = True

    def __init__(self, tell: Callable[[int], None] | None = None) -> None:
        """`tell` is told how many events were decided since it was told last."""
        self._tell = tell
        self._worker: Worker | None = None

    def _working(self, job: Job) -> Worker:
        if self._worker is None or self._worker.job.name != job.name:
            self._worker = Worker(job, self._tell)
        return self._worker

    def each(self, job: Job, task: str, chunks: Iterable[Chunk]) -> Iterator[Any]:
        do = getattr(self._working(job), task)
        for chunk in chunks:
            yield do(chunk)

    def sort(self, job: Job, chunks: Iterable[Chunk]) -> tuple[list[Share], list[list[Any]]]:
        return gathered(self.each(job, "sort", chunks), job.parts)

    def decide(self, job: Job, parts: Sequence[list[Any]]) -> Iterator[Share]:
        worker = self._working(job)
        for runs in parts:
            yield worker.decide(runs)


def gathered(found: Iterable[Any], parts: int) -> tuple[list[Share], list[list[Any]]]:
    """What was said of all stretches, and their runs by part."""
    shares, by_part = [], [[] for _ in range(parts)]  # type: list[Share], list[list[Any]]
    for share, runs in found:
        shares.append(share)
        for part, run in runs.items():
            by_part[part].append(run)
    return shares, by_part


class Processes:
    """`size` processes of this machine. Use it as a context manager."""

    shares_files = True

    def __init__(self, size: int) -> None:
        self.size = size
        # A process with threads must not be forked: a lock that one of them holds would never be let go.
        can_fork = sys.platform == "linux" and active_count() == 1
        self._executor = ProcessPoolExecutor(size, mp_context=get_context("fork" if can_fork else "spawn"))

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)

    def each(self, job: Job, task: str, chunks: Iterable[Chunk]) -> Iterator[Any]:
        return self._done(job, task, chunks)

    def sort(self, job: Job, chunks: Iterable[Chunk]) -> tuple[list[Share], list[list[Any]]]:
        return gathered(self._done(job, "sort", chunks), job.parts)

    def decide(self, job: Job, parts: Sequence[list[Any]]) -> Iterator[Share]:
        return self._done(job, "decide", (runs for runs in parts if runs))

    def _done(self, job: Job, task: str, arguments: Iterable[Any]) -> Iterator[Any]:
        """Results in any order; never more than a few tasks ahead."""
        path = self._written(job)
        waiting: set[Future[Any]] = set()
        for argument in arguments:
            waiting.add(self._executor.submit(work_from, path, job.name, task, argument))
            if len(waiting) > 2 * self.size:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        for future in waiting:
            yield future.result()

    def _written(self, job: Job) -> str:
        """The job in a file that each process reads once: it may be large, and tasks are many."""
        import pickle

        assert job.folder is not None
        path = os.path.join(job.folder, f"job-{job.name}-{len(job.places)}-{job.parts}")
        if not os.path.exists(path):
            with open(path, "wb") as stream:
                pickle.dump(job, stream)
        return path


_JOBS: dict[str, Job] = {}


def work_from(path: str, name: str, task: str, argument: Any) -> Any:
    """Do a task of the job in a file."""
    job = _JOBS.get(path)
    if job is None:
        import pickle

        _JOBS.clear()
        with open(path, "rb") as stream:
            job = _JOBS[path] = pickle.load(stream)
    return work(job, task, argument)
