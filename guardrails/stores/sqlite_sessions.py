"""Session logs and breakers in SQLite, as one transaction sees them.

Takes notes and outcomes. Rows are read when they are asked for and written at once: a closed breaker that
never saw an outcome has no row, and a note is one row more.
"""

from __future__ import annotations

from guardrails.stores.breaker_states import Breaker
from guardrails.stores.sessions import MOST_BYTES, MOST_NOTES, Moved, Past, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Connection

    from guardrails.stores.breaker_states import Outcome
    from guardrails.stores.breakers import Gate, Gauge, Shut
    from guardrails.stores.sessions import Note

LOG = "SELECT id, mark, ends, first, last, size FROM log WHERE session = ?"
NEW_LOG = "INSERT INTO log (session, mark, ends, first, last, size) VALUES (?, 0, 0, 1, 0, 0)"
WRITE_LOG = "UPDATE log SET mark = ?, ends = ?, first = ?, last = ?, size = ? WHERE id = ?"
ADD_NOTE = "INSERT INTO note VALUES (?, ?, ?, ?)"
NOTES = "SELECT text FROM note WHERE log = ? AND number > ? ORDER BY number"
OLDEST = "SELECT number, size FROM note WHERE log = ? ORDER BY number"
DROP_NOTES = "DELETE FROM note WHERE log = ? AND number < ?"
DROP_LOG = ("DELETE FROM note WHERE log = ?", "DELETE FROM log WHERE id = ?")
OLD_LOGS = "SELECT id FROM log WHERE ends <= ? ORDER BY ends LIMIT ?"

BREAKER = "SELECT id, mark, until, probe, lost, run, outcomes, failures FROM breaker WHERE key = ?"
NEW_BREAKER = (
    """INSERT INTO breaker (key, mark, lost, run, outcomes, failures, kept) VALUES (?, 0, 0, 0, 0, 0, 0)"""
)
WRITE_BREAKER = """UPDATE breaker SET mark = ?, until = ?, probe = ?, lost = ?, run = ?, outcomes = ?,
  failures = ?, kept = ? WHERE id = ?"""
ADD_OUTCOME = "INSERT INTO outcome (breaker, at, number, failures) VALUES (?, ?, ?, ?)"
BEFORE = (
    "SELECT number, failures FROM outcome WHERE breaker = ? AND at <= ? ORDER BY at DESC, number DESC LIMIT 1"
)
FIRST_OUTCOME = "SELECT number, failures FROM outcome WHERE breaker = ? ORDER BY number LIMIT 1"
TRIM = "DELETE FROM outcome WHERE breaker = ? AND number < ?"
DROP_BREAKER = ("DELETE FROM outcome WHERE breaker = ?", "DELETE FROM breaker WHERE id = ?")
OLD_BREAKERS = "SELECT id FROM breaker WHERE kept <= ? ORDER BY kept LIMIT ?"


class Log:
    """One session's log; `number` is its row, None where there is none (any more)."""

    __slots__ = ("connection", "ends", "first", "last", "mark", "number", "session", "size")

    def __init__(self, connection: Connection, session: str, now: int) -> None:
        self.connection = connection
        self.session = session
        self.number: int | None = None
        self.mark, self.ends, self.first, self.last, self.size = 0, 0, 1, 0, 0
        found = connection.execute(LOG, (session,)).fetchone()
        if found is not None and now < found[2]:
            self.number, self.mark, self.ends, self.first, self.last, self.size = found

    def moved(self, note: Note) -> Moved | None:
        """What is in the way of `note`, if anything."""
        return None if note.after is None or note.after == self.last else Moved(self.last)

    def write(self, note: Note, now: int) -> int:
        """Add `note`, which nothing is in the way of; its number."""
        execute, size = self.connection.execute, size_of(note.text)
        if self.number is None:
            forget_log(self.connection, self.session)
            self.number = execute(NEW_LOG, (self.session,)).lastrowid or 0
        self.mark = max(now, self.mark)
        self.ends = max(self.ends, self.mark + note.keep)
        self.last += 1
        self.size += size
        execute(ADD_NOTE, (self.number, self.last, size, note.text))
        self._trim()
        execute(WRITE_LOG, (self.mark, self.ends, self.first, self.last, self.size, self.number))
        return self.last

    def recall(self, after: int) -> Past:
        if self.number is None:
            return Past(0, ())
        found = self.connection.execute(NOTES, (self.number, after)).fetchall()
        return Past(self.last, tuple([text for (text,) in found]))

    def _trim(self) -> None:
        if self.size <= MOST_BYTES and self.last - self.first < MOST_NOTES:
            return
        for number, size in self.connection.execute(OLDEST, (self.number,)):
            if number == self.last or (self.size <= MOST_BYTES and self.last - number < MOST_NOTES):
                self.first = number
                break
            self.size -= size
        self.connection.execute(DROP_NOTES, (self.number, self.first))


def forget_log(connection: Connection, session: str) -> bool:
    found = connection.execute(LOG, (session,)).fetchone()
    if found is not None:
        for statement in DROP_LOG:
            connection.execute(statement, found[:1])
    return found is not None


class OutcomeRows:
    """An outcome log in a table."""

    __slots__ = ("connection", "number")

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection = connection
        self.number = number

    def before(self, at: int) -> tuple[int, int]:
        execute = self.connection.execute
        found = execute(BEFORE, (self.number, at)).fetchone()
        if found is None:
            found = execute(FIRST_OUTCOME, (self.number,)).fetchone()
            if found is None or found[0] == 1:
                return 0, 0
        return found[0], found[1]

    def add(self, at: int, number: int, failures: int) -> None:
        self.connection.execute(ADD_OUTCOME, (self.number, at, number, failures))

    def trim(self, number: int) -> None:
        self.connection.execute(TRIM, (self.number, number))

    def clear(self) -> None:
        self.connection.execute("DELETE FROM outcome WHERE breaker = ?", (self.number,))


def find_breaker(connection: Connection, gate: Gate) -> Breaker | None:
    """The breaker of `gate`, if anything has happened to it."""
    found = connection.execute(BREAKER, (gate.key,)).fetchone()
    if found is None:
        return None
    number, *state = found
    breaker = Breaker(OutcomeRows(connection, number))
    breaker.mark, breaker.until, breaker.probe, breaker.lost, *counts = state
    breaker.run, breaker.outcomes, breaker.failures = counts
    return breaker


def shut(connection: Connection, gates: tuple[Gate, ...], now: int) -> Shut | None:
    """The first gate that lets no call through."""
    for index, gate in enumerate(gates):
        breaker = find_breaker(connection, gate)
        found = breaker and breaker.shut(gate, index, now)
        if found:
            return found
    return None


def let_through(connection: Connection, gate: Gate, reservation: str, times: tuple[int, int | None]) -> None:
    """The call of `reservation` passes `gate` at the first of `times`, and its charges last for the second."""
    breaker = find_breaker(connection, gate)
    if breaker is not None and breaker.let_through(gate, reservation, *times):
        _write(connection, gate, breaker)


def report(connection: Connection, gate: Gate, reservation: str, end: tuple[int, Outcome]) -> None:
    """The call of `reservation` ended, when and how."""
    breaker = find_breaker(connection, gate)
    if breaker is None:
        if end[1] == "none":
            return
        number = connection.execute(NEW_BREAKER, (gate.key,)).lastrowid or 0
        breaker = Breaker(OutcomeRows(connection, number))
    if breaker.settle(gate, reservation, *end):
        _write(connection, gate, breaker)


def gauge(connection: Connection, gate: Gate, now: int) -> Gauge:
    breaker = find_breaker(connection, gate) or Breaker(OutcomeRows(connection, 0))
    return breaker.gauge(gate, now)


def clear_away(connection: Connection, now: int, most: int) -> None:
    """Drop logs that expired and breakers that are forgotten, `most` of each."""
    for find, statements in ((OLD_LOGS, DROP_LOG), (OLD_BREAKERS, DROP_BREAKER)):
        for found in connection.execute(find, (now, most)).fetchall():
            for statement in statements:
                connection.execute(statement, found)


def _write(connection: Connection, gate: Gate, breaker: Breaker) -> None:
    rows = breaker.log
    assert isinstance(rows, OutcomeRows)
    state = (breaker.mark, breaker.until, breaker.probe, breaker.lost, breaker.run, breaker.outcomes)
    connection.execute(WRITE_BREAKER, (*state, breaker.failures, breaker.kept_until(gate), rows.number))
