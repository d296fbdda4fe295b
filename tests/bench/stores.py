"""What a limit costs: in memory, in wide windows that are dense, and in a file that survives a crash.

A decision here is three demands (a minute, an hour, a sum of money), made and reserved; then committed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any

from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails.stores import LIFETIME, Demand, Granted, Quota, Sliding, Store, open_store

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
TTL = 30 * SECOND
MINUTE, HOUR, DAY = (Sliding(seconds * SECOND) for seconds in (60, 3_600, 86_400))
QUOTAS = Quota(10**12, MINUTE), Quota(10**12, HOUR), Quota(10**8, LIFETIME, 9)
DENSE = 200_000
"""Charges that a dense window holds."""

CALLS = 4_800
"""Decisions per measurement in a file."""


def run() -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        return [in_memory(), windows(), in_a_file(Path(folder))]


def demands() -> tuple[Demand, ...]:
    minute, hour, cost = QUOTAS
    return minute.demand("calls:ana", 1), hour.demand("calls:ana", 1), cost.demand("cost:ana", 12)


def in_memory() -> Table:
    store, clock = open_store("memory:"), count(NOW, 50)
    made = demands()

    def settled(wanted: tuple[Demand, ...]) -> None:
        now = next(clock)
        answer = store.reserve(wanted, now=now, ttl=TTL)
        assert isinstance(answer, Granted)
        store.commit(answer.reservation, now=now)

    steps = [
        _step("make three demands", demands),
        _step("reserve and commit", lambda: settled(made)),
        _step("all of it", lambda: settled(demands())),
        _step("make and reserve, kept", lambda: store.reserve(demands(), now=next(clock), ttl=None)),
    ]
    compare(steps)
    table = Table("a decision in memory", ("step", "time"), aim="make and reserve within 4.5 µs")
    for step in steps:
        table.add(step.name, Seconds(step.cost))
    return table


def windows() -> Table:
    """The same charge in windows that hold as many charges, whatever stretch of time those lie in."""
    contenders = [_dense(name, window) for name, window in (("1 minute", MINUTE), ("24 hours", DAY))]
    compare(contenders)
    table = Table(f"one more charge in a window of {DENSE:,}", ("window", "time", "ratio"), aim="within 2x")
    for contender in contenders:
        table.add(contender.name, Seconds(contender.cost), Ratio(contender.ratio_to(contenders[0])))
    return table


def in_a_file(folder: Path) -> Table:
    table = Table(
        "decisions in a file, reserved and committed",
        ("durable against", "threads", "decisions/s"),
        aim="3,000 a second that survive a crash of the machine, from many threads",
    )
    for durable, crash in (("os", "a crash of the machine"), ("process", "a killed process")):
        for threads in (1, 8, 64):
            store = open_store(f"sqlite://{folder}/{durable}{threads}.db?durable={durable}")
            table.add(crash, threads, int(_rate(store, threads)))
            store.close()
    return table


def _rate(store: Store, threads: int) -> float:
    """Decisions a second, each of them reserved and committed."""
    clock = count(NOW, 50)

    def work() -> None:
        for _ in range(CALLS // threads):
            answer = store.reserve(demands(), now=next(clock), ttl=TTL)
            assert isinstance(answer, Granted)
            store.commit(answer.reservation, now=next(clock))

    store.fill(demands(), now=NOW)
    workers = [Thread(target=work) for _ in range(threads)]
    start = perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return CALLS / (perf_counter() - start)


def _dense(name: str, window: Sliding) -> Contender:
    """A window that as much enters as leaves."""
    store, clock = open_store("memory:"), count(NOW, window.width // DENSE)
    quota = Quota(10**12, window)

    def charge() -> None:
        now = next(clock)
        answer = store.reserve((quota.demand("a", 1),), now=now, ttl=SECOND)
        assert isinstance(answer, Granted)
        store.commit(answer.reservation, now=now)

    for _ in range(DENSE + 1):
        charge()
    return _step(name, charge)


def _step(name: str, action: Callable[[], Any]) -> Contender:
    return Contender(name, lambda _first, _second: action(), [(None, None)])
