"""A store that blocks, made awaitable: each call runs in another thread.

Takes any store of this process or machine. In memory a call takes microseconds, but it may have to wait for
a lock, and an event loop should not.
"""

from __future__ import annotations

from asyncio import to_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from guardrails.exact import Exact
    from guardrails.stores.demands import Demand, Fill, Granted, Refused
    from guardrails.stores.halts import Halt
    from guardrails.stores.port import Store


class AwaitedStore:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused:
        return await to_thread(self._store.reserve, demands, now=now, ttl=ttl, request=request)

    async def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        return await to_thread(self._store.commit, reservation, actual, now=now)

    async def release(self, reservation: str) -> bool:
        return await to_thread(self._store.release, reservation)

    async def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        return await to_thread(self._store.fill, demands, now=now)

    async def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        await to_thread(self._store.halt, scope, who, why, now=now, until=until)

    async def resume(self, scope: str) -> bool:
        return await to_thread(self._store.resume, scope)

    async def halts(self, *, now: int) -> tuple[Halt, ...]:
        return await to_thread(self._store.halts, now=now)

    async def close(self) -> None:
        await to_thread(self._store.close)
