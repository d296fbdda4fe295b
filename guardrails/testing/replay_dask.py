"""A replay over Dask: the same tasks on the workers of a cluster.

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


def said_of(found: tuple[Share, dict[int, Any]]) -> Share:
    return found[0]


def run_of(found: tuple[Share, dict[int, Any]], part: int) -> Any:
    return found[1].get(part)


def decide_runs(job: Job, runs: Sequence[Any]) -> Share:
    share: Share = work(job, "decide", [run for run in runs if run is not None])
    return share


class Dask:
    """The workers of a Dask cluster: the one at `address`, or processes that are started here. Use it as a
    context manager."""

    shares_files = False

    def __init__(self, address: str = "", *, size: int | None = None) -> None:
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise GuardError(
                "a replay over Dask needs the extra `dask`: pip install 'guard-policy[dask]'"
            ) from error
        self._wait = distributed.wait
        self._cluster: Any = None
        if not address:
            self._cluster = distributed.LocalCluster(
                n_workers=size, threads_per_worker=1, dashboard_address=None, silence_logs=40
            )
        self._client: Any = distributed.Client(address or self._cluster)
        self.size = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def __enter__(self) -> Dask:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def each(self, job: Job, task: str, chunks: Iterable[Chunk]) -> Iterator[Any]:
        sent = self._client.scatter(job, broadcast=True, hash=False)
        return self._in_flight(self._submitted(work, sent, task, chunk) for chunk in chunks)

    def sort(self, job: Job, chunks: Iterable[Chunk]) -> tuple[list[Share], list[list[Any]]]:
        sent = self._client.scatter(job, broadcast=True, hash=False)
        parts: list[list[Any]] = [[] for _ in range(job.parts)]

        def started() -> Iterator[Any]:
            for chunk in chunks:
                found = self._submitted(work, sent, "sort", chunk)
                for number, part in enumerate(parts):
                    part.append(self._submitted(run_of, found, number))
                yield self._submitted(said_of, found)

        return list(self._in_flight(started())), parts

    def decide(self, job: Job, parts: Sequence[list[Any]]) -> Iterator[Share]:
        sent = self._client.scatter(job, broadcast=True, hash=False)
        return self._in_flight(self._submitted(decide_runs, sent, runs) for runs in parts if runs)

    def _submitted(self, task: Any, *arguments: Any) -> Any:
        return self._client.submit(task, *arguments, pure=False)

    def _in_flight(self, started: Iterable[Any]) -> Iterator[Any]:
        """What the tasks give, in any order; never more than a few of them ahead."""
        waiting: set[Any] = set()
        for task in started:
            waiting.add(task)
            if len(waiting) > 2 * self.size:
                yield from self._taken(waiting, self._wait(waiting, return_when="FIRST_COMPLETED").done)
        while waiting:
            yield from self._taken(waiting, self._wait(waiting, return_when="FIRST_COMPLETED").done)

    def _taken(self, waiting: set[Any], done: set[Any]) -> Iterator[Any]:
        waiting -= done
        for task in done:
            yield task.result()
