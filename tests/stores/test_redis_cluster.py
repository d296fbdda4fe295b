"""A Cluster of three nodes, slots that move between them, and a server that only talks TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot
from redis_servers import SECOND, Cluster, Sealed

from guardrails.stores import (
    Demand,
    Document,
    Gate,
    Granted,
    Note,
    Opening,
    Sliding,
    StoreUnavailable,
    open_async_store,
    open_store,
)

TTL = 30 * SECOND
MINUTE = Sliding(60 * SECOND)
DEMANDS = [Demand("a", 1, 50, MINUTE), Demand("b", 2, 80), Demand("m", 1, 9, member="x")]
SLOT = key_slot(b"{guard}:")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.kill()


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> None:
    if "cluster" in request.fixturenames:
        for client in request.getfixturevalue("cluster").clients:
            client.flushall()


def test_every_node_leads_to_the_one_that_has_the_store(cluster: Cluster) -> None:
    for used, port in enumerate(cluster.ports, 1):
        store = open_store(cluster.url(port))
        gate, note = Gate("api", (Opening(3),), SECOND), Note("s", "text", TTL)
        answer = store.reserve(DEMANDS, now=0, ttl=TTL, request=str(port), gates=[gate], note=note)
        assert isinstance(answer, Granted)
        assert answer.fills == (used, 2 * used, 1)
        assert store.commit(answer.reservation, {"b": 2}, now=0)
        assert store.recall("s", after=0, now=0).last == used
        written = store.swap("d", str(used), version=used - 1, keep=TTL, now=0)
        assert written == store.read("d", now=0) == Document("d", used, str(used))
        assert store.scan("", now=0) == (written,)
        store.close()


def test_stores_with_other_prefixes_lie_elsewhere(cluster: Cluster) -> None:
    prefixes = [f"p{number}" for number in range(8)]
    places = {cluster.owner(key_slot(f"{{{prefix}}}:".encode())) for prefix in prefixes}
    assert len(places) > 1
    for prefix in prefixes:
        store = open_store(f"{cluster.url(cluster.ports[0])}&prefix={prefix}")
        assert isinstance(store.reserve(DEMANDS, now=0, ttl=TTL), Granted)
        assert len(store.levels("", now=0)) == 3
        store.close()


def test_the_same_store_awaited(cluster: Cluster) -> None:
    async def use() -> int:
        stores = [open_async_store(cluster.url(port)) for port in cluster.ports]
        answers = await asyncio.gather(
            *(store.reserve([DEMANDS[0]], now=0, ttl=TTL) for store in stores for _ in range(30))
        )
        for store in stores:
            await store.close()
        return sum(isinstance(answer, Granted) for answer in answers)

    assert asyncio.run(use()) == 50


def move(cluster: Cluster, store_is_asked: list[bool]) -> None:
    """Move the store's slot, keys in two parts, asking meanwhile; whether the store answered goes into a list."""
    source = cluster.owner(SLOT)
    target = (source + 1) % 3
    stores = [open_store(cluster.url(port)) for port in cluster.ports]

    def ask() -> None:
        for store in stores:
            try:
                store.reserve(DEMANDS, now=0, ttl=TTL)
                store_is_asked.append(True)
            except StoreUnavailable:
                store_is_asked.append(False)

    cluster.begin_to_move(SLOT, source, target)
    ask()
    cluster.move_keys(SLOT, source, target, most=2)
    ask()
    cluster.move_keys(SLOT, source, target)
    ask()
    cluster.finish_move(SLOT, target)
    for store in stores:
        store.close()


def test_a_slot_that_moves_takes_its_counters_along(cluster: Cluster) -> None:
    store = open_store(cluster.url(cluster.ports[0]))
    awaited = open_async_store(cluster.url(cluster.ports[0]))

    async def fill() -> list[object]:
        return [fill.used for fill in await awaited.fill(DEMANDS, now=0)]

    with asyncio.Runner() as runner:
        first = store.reserve(DEMANDS, now=0, ttl=TTL)
        assert isinstance(first, Granted)
        assert runner.run(fill()) == [1, 2, 1]
        answered: list[bool] = []
        move(cluster, answered)
        # Half of the keys here and half there would count twice what is allowed.
        assert not any(answered)
        assert store.commit(first.reservation, {"b": 5}, now=0)
        assert runner.run(fill()) == [1, 5, 1]
        runner.run(awaited.close())
    store.close()


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Sealed]:
    sealed = Sealed(tmp_path)
    yield sealed
    sealed.kill()


def test_a_store_with_tls(sealed: Sealed) -> None:
    store = open_store(sealed.url())
    answer = store.reserve(DEMANDS, now=0, ttl=TTL)
    assert isinstance(answer, Granted)
    assert store.commit(answer.reservation, now=0)
    store.close()

    async def use() -> object:
        awaited = open_async_store(sealed.url())
        fills = await awaited.fill(DEMANDS, now=0)
        await awaited.close()
        return [fill.used for fill in fills]

    assert asyncio.run(use()) == [1, 2, 1]


def test_a_certificate_that_nobody_vouches_for(sealed: Sealed) -> None:
    with pytest.raises(StoreUnavailable, match=r"certificate"):
        open_store(sealed.url(trusted=False)).fill(DEMANDS, now=0)
    with pytest.raises(StoreUnavailable):
        open_store(sealed.url().replace("rediss", "redis").partition("&ssl")[0]).fill(DEMANDS, now=0)
