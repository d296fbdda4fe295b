"""Reservations in memory: what a grant holds, until it is settled or nobody can ask for it any more.

Takes charges, gives them back together.
"""

from __future__ import annotations

from guardrails.stores.port import KEEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.stores.breakers import Gate
    from guardrails.stores.memory_counters import Charge

OPEN, RELEASED, COMMITTED = range(3)


class Hold:
    """A reservation: its charges and its state.

    `lasts` is how long its charges are held, `stays` that they are not given back after it. `deadline` is
    when the last of them runs out, or when they were made if none does. `reported` says that its gates have
    had its outcome. Charges know their reservation, so who drops one empties it, to break the circle.
    """

    __slots__ = ("charges", "deadline", "gates", "lasts", "reported", "request", "state", "stays")

    def __init__(self, now: int, ttl: int | None, gates: Sequence[Gate]) -> None:
        self.deadline = now
        self.stays = ttl is None
        self.lasts = KEEP if ttl is None else ttl
        self.gates = gates
        self.charges: list[Charge] = []
        self.state = OPEN
        self.reported = False
        self.request: Request | None = None


class Request:
    """What a reservation was made for: `text` names it, `asked` is what must be asked for again.

    `name` and `totals` are the answer that it got.
    """

    __slots__ = ("asked", "hold", "name", "text", "totals")

    def __init__(self, text: str, asked: str, hold: Hold) -> None:
        self.text = text
        self.asked = asked
        self.hold = hold
        self.name = ""
        self.totals: list[int] = []
