"""Holds: what an approved call is charged, told apart from what all others are charged.

Takes the id that a call can be repeated by and what it is; gives the name that it is charged under, and marks. The name
says all that an approval is bound to, so nobody but this very call is given the grant that it had. A mark lies beside
each charge, in the same reservation: as much of it, over the same window, on a counter of this call alone. So where a
limit is full, the store can say whether that is this call's own doing, and whether its outcome is still waited for.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from guardrails.approvals.digests import digest_of
from guardrails.stores.demands import MOST_UNITS, Demand, amount_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from typing import Any

    from guardrails.approvals.request import Subject

MARK = "\x1fapproved\x1f"
"""What the keys of marks begin with, and no counter of a policy does."""


class Hold:
    """The charge of one call that people approved; `call` is what it can be repeated by."""

    __slots__ = ("name",)

    def __init__(self, call: str, subject: Subject) -> None:
        bound = [subject.session, subject.tool, subject.digest, subject.tool_digest, subject.policy]
        self.name = f"{call}\x1f{digest_of([*bound, subject.principal, subject.agent])}"

    def marks(self, demands: Iterable[Demand]) -> list[Demand]:
        """The marks of these charges, which fit always. What adds nothing to a counter has none."""
        return [self._mark(demand) for demand in demands if _can_be_marked(demand)]

    def explains(self, full: Sequence[Demand], now: int) -> Generator[Any, Any, bool]:
        """Whether what is held for this call is why these demands do not fit: without it each of them would. Asks the
        store for all of it at once. What is held is the newest of what this call was ever charged, so as long as any of
        its marks counts this one does."""
        if not full or not all(map(_can_be_marked, full)):
            return False
        fills = yield ("fill", ([*full, *self.marks(full)],), {"now": now})
        used, own = fills[: len(full)], fills[len(full) :]
        return all(
            mark.reserved == demand.amount <= mark.used and fill.used <= demand.limit
            for demand, fill, mark in zip(full, used, own, strict=True)
        )

    def _mark(self, demand: Demand) -> Demand:
        whose = sha256(f"{self.name}\x1f{demand.key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        most = amount_of(MOST_UNITS, demand.decimals)
        return Demand(f"{MARK}{whose}", demand.amount, most, demand.window, demand.decimals)


def _can_be_marked(demand: Demand) -> bool:
    """A member that counts already fits always, and one that something is left charges nothing."""
    return demand.member is None and not demand.left
