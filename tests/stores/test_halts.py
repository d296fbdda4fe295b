"""Halts in every home."""

from __future__ import annotations

import asyncio

import pytest

from guardrails.stores import Halt, Store, open_async_store, open_store

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
