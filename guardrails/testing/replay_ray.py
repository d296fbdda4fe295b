"""A replay over Ray: the same tasks on the machines of a cluster.

Stretches are sent as bytes, because the machines need not see the files; what is sorted there stays there
until the task that decides it. Guard has to be installed on every machine, in this version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

from guardrails.errors import GuardError
from guardrails.testing.replay_jobs import Job, Share, work
from guardrails.testing.replay_reading import Chunk


def sort_apart(job: Job, chunk: Chunk) -> tuple[Any, ...]:
    """A sorted stretch as one value for each part, after what is to be said of it."""
    share, runs = work(job, "sort", chunk)
    return (share, *(runs.get(part) for part in range(job.parts)))


def decide_runs(job: Job, *runs: Any) -> Share:
    share: Share = work(job, "decide", [run for run in runs if run is not None])
    return share


class Ray:
    """The processors of a Ray cluster: the one at `address`, or one that is started here. Use it as a context
    manager."""

    shares_files = False

    def __init__(self, address: str = "", *, size: int | None = None) -> None:
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise GuardError(
                "a replay over Ray needs the extra `ray`: pip install 'guard-policy[ray]'"
            ) from error
        self._ray = ray
        self._mine = not ray.is_initialized()
        if self._mine:
            where = {"address": address} if address else {"num_cpus": size, "include_dashboard": False}
            ray.init(log_to_driver=False, logging_level="error", **where)
        self.size = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._work = ray.remote(work)
        self._sort = ray.remote(sort_apart)
        self._decide = ray.remote(decide_runs)

    def __enter__(self) -> Ray:
        return self

    def __exit__(self, *_: object) -> None:
        if self._mine:
            self._ray.shutdown()

    def each(self, job: Job, task: str, chunks: Iterable[Chunk]) -> Iterator[Any]:
        sent = self._ray.put(job)
        return self._in_flight(self._work.remote(sent, task, chunk) for chunk in chunks)

    def sort(self, job: Job, chunks: Iterable[Chunk]) -> tuple[list[Share], list[list[Any]]]:
        sent, parts = self._ray.put(job), [[] for _ in range(job.parts)]  # type: Any, list[list[Any]]
        task = self._sort.options(num_returns=job.parts + 1)

        def started() -> Iterator[Any]:
            for chunk in chunks:
                share, *runs = task.remote(sent, chunk)
                for part, run in zip(parts, runs, strict=True):
                    part.append(run)
                yield share

        return list(self._in_flight(started())), parts

    def decide(self, job: Job, parts: Sequence[list[Any]]) -> Iterator[Share]:
        sent = self._ray.put(job)
        return self._in_flight(self._decide.remote(sent, *runs) for runs in parts if runs)

    def _in_flight(self, started: Iterable[Any]) -> Iterator[Any]:
        """What the tasks give, in any order; never more than a few of them ahead."""
        waiting: list[Any] = []
        for task in started:
            waiting.append(task)
            if len(waiting) > 2 * self.size:
                done, waiting = self._ray.wait(waiting)
                yield from self._ray.get(done)
        while waiting:
            done, waiting = self._ray.wait(waiting)
            yield from self._ray.get(done)
