"""The states of a circuit breaker and how it moves between them; the same in memory and in SQLite.

Takes what happened, at which time; gives whether a call is let through. The idea: a log of outcomes that
counts as it goes, so that how many lie within a window is one look-up and one subtraction, however many they
are. A breaker goes by its mark, the time of the last thing that changed it, which never runs backwards;
being asked changes nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from guardrails.stores.breakers import FORGOTTEN, MOST_OUTCOMES, PROBE, Gauge, Shut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Protocol

    from guardrails.stores.breakers import Gate, Opening, State

    Outcome = Literal["success", "failure", "none"]
else:
    Protocol = object


class OutcomeLog(Protocol):
    """The latest outcomes as `(at, number, failures)`: the time, how many there were by then, and failed."""

    def before(self, at: int) -> tuple[int, int]:
        """Number and failures as they were at `at`; as far as known, where the log begins later."""

    def add(self, at: int, number: int, failures: int) -> None: ...

    def trim(self, number: int) -> None:
        """Drop what is older than outcome `number`."""

    def clear(self) -> None: ...


class MemoryLog:
    """An outcome log in a list, which is in order because marks are."""

    __slots__ = ("_outcomes",)

    def __init__(self) -> None:
        self._outcomes: list[tuple[int, int, int]] = []

    def before(self, at: int) -> tuple[int, int]:
        outcomes = self._outcomes
        found = bisect_right(outcomes, at, key=_at)
        if found:
            return outcomes[found - 1][1:]
        return outcomes[0][1:] if outcomes and outcomes[0][1] > 1 else (0, 0)

    def add(self, at: int, number: int, failures: int) -> None:
        self._outcomes.append((at, number, failures))

    def trim(self, number: int) -> None:
        del self._outcomes[: bisect_left(self._outcomes, number, key=_number)]

    def clear(self) -> None:
        self._outcomes.clear()


class Breaker:
    """One breaker. `until` is None while it is closed; else from `until` on it is half open.

    `probe` is the reservation of the call that was let through to see, and is lost at `lost`. `outcomes` and
    `failures` count since it was closed last, `run` the failures in a row.
    """

    __slots__ = ("failures", "log", "lost", "mark", "outcomes", "probe", "run", "until")

    def __init__(self, log: OutcomeLog) -> None:
        self.log = log
        self.mark = 0
        self.until: int | None = None
        self.probe: str | None = None
        self.lost = 0
        self.run = 0
        self.outcomes = 0
        self.failures = 0

    def shut(self, gate: Gate, index: int, now: int) -> Shut | None:
        """Why the gate at `index` lets no call through now; None: it does."""
        if self.until is None or now >= self.kept_until(gate):
            return None
        at = max(now, self.mark)
        if at < self.until:
            return Shut(index, self.until - at)
        return Shut(index, None) if self.probe is not None and at < self.lost else None

    def let_through(self, gate: Gate, reservation: str, now: int, ttl: int | None) -> bool:
        """A call that was not shut out goes ahead; whether this changed the breaker."""
        if self.until is None:
            return False
        if now >= self.kept_until(gate):
            self._close()
            return True
        self.mark = max(now, self.mark)
        self.probe = reservation
        self.lost = self.mark + (PROBE if ttl is None else ttl)
        return True

    def settle(self, gate: Gate, reservation: str, now: int, outcome: Outcome) -> bool:
        """The call of `reservation` ended; whether this changed the breaker."""
        at = max(now, self.mark)
        if now >= self.kept_until(gate):
            self._close()
        if self.until is None:
            if outcome != "none":
                self._count(gate, at, outcome)
            return outcome != "none"
        if self.probe != reservation or at >= self.lost:
            return False
        self.probe = None
        self.mark = at
        if outcome == "failure":
            self.until = at + gate.retry_after
        elif outcome == "success":
            self._close()
        return True

    def gauge(self, gate: Gate, now: int) -> Gauge:
        if now >= self.kept_until(gate):
            return Gauge(gate.key, "closed", 0, 0, None)
        at = max(now, self.mark)
        longest = longest_window(gate)
        failures = outcomes = self.run
        if longest is not None:
            number, failed = self.log.before(at - longest)
            failures, outcomes = self.failures - failed, self.outcomes - number
        if self.until is None:
            return Gauge(gate.key, "closed", failures, outcomes, None)
        wait = self.until - at
        state: State = "open" if wait > 0 else "half open"
        return Gauge(gate.key, state, failures, outcomes, wait if wait > 0 else None)

    def kept_until(self, gate: Gate) -> int:
        """The time from which the breaker is forgotten, which is as good as new."""
        return max(self.mark + (longest_window(gate) or 0), self.lost, self.until or 0) + FORGOTTEN

    def _close(self) -> None:
        self.until = None
        self.run = self.outcomes = self.failures = 0
        self.log.clear()

    def _count(self, gate: Gate, at: int, outcome: Outcome) -> None:
        failed = outcome == "failure"
        self.mark = at
        self.outcomes += 1
        self.failures += failed
        self.run = self.run + 1 if failed else 0
        longest = longest_window(gate)
        if longest is not None:
            self.log.add(at, self.outcomes, self.failures)
            number, _ = self.log.before(at - longest)
            self.log.trim(max(number, self.outcomes - MOST_OUTCOMES))
        if any(self._reached(opening, at) for opening in gate.openings):
            self.until = at + gate.retry_after

    def _reached(self, opening: Opening, at: int) -> bool:
        if opening.window is None:
            return self.run >= opening.failures
        number, failed = self.log.before(at - opening.window)
        outcomes, failures = self.outcomes - number, self.failures - failed
        if opening.share is None:
            return failures >= opening.failures
        part, whole = opening.share
        return outcomes >= opening.failures and failures * whole >= part * outcomes


def longest_window(gate: Gate) -> int | None:
    """The longest window of the openings; None: none has one."""
    return max([opening.window for opening in gate.openings if opening.window is not None], default=None)


def _at(outcome: tuple[int, int, int]) -> int:
    return outcome[0]


def _number(outcome: tuple[int, int, int]) -> int:
    return outcome[1]
