"""Reservations in SQLite, as one transaction sees them.

Takes demands that fit, and charges them. A reservation is a row that lists its charges, because whoever
commits it too late still has to charge what was given back.
"""

from __future__ import annotations

from guardrails.stores import sqlite_sessions as sessions
from guardrails.stores.breakers import Gate, Opening
from guardrails.stores.demands import signature
from guardrails.stores.port import KEEP
from guardrails.stores.sqlite_ledger import Charge
from guardrails.strict_json import write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TypeAlias

    from guardrails.stores.breaker_states import Outcome
    from guardrails.stores.demands import Demand
    from guardrails.stores.sqlite_ledger import Ledger

    # Time, how long charges last, request and gates of a call.
    Terms: TypeAlias = tuple[int, int | None, str | None, tuple[Gate, ...]]

OPEN, RELEASED, COMMITTED = range(3)
FIELDS = "id, deadline, state, stays, fills, charges, gates, reservation.request"
FIND = f"SELECT {FIELDS} FROM reservation WHERE id = ?"
REQUESTED = f"""SELECT asked, {FIELDS} FROM request JOIN reservation ON id = reservation
  WHERE request.request = ?"""
INSERT = """INSERT INTO reservation (deadline, state, stays, fills, charges, gates, request)
  VALUES (?, 0, ?, ?, ?, ?, ?)"""
REQUEST = "INSERT OR REPLACE INTO request VALUES (?, ?, ?)"
STATE = "UPDATE reservation SET state = ? WHERE id = ?"
REPORTED = "UPDATE reservation SET gates = NULL WHERE id = ?"
DROP = "DELETE FROM reservation WHERE id = ?"


class Reservation:
    """One reservation while a transaction has it in its hands."""

    __slots__ = ("_charges", "_gates", "deadline", "fills", "ledger", "number", "request", "state", "stays")

    def __init__(self, ledger: Ledger, fields: tuple[Any, ...]) -> None:
        self.ledger = ledger
        self.number, self.deadline, self.state, stays, fills, charges, self._gates, self.request = fields
        self.stays = bool(stays)
        self.fills = [int(fill) for fill in fills.split()]
        self._charges: list[Charge] = [
            Charge(tuple(charge), (self.number, position)) for position, charge in enumerate(_read(charges))
        ]

    @property
    def charges(self) -> Sequence[Charge]:
        return self._charges

    def advance(self, now: int) -> None:
        for charge in self._charges:
            self.ledger.numbered(charge.counter).advance(now)

    def stands(self, now: int) -> bool:
        """Whether what was granted is there in full."""
        if self.state != OPEN:
            return bool(self.state == COMMITTED)
        self.advance(now)
        if not self._charges:
            return self.stays or bool(now < self.deadline)
        return all(charge.is_held(self.ledger.connection) for charge in self._charges)

    def give_back(self) -> bool:
        """Undo every charge that still counts; whether there was one."""
        connection = self.ledger.connection
        held = [charge for charge in self._charges if charge.let_go(connection)]
        for charge in held:
            self.ledger.numbered(charge.counter).give_back(charge.stamp, charge.units, charge.member)
        connection.execute(STATE, (RELEASED, self.number))
        return bool(held)

    def committed(self) -> None:
        """It is over; only a request may still ask for it."""
        if self.request is None:
            self.ledger.connection.execute(DROP, (self.number,))
        else:
            self.ledger.connection.execute(STATE, (COMMITTED, self.number))

    def report(self, now: int, outcome: Outcome) -> None:
        """Tell the gates how the call ended, once."""
        if self._gates is None:
            return
        connection = self.ledger.connection
        for gate in {gate.key: gate for gate in gates_of(self._gates)}.values():
            sessions.report(connection, gate, str(self.number), (now, outcome))
        if outcome != "none":
            connection.execute(REPORTED, (self.number,))


def reserved(ledger: Ledger, reservation: str, now: int) -> Reservation | None:
    """The reservation of this name, as long as it can be settled."""
    # No text that never was a number of a row is given to the database.
    plain = reservation.isascii() and reservation.isdecimal() and len(reservation) < 19
    found = ledger.connection.execute(FIND, (int(reservation),)).fetchone() if plain else None
    return None if found is None or found[1] + KEEP <= now else Reservation(ledger, found)


def requested(ledger: Ledger, request: str, now: int) -> tuple[Reservation | None, str]:
    """The reservation that was made for `request`, as long as it is known, and what was asked for."""
    found = ledger.connection.execute(REQUESTED, (request,)).fetchone()
    if found is None or found[2] + KEEP <= now:
        return None, ""
    return Reservation(ledger, found[1:]), found[0]


def insert(ledger: Ledger, demands: Sequence[Demand], totals: Sequence[int], terms: Terms) -> int:
    """Charge the demands, which fit, and pass the gates; the number of the reservation."""
    now, ttl, request, gates = terms
    lasts, stays = (KEEP, 1) if ttl is None else (ttl, 0)
    rows = [ledger.counter(demand) for demand in demands]
    stamps = [row.add(demand) for row, demand in zip(rows, demands, strict=True)]
    charges = [
        (row.id, row.high + lasts, stamp, demand.units, demand.key, demand.member)
        for row, stamp, demand in zip(rows, stamps, demands, strict=True)
    ]
    made = max([now, *[row.high for row in rows]])
    fields = (
        made + (ttl or 0),
        stays,
        " ".join(map(str, totals)),
        write_json(charges),
        _gates_text(gates),
        request,
    )
    number = ledger.connection.execute(INSERT, fields).lastrowid or 0
    for position, row in enumerate(rows):
        row.hold(demands[position], stamps[position], (number, position, charges[position][1], stays))
    if request is not None:
        ledger.connection.execute(REQUEST, (request, number, signature(demands)))
    for gate in gates:
        sessions.let_through(ledger.connection, gate, str(number), (now, ttl))
    return number


def gates_of(text: str) -> list[Gate]:
    return [
        Gate(key, tuple([Opening(n, window, share and tuple(share)) for n, window, share in openings]), wait)
        for key, openings, wait in _read(text)
    ]


def _gates_text(gates: Iterable[Gate]) -> str | None:
    plain = [
        (gate.key, [(o.failures, o.window, o.share) for o in gate.openings], gate.retry_after)
        for gate in gates
    ]
    return write_json(plain) if plain else None


def _read(text: str) -> Any:
    """What was written here before. A call that is only charged reads nothing, and a process that makes one
    such call does not wait for `json`."""
    from json import loads

    return loads(text)
