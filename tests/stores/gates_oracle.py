"""The plain truth about breakers and session logs: all outcomes are kept and counted anew each time."""

from __future__ import annotations

from dataclasses import dataclass, field

from guardrails.stores import Gate, Moved, Note, Opening, Past

LOST = 300_000_000


@dataclass
class BreakerTruth:
    gate: Gate
    outcomes: list[tuple[int, bool]] = field(default_factory=list)
    mark: int = 0
    opened: int | None = None
    probe: tuple[str, int] | None = None

    def at(self, now: int) -> int:
        return max(now, self.mark)

    def state(self, now: int) -> str:
        if self.opened is None:
            return "closed"
        return "open" if self.at(now) < self.opened + self.gate.retry_after else "half open"

    def shut(self, now: int) -> tuple[int | None] | None:
        """`(retry_after,)` when it lets nothing through."""
        state = self.state(now)
        if state == "open":
            assert self.opened is not None
            return (self.opened + self.gate.retry_after - self.at(now),)
        probing = self.probe is not None and self.at(now) < self.probe[1]
        return (None,) if state == "half open" and probing else None

    def let_through(self, name: str, now: int, ttl: int | None) -> None:
        if self.opened is not None:
            self.mark = self.at(now)
            self.probe = (name, self.mark + (LOST if ttl is None else ttl))

    def end(self, name: str, now: int, outcome: str) -> None:
        at = self.at(now)
        if self.opened is None and outcome != "none":
            self.mark = at
            self.outcomes.append((at, outcome == "failure"))
            if any(self.reached(opening) for opening in self.gate.openings):
                self.opened = at
        elif (
            self.opened is not None
            and self.probe is not None
            and self.probe[0] == name
            and at < self.probe[1]
        ):
            self.mark, self.probe = at, None
            if outcome == "success":
                self.opened, self.outcomes = None, []
            elif outcome == "failure":
                self.opened = at

    def reached(self, opening: Opening) -> bool:
        if opening.window is None:
            return self.row() >= opening.failures
        failed = self.within(opening.window, self.mark)
        if opening.share is None:
            return sum(failed) >= opening.failures
        part, whole = opening.share
        return len(failed) >= opening.failures and sum(failed) * whole >= len(failed) * part

    def row(self) -> int:
        fails = [failed for _, failed in reversed(self.outcomes)]
        return fails.index(False) if False in fails else len(fails)

    def within(self, window: int, at: int) -> list[bool]:
        return [failed for when, failed in self.outcomes if at - window < when]

    def gauge(self, now: int) -> tuple[str, int, int, int | None]:
        windows = [opening.window for opening in self.gate.openings if opening.window is not None]
        failed = self.within(max(windows), self.at(now)) if windows else [True] * self.row()
        shut = self.shut(now) if self.state(now) == "open" else None
        return self.state(now), sum(failed), len(failed), shut and shut[0]


@dataclass
class LogTruth:
    texts: list[str] = field(default_factory=list)
    mark: int = 0
    ends: int = 0

    def seen(self, now: int) -> list[str]:
        return self.texts if now < self.ends else []

    def moved(self, note: Note, now: int) -> Moved | None:
        last = len(self.seen(now))
        return None if note.after in (None, last) else Moved(last)

    def write(self, note: Note, now: int) -> int:
        if now >= self.ends:
            self.texts, self.mark, self.ends = [], 0, 0
        self.mark = max(now, self.mark)
        self.ends = max(self.ends, self.mark + note.keep)
        self.texts = [*self.texts, note.text]
        return len(self.texts)

    def recall(self, after: int, now: int) -> Past:
        return Past(len(self.seen(now)), tuple(self.seen(now)[after:]))
