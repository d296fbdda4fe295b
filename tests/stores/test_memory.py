"""What is special about the store in memory: it forgets what is over, and nothing else."""

from __future__ import annotations

from guardrails.stores import Demand, Granted, Sliding
from guardrails.stores.memory import MemoryStore
from guardrails.stores.port import KEEP

NOW = 1_800_000_000_000_000
TTL = 30_000_000
MINUTE = Sliding(60_000_000)


def test_counters_and_reservations_that_are_over_are_dropped() -> None:
    store = MemoryStore()
    for number in range(5_000):
        store.reserve([Demand(f"{number}", 1, 9, MINUTE)], now=NOW, ttl=TTL, request=f"{number}")
    for tick in range(5_000):
        store.reserve([Demand("later", 1, 99_999)], now=NOW + 2 * KEEP + tick, ttl=TTL)
    store.reserve([Demand(f"{number}", 1, 9) for number in range(9_000)], now=NOW + 3 * KEEP, ttl=TTL)
    assert len(store._counters) < 9_100
    assert len(store._holds) <= 5_001
    assert not store._requests


def test_a_late_commit_is_charged_where_the_next_call_looks() -> None:
    store = MemoryStore()
    demand = Demand("a", 1, 1, MINUTE)
    answer = store.reserve([demand], now=NOW, ttl=2 * KEEP)
    assert isinstance(answer, Granted)
    late = NOW + 3 * KEEP - 2
    store.reserve([Demand(f"{number}", 0, 9) for number in range(2_000)], now=late, ttl=TTL)
    assert store.commit(answer.reservation, now=late)
    assert store.fill([demand], now=late)[0].used == 1


def test_a_commit_later_than_that_is_not_known() -> None:
    store = MemoryStore()
    answer = store.reserve([Demand("a", 1, 1, MINUTE)], now=NOW, ttl=TTL)
    assert isinstance(answer, Granted)
    assert not store.commit(answer.reservation, now=NOW + TTL + KEEP)


def test_refused_calls_leave_nothing_behind() -> None:
    store = MemoryStore()
    for tick in range(100):
        store.reserve([Demand("a", 1, 9, MINUTE), Demand("b", 1, 0)], now=NOW + tick, ttl=TTL)
    assert not store._holds
    assert not any(counter.entries or counter.held for counter in store._counters.values())
