"""The store in Redis or Valkey: for any number of machines, by the server's clock.

Takes a URL, gives a store, sync or async. Each call is one run of one script, so one round trip. All keys of
a store share a hash tag: on a Cluster a store lies on one node, and stores with other prefixes on others.
What is granted is as durable as the server is set up to be (`appendonly yes`, `maxmemory-policy noeviction`).
"""

from __future__ import annotations

import redis
from redis import asyncio as redis_asyncio
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from guardrails.stores.halts import Halt
from guardrails.stores.redis_protocol import DIGEST, SCRIPT, Address, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from guardrails.exact import Exact
    from guardrails.stores.demands import Demand, Fill, Granted, Refused


class RedisStore:
    """Exact among all who use the same server and prefix."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._protocol = Protocol(self._address)
        self._client: Any = _connect(
            redis.RedisCluster if self._address.cluster else redis.Redis, self._address
        )

    def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused:
        reply = self._run(*self._protocol.reserve(demands, now, ttl, request))
        return self._protocol.answer(reply, demands, request)

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        return bool(self._run(*self._protocol.commit(reservation, actual, now)))

    def release(self, reservation: str) -> bool:
        return bool(self._run(*self._protocol.release(reservation)))

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        demands = tuple(demands)
        return self._protocol.fills(self._run(*self._protocol.fill(demands, now)), demands)

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        self._run(*self._protocol.halt(Halt(scope, who, why, now, until)))

    def resume(self, scope: str) -> bool:
        return bool(self._run(*self._protocol.resume(scope)))

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        return self._protocol.found_halts(self._run(*self._protocol.halts(now)))

    def close(self) -> None:
        self._client.close()

    def _run(self, operation: str, ask: str) -> Any:
        arguments = (1, self._address.prefix, operation, ask)
        try:
            try:
                return self._client.evalsha(DIGEST, *arguments)
            except NoScriptError:
                return self._client.eval(SCRIPT, *arguments)
        except RedisError as error:
            raise self._protocol.failure(error) from error


class AsyncRedisStore:
    """`RedisStore`, awaited."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._protocol = Protocol(self._address)
        client = redis_asyncio.RedisCluster if self._address.cluster else redis_asyncio.Redis
        self._client: Any = _connect(client, self._address)

    async def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused:
        reply = await self._run(*self._protocol.reserve(demands, now, ttl, request))
        return self._protocol.answer(reply, demands, request)

    async def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        return bool(await self._run(*self._protocol.commit(reservation, actual, now)))

    async def release(self, reservation: str) -> bool:
        return bool(await self._run(*self._protocol.release(reservation)))

    async def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        demands = tuple(demands)
        return self._protocol.fills(await self._run(*self._protocol.fill(demands, now)), demands)

    async def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        await self._run(*self._protocol.halt(Halt(scope, who, why, now, until)))

    async def resume(self, scope: str) -> bool:
        return bool(await self._run(*self._protocol.resume(scope)))

    async def halts(self, *, now: int) -> tuple[Halt, ...]:
        return self._protocol.found_halts(await self._run(*self._protocol.halts(now)))

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, operation: str, ask: str) -> Any:
        arguments = (1, self._address.prefix, operation, ask)
        try:
            try:
                return await self._client.evalsha(DIGEST, *arguments)
            except NoScriptError:
                return await self._client.eval(SCRIPT, *arguments)
        except RedisError as error:
            raise self._protocol.failure(error) from error


def _connect(client: Any, address: Address) -> Any:
    """A client that never waits longer than the time-out.

    A connection that turns out to be dead is replaced once. Repeating a call is safe, because the script
    knows a reservation that it has made already.
    """
    asynchronous = client.__module__.startswith("redis.asyncio")
    kind: Any = redis_asyncio.retry.Retry if asynchronous else Retry
    return client.from_url(
        address.url,
        socket_timeout=address.timeout,
        socket_connect_timeout=address.timeout,
        retry=kind(NoBackoff(), 1, supported_errors=(Disconnected,)),
    )
