"""Counters in SQLite, as one transaction sees them.

Takes an open transaction. Rows are read once, changed in memory and written back at the end, so calls that
share a transaction share them too. Until `due` comes a counter only needs its sum. Settled work is deleted
at once, to keep few the pages that a transaction writes. Sums are made in Python, because SQLite turns an
overflow into a float.
"""

from __future__ import annotations

from guardrails.stores.demands import MOST_UNITS, SCALES, counter_parts
from guardrails.stores.port import LOOK_AHEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

    from guardrails.stores.demands import Demand

READ = "SELECT id, name, high, total, reserved, due, members, ends FROM counter WHERE "
NEW = "INSERT INTO counter (name, high, total, reserved, due, members, ends) VALUES (?, 0, 0, 0, ?, 0, 0)"
WRITE = "UPDATE counter SET high = ?, total = ?, reserved = ?, due = ?, members = ? WHERE id = ?"
WRITE_ENDS = "UPDATE counter SET ends = ? WHERE id = ?"
RENAME = "UPDATE counter SET name = ? WHERE id = ?"
GONE = "SELECT coalesce(sum(units), 0) FROM entry WHERE counter = ? AND stamp <= ?"
LEAVE = "DELETE FROM entry WHERE counter = ? AND stamp <= ?"
MEMBERS_LEAVE = "DELETE FROM member WHERE counter = ? AND stamp <= ?"
LATE = "SELECT stamp, units, stays, member FROM held WHERE counter = ? AND deadline <= ?"
RUN_OUT = "DELETE FROM held WHERE counter = ? AND deadline <= ?"
HOLD = "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LET_GO = "DELETE FROM held WHERE counter = ? AND deadline = ? AND reservation = ? AND position = ?"
IS_HELD = "SELECT 1 FROM held WHERE counter = ? AND deadline = ? AND reservation = ? AND position = ?"
PUT = "INSERT INTO entry VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET units = units + excluded.units"
TAKE = "UPDATE entry SET units = units - ? WHERE counter = ? AND stamp = ?"
CLEAR = "DELETE FROM entry WHERE counter = ? AND stamp = ? AND units = 0"
FIRST = "SELECT stamp, units FROM entry WHERE counter = ? ORDER BY stamp LIMIT ?"
FIRST_STAMP = """SELECT min(stamp) FROM (SELECT min(stamp) AS stamp FROM entry WHERE counter = ?1
  UNION ALL SELECT min(stamp) FROM member WHERE counter = ?1)"""
FIRST_DEADLINE = "SELECT min(deadline) FROM held WHERE counter = ?"
MEMBER = "SELECT stamp, settled FROM member WHERE counter = ? AND name = ?"
JOIN = """INSERT INTO member VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
  SET stamp = ?3, settled = coalesce(?4, settled)"""
MOVE_MEMBER = "UPDATE member SET stamp = ? WHERE counter = ? AND name = ?"
SETTLE_MEMBER = "UPDATE member SET settled = max(coalesce(settled, ?1), ?1) WHERE counter = ?2 AND name = ?3"
DROP_MEMBER = "DELETE FROM member WHERE counter = ? AND name = ?"
HELD_STAMP = "SELECT max(stamp) FROM held WHERE counter = ? AND member = ?"
FIRST_MEMBERS = "SELECT stamp, name FROM member WHERE counter = ? ORDER BY stamp LIMIT ?"
MEMBERS = "SELECT name, settled FROM member WHERE counter = ?"
HELD_MEMBERS = "SELECT member, stamp, deadline, stays FROM held WHERE counter = ? AND member IS NOT NULL"

# How much longer than needed a row says that it is of use, so that it need not say so anew at each call.
SLACK = 600_000_000
# Later than any time; SQLite's largest number.
NEVER = 2**63 - 1


class Charge:
    """What one demand of a reservation put on a counter; held as long as its row in `held` is there."""

    __slots__ = ("counter", "deadline", "key", "member", "place", "stamp", "units")

    def __init__(self, fields: tuple[int, int, int, int, str, str | None], place: tuple[int, int]) -> None:
        self.counter, self.deadline, self.stamp, self.units, self.key, self.member = fields
        self.place = (self.counter, self.deadline, *place)

    def is_held(self, connection: Connection) -> bool:
        return connection.execute(IS_HELD, self.place).fetchone() is not None

    def let_go(self, connection: Connection) -> bool:
        """No longer held; whether it was."""
        return connection.execute(LET_GO, self.place).rowcount == 1


class Row:
    """A counter while a transaction has it in its hands."""

    __slots__ = (
        "connection", "decimals", "due", "ends", "high", "id", "key", "members", "name", "reserved", "total", "unit",
        "window", "written",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, fields: tuple[int, str, int, int, int, int, int, int | None]
    ) -> None:
        self.connection = connection
        self.id, self.name, self.high, self.total, self.reserved, self.due, self.members, self.ends = fields
        self.key, self.window, self.decimals = counter_parts(self.name)
        self.unit = SCALES[self.decimals]
        self.written = self._state()

    def advance(self, now: int) -> None:
        """Move to `now` (never backwards): what left the window or ran out of time no longer counts."""
        if now > self.high:
            self.high = now
        # Also when nothing is charged: the mark is what holds a clock that steps back.
        if self.ends is not None and self.high > self.ends:
            self.stays(self.high)
        if self.high >= self.due:
            self._clear()

    def put(self, units: int) -> int:
        """File `units` under the present stamp, which is returned."""
        stamp = self.window.stamp(self.high)
        self.total += units
        if self.total > 2 * MOST_UNITS:
            raise OverflowError
        self.connection.execute(PUT, (self.id, stamp, units))
        self._counts_from(stamp)
        return stamp

    def add(self, demand: Demand) -> int:
        """Put what `demand` asks for on the counter; the stamp that it is filed under."""
        if demand.member is None:
            self.reserved += demand.units
            return self.put(demand.units)
        return self.join(demand.member, settled=False)

    def hold(self, demand: Demand, stamp: int, place: tuple[int, int, int, int]) -> None:
        """Note that the charge may be given back: `place` is reservation, position, deadline and stays."""
        reservation, position, deadline, stays = place
        self.connection.execute(
            HOLD, (self.id, deadline, reservation, position, stamp, demand.units, stays, demand.member)
        )
        self.due = min(self.due, deadline)
        self.stays(deadline)

    def give_back(self, stamp: int, units: int, member: str | None) -> None:
        """Undo a charge that is held no longer."""
        if member is not None:
            self._lose(member)
            return
        self.reserved -= units
        self._take_back(stamp, units)

    def settle(self, charge: Charge, final: int | None, *, stays: bool) -> None:
        """Turn the estimate of `charge` into `final` units (None: it was right).

        All of them are new if it had been given back; one that `stays` is only held no longer.
        """
        held = charge.let_go(self.connection)
        if charge.member is not None:
            self._settle_member(charge, final, held=held, stays=stays)
            return
        units = charge.units if final is None else final
        if not held and not stays:
            self.put(units)
            return
        if held:
            self.reserved -= charge.units
        if units < charge.units:
            self._take_back(charge.stamp, charge.units - units)
        elif units > charge.units:
            self.put(units - charge.units)

    def counts(self, member: str) -> bool:
        found = self.members and self.connection.execute(MEMBER, (self.id, member)).fetchone()
        return bool(found)

    def join(self, member: str, *, settled: bool) -> int:
        """Count `member` from now on; its stamp."""
        stamp = self.window.stamp(self.high)
        if not self.counts(member):
            self.members += 1
            self.total += self.unit
        self.connection.execute(JOIN, (self.id, member, stamp, stamp if settled else None))
        self._counts_from(stamp)
        return stamp

    def wait(self, demand: Demand, ahead: Ahead) -> int | None:
        """Microseconds until `demand` fits on top of what the same call asks for, if nothing else comes."""
        most = demand.ceiling - demand.left
        excess = self.total + ahead.with_demand(self, demand) - most
        if demand.member is not None:
            names = ahead.names | {demand.member}
            if len(names) * self.unit > most:
                return None
            found = self.connection.execute(FIRST_MEMBERS, (self.id, LOOK_AHEAD + len(names))).fetchall()
            return self._wait_for(excess, [(s, self.unit) for s, name in found if name not in names])
        if ahead.units + demand.units > most:
            return None
        return self._wait_for(excess, self.connection.execute(FIRST, (self.id, LOOK_AHEAD)).fetchall())

    def seen_from(self, now: int) -> tuple[int, int]:
        """What is used and what of it is reserved at `now`, without moving there."""
        at = max(now, self.high)
        horizon = self.window.horizon(at)
        (left,) = self.connection.execute(GONE, (self.id, horizon)).fetchone()
        late = self.connection.execute(LATE, (self.id, at)).fetchall()
        plain = [(stamp, units, stays) for stamp, units, stays, member in late if member is None]
        lost = sum(units for stamp, units, stays in plain if stamp > horizon and not stays)
        used, reserved = self.total - left - lost, self.reserved - sum(units for _, units, _ in plain)
        if not self.members:
            return used, reserved
        counted, unsettled = self._members_seen(at, horizon)
        return used + (counted - self.members) * self.unit, reserved + unsettled * self.unit

    def write(self) -> None:
        state = self._state()
        if state != self.written:
            self.connection.execute(WRITE, (*state, self.id))
            self.written = state

    def stays(self, until: int | None) -> None:
        """Keep the row until then at least; None: for ever."""
        if self.ends is None or (until is not None and until <= self.ends):
            return
        self.ends = None if until is None else until + SLACK + (until - self.high) // 8
        self.connection.execute(WRITE_ENDS, (self.ends, self.id))

    def _state(self) -> tuple[int, int, int, int, int]:
        return self.high, self.total, self.reserved, self.due, self.members

    def _counts_from(self, stamp: int) -> None:
        ends = self.window.ends(stamp)
        if ends is not None and ends < self.due:
            self.due = ends
        self.stays(ends)

    def _clear(self) -> None:
        """Drop what is over, and find out when the next thing is."""
        execute, counter = self.connection.execute, self.id
        gone = (counter, self.window.horizon(self.high))
        (units,) = execute(GONE, gone).fetchone()
        self.total -= units
        execute(LEAVE, gone)
        if self.members:
            members = execute(MEMBERS_LEAVE, gone).rowcount
            self.members -= members
            self.total -= members * self.unit
        late = execute(LATE, (counter, self.high)).fetchall()
        if late:
            execute(RUN_OUT, (counter, self.high))
        for stamp, units, stays, member in late:
            self._run_out(stamp, units, member, stays=bool(stays))
        (stamp,) = execute(FIRST_STAMP, (counter,)).fetchone()
        ends = None if stamp is None else self.window.ends(stamp)
        (deadline,) = execute(FIRST_DEADLINE, (counter,)).fetchone()
        self.due = min(NEVER if ends is None else ends, NEVER if deadline is None else deadline)

    def _run_out(self, stamp: int, units: int, member: str | None, *, stays: bool) -> None:
        if not stays:
            self.give_back(stamp, units, member)
        elif member is None:
            self.reserved -= units
        else:
            self.connection.execute(SETTLE_MEMBER, (stamp, self.id, member))

    def _take_back(self, stamp: int, units: int) -> None:
        if units and stamp > self.window.horizon(self.high):
            self.total -= units
            self.connection.execute(TAKE, (units, self.id, stamp))
            self.connection.execute(CLEAR, (self.id, stamp))

    def _lose(self, member: str) -> None:
        """A charge of `member` was given back: it counts by those that it has left."""
        execute = self.connection.execute
        found = execute(MEMBER, (self.id, member)).fetchone()
        if found is None:
            return
        (held,) = execute(HELD_STAMP, (self.id, member)).fetchone()
        stamp = max([at for at in (held, found[1]) if at is not None], default=-NEVER)
        if stamp > self.window.horizon(self.high):
            execute(MOVE_MEMBER, (stamp, self.id, member))
            ends = self.window.ends(stamp)
            self.due = min(self.due, NEVER if ends is None else ends)
            return
        execute(DROP_MEMBER, (self.id, member))
        self.members -= 1
        self.total -= self.unit

    def _settle_member(self, charge: Charge, final: int | None, *, held: bool, stays: bool) -> None:
        assert charge.member is not None
        if held and final == 0:
            self._lose(charge.member)
        elif held:
            self.connection.execute(SETTLE_MEMBER, (charge.stamp, self.id, charge.member))
        elif final != 0 and not stays:
            self.join(charge.member, settled=True)

    def _wait_for(self, excess: int, leaving: Iterable[tuple[int, int]]) -> int | None:
        stamp = self.window.horizon(self.high) + 1
        for stamp, units in leaving:  # noqa: B007  # the last one is of use
            excess -= units
            if excess <= 0:
                break
        ends = self.window.ends(stamp)
        return None if ends is None else ends - self.high

    def _members_seen(self, at: int, horizon: int) -> tuple[int, int]:
        """How many members count at `at`, and how many of them nothing settled holds."""
        settled = dict(self.connection.execute(MEMBERS, (self.id,)).fetchall())
        held: dict[str, int] = {}
        for name, stamp, deadline, stays in self.connection.execute(HELD_MEMBERS, (self.id,)):
            if deadline > at:
                held[name] = max(stamp, held.get(name, stamp))
            elif stays and name in settled:
                settled[name] = stamp if settled[name] is None else max(stamp, settled[name])
        kept = {name for name, stamp in settled.items() if stamp is not None and stamp > horizon}
        unsettled = {name for name in settled if held.get(name, horizon) > horizon} - kept
        return len(kept) + len(unsettled), len(unsettled)


class Ahead:
    """What the earlier demands of one call ask of a counter: units, and members."""

    __slots__ = ("joining", "names", "units")

    def __init__(self) -> None:
        self.units = 0
        self.names: set[str] = set()
        self.joining: set[str] = set()

    def asked(self, row: Row) -> int:
        return self.units + int(len(self.joining) * row.unit)

    def with_demand(self, row: Row, demand: Demand) -> int:
        """Units that the counter gets with those demands and `demand`."""
        before = self.asked(row)
        member = demand.member
        if member is None:
            return before + demand.units
        return before if member in self.joining or row.counts(member) else before + row.unit

    def add(self, row: Row, demand: Demand) -> None:
        if demand.member is None:
            self.units += demand.units
            return
        self.names.add(demand.member)
        if not row.counts(demand.member):
            self.joining.add(demand.member)


class Ledger:
    """The counters that one transaction has touched."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: dict[int, Row] = {}
        self._names: dict[str, Row] = {}

    def counter(self, demand: Demand) -> Row:
        """The counter of `demand`: found, renamed or new."""
        found = self.find(demand.counter)
        if found is not None:
            return found
        before = None if demand.was is None else self.find(demand.counter_before())
        if before is not None:
            self.connection.execute(RENAME, (demand.counter, before.id))
            del self._names[before.name]
            before.name, before.key = demand.counter, demand.key
            self._names[demand.counter] = before
            return before
        number = self.connection.execute(NEW, (demand.counter, NEVER)).lastrowid or 0
        return self._load((number, demand.counter, 0, 0, 0, NEVER, 0, 0))

    def find(self, name: str) -> Row | None:
        found = self._names.get(name)
        if found is None:
            fields = self.connection.execute(f"{READ} name = ?", (name,)).fetchone()
            found = None if fields is None else self._load(fields)
        return found

    def numbered(self, number: int) -> Row:
        found = self._rows.get(number)
        if found is None:
            found = self._load(self.connection.execute(f"{READ} id = ?", (number,)).fetchone())
        return found

    def forget(self, number: int) -> None:
        """The counter was deleted."""
        row = self._rows.pop(number, None)
        if row is not None:
            del self._names[row.name]

    def write(self) -> None:
        for row in self._rows.values():
            row.write()

    def _load(self, fields: tuple[int, str, int, int, int, int, int, int | None]) -> Row:
        row = self._rows[fields[0]] = self._names[fields[1]] = Row(self.connection, fields)
        return row
