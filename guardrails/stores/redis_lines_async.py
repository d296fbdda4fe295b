"""Connections to Redis for `await`; see `redis_lines`, whose decisions they share.

A call waits for one of a bounded number of connections and for its answer no longer than the store's
time-out, both together.
"""

from __future__ import annotations

import asyncio

from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooSlow

from guardrails.stores.port import StoreUnavailable
from guardrails.stores.redis_address import Route
from guardrails.stores.redis_lines import Tries, is_clear, plain_protocol, seed_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.stores.redis_address import Address, Node
    from guardrails.stores.redis_calls import Call

MOST_LINES = 64


class AsyncLines:
    """The connections of a store to its server, for any number of tasks of one event loop at a time."""

    def __init__(self, address: Address) -> None:
        self._timeout = address.timeout
        self._pool: Any = redis_asyncio.ConnectionPool.from_url(
            address.url, retry=Retry(NoBackoff(), 0), socket_timeout=None, socket_connect_timeout=None,
            **plain_protocol(address.url),
        )  # fmt: skip
        self._route = Route(address, seed_of(self._pool))
        self._idle: list[Any] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = asyncio.Semaphore(MOST_LINES)
        self._closed = False

    async def run(self, call: Call) -> Any:
        """What the script replied. Raises `StoreUnavailable`, and errors that the script found."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Connections belong to the loop they were made in, and so does who waits for one.
            self._loop, self._idle, self._room = loop, [], asyncio.Semaphore(MOST_LINES)
        try:
            async with asyncio.timeout(self._timeout), self._room:
                return await self._run(Tries(call, self._route))
        except TimeoutError as error:
            self._route.doubt()
            raise StoreUnavailable("the store in Redis did not answer in time") from error

    async def close(self) -> None:
        self._closed = True
        await self._drop_idle()

    async def _run(self, tries: Tries) -> Any:
        line = self._idle.pop() if self._idle else None
        while True:
            try:
                if line is None:
                    line = await self._connected(tries)
                await line.send_packed_command((tries.command,), check_health=False)
                reply = await line.read_response()
            except RedisError as error:
                await self._settle_line(line, error)
                line = None
                tries.failed(error)
            else:
                await self._keep(line)
                return reply

    async def _settle_line(self, line: Any, error: RedisError) -> None:
        if line is None:
            return
        if is_clear(error):
            await self._keep(line)
            return
        await line.disconnect(nowait=True)
        if not isinstance(error, TooSlow):
            await self._drop_idle()

    async def _keep(self, line: Any) -> None:
        if self._closed:
            await line.disconnect(nowait=True)
        else:
            self._idle.append(line)

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for line in idle:
            await line.disconnect(nowait=True)

    async def _connected(self, tries: Tries) -> Any:
        if tries.same and self._idle:
            return self._idle.pop()
        node = self._route.target
        if node is None and self._route.is_cluster:
            node = await self._find()
        return await self._line_to(node)

    async def _line_to(self, node: Node | None) -> Any:
        options = dict(self._pool.connection_kwargs)
        if node is not None:
            options["host"], options["port"] = node
        line = self._pool.connection_class(**options)
        await line.connect()
        return line

    async def _find(self) -> Node | None:
        """Ask the nodes of the Cluster in turn where the slot is."""
        *others, last = self._route.known
        for node in others:
            try:
                return await self._ask_for_slots(node)
            except RedisError:
                continue
        return await self._ask_for_slots(last)

    async def _ask_for_slots(self, node: Node) -> Node | None:
        line = await self._line_to(node)
        try:
            await line.send_command("CLUSTER", "SLOTS", check_health=False)
            self._route.learn(node, await line.read_response())
        finally:
            await line.disconnect(nowait=True)
        return self._route.target
