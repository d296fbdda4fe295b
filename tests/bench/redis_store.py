"""The store in Redis beside a bare script: what a decision adds to a round trip.

python tests/bench/redis_store.py [--dense COUNT]

Starts a server of its own. The bare script does nothing and is given as many terms as a decision of three
demands, by redis-py's own client and, for comparison, on a bare connection of redis-py.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from measuring import Contender, compare
from tables import Seconds, Table

from guardrails.stores import Calendar, Demand, Gate, Granted, Note, Opening, Sliding, Store, open_store

SECOND = 1_000_000
TTL = 30 * SECOND
PLENTY = 10**12
BARE = "return {1, 2, 3}"
TERMS = ["x" * 24] * 16
"""As many as a decision of three demands has."""

Act = Callable[[Any, Any], Any]


@contextmanager
def server(*options: str) -> Iterator[str]:
    """A server of our own, by default without a file; gives its URL."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit("no Redis: install `redis-server` or `valkey-server`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, *options],
            stdout=subprocess.DEVNULL,
        )
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def bare_client(url: str) -> Act:
    client = redis.Redis.from_url(url)
    digest = client.script_load(BARE)
    return lambda _first, _second: client.evalsha(digest, 1, "{guard}:", *TERMS)


def bare_connection(url: str) -> Act:
    pool = redis.ConnectionPool.from_url(url, protocol=2)
    connection = pool.get_connection()
    digest = redis.Redis.from_url(url).script_load(BARE)

    def act(_first: Any, _second: Any) -> Any:
        command = connection.pack_command("EVALSHA", digest, 1, "{guard}:", *TERMS)
        connection.send_packed_command(command)
        return connection.read_response()

    return act


def three(kind: str, *windows: Any) -> list[Demand]:
    return [Demand(f"{kind}/{number}", 1, PLENTY, window) for number, window in enumerate(windows)]


SLIDING = Sliding(60 * SECOND), Sliding(3_600 * SECOND), Sliding(86_400 * SECOND)
KINDS = {
    "three sliding windows": three("sliding", *SLIDING),
    "three windows in buckets": three("buckets", *[Sliding(3_600 * SECOND, 60)] * 3),
    "hour, day and for ever": [
        Demand("mixed/a", 1, PLENTY, Sliding(3_600 * SECOND, 60)),
        Demand("mixed/b", 1, PLENTY, Calendar("day")),
        Demand("mixed/c", 1, PLENTY),
    ],
}
DENSE = three("dense", *SLIDING)
FULL = [*three("full", *SLIDING[:2]), Demand("full/3", 1, 0)]
GATES = [Gate("api", (Opening(5, 60 * SECOND), Opening(3)), 10 * SECOND)]


class Half(Contender):
    """One half of a call, reserve or commit; the other half is made too, and not timed."""

    def __init__(self, name: str, store: Store, demands: list[Demand], **terms: Any) -> None:
        super().__init__(name, lambda _first, _second: None, [(None, None)])
        self._store, self._demands, self._terms = store, demands, terms
        self._timed = 0

    def committing(self) -> Half:
        self._timed = 1
        return self

    def run(self, count: int) -> float:
        spent = 0.0
        for _ in range(count):
            now = time.time_ns() // 1_000
            times = [time.perf_counter()]
            answer = self._store.reserve(self._demands, now=now, ttl=TTL, **self._terms)
            times.append(time.perf_counter())
            if isinstance(answer, Granted):
                self._store.commit(answer.reservation, now=now)
            times.append(time.perf_counter())
            spent += times[self._timed + 1] - times[self._timed]
        return spent / count


def contenders(url: str, dense: int) -> list[Contender]:
    store = open_store(url)
    crowd = Half(f"three sliding windows with {dense:,} charges each", store, DENSE)
    crowd.run(dense)
    sliding = KINDS["three sliding windows"]
    note = Note("session", "a note of some length, as the runtime writes them", 3_600 * SECOND)
    return [
        Contender("bare script, redis-py's client", bare_client(url), [(None, None)]),
        Contender("bare script, a connection", bare_connection(url), [(None, None)]),
        *[Half(kind, store, demands) for kind, demands in KINDS.items()],
        crowd,
        Half("three sliding windows of 20 ms", store, three("short", *[Sliding(20_000)] * 3)),
        Half("refused by the third", store, FULL),
        Half("three sliding windows, a gate and a note", store, sliding, gates=GATES, note=note),
        Half("commit of three", store, sliding).committing(),
    ]


def run(dense: int = 20_000) -> list[Table]:
    with server() as url:
        taking_part = contenders(url, dense)
        compare(taking_part)
    table = Table(
        "a decision in Redis, one client, no file", ("what", "per decision", "of the client's", "of a connection's")
    )  # fmt: skip
    client, connection = taking_part[:2]
    for one in taking_part:
        table.add(
            one.name, Seconds(one.cost), round(one.ratio_to(client), 2), round(one.ratio_to(connection), 2)
        )
    table.aim = "three demands within 1.3 times a bare script of the same client"
    return [table]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the store in Redis.")
    parser.add_argument("--dense", type=int, default=20_000, help="charges in the dense windows")
    for table in run(parser.parse_args().dense):
        print(table.text())
