"""Many at once on the same keys: never more than the limit, all of it when asked for more, nothing leaked."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from guardrails.stores import Demand, Gate, Granted, Note, Opening, Shut, Sliding, Store, open_store

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


STEPS = ("reserve", "reserve with a member", "probe", "note", "commit", "release")
PROBED = Gate("api", (Opening(1),), SECOND)


def stop_after(url: str, steps: int, reached: multiprocessing.synchronize.Event) -> None:
    """Make the first of these calls, and wait to be killed."""
    store = open_store(url)
    held: list[str] = []

    def reserve(*wanted: Demand, gates: tuple[Gate, ...] = ()) -> None:
        answer = store.reserve(wanted, now=NOW + SECOND, ttl=TTL, gates=gates)
        assert isinstance(answer, Granted)
        held.append(answer.reservation)

    calls = [
        lambda: reserve(Demand("left", 2, 9), Demand("minute", 1, 9, Sliding(60 * SECOND))),
        lambda: reserve(Demand("to", 1, 9, member="ana")),
        lambda: reserve(Demand("left", 1, 9), gates=(PROBED,)),
        lambda: store.remember(Note("s", "text", HOUR, 0), now=NOW),
        lambda: store.commit(held[0], now=NOW + SECOND),
        lambda: store.release(held[1], now=NOW + SECOND),
    ]
    for call in calls[:steps]:
        call()
    reached.set()
    time.sleep(60)


@pytest.mark.parametrize("steps", range(1, len(STEPS) + 1))
def test_what_a_killed_process_held_runs_out(shared_url: str, steps: int) -> None:
    store = open_store(shared_url)
    broken = store.reserve([], now=NOW, ttl=TTL, gates=[PROBED])
    assert isinstance(broken, Granted)
    store.release(broken.reservation, now=NOW, failed=True)
    reached = SPAWN.Event()
    worker = SPAWN.Process(target=stop_after, args=(shared_url, steps, reached))
    worker.start()
    assert reached.wait(30)
    worker.kill()
    worker.join()
    committed = steps >= STEPS.index("commit") + 1
    probing = steps >= STEPS.index("probe") + 1
    before = store.reserve([], now=NOW + SECOND, ttl=TTL, gates=[PROBED])
    assert before == Shut(0, None) if probing else isinstance(before, Granted)
    later = NOW + SECOND + TTL
    asked = [
        Demand("left", 0, 9),
        Demand("minute", 0, 9, Sliding(60 * SECOND)),
        Demand("to", 1, 9, member="ana"),
    ]
    assert [fill.reserved for fill in store.fill(asked, now=later)] == [0, 0, 0]
    assert [fill.used for fill in store.fill(asked, now=later)] == ([2, 1, 0] if committed else [0, 0, 0])
    assert isinstance(store.reserve([], now=later, ttl=TTL, gates=[PROBED]), Granted)
    assert store.recall("s", after=0, now=later).last == (steps >= STEPS.index("note") + 1)
    store.close()


def probe_once(url: str) -> int:
    store = open_store(url)
    try:
        answers = [store.reserve([], now=NOW + SECOND, ttl=TTL, gates=[PROBED]) for _ in range(5)]
        return sum(isinstance(answer, Granted) for answer in answers)
    finally:
        store.close()


def test_processes_share_one_probe(shared_url: str) -> None:
    store = open_store(shared_url)
    broken = store.reserve([], now=NOW, ttl=TTL, gates=[PROBED])
    assert isinstance(broken, Granted)
    store.release(broken.reservation, now=NOW, failed=True)
    with SPAWN.Pool(PROCESSES) as pool:
        assert sum(pool.map(probe_once, [shared_url] * PROCESSES)) == 1
    store.close()


def admit_by_clock(url: str, ahead: int) -> list[int]:
    """The times, by this process's clock, of calls that were let in while it ran through ten windows."""
    store = open_store(url)
    admitted = []
    try:
        for tick in range(200):
            now = NOW + ahead + tick * SECOND // 20
            if isinstance(store.reserve([Demand("a", 1, 3, Sliding(SECOND))], now=now, ttl=None), Granted):
                admitted.append(now)
        return admitted
    finally:
        store.close()


def test_two_clocks_five_seconds_apart_admit_no_more(shared_url: str) -> None:
    with SPAWN.Pool(2) as pool:
        clocks = pool.starmap(admit_by_clock, [(shared_url, 0), (shared_url, 5 * SECOND)])
    # Windows that both lived through are full at most, and there are 15 seconds from first to last.
    assert all(sum(at < now <= at + SECOND for now in clocks[1]) <= 3 for at in clocks[1])
    assert 3 * 10 <= len(clocks[1]) + len(clocks[0]) <= 3 * 15


def test_a_crowd_of_members_fills_the_limit_exactly(store: Store) -> None:
    limit = THREADS * 2

    def join(seed: int) -> int:
        dice = random.Random(seed)
        granted = 0
        for _ in range(ATTEMPTS):
            demand = Demand("to", 1, limit, member=str(dice.randrange(limit * 2)))
            answer = store.reserve([demand], now=NOW, ttl=TTL)
            if isinstance(answer, Granted) and dice.random() < 0.3:
                store.release(answer.reservation, now=NOW)
            elif isinstance(answer, Granted):
                granted += store.commit(answer.reservation, now=NOW)
        return granted

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(join, range(THREADS))) >= limit
    everybody = [Demand("to", 1, limit * 2, member=str(member)) for member in range(limit * 2)]
    (fill,) = store.fill(everybody[:1], now=NOW)
    assert fill.used == limit
    assert fill.reserved == 0
    answer = store.reserve(everybody, now=NOW, ttl=TTL)
    assert isinstance(answer, Granted)
    assert answer.fills[-1] == limit * 2
