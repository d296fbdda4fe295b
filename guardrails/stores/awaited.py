"""A store that blocks, made awaitable: each call runs in another thread.

Takes any store of this process or machine. In memory a call takes microseconds, but it may have to wait for
a lock, and an event loop should not. A file serves the calls that wait for it together, so there are many
threads: `TOGETHER` calls wait at once, and more than that queue up.
"""

from __future__ import annotations

from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from guardrails.stores.documents import MOST_SCANNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from guardrails.exact import Exact
    from guardrails.stores.breakers import Gate, Gauge, Shut
    from guardrails.stores.demands import Demand, Fill, Granted, Level, Refused
    from guardrails.stores.documents import Changed, Document
    from guardrails.stores.halts import Halt
    from guardrails.stores.port import Store
    from guardrails.stores.sessions import Moved, Note, Past

    Answer = TypeVar("Answer")

TOGETHER = 64


class AwaitedStore:
    """`store`, awaited. A call whose task is cancelled is made all the same."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(TOGETHER, "guard-store")

    async def reserve(
        self,
        demands: Sequence[Demand],
        *,
        now: int,
        ttl: int | None,
        request: str | None = None,
        gates: Sequence[Gate] = (),
        note: Note | None = None,
    ) -> Granted | Refused | Shut | Moved:
        return await self._run(
            self._store.reserve, demands, now=now, ttl=ttl, request=request, gates=gates, note=note
        )

    async def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        return await self._run(self._store.commit, reservation, actual, now=now)

    async def release(self, reservation: str, *, now: int, failed: bool = False) -> bool:
        return await self._run(self._store.release, reservation, now=now, failed=failed)

    async def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        return await self._run(self._store.fill, demands, now=now)

    async def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]:
        return await self._run(self._store.levels, prefix, now=now)

    async def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]:
        return await self._run(self._store.gauges, gates, now=now)

    async def remember(self, note: Note, *, now: int) -> int | Moved:
        return await self._run(self._store.remember, note, now=now)

    async def recall(self, session: str, *, after: int, now: int) -> Past:
        return await self._run(self._store.recall, session, after=after, now=now)

    async def forget(self, session: str) -> bool:
        return await self._run(self._store.forget, session)

    async def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        await self._run(self._store.halt, scope, who, why, now=now, until=until)

    async def resume(self, scope: str) -> bool:
        return await self._run(self._store.resume, scope)

    async def halts(self, *, now: int) -> tuple[Halt, ...]:
        return await self._run(self._store.halts, now=now)

    async def read(self, key: str, *, now: int) -> Document | None:
        return await self._run(self._store.read, key, now=now)

    async def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed:
        return await self._run(self._store.swap, key, text, version=version, keep=keep, now=now)

    async def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]:
        return await self._run(self._store.scan, prefix, now=now, after=after, most=most)

    async def close(self) -> None:
        await self._run(self._store.close)
        self._threads.shutdown(wait=False)

    async def _run(self, call: Callable[..., Answer], *positional: Any, **named: Any) -> Answer:
        return await get_running_loop().run_in_executor(self._threads, partial(call, *positional, **named))
