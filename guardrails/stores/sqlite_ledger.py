"""Counters in SQLite, as one transaction sees them.

Takes an open transaction. A counter is a row with a running sum; what it consists of lies in `entry` by
stamp, and what may still be given back lies in `held`. Rows are read once, changed in memory and written
back at the end. Settled work is deleted at once, to keep few the pages that a transaction writes. Sums are
made in Python, because SQLite turns an overflow into a float.
"""

from __future__ import annotations

from guardrails.stores.demands import MOST_UNITS, counter_parts
from guardrails.stores.port import LOOK_AHEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

    from guardrails.stores.demands import Demand

SCHEMA = """
CREATE TABLE counter (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, high INTEGER NOT NULL,
  total INTEGER NOT NULL, reserved INTEGER NOT NULL, ends INTEGER
) STRICT;
CREATE INDEX counter_ends ON counter (ends) WHERE ends IS NOT NULL;
CREATE TABLE entry (
  counter INTEGER NOT NULL, stamp INTEGER NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (counter, stamp)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
  counter INTEGER NOT NULL, deadline INTEGER NOT NULL, reservation INTEGER NOT NULL,
  position INTEGER NOT NULL, stamp INTEGER NOT NULL, units INTEGER NOT NULL,
  PRIMARY KEY (counter, deadline, reservation, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE reservation (
  id INTEGER PRIMARY KEY AUTOINCREMENT, deadline INTEGER NOT NULL, request TEXT, fills TEXT NOT NULL,
  charges TEXT NOT NULL, committed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX reservation_deadline ON reservation (deadline);
CREATE TABLE request (
  request TEXT PRIMARY KEY, reservation INTEGER NOT NULL, signature TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE halt (
  scope TEXT PRIMARY KEY, who TEXT NOT NULL, why TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER
) STRICT, WITHOUT ROWID;
"""

READ = "SELECT id, name, high, total, reserved, ends FROM counter WHERE "
NEW = "INSERT INTO counter (name, high, total, reserved, ends) VALUES (?, 0, 0, 0, 0)"
WRITE = "UPDATE counter SET high = ?, total = ?, reserved = ? WHERE id = ?"
WRITE_ENDS = "UPDATE counter SET ends = ? WHERE id = ?"
GONE = "SELECT coalesce(sum(units), 0), count(*) FROM entry WHERE counter = ? AND stamp <= ?"
LEAVE = "DELETE FROM entry WHERE counter = ? AND stamp <= ?"
LATE = "SELECT stamp, units FROM held WHERE counter = ? AND deadline <= ?"
RUN_OUT = "DELETE FROM held WHERE counter = ? AND deadline <= ?"
HOLD = "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?)"
LET_GO = "DELETE FROM held WHERE counter = ? AND deadline = ? AND reservation = ? AND position = ?"
IS_HELD = "SELECT 1 FROM held WHERE counter = ? AND deadline = ? AND reservation = ? AND position = ?"
PUT = "INSERT INTO entry VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET units = units + excluded.units"
TAKE = "UPDATE entry SET units = units - ? WHERE counter = ? AND stamp = ?"
CLEAR = "DELETE FROM entry WHERE counter = ? AND stamp = ? AND units = 0"
FIRST = "SELECT stamp, units FROM entry WHERE counter = ? ORDER BY stamp LIMIT ?"

# How much longer than needed a row says that it is of use, so that it need not say so anew at each call.
SLACK = 600_000_000


class Charge:
    """What one demand of a reservation put on a counter; held as long as its row in `held` is there."""

    __slots__ = ("counter", "deadline", "place", "stamp", "units")

    def __init__(self, fields: tuple[int, int, int, int], place: tuple[int, int]) -> None:
        self.counter, self.deadline, self.stamp, self.units = fields
        self.place = (self.counter, self.deadline, *place)

    def is_held(self, connection: Connection) -> bool:
        return connection.execute(IS_HELD, self.place).fetchone() is not None

    def let_go(self, connection: Connection) -> bool:
        """No longer held; whether it was."""
        return connection.execute(LET_GO, self.place).rowcount == 1


def charges_of(reservation: int, text: str) -> list[Charge]:
    """The charges that a row of `reservation` lists as `counter deadline stamp units`, with semicolons."""
    charges = []
    for position, part in enumerate(text.split(";") if text else ()):
        counter, deadline, stamp, units = map(int, part.split())
        charges.append(Charge((counter, deadline, stamp, units), (reservation, position)))
    return charges


class Row:
    """A counter while a transaction has it in its hands."""

    __slots__ = ("connection", "decimals", "ends", "high", "id", "key", "reserved", "total", "window")

    def __init__(self, connection: Connection, fields: tuple[int, str, int, int, int, int | None]) -> None:
        self.connection = connection
        self.id, name, self.high, self.total, self.reserved, self.ends = fields
        self.key, self.window, self.decimals = counter_parts(name)

    def advance(self, now: int) -> None:
        """Move to `now` (never backwards): what left the window or ran out of time no longer counts."""
        self.high = max(now, self.high)
        # Also when nothing is charged: the mark is what holds a clock that steps back.
        self._stays(self.high)
        execute = self.connection.execute
        gone = (self.id, self.window.horizon(self.high))
        units, entries = execute(GONE, gone).fetchone()
        if entries:
            self.total -= units
            execute(LEAVE, gone)
        late = execute(LATE, (self.id, self.high)).fetchall()
        if late:
            execute(RUN_OUT, (self.id, self.high))
        for stamp, units in late:
            self.give_back(stamp, units)

    def put(self, units: int) -> int:
        """File `units` under the present stamp, which is returned."""
        stamp = self.window.stamp(self.high)
        self.total += units
        if self.total > 2 * MOST_UNITS:
            raise OverflowError
        self.connection.execute(PUT, (self.id, stamp, units))
        self._stays(self.window.ends(stamp))
        return stamp

    def hold(self, units: int, deadline: int, place: tuple[int, int]) -> str:
        """Charge `units` that may be given back, at `(reservation, position)`; how `charges_of` reads it."""
        self.reserved += units
        stamp = self.put(units)
        self._stays(deadline)
        self.connection.execute(HOLD, (self.id, deadline, *place, stamp, units))
        return f"{self.id} {deadline} {stamp} {units}"

    def give_back(self, stamp: int, units: int) -> None:
        self.reserved -= units
        self.take_back(stamp, units)

    def take_back(self, stamp: int, units: int) -> None:
        if units and stamp > self.window.horizon(self.high):
            self.total -= units
            self.connection.execute(TAKE, (units, self.id, stamp))
            self.connection.execute(CLEAR, (self.id, stamp))

    def settle(self, charge: Charge, units: int) -> None:
        """Turn the estimate of `charge` into `units`; all of them are new if it had been given back."""
        if not charge.let_go(self.connection):
            self.put(units)
            return
        self.reserved -= charge.units
        if units < charge.units:
            self.take_back(charge.stamp, charge.units - units)
        elif units > charge.units:
            self.put(units - charge.units)

    def wait(self, demand: Demand, ahead: int) -> int | None:
        """Microseconds until `demand` fits on top of `ahead` units of the same call, if nothing else comes."""
        if ahead + demand.units > demand.ceiling:
            return None
        excess = self.total + ahead + demand.units - demand.ceiling
        stamp = self.window.stamp(self.high)
        for earlier, units in self.connection.execute(FIRST, (self.id, LOOK_AHEAD)).fetchall():
            stamp = earlier
            excess -= units
            if excess <= 0:
                break
        ends = self.window.ends(stamp)
        return None if ends is None else ends - self.high

    def seen_from(self, now: int) -> tuple[int, int]:
        """What is used and what of it is reserved at `now`, without moving there."""
        at = max(now, self.high)
        horizon = self.window.horizon(at)
        left, _ = self.connection.execute(GONE, (self.id, horizon)).fetchone()
        late = self.connection.execute(LATE, (self.id, at)).fetchall()
        given_back = sum(units for stamp, units in late if stamp > horizon)
        return self.total - left - given_back, self.reserved - sum(units for _, units in late)

    def write(self) -> None:
        self.connection.execute(WRITE, (self.high, self.total, self.reserved, self.id))

    def _stays(self, until: int | None) -> None:
        """Keep the row until then at least; None: for ever."""
        if self.ends is None or (until is not None and until <= self.ends):
            return
        self.ends = None if until is None else until + SLACK + (until - self.high) // 8
        self.connection.execute(WRITE_ENDS, (self.ends, self.id))


class Ledger:
    """The counters that one transaction has touched."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: dict[int, Row] = {}
        self._names: dict[str, Row] = {}

    def named(self, name: str) -> Row:
        """The counter `name`, new if need be."""
        found = self._names.get(name) or self.find(name)
        if found is None:
            self.connection.execute(NEW, (name,))
            found = self.find(name)
            assert found is not None
        return found

    def find(self, name: str) -> Row | None:
        return self._load(self.connection.execute(f"{READ} name = ?", (name,)).fetchone())

    def numbered(self, number: int) -> Row:
        if number in self._rows:
            return self._rows[number]
        row = self._load(self.connection.execute(f"{READ} id = ?", (number,)).fetchone())
        assert row is not None
        return row

    def rows(self) -> Iterable[Row]:
        return self._rows.values()

    def write(self) -> None:
        for row in self._rows.values():
            row.write()

    def _load(self, fields: tuple[int, str, int, int, int, int | None] | None) -> Row | None:
        if fields is None:
            return None
        row = self._rows.get(fields[0])
        if row is None:
            row = self._rows[fields[0]] = self._names[fields[1]] = Row(self.connection, fields)
        return row
