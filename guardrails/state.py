"""What a guard keeps between events: its store, the kill switch on it, prices, and what to do without it.

Takes a URL or a store. Everything is opened when it is first needed; a store that does not answer is left
alone for a while, so that no decision waits for it again and again.
"""

from __future__ import annotations

from threading import Lock
from time import monotonic

from guardrails.errors import EvaluationError, Unavailable
from guardrails.outstanding import Reservations
from guardrails.runtime.switch import STALENESS, KillSwitch, checked_scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    from guardrails.runtime.local import LocalShare
    from guardrails.runtime.prices import Prices
    from guardrails.runtime.usage import Usage
    from guardrails.stores.port import AsyncStore, Store

SCHEMES = ("memory:", "sqlite:", "redis:", "rediss:")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds that a store is left alone after it did not answer: doubled each time, up to the longest."""


class State:
    """The store of a guard, and what depends on it. Thread-safe."""

    def __init__(
        self,
        store: str | Store,
        *,
        prices: str | PathLike[str] | Prices | None = None,
        local_share: float | str = "0.1",
        strict_halts: bool = False,
    ) -> None:
        if isinstance(store, str) and not store.startswith(SCHEMES):
            raise EvaluationError(
                f"`{store}` names no store: use `memory:`, `sqlite:///path` or `redis://host`"
            )
        if not isinstance(store, str) or prices is not None or (local_share, strict_halts) != ("0.1", False):
            from guardrails.guard_parameters import check_state

            check_state(store, prices, local_share, strict_halts)
        self._given = store
        self._lock = Lock()
        self._store: Any = None
        self._awaited: Any = None
        self._prices = prices
        self._local: LocalShare | None = None
        self._share = local_share
        self.staleness = 0.0 if strict_halts else STALENESS
        self._switch: KillSwitch | None = None
        self.health = Health()
        self.reservations = Reservations()
        self.owed: dict[str, list[Usage]] = {}
        """What was reported while the store did not answer, by session: charged before anything else."""

    @property
    def url(self) -> str:
        """Where it is kept; empty for a store that was given as an object."""
        return self._given if isinstance(self._given, str) else ""

    @property
    def store(self) -> Store:
        """The store, guarded by its health. Raises `EvaluationError` for a URL that names none."""
        if self._store is None:
            with self._lock:
                if self._store is None:
                    opened = self._opened()
                    self._store = opened if self.url.startswith("memory:") else Guarded(opened, self.health)
        return self._store  # type: ignore[no-any-return]  # it passes on every method of the port

    def _opened(self) -> Any:
        if not isinstance(self._given, str):
            return self._given
        from guardrails.stores import open_store

        return open_store(self._given)

    @property
    def awaited(self) -> AsyncStore | None:
        """The store for `await`; None for memory, which is quicker than a switch of tasks."""
        if self._awaited is None and not self.url.startswith("memory:"):
            self._awaited = AwaitedGuarded(self._opened_async(), self.health)
        return self._awaited  # type: ignore[no-any-return]  # as above

    def _opened_async(self) -> Any:
        if self.url.startswith(("redis:", "rediss:")):
            from guardrails.stores import open_async_store

            return open_async_store(self.url)
        from guardrails.stores.awaited import AwaitedStore

        return AwaitedStore(self.store)

    @property
    def switch(self) -> KillSwitch:
        if self._switch is None:
            self._switch = KillSwitch(lambda: self.store, self.staleness)
        return self._switch

    @property
    def prices(self) -> Prices | None:
        """The price table. Raises `EvaluationError` for one that cannot be read."""
        if self._prices is None or (
            not isinstance(self._prices, str) and not hasattr(self._prices, "__fspath__")
        ):
            return self._prices
        from guardrails.runtime.prices import read_prices

        self._prices = read_prices(self._prices)
        return self._prices

    @property
    def local(self) -> LocalShare:
        if self._local is None:
            from fractions import Fraction

            from guardrails.runtime.local import LocalShare

            self._local = LocalShare(Fraction(str(self._share)))
        return self._local

    def halt(self, scope: str, by: str, why: str, *, now: int, until: int | None) -> None:
        self.store.halt(checked_scope(scope), by, why, now=now, until=until)
        self.switch.forget()

    def resume(self, scope: str) -> bool:
        lifted = self.store.resume(checked_scope(scope))
        self.switch.forget()
        return lifted

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


class Health:
    """Whether the store answers: `error` is what it said last when it did not, None when all is well."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.since: float | None = None
        self._pause = FIRST_PAUSE
        self._again = 0.0

    def refuse_early(self) -> None:
        """Raise `StoreUnavailable` while the store is left alone."""
        if self.error is not None and monotonic() < self._again:
            from guardrails.stores.port import StoreUnavailable

            raise StoreUnavailable(self.error)

    def answered(self) -> None:
        self.error, self.since, self._pause = None, None, FIRST_PAUSE

    def failed(self, error: Exception) -> None:
        tick = monotonic()
        self.since = tick if self.since is None else self.since
        self.error = str(error)
        self._again = tick + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


class Guarded:
    """A store that is left alone for a while after it did not answer."""

    def __init__(self, store: Any, health: Health) -> None:
        self._inner = store
        self._health = health

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        health = self._health

        def asked(*positional: Any, **named: Any) -> Any:
            health.refuse_early()
            try:
                answer = operation(*positional, **named)
            except Unavailable as error:
                health.failed(error)
                raise
            if health.error is not None:
                health.answered()
            return answer

        setattr(self, name, asked)
        return asked


class AwaitedGuarded:
    """The same for a store that is awaited."""

    def __init__(self, store: Any, health: Health) -> None:
        self._inner = store
        self._health = health

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        health = self._health

        async def asked(*positional: Any, **named: Any) -> Any:
            health.refuse_early()
            try:
                answer = await operation(*positional, **named)
            except Unavailable as error:
                health.failed(error)
                raise
            if health.error is not None:
                health.answered()
            return answer

        setattr(self, name, asked)
        return asked
