"""Servers that go away: nobody waits past the time-out, nothing that was granted is lost, and all go on by
themselves."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from redis_program import free_port
from redis_servers import SECOND, Server, wait_until

from guardrails.stores import (
    Demand,
    Gate,
    Granted,
    Note,
    Opening,
    Sliding,
    Store,
    StoreUnavailable,
    open_async_store,
    open_store,
)

SOAK = bool(os.environ.get("GUARD_SOAK"))
PROCESSES, ATTEMPTS, KILLS = (4, 10_000, 20) if SOAK else (4, 60, 3)
TTL = 30 * SECOND
LONG = 3_600 * SECOND
HOUR = Sliding(3_600 * SECOND)
SPAWN = multiprocessing.get_context("spawn")
# Waits are compared with many times what they should be, because the machine may be busy.
PATIENCE = 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def url(redis_url: str) -> str:
    return f"{redis_url}?prefix=test-{uuid4().hex}&timeout=10"


def unavailable(act: Callable[[], object]) -> float:
    """Seconds until the store says that it cannot be asked."""
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        act()
    return time.monotonic() - start


def test_a_server_that_is_not_there_is_unavailable() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0?timeout=0.5"
    for suffix in ("", "&cluster=yes"):
        store = open_store(url + suffix)
        waited = unavailable(lambda store=store: store.reserve([Demand("a", 1, 1)], now=0, ttl=TTL))
        assert waited < 0.5 * PATIENCE


@pytest.mark.skipif(os.name == "nt", reason="a process is paused by a signal")
def test_a_paused_server_hangs_nobody_and_recovers(server: Server) -> None:
    store, demand = open_store(server.url(0.2)), Demand("a", 1, 9)
    new = open_store(server.url(0.2))
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    server.pause()
    for each in (store, store, new):
        assert unavailable(lambda each=each: each.reserve([demand], now=0, ttl=TTL)) < 0.2 * PATIENCE
    server.go_on()
    # A call that nobody got an answer to may have been charged, until it runs out.
    patient = open_store(server.url(10))
    assert isinstance(patient.reserve([demand], now=0, ttl=TTL), Granted)
    assert 2 <= patient.fill([demand], now=0)[0].used <= 5
    assert isinstance(patient.reserve([demand], now=0, ttl=TTL), Granted)


@pytest.mark.skipif(os.name == "nt", reason="a process is paused by a signal")
def test_a_paused_server_hangs_no_task(server: Server) -> None:
    demand = Demand("a", 1, 1_000)

    async def use() -> tuple[float, object]:
        store = open_async_store(server.url(0.3))
        await store.reserve([demand], now=0, ttl=TTL)
        server.pause()
        start = time.monotonic()
        asked = (store.reserve([demand], now=0, ttl=TTL) for _ in range(200))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        waited = time.monotonic() - start
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        server.go_on()
        await store.close()
        patient = open_async_store(server.url(10))
        last = await patient.reserve([demand], now=0, ttl=TTL)
        await patient.close()
        return waited, last

    waited, last = asyncio.run(use())
    assert waited < 0.3 * PATIENCE
    assert isinstance(last, Granted)


def test_an_async_store_serves_one_loop_after_another(url: str) -> None:
    store = open_async_store(url)
    for used in (1, 2):
        answer = asyncio.run(store.reserve([Demand("a", 1, 9)], now=0, ttl=TTL))
        assert isinstance(answer, Granted)
        assert answer.fills == (used,)


def test_a_restart_between_two_calls_goes_unnoticed(server: Server) -> None:
    store, demand = open_store(server.url(5)), Demand("a", 1, 9)
    gate, note = Gate("api", (Opening(1),), LONG), Note("s", "text", LONG)
    first = store.reserve([demand], now=0, ttl=TTL, gates=[gate], note=note)
    assert isinstance(first, Granted)

    async def use() -> bool:
        awaited = open_async_store(server.url(5))
        await awaited.halt("all", "ana", "drill", now=0)
        server.kill()
        server.start()
        halted = await awaited.halts(now=0)
        await awaited.close()
        return [halt.scope for halt in halted] == ["all"]

    assert asyncio.run(use())
    assert store.commit(first.reservation, {"a": 3}, now=0)
    assert not store.commit(first.reservation, now=0)
    assert store.fill([demand], now=0)[0].used == 3
    assert store.recall("s", after=0, now=0).texts == ("text",)


def test_a_server_that_became_a_replica_is_asked_anew(server: Server) -> None:
    store, demand = open_store(server.url(2)), Demand("a", 1, 9)
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    with redis.Redis(port=server.port) as client:
        client.execute_command("REPLICAOF 127.0.0.1 1")
        connections = client.info("stats")["total_connections_received"]
        unavailable(lambda: store.reserve([demand], now=0, ttl=TTL))
        # Its name may be another server's by now, so it is looked up again.
        assert client.info("stats")["total_connections_received"] > connections
        client.execute_command("REPLICAOF NO ONE")
    answer = store.reserve([demand], now=0, ttl=TTL)
    assert isinstance(answer, Granted)
    assert answer.fills == (2,)


def test_scripts_that_are_dropped_under_load_are_sent_again(url: str) -> None:
    store, demand = open_store(url), Demand("a", 1, 10**6)
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        for number in range(1, 30):
            client.script_flush()
            answer = store.reserve([demand], now=0, ttl=TTL)
            assert isinstance(answer, Granted)
            assert answer.fills == (number,)
            assert store.commit(answer.reservation, now=0)
            # A note for whoever comes next is written once, whether or not the script was there.
            client.script_flush()
            assert store.remember(Note("s", "text", LONG), now=0) == number

    async def use() -> object:
        awaited = open_async_store(url)
        with redis.Redis.from_url(url.partition("?")[0]) as client:
            client.script_flush()
        fills = await awaited.fill([demand], now=0)
        await awaited.close()
        return fills[0].used

    assert asyncio.run(use()) == 29


class Load:
    """Threads that reserve and commit for as long as they are let, each with a store of its own."""

    def __init__(self, url: str, limit: int, workers: int = 4) -> None:
        self.demand = Demand("a", 1, limit, HOUR)
        self.url = url
        self.done = threading.Event()
        self.granted = [0] * workers
        self.longest = [0.0] * workers
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(workers)]
        for thread in self.threads:
            thread.start()

    def work(self, worker: int) -> None:
        store = open_store(self.url)
        while not self.done.is_set():
            start = time.monotonic()
            try:
                answer = store.reserve([self.demand], now=0, ttl=LONG)
                self.granted[worker] += isinstance(answer, Granted)
            except StoreUnavailable:
                time.sleep(0.01)
            self.longest[worker] = max(self.longest[worker], time.monotonic() - start)
        store.close()

    def end(self) -> None:
        self.done.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def used_of(load: Load, server: Server) -> object:
    store = open_store(server.url(10))
    used = store.fill([load.demand], now=0)[0].used
    store.close()
    return used


def test_kills_restarts_and_pauses_under_load_admit_no_more(server: Server) -> None:
    limit, timeout = 100_000 if SOAK else 3_000, 0.5
    load = Load(server.url(timeout), limit)
    for _ in range(KILLS):
        time.sleep(0.15)
        server.kill()
        server.start()
        time.sleep(0.1)
        server.pause()
        time.sleep(1.5 * timeout)
        server.go_on()
    before = sum(load.granted)
    wait_until(lambda: sum(load.granted) > before or used_of(load, server) == limit)
    load.end()
    assert before
    assert max(load.longest) < timeout * PATIENCE
    used = used_of(load, server)
    # Every grant is on record; of what was on record, few lost their answer: one per worker and outage.
    assert sum(load.granted) <= used <= min(limit, sum(load.granted) + 2 * KILLS * len(load.threads))


def demands(limit: int) -> list[Demand]:
    return [
        Demand("calls", 1, limit * 2, HOUR),
        Demand("calls", 1, limit, Sliding(7_200 * SECOND, 60)),
        Demand("cost", 3, limit * 9),
    ]


def attempt(url: str, limit: int, skew: int) -> int:
    """Take turns with two stores whose clocks are `skew` apart; how many calls were committed."""
    stores = open_store(url), open_store(url)
    committed = 0
    for number in range(ATTEMPTS):
        store, now = stores[number % 2], time.time_ns() // 1_000 + skew * (number % 2)
        answer = store.reserve(demands(limit), now=now, ttl=LONG)
        if isinstance(answer, Granted) and number % 5:
            committed += store.commit(answer.reservation, now=now)
        elif isinstance(answer, Granted):
            store.release(answer.reservation, now=now)
    for store in stores:
        store.close()
    return committed


def test_processes_whose_clocks_differ_share_a_limit(url: str) -> None:
    limit = PROCESSES * ATTEMPTS // 3
    with SPAWN.Pool(PROCESSES) as pool:
        committed = sum(pool.starmap(attempt, [(url, limit, 5 * SECOND)] * PROCESSES))
    store = open_store(url)
    fills = store.fill(demands(limit), now=0)
    assert [fill.used for fill in fills] == [committed, committed, 3 * committed]
    assert [fill.reserved for fill in fills] == [0, 0, 0]
    assert committed <= limit
    # Given back or not, what was left over can still be had, and not one more.
    rest = sum(
        isinstance(store.reserve(demands(limit), now=0, ttl=LONG), Granted)
        for _ in range(limit - committed + 3)
    )
    assert rest == limit - committed
    store.close()


GATE = Gate("api", (Opening(1),), 1)


def knock(url: str) -> int:
    """How often the half open breaker let this process through."""
    stores = open_store(url), open_store(url)
    return sum(
        isinstance(stores[number % 2].reserve([], now=0, ttl=LONG, gates=[GATE]), Granted)
        for number in range(ATTEMPTS)
    )


def opened(store: Store) -> None:
    failed = store.reserve([], now=0, ttl=TTL, gates=[GATE])
    assert isinstance(failed, Granted)
    store.release(failed.reservation, now=0, failed=True)


def test_one_probe_among_all_processes(url: str) -> None:
    store = open_store(url)
    opened(store)
    with SPAWN.Pool(PROCESSES) as pool:
        assert sum(pool.map(knock, [url] * PROCESSES)) == 1
    assert store.gauges([GATE], now=0)[0].state == "half open"
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_has_connections_of_its_own(url: str) -> None:
    store, demand = open_store(url), Demand("a", 1, 10**6)
    store.reserve([demand], now=0, ttl=LONG)
    child = os.fork()
    for _ in range(50):
        store.reserve([demand], now=0, ttl=LONG)
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert store.fill([demand], now=0)[0].used == 101
