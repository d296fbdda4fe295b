"""Many at once on the same keys: never more than the limit, all of it when asked for more, nothing leaked."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from guardrails.stores import Demand, Granted, Sliding, Store, open_store

SOAK = bool(os.environ.get("GUARD_SOAK"))
THREADS, PROCESSES, ATTEMPTS = (64, 16, 1_000) if SOAK else (16, 4, 40)
KILLS = 200 if SOAK else 4
SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
HOUR = 3_600 * SECOND
TTL = 30 * SECOND
SPAWN = multiprocessing.get_context("spawn")


def demands(limit: int) -> list[Demand]:
    """Three limits of which the second is the tightest."""
    return [
        Demand("calls", 1, limit * 2, Sliding(HOUR)),
        Demand("calls", 1, limit, Sliding(2 * HOUR)),
        Demand("cost", 3, limit * 9),
    ]


def attempt_all(store: Store, limit: int, seed: int) -> int:
    """Reserve again and again; give some back, forget some, commit the rest. How many were committed."""
    dice = random.Random(seed)
    committed = 0
    for _ in range(ATTEMPTS):
        answer = store.reserve(demands(limit), now=NOW, ttl=TTL)
        if not isinstance(answer, Granted):
            continue
        fate = dice.random()
        if fate < 0.2:
            store.release(answer.reservation, now=NOW)
        elif fate < 0.9:
            committed += store.commit(answer.reservation, now=NOW)
    return committed


def attempt_from_url(url: str, limit: int, seed: int) -> int:
    store = open_store(url)
    try:
        return attempt_all(store, limit, seed)
    finally:
        store.close()


def check_totals(store: Store, limit: int, committed: int) -> None:
    """Once the forgotten reservations ran out, what counts is what was committed; the rest still fits."""
    later = NOW + TTL
    fills = store.fill(demands(limit), now=later)
    assert [fill.reserved for fill in fills] == [0, 0, 0]
    assert [fill.used for fill in fills] == [committed, committed, 3 * committed]
    assert committed <= limit
    for _ in range(limit - committed):
        assert isinstance(store.reserve(demands(limit), now=later, ttl=TTL), Granted)
    assert not isinstance(store.reserve(demands(limit), now=later, ttl=TTL), Granted)


def test_threads_never_exceed_the_limit_together(store: Store) -> None:
    limit = THREADS * ATTEMPTS // 4
    with ThreadPoolExecutor(THREADS) as pool:
        committed = sum(pool.map(lambda seed: attempt_all(store, limit, seed), range(THREADS)))
    check_totals(store, limit, committed)


def admit_all(url: str, limit: int) -> int:
    store = open_store(url)
    try:
        answers = [store.reserve(demands(limit), now=NOW, ttl=TTL) for _ in range(ATTEMPTS)]
        granted = [answer.reservation for answer in answers if isinstance(answer, Granted)]
        return sum(store.commit(reservation, now=NOW) for reservation in granted)
    finally:
        store.close()


@pytest.fixture
def shared_url(store_url: str) -> str:
    if store_url == "memory:":
        pytest.skip("memory is of one process")
    return store_url


def test_processes_admit_exactly_the_limit(shared_url: str) -> None:
    limit = PROCESSES * ATTEMPTS // 3
    with SPAWN.Pool(PROCESSES) as pool:
        admitted = sum(pool.starmap(admit_all, [(shared_url, limit)] * PROCESSES))
    assert admitted == limit
    store = open_store(shared_url)
    check_totals(store, limit, limit)
    store.close()


def test_processes_that_give_back_and_forget_leak_nothing(shared_url: str) -> None:
    limit = PROCESSES * ATTEMPTS // 4
    with SPAWN.Pool(PROCESSES) as pool:
        committed = sum(
            pool.starmap(attempt_from_url, [(shared_url, limit, seed) for seed in range(PROCESSES)])
        )
    store = open_store(shared_url)
    check_totals(store, limit, committed)
    store.close()


def work_until_killed(url: str, limit: int, ready: multiprocessing.synchronize.Event) -> None:
    store = open_store(url)
    ready.set()
    while True:
        answer = store.reserve(demands(limit), now=NOW, ttl=TTL)
        if isinstance(answer, Granted):
            store.commit(answer.reservation, now=NOW)


def test_a_killed_process_leaves_whole_transactions(shared_url: str) -> None:
    limit = 20_000
    for kill in range(KILLS):
        ready = SPAWN.Event()
        worker = SPAWN.Process(target=work_until_killed, args=(shared_url, limit, ready))
        worker.start()
        assert ready.wait(30)
        time.sleep(0.02 + 0.003 * (kill % 7))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        store = open_store(shared_url)
        hour, two_hours, cost = store.fill(demands(limit), now=NOW + TTL)
        store.close()
        assert hour.used == two_hours.used <= limit
        assert cost.used == 3 * hour.used
        assert hour.reserved == cost.reserved == 0
