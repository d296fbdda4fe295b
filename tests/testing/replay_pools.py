"""Replays for tests: orders from texts, and a pool that does parts one after the other in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from guardrails import Guard
from guardrails.guard import Source
from guardrails.testing.replay_files import recording
from guardrails.testing.replay_jobs import Job, Recipe, Share, Worker, recipe_of_guard
from guardrails.testing.replay_reading import Chunk
from guardrails.testing.replay_running import Order, gathered


def recipe(text: str) -> Recipe:
    source = Source(["shop.guard"], {}, {}, {"shop.guard": text})
    return recipe_of_guard(Guard(source.load()[0], source=source))


def order(
    path: Path, new: str, old: str | None = None, *, recorded: bool = False, form: str | None = None
) -> Order:
    older = None if old is None else recipe(old)
    return Order((recording(str(path), form),), recipe(new), older, recorded)


def written(path: Path, events: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    return path


class Apart:
    """As many parts as a pool of `size` would have, each with a worker of its own."""

    def __init__(self, size: int, *, shares_files: bool = True) -> None:
        self.size = size
        self.shares_files = shares_files

    def each(self, job: Job, task: str, chunks: Iterable[Chunk]) -> Iterator[Any]:
        for chunk in chunks:
            yield getattr(Worker(job), task)(chunk)

    def sort(self, job: Job, chunks: Iterable[Chunk]) -> tuple[list[Share], list[list[Any]]]:
        return gathered(self.each(job, "sort", chunks), job.parts)

    def decide(self, job: Job, parts: Sequence[list[Any]]) -> Iterator[Share]:
        for runs in reversed(parts):
            yield Worker(job).decide(runs)
