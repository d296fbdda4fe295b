"""The kill switch in every home, and the watch that need not ask each time."""

from __future__ import annotations

import asyncio

import pytest

from guardrails.stores import Halt, HaltWatch, Store, StoreUnavailable, open_async_store, open_store

NOW = 1_800_000_000_000_000


def test_a_halt_is_in_force_until_it_is_resumed(store: Store) -> None:
    store.halt("tool:refund", "ana", "`refund` loops ☂", now=NOW)
    store.halt("all", "bo", "drill", now=NOW, until=NOW + 10)
    both = (Halt("all", "bo", "drill", NOW, NOW + 10), Halt("tool:refund", "ana", "`refund` loops ☂", NOW))
    assert store.halts(now=NOW + 9) == both
    assert store.halts(now=NOW + 10) == both[1:]
    assert store.resume("tool:refund")
    assert not store.resume("tool:refund")
    assert store.halts(now=NOW + 10) == ()


def test_a_later_halt_of_a_scope_replaces_the_earlier(store: Store) -> None:
    store.halt("all", "ana", "first", now=NOW, until=NOW + 1)
    store.halt("all", "bo", "second", now=NOW + 1)
    assert store.halts(now=NOW + 5) == (Halt("all", "bo", "second", NOW + 1),)


def test_another_client_sees_the_halt(store_url: str) -> None:
    if store_url == "memory:":
        pytest.skip("memory is of one process")
    open_store(store_url).halt("all", "ana", "stop", now=NOW)
    assert [halt.scope for halt in open_store(store_url).halts(now=NOW)] == ["all"]


def test_halts_awaited(store_url: str) -> None:
    async def use() -> tuple[Halt, ...]:
        store = open_async_store(store_url)
        await store.halt("all", "ana", "stop", now=NOW)
        await store.halt("agent:x", "ana", "stop", now=NOW)
        assert await store.resume("agent:x")
        halts = await store.halts(now=NOW)
        await store.close()
        return halts

    assert asyncio.run(use()) == (Halt("all", "ana", "stop", NOW),)


class Counted:
    """A store that counts how often it is asked for halts, and can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.inner = open_store("memory:")

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("the store is away")
        return self.inner.halts(now=now)


def test_a_watch_asks_once_per_stretch_of_time() -> None:
    store = Counted()
    watch = HaltWatch(store, 50)  # type: ignore[arg-type]  # only `halts` is used
    assert [watch.halts(now=NOW + tick) for tick in range(50)] == [()] * 50
    store.inner.halt("all", "ana", "stop", now=NOW + 49, until=NOW + 60)
    assert store.asked == 1
    assert [halt.scope for halt in watch.halts(now=NOW + 50)] == ["all"]
    assert watch.halts(now=NOW + 60) == ()
    assert store.asked == 2
    watch.halts(now=NOW)
    assert store.asked == 3


def test_a_strict_watch_asks_each_time_and_passes_failures_on() -> None:
    store = Counted()
    watch = HaltWatch(store, 0)  # type: ignore[arg-type]  # only `halts` is used
    watch.halts(now=NOW)
    watch.halts(now=NOW)
    assert store.asked == 2
    store.away = True
    with pytest.raises(StoreUnavailable):
        watch.halts(now=NOW)
