"""What is special about the store in Redis: its clock, its time-outs, and servers that go away."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import free_port, redis_program, start_redis

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import (
    Calendar,
    Demand,
    Fill,
    Granted,
    Refused,
    Sliding,
    StoreUnavailable,
    open_async_store,
    open_store,
)

SECOND = 1_000_000
TTL = 30 * SECOND
MINUTE = Sliding(60 * SECOND)


@pytest.fixture
def url(redis_url: str) -> str:
    return f"{redis_url}?prefix=test-{uuid4().hex}&timeout=10"


def test_the_clock_is_the_servers(url: str) -> None:
    store = open_store(url)
    demand = Demand("a", 1, 1, MINUTE)
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    far = int(time.time() + 3_600) * SECOND
    answer = store.reserve([demand], now=far, ttl=TTL)
    assert isinstance(answer, Refused)
    assert answer.retry_after is not None
    assert 50 * SECOND < answer.retry_after <= 60 * SECOND


def test_two_clocks_five_seconds_apart_share_a_calendar_period(url: str) -> None:
    store = open_store(url)
    now = int(time.time()) * SECOND
    demand = Demand("a", 1, 1, Calendar("year"))
    assert isinstance(store.reserve([demand], now=now + 5 * SECOND, ttl=TTL), Granted)
    assert isinstance(store.reserve([demand], now=now, ttl=TTL), Refused)


def test_a_clock_that_is_periods_away_is_unavailable(url: str) -> None:
    store = open_store(url)
    with pytest.raises(StoreUnavailable, match="far apart"):
        store.reserve([Demand("a", 1, 1, Calendar("day"))], now=SECOND, ttl=TTL)


def test_a_script_that_the_server_forgot_is_sent_again(url: str) -> None:
    import redis

    store = open_store(url)
    store.reserve([Demand("a", 1, 9)], now=0, ttl=TTL)
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        client.script_flush()
    store.reserve([Demand("a", 1, 9)], now=0, ttl=TTL)
    assert store.fill([Demand("a", 0, 9)], now=0)[0].used == 2


def test_reported_amounts_are_exact(url: str) -> None:
    from decimal import Decimal

    store = open_store(url)
    demand = Demand("cost", 1, 10**9, decimals=6)
    held = [store.reserve([demand], now=0, ttl=TTL) for _ in range(3)]
    names = [answer.reservation for answer in held if isinstance(answer, Granted)]
    with pytest.raises(EvaluationError, match="more decimals"):
        store.commit(names[0], {"cost": Decimal("0.0000001")}, now=0)
    with pytest.raises(TooLarge):
        store.commit(names[0], {"cost": 10**18}, now=0)
    with pytest.raises(EvaluationError, match="negative"):
        store.commit(names[0], {"cost": -1}, now=0)
    for name, amount in zip(names, ("999999999.000001", "0.1", "1E+3"), strict=True):
        assert store.commit(name, {"cost": Decimal(amount)}, now=0)
    assert store.fill([demand], now=0)[0].used == Decimal("1000000999.100001")


def test_nothing_is_left_on_the_server_for_ever(url: str) -> None:
    import redis

    store = open_store(url)
    for request in (None, "r"):
        answer = store.reserve([Demand("a", 1, 9, MINUTE)], now=0, ttl=TTL, request=request)
        assert isinstance(answer, Granted)
        store.commit(answer.reservation, now=0)
    store.reserve([Demand("a", 1, 9, MINUTE), Demand("b", 9, 1, MINUTE)], now=0, ttl=TTL)
    prefix = url.split("prefix=")[1].split("&")[0]
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        keys = list(client.scan_iter(match=f"{{{prefix}}}*"))
        assert keys
        assert [key for key in keys if client.pttl(key) < 0] == []


def test_the_same_store_awaited(url: str) -> None:
    async def use() -> tuple[Fill, ...]:
        store = open_async_store(url)
        demand = Demand("a", 1, 5, MINUTE)
        answers = await asyncio.gather(*(store.reserve([demand], now=0, ttl=TTL) for _ in range(20)))
        granted = [answer.reservation for answer in answers if isinstance(answer, Granted)]
        assert len(granted) == 5
        assert await store.commit(granted[0], now=0)
        assert await store.release(granted[1])
        fills = await store.fill([demand], now=0)
        await store.close()
        return fills

    assert asyncio.run(use()) == (Fill("a", 4, 3, 5),)


@pytest.mark.parametrize("home", ["memory:", "sqlite:store.db"])
def test_stores_that_block_are_awaited_in_threads(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def use() -> int:
        store = open_async_store(home)
        demand = Demand("a", 1, 5)
        answers = await asyncio.gather(*(store.reserve([demand], now=0, ttl=TTL) for _ in range(20)))
        granted = [answer.reservation for answer in answers if isinstance(answer, Granted)]
        await store.commit(granted[0], now=0)
        await store.release(granted[1])
        assert (await store.fill([demand], now=0))[0].used == 4
        await store.close()
        return len(granted)

    assert asyncio.run(use()) == 5


def test_a_server_that_is_not_there_is_unavailable_at_once() -> None:
    store = open_store(f"redis://127.0.0.1:{free_port()}/0?timeout=0.5")
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.reserve([Demand("a", 1, 1)], now=0, ttl=TTL)
    assert time.monotonic() - start < 2


class Server:
    """A Redis of this test's own, to be paused, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.process = start_redis(redis_program(), self.port, self.folder)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.mark.skipif(os.name == "nt", reason="a process is paused by a signal")
def test_a_paused_server_hangs_nobody_and_recovers(server: Server) -> None:
    store = open_store(f"redis://127.0.0.1:{server.port}/0?timeout=0.2")
    demand = Demand("a", 1, 3)
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    server.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.reserve([demand], now=0, ttl=TTL)
    assert time.monotonic() - start < 2
    server.process.send_signal(signal.SIGCONT)
    # The call that nobody got an answer to may have been charged: at most one, until it runs out.
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    assert store.fill([demand], now=0)[0].used in (2, 3)


def test_a_server_that_is_killed_and_restarted_under_load_admits_no_more(server: Server) -> None:
    url, limit = f"redis://127.0.0.1:{server.port}/0?timeout=1", 4_000
    demand = Demand("a", 1, limit)
    done = threading.Event()
    counts = [0] * 4

    def work(worker: int) -> None:
        store = open_store(url)
        while not done.is_set():
            try:
                answer = store.reserve([demand], now=0, ttl=3_600 * SECOND)
            except StoreUnavailable:
                time.sleep(0.01)
                continue
            counts[worker] += isinstance(answer, Granted)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        time.sleep(0.15)
        server.kill()
        server.start()
    time.sleep(0.3)
    done.set()
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()
    used = open_store(url).fill([demand], now=0)[0].used
    # Every grant is on record; of what was on record, at most one call each lost its answer per kill.
    assert sum(counts) <= used <= min(limit, sum(counts) + 3 * len(workers))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    import redis

    port = free_port()
    if port > 55_000:
        port -= 10_000  # the nodes' own port is 10,000 above
    node = start_redis(redis_program(), port, tmp_path, "--cluster-enabled", "yes")
    with redis.Redis(port=port) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
        for _ in range(200):
            if client.cluster("INFO")["cluster_state"] == "ok":
                break
            time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0?cluster=yes&timeout=5"
    node.kill()
    node.wait()


def test_a_cluster_is_asked_in_the_same_way(cluster: str) -> None:
    demands = [Demand("a", 1, 5, MINUTE), Demand("b", 2, 8)]

    async def use() -> bool:
        store = open_async_store(cluster)
        answer = await store.reserve(demands, now=0, ttl=TTL)
        await store.close()
        return isinstance(answer, Granted)

    store = open_store(cluster)
    first = store.reserve(demands, now=0, ttl=TTL, request="r")
    assert isinstance(first, Granted)
    assert store.commit(first.reservation, {"b": 1}, now=0)
    assert asyncio.run(use())
    assert [fill.used for fill in store.fill(demands, now=0)] == [2, 3]
    store.close()
