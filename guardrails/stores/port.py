"""The store port: where limits and budgets are kept, and what every home of them promises (law L6).

Takes demands and the time, gives grants and refusals. The idea: reserve before the call, commit or release
after it, and let a reservation that nobody settles run out. Times are microseconds; `now` is the caller's
clock, which each counter only ever lets run forwards, and a store with a clock of its own ignores it.
"""

from __future__ import annotations

from guardrails.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    from guardrails.exact import Exact
    from guardrails.stores.demands import Demand, Fill, Granted, Refused
    from guardrails.stores.halts import Halt
else:
    Protocol = object

# How long after its deadline a reservation can still be settled and a request still be recognised.
KEEP = 3_600_000_000
# How many charges a refusal looks through to say when there will be room.
LOOK_AHEAD = 64


class StoreUnavailable(Unavailable):
    """The store could not be asked or did not answer in time, so nothing is known to be granted."""


class Store(Protocol):
    """Counters that are exact among all who share them. Every method may raise `StoreUnavailable`."""

    def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused:
        """Charge all demands, or none of them and say which one does not fit.

        What is granted counts at once and is given back after `ttl` microseconds unless it is committed.
        A repeated `request` that holds a grant gets the same grant and is not charged again; one that was
        refused or given back is judged anew. Raises `RequestReused` if it asks for something else.
        """

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        """The call ran: keep what was reserved, or what `actual` says it used, by key.

        Less than reserved gives back the rest. More is charged in full, above the limit if need be, at
        `now`; so is all of a reservation that had been given back. False: it was committed before, or is
        not known (any more). Raises `EvaluationError` for a key that was not reserved on.
        """

    def release(self, reservation: str) -> bool:
        """The call did not run: give everything back. False: nothing was held (any more)."""

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        """How full the counters of `demands` are; charges nothing."""

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        """Stop `scope`, until `until` or until it is resumed; replaces an earlier halt of the same scope."""

    def resume(self, scope: str) -> bool:
        """Lift the halt of `scope`; False: there was none."""

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        """The halts in force, by scope."""

    def close(self) -> None: ...


class AsyncStore(Protocol):
    """The same promises as `Store`, awaited."""

    async def reserve(
        self, demands: Sequence[Demand], *, now: int, ttl: int, request: str | None = None
    ) -> Granted | Refused: ...

    async def commit(
        self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int
    ) -> bool: ...

    async def release(self, reservation: str) -> bool: ...

    async def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]: ...

    async def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None: ...

    async def resume(self, scope: str) -> bool: ...

    async def halts(self, *, now: int) -> tuple[Halt, ...]: ...

    async def close(self) -> None: ...
