"""The store in Redis or Valkey: for any number of machines, by the server's clock.

Takes a URL, gives a store, sync or async. Each call is one run of one script, so one round trip (`levels`
takes two). All keys of a store share a hash tag: on a Cluster a store lies on one node, whose speed is the
store's, and stores with other prefixes may lie on others. While its slot is being moved to another node, a
store is unavailable. What is granted is as durable as the server is set up to be: `appendonly yes` with
`appendfsync always` loses nothing that was granted, `maxmemory-policy noeviction` keeps counters from being
dropped for want of memory, and a failover to a replica may lose what it had not been told yet. Needs Redis
6.2 or later, or Valkey.
"""

from __future__ import annotations

from guardrails.stores import redis_answers as answers
from guardrails.stores import redis_documents as documents
from guardrails.stores.documents import MOST_SCANNED, check_document
from guardrails.stores.redis_address import Address
from guardrails.stores.redis_calls import Calls, fresh_name
from guardrails.stores.redis_lines import Lines
from guardrails.stores.redis_lines_async import AsyncLines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from guardrails.exact import Exact
    from guardrails.stores.breakers import Gate, Gauge, Shut
    from guardrails.stores.demands import Demand, Fill, Granted, Level, Refused
    from guardrails.stores.documents import Changed, Document
    from guardrails.stores.halts import Halt
    from guardrails.stores.sessions import Moved, Note, Past
    from guardrails.stores.windows import Window

# Counters that are looked at in one run of a script, so that nobody waits for long.
FEW_COUNTERS = 500


class RedisStore:
    """Exact among all who use the same server and prefix."""

    def __init__(self, url: str) -> None:
        address = Address(url)
        self._calls = Calls(address)
        self._lines = Lines(address)

    def reserve(
        self,
        demands: Sequence[Demand],
        *,
        now: int,
        ttl: int | None,
        request: str | None = None,
        gates: Sequence[Gate] = (),
        note: Note | None = None,
    ) -> Granted | Refused | Shut | Moved:
        name = fresh_name()
        reply = self._lines.run(self._calls.reserve(name, demands, now, ttl, request, gates, note))
        return answers.reserved(reply, name, demands, request)

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        return bool(self._lines.run(self._calls.commit(reservation, actual, now)))

    def release(self, reservation: str, *, now: int, failed: bool = False) -> bool:
        return bool(self._lines.run(self._calls.release(reservation, now, failed=failed)))

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        demands = tuple(demands)
        return answers.fills(self._lines.run(self._calls.fill(_counters(demands), now)), demands)

    def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]:
        counters = answers.windows_of(self._lines.run(self._calls.names(prefix, now)))
        reply: list[bytes] = []
        for start in range(0, len(counters), FEW_COUNTERS):
            reply += self._lines.run(self._calls.fill(counters[start : start + FEW_COUNTERS], now))
        return answers.levels(counters, reply, prefix)

    def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]:
        gates = tuple(gates)
        return answers.gauges(self._lines.run(self._calls.gauges(gates, now)), gates)

    def remember(self, note: Note, *, now: int) -> int | Moved:
        return answers.remembered(self._lines.run(self._calls.remember(note, now)))

    def recall(self, session: str, *, after: int, now: int) -> Past:
        return answers.recalled(self._lines.run(self._calls.recall(session, after, now)))

    def forget(self, session: str) -> bool:
        return bool(self._lines.run(self._calls.forget(session)))

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        self._lines.run(self._calls.halt((scope, who, why), until, now))

    def resume(self, scope: str) -> bool:
        return bool(self._lines.run(self._calls.resume(scope)))

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        return answers.halts(self._lines.run(self._calls.halts(now)))

    def read(self, key: str, *, now: int) -> Document | None:
        return documents.document_of(key, self._lines.run(self._calls.read(key, now)))

    def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed:
        check_document(key, text)
        return documents.swapped(key, text, self._lines.run(self._calls.swap(key, text, version, keep, now)))

    def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]:
        call = self._calls.scan(prefix, after, min(most, MOST_SCANNED), now)
        return documents.scanned(self._lines.run(call))

    def close(self) -> None:
        self._lines.close()


class AsyncRedisStore:
    """`RedisStore`, awaited."""

    def __init__(self, url: str) -> None:
        address = Address(url)
        self._calls = Calls(address)
        self._lines = AsyncLines(address)

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
        name = fresh_name()
        reply = await self._lines.run(self._calls.reserve(name, demands, now, ttl, request, gates, note))
        return answers.reserved(reply, name, demands, request)

    async def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        return bool(await self._lines.run(self._calls.commit(reservation, actual, now)))

    async def release(self, reservation: str, *, now: int, failed: bool = False) -> bool:
        return bool(await self._lines.run(self._calls.release(reservation, now, failed=failed)))

    async def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        demands = tuple(demands)
        return answers.fills(await self._lines.run(self._calls.fill(_counters(demands), now)), demands)

    async def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]:
        counters = answers.windows_of(await self._lines.run(self._calls.names(prefix, now)))
        reply: list[bytes] = []
        for start in range(0, len(counters), FEW_COUNTERS):
            reply += await self._lines.run(self._calls.fill(counters[start : start + FEW_COUNTERS], now))
        return answers.levels(counters, reply, prefix)

    async def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]:
        gates = tuple(gates)
        return answers.gauges(await self._lines.run(self._calls.gauges(gates, now)), gates)

    async def remember(self, note: Note, *, now: int) -> int | Moved:
        return answers.remembered(await self._lines.run(self._calls.remember(note, now)))

    async def recall(self, session: str, *, after: int, now: int) -> Past:
        return answers.recalled(await self._lines.run(self._calls.recall(session, after, now)))

    async def forget(self, session: str) -> bool:
        return bool(await self._lines.run(self._calls.forget(session)))

    async def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        await self._lines.run(self._calls.halt((scope, who, why), until, now))

    async def resume(self, scope: str) -> bool:
        return bool(await self._lines.run(self._calls.resume(scope)))

    async def halts(self, *, now: int) -> tuple[Halt, ...]:
        return answers.halts(await self._lines.run(self._calls.halts(now)))

    async def read(self, key: str, *, now: int) -> Document | None:
        return documents.document_of(key, await self._lines.run(self._calls.read(key, now)))

    async def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed:
        check_document(key, text)
        return documents.swapped(
            key, text, await self._lines.run(self._calls.swap(key, text, version, keep, now))
        )

    async def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]:
        call = self._calls.scan(prefix, after, min(most, MOST_SCANNED), now)
        return documents.scanned(await self._lines.run(call))

    async def close(self) -> None:
        await self._lines.close()


def _counters(demands: Sequence[Demand]) -> list[tuple[str, Window, str]]:
    return [
        (demand.counter, demand.window, "" if demand.was is None else demand.counter_before())
        for demand in demands
    ]
