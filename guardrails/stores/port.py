"""The store port: where limits and budgets are kept, and what every home of them promises (law L6).

Takes demands and the time, gives grants and refusals. The idea: reserve before the call, commit or release
after it, and let a reservation that nobody settles run out. With the demands of a decision go the breakers
that must let it through and the note that the session's log gets; all of it happens, or nothing does. Times
are microseconds; `now` is the caller's clock, which each counter only ever lets run forwards, and a store
with a clock of its own ignores it.

A reservation is known until `KEEP` after the last of its charges runs out, or after it was made if none
does; from then on nothing can be said about it, and what it holds without an end stays for good.
"""

from __future__ import annotations

from guardrails.errors import Unavailable
from guardrails.stores.documents import MOST_SCANNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    from guardrails.exact import Exact
    from guardrails.stores.breakers import Gate, Gauge, Shut
    from guardrails.stores.demands import Demand, Fill, Granted, Level, Refused
    from guardrails.stores.documents import Changed, Document
    from guardrails.stores.halts import Halt
    from guardrails.stores.sessions import Moved, Note, Past
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
        self,
        demands: Sequence[Demand],
        *,
        now: int,
        ttl: int | None,
        request: str | None = None,
        gates: Sequence[Gate] = (),
        note: Note | None = None,
    ) -> Granted | Refused | Shut | Moved:
        """Charge all demands, pass all gates and write the note; or do nothing and say what is in the way.

        What is granted counts at once and is given back after `ttl` microseconds unless it is committed.
        With `ttl` None it never runs out; it can still be released, or settled, for `KEEP`. A repeated
        `request` that holds a grant gets the same grant: nothing is charged or noted again, and no gate is
        asked. One that was refused or given back is judged anew. Raises `RequestReused` if it asks for
        something else. Asked in this order: the note (`Moved`), the gates (`Shut`), the demands (`Refused`).
        """

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int) -> bool:
        """The call ran: keep what was reserved, or what `actual` says it used, by key; its gates saw a success.

        Less than reserved gives back the rest. More is charged in full, above the limit if need be, at
        `now`; so is all of a reservation that had been given back. Keys are those that it was reserved
        with, whatever the counters were renamed to since. False: it was committed before, or is
        not known (any more). Raises `EvaluationError` for a key that was not reserved on.
        """

    def release(self, reservation: str, *, now: int, failed: bool = False) -> bool:
        """Give everything back: the call did not run, or it `failed`, which its gates count as a failure.

        False: nothing was held (any more); a failure is counted all the same as long as the reservation is
        known, once.
        """

    def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]:
        """How full the counters of `demands` are; charges nothing, and renames nothing."""

    def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]:
        """The counters whose key begins with `prefix` and that something counts on, by key, then window name,
        then decimals; charges nothing."""

    def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]:
        """The state of each breaker; changes nothing."""

    def remember(self, note: Note, *, now: int) -> int | Moved:
        """Write a note into its session's log; gives its number (the first is 1)."""

    def recall(self, session: str, *, after: int, now: int) -> Past:
        """The notes of a session that come after number `after`."""

    def forget(self, session: str) -> bool:
        """Drop a session's log; False: there was none."""

    def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None:
        """Stop `scope`, until `until` or until it is resumed; replaces an earlier halt of the same scope."""

    def resume(self, scope: str) -> bool:
        """Lift the halt of `scope`; False: there was none."""

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        """The halts in force, by scope."""

    def read(self, key: str, *, now: int) -> Document | None:
        """The document under `key`; None where there is none, or it is over."""

    def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed:
        """Write the document that follows on `version` (0: there is none yet); or do nothing, where another has
        come since. It is over `keep` microseconds later, or when it would have been if that is later."""

    def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]:
        """The first documents whose key begins with `prefix` and comes after `after`, by key; fewer than `most`
        (which is `MOST_SCANNED` at most) are the last."""

    def close(self) -> None: ...


class AsyncStore(Protocol):
    """The same promises as `Store`, awaited."""

    async def reserve(
        self,
        demands: Sequence[Demand],
        *,
        now: int,
        ttl: int | None,
        request: str | None = None,
        gates: Sequence[Gate] = (),
        note: Note | None = None,
    ) -> Granted | Refused | Shut | Moved: ...

    async def commit(
        self, reservation: str, actual: Mapping[str, Exact] | None = None, *, now: int
    ) -> bool: ...

    async def release(self, reservation: str, *, now: int, failed: bool = False) -> bool: ...

    async def fill(self, demands: Iterable[Demand], *, now: int) -> tuple[Fill, ...]: ...

    async def levels(self, prefix: str, *, now: int) -> tuple[Level, ...]: ...

    async def gauges(self, gates: Iterable[Gate], *, now: int) -> tuple[Gauge, ...]: ...

    async def remember(self, note: Note, *, now: int) -> int | Moved: ...

    async def recall(self, session: str, *, after: int, now: int) -> Past: ...

    async def forget(self, session: str) -> bool: ...

    async def halt(self, scope: str, who: str, why: str, *, now: int, until: int | None = None) -> None: ...

    async def resume(self, scope: str) -> bool: ...

    async def halts(self, *, now: int) -> tuple[Halt, ...]: ...

    async def read(self, key: str, *, now: int) -> Document | None: ...

    async def swap(self, key: str, text: str, *, version: int, keep: int, now: int) -> Document | Changed: ...

    async def scan(
        self, prefix: str, *, now: int, after: str = "", most: int = MOST_SCANNED
    ) -> tuple[Document, ...]: ...

    async def close(self) -> None: ...
