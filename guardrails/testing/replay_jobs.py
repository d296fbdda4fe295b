"""The work of a replay, cut into tasks that any process can do.

    stateless:  chunks --review--> reviews
    with state: chunks --survey--> pairs --group--> places,
                chunks --sort--> runs by part --decide--> reviews

Takes a `Job`, which is plain data and can be sent anywhere; gives parts of the result, which are added up.
A process makes the guards of a job once.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from threading import local
from typing import Any

from guardrails.errors import EventError, GuardError
from guardrails.guard import Guard, Source
from guardrails.hosting import REGISTERED
from guardrails.loading import Loaded, load, read_file
from guardrails.testing.replay import Replay
from guardrails.testing.replay_items import CHUNK, EVENT, LINE, PART, Item, session_name
from guardrails.testing.replay_parts import Shared, Survey, part_of, shared_of
from guardrails.testing.replay_reading import Bad, Chunk, People, items_of
from guardrails.testing.replay_review import Review
from guardrails.testing.replay_spool import Run, in_order, spooled

MOST_SHOWN = 1_000
"""Bad lines of a stretch that are kept with their message; the others are counted."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A policy as plain data: all texts that it is made of, its parameters, and the modules that register
    functions of the host. `key` is the secret behind its tokens and hashes."""

    paths: tuple[str, ...]
    texts: Mapping[str, str]
    params: Mapping[str, Any]
    modules: tuple[str, ...] = ()
    key: str | bytes | None = field(default=None, repr=False)
    shared: tuple[Shared, ...] = ()
    is_stateful: bool = False
    reads_time: bool = False

    def guard(self) -> Guard:
        for module in self.modules:
            import_module(module)
        functions = dict(REGISTERED) if self.modules else {}
        source = Source(list(self.paths), self.params, functions, self.texts)
        program, _ = source.load()
        return Guard(program, source=source, key=self.key)


def recipe_of(
    loaded: Loaded,
    paths: Iterable[str],
    params: Mapping[str, Any],
    *,
    modules: Iterable[str] = (),
) -> Recipe:
    """The recipe of a policy that loads."""
    from os import environ

    assert loaded.program is not None
    assert loaded.checked is not None
    head = loaded.program.head
    return Recipe(
        tuple(paths), dict(loaded.sources.texts), dict(params), tuple(modules), environ.get("GUARD_KEY"),
        shared_of(loaded.checked), bool(head["stateful"]), bool(head["uses_now"]),
    )  # fmt: skip


def recipe_of_guard(guard: Guard) -> Recipe:
    """The recipe of a guard that was loaded from files or texts. Its functions of the host have to be
    registered by modules that can be imported where the recipe is used. Raises `GuardError`."""
    source = guard.source
    if source is None:
        raise GuardError("a guard that was not loaded from files or texts cannot be sent to other processes")
    read = read_file if source.texts is None else source.texts.__getitem__
    loaded = load(
        source.paths, params=source.params, functions=source.functions, read=read, tools=source.tools
    )
    if loaded.program is None:
        raise GuardError("the policy of the guard does not load any more")
    modules = {function.function.__module__ for function in source.functions.values()}
    return recipe_of(loaded, source.paths, source.params, modules=sorted(modules))


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with a recording: decide it by `new`, and compare with `old` or with what was recorded.

    `places` tells the part of sessions that have to be with others, of `parts` altogether; `folder` is where
    runs are written, None where processes share no files.
    """

    name: str
    new: Recipe
    old: Recipe | None = None
    recorded: bool = False
    people: People = field(default_factory=People)
    prices: Any = None
    places: Mapping[str, int] = field(default_factory=dict)
    parts: int = 1
    folder: str | None = None

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        return (self.new,) if self.old is None else (self.new, self.old)

    @property
    def is_stateful(self) -> bool:
        return any(recipe.is_stateful for recipe in self.recipes)

    @property
    def is_timed(self) -> bool:
        return any(recipe.is_stateful or recipe.reads_time for recipe in self.recipes)

    @property
    def shares(self) -> bool:
        """Whether sessions share anything."""
        return any(recipe.shared for recipe in self.recipes)


@dataclass(slots=True)
class Share:
    """What a task found: a review, the lines of its stretch, and bad lines (all of them counted)."""

    review: Review = field(default_factory=Review)
    lines: int = 0
    chunk: int = -1
    bad: list[Bad] = field(default_factory=list)
    bad_count: int = 0

    def complain(self, bad: Bad) -> None:
        self.bad_count += 1
        if len(self.bad) < MOST_SHOWN:
            self.bad.append(bad)


class Worker:
    """Does the tasks of one job in one process. `tell` is told how many events were decided since. What `before`
    did for the same policies need not be done again."""

    def __init__(
        self, job: Job, tell: Callable[[int], None] | None = None, before: Worker | None = None
    ) -> None:
        self.job = job
        known = before is not None and before.job.recipes == job.recipes
        self.guards: list[Guard] = (
            before.guards if before and known else [recipe.guard() for recipe in job.recipes]
        )
        self._tell = tell
        self._survey = self._new_survey() if job.shares else None

    def _new_survey(self) -> Survey:
        return Survey(zip(self.guards, (recipe.shared for recipe in self.job.recipes), strict=True))

    def _replay(self) -> Replay:
        job = self.job
        return Replay(*self.guards, recorded=job.recorded, prices=job.prices)

    def review(self, chunk: Chunk) -> Share:
        """Decide a stretch of a recording by policies that keep no count."""
        share = Share(chunk=chunk.number, lines=_lines_of(chunk))
        replay = self._replay()
        if chunk.now is not None:
            replay.now = chunk.now
        self._take(replay, items_of(chunk, self.job.people, timed=self.job.is_timed), share)
        return share

    def decide(self, runs: Sequence[Run]) -> Share:
        """Decide one part of a recording, in order of time."""
        share = Share()
        self._take(self._replay(), in_order(runs), share)
        return share

    def _take(self, replay: Replay, items: Iterable[Item | Bad], share: Share) -> None:
        tell = self._tell
        with _few_collections():
            self._take_all(replay, items, share, tell)
        share.review = replay.review

    def _take_all(
        self, replay: Replay, items: Iterable[Item | Bad], share: Share, tell: Callable[[int], None] | None
    ) -> None:
        for number, item in zip(count(1), items):
            if isinstance(item, Bad):
                share.complain(item)
                continue
            try:
                replay.take(item)
            except (EventError, GuardError) as error:
                share.complain(Bad(item[CHUNK], item[LINE], str(error)))
            if tell is not None and number % 1_000 == 0:
                tell(1_000)

    def survey(self, chunk: Chunk) -> set[tuple[str, str]]:
        """Which sessions of a stretch touch which shared counters."""
        assert self._survey is not None
        self._survey.pairs.clear()
        for item in items_of(chunk, self.job.people, timed=False):
            if not isinstance(item, Bad):
                self._survey.note(item)
        return set(self._survey.pairs)

    def sort(self, chunk: Chunk) -> tuple[Share, dict[int, Run]]:
        """The events of a stretch by part, each part in order of time."""
        job = self.job
        share = Share(chunk=chunk.number, lines=_lines_of(chunk))
        parts: dict[int, list[Item]] = {}
        for item in items_of(chunk, job.people, timed=True):
            if isinstance(item, Bad):
                share.complain(item)
            else:
                parts.setdefault(self._part(item), []).append(item)
        return share, spooled(parts, chunk.number, job.folder)

    def _part(self, item: Item) -> int:
        job = self.job
        if job.parts == 1:
            return 0
        node = self._node(item)
        found = job.places.get(node)
        return part_of(node, job.parts) if found is None else found

    def _node(self, item: Item) -> str:
        if self._survey is not None:
            return self._survey.node(item)
        name = session_name(item[EVENT])
        return f"s{name}" if name is not None else f"-{item[CHUNK]}:{item[LINE]}:{item[PART]}"


@contextmanager
def _few_collections() -> Iterator[None]:
    """Events hold no cycles, so the collector looks through millions of them for nothing."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _lines_of(chunk: Chunk) -> int:
    return 1 if chunk.is_document else chunk.bytes().count(b"\n")


_HERE = local()


def work(job: Job, task: str, argument: Any) -> Any:
    """Do one task, with the worker of this thread for the job."""
    worker: Worker | None = getattr(_HERE, "worker", None)
    if worker is None or worker.job.name != job.name:
        worker = _HERE.worker = Worker(job, before=worker)
    return getattr(worker, task)(argument)
