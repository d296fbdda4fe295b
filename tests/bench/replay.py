"""Events that a core replays in a second, beside the least that has to be done for them: reading the line as
JSON and deciding it.

The refunds are ordinary traffic of one tool; the pack's own events are its corner cases, with texts and results
whose redaction takes longer than all the rest. Processor time is counted, not the time of the clock, so that
other work on the machine does not blur it; processes are compared by the clock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import refunds
from orjson import loads
from tables import Ratio, Table

from guardrails import Guard
from guardrails.testing.replay_files import recording
from guardrails.testing.replay_jobs import Job, Recipe, Worker, recipe_of_guard
from guardrails.testing.replay_reading import Chunk
from guardrails.testing.replay_running import Order, Processes, replay

PACK = Path(__file__).parents[2] / "policies" / "support"
EVENTS = 60_000
ROUNDS = 5
LIMITED = (
    refunds.HEAD + "on call issue_refund {" + refunds.FIVE + "  few: limit 1000 per 1d by session.id\n}\n"
)


def run() -> list[Table]:
    table = Table(
        "events a second and core, by one process",
        ("recording", "policy", "events/s", "read and decide only", "ratio", "reviewed against another"),
        aim="50,000 a second, where no state is kept",
    )
    cores = os.cpu_count() or 1
    spread = Table(
        "a recording in processes", ("policy", "processes", "seconds", "times as fast"), aim="near the cores"
    )
    with TemporaryDirectory() as folder:
        asked = _written(Path(folder) / "refunds.jsonl", _refunds())
        mixed = _written(Path(folder) / "pack.jsonl", _pack())
        pack = recipe_of_guard(Guard.load(PACK / "support.guard"))
        five = recipe_of_guard(
            Guard.from_text(refunds.HEAD + "on call issue_refund {" + refunds.FIVE + "}\n")
        )
        table.add("refunds", "five statements", *_rates(asked, five))
        table.add("refunds", "the support pack", *_rates(asked, pack))
        table.add("all events of the pack", "the support pack", *_rates(mixed, pack))
        limited = recipe_of_guard(Guard.from_text(LIMITED))
        for name, recipe in (("without state", pack), ("with a limit", limited)):
            alone = _timed(asked, recipe, 1)
            for jobs in (1, cores):
                took = alone if jobs == 1 else _timed(asked, recipe, jobs)
                spread.add(name, jobs, round(took, 2), Ratio(alone / took))
    return [table, spread]


def _refunds() -> list[dict[str, Any]]:
    """Ordinary refunds of many sessions, with the verdicts that the other sections know."""
    found = []
    for number in range(EVENTS):
        args, _ = refunds.CASES[number % len(refunds.CASES)]
        event = {"type": "call", "tool": refunds.TOOL, "args": args | {"order_id": f"ORD-{number:06}"}}
        found.append(
            event | {"principal": refunds.PRINCIPAL, "session": f"s-{number // 20}", "call_id": f"k-{number}"}
        )
    return found


def _pack() -> list[dict[str, Any]]:
    events = [json.loads(line) for line in (PACK / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    return [events[number % len(events)] for number in range(EVENTS // 3)]


def _written(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    return path


def _rates(path: Path, recipe: Recipe) -> tuple[int, int, Ratio, int]:
    chunk = Chunk(0, 0, str(path), "events", 0, path.stat().st_size)
    count = chunk.bytes().count(b"\n")
    workers = [Worker(_job(recipe)), Worker(_job(recipe, recipe))]
    plain = _least(chunk, recipe.guard())
    ways: list[Callable[[], Any]] = [
        lambda: workers[0].review(chunk),
        plain,
        lambda: workers[1].review(chunk),
    ]
    seconds: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for way, taken in zip(ways, seconds, strict=True):
            start = process_time()
            way()
            taken.append(process_time() - start)
    alone, least, both = map(median, seconds)
    ratio = median(one / other for one, other in zip(seconds[0], seconds[1], strict=True))
    return round(count / alone), round(count / least), Ratio(ratio), round(count / both)


def _least(chunk: Chunk, guard: Guard) -> Callable[[], Any]:
    """Every line as JSON, and the decision on it by the guard, with nothing made of it."""

    def work() -> None:
        for line in chunk.bytes().split(b"\n"):
            if line:
                guard.decide(loads(line))

    return work


def _job(new: Recipe, old: Recipe | None = None) -> Job:
    return Job("bench", new, old)


def _timed(path: Path, recipe: Recipe, jobs: int) -> float:
    order = Order((recording(str(path)),), recipe)
    start = perf_counter()
    if jobs == 1:
        replay(order)
    else:
        with Processes(jobs) as pool:
            replay(order, pool)
    return perf_counter() - start
