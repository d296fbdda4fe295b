"""Overlaps: matches of all detectors become stretches that do not overlap.

Takes matches in the order of their starts, gives stretches. A stretch covers all matches that overlap, is
named by one of them (the higher score, then the longer, the earlier, the entity's name) and replaced by the
strictest method of any; so neither the order of rules nor that of detectors means anything (law L1). It is
built from left to right with bounded memory, so that a stream and a whole come to the same stretches.
"""

from __future__ import annotations

from guardrails.model import Value
from guardrails.redaction.methods import Method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LONG = 8_192
"""A stretch longer than this, in characters, is one run: what begins in its first LONG characters names it and
says the method, and nothing that depends on all of its text (hash, token, last) is written for it."""


class Found(Value):
    """A match with the method that its rules ask for. `run`, where not empty, lists characters with which a
    match goes on that its detector had to cut short."""

    __slots__ = ("end", "entity", "method", "run", "score", "start")

    def __init__(
        self, start: int, end: int, entity: str, *, score: float, method: Method, run: str = ""
    ) -> None:
        self.start = start
        self.end = end
        self.entity = entity
        self.score = score
        self.method = method
        self.run = run

    @property
    def order(self) -> tuple[float, int, int, str]:
        """Least names a stretch."""
        return (-self.score, self.start - self.end, self.start, self.entity)


class Stretch:
    """`[start, end)` of a text, the match that names it and how it is replaced. `open_run`: it goes on for as
    long as characters of `run` follow. `written`: something stands for it already."""

    __slots__ = ("end", "method", "name", "open_run", "run", "start", "written")

    def __init__(self, first: Found) -> None:
        self.start = first.start
        self.end = first.end
        self.name = first
        self.method = first.method
        self.run = first.run
        self.open_run = bool(first.run)
        self.written = False

    @property
    def is_long(self) -> bool:
        return self.end - self.start > LONG

    def join(self, other: Found) -> None:
        self.end = max(self.end, other.end)
        if other.start - self.start < LONG:
            self.name = min(self.name, other, key=lambda found: found.order)
            self.method = max(self.method, other.method, key=lambda method: method.rank)
        if other.run:
            self.run += other.run
            self.open_run = True


class Joining:
    """Turns matches into stretches as both become known."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: Stretch | None = None

    def take(self, found: Iterable[Found], text: Window, upto: int) -> list[Stretch]:
        """The stretches that are complete once all matches that begin before `upto` are known; `found` are
        those that were not taken before."""
        self._run_on(text)
        done = []
        for each in found:
            if self.open is None:
                self.open = Stretch(each)
            elif each.start < self.open.end:
                self.open.join(each)
            else:
                done.append(self.open)
                self.open = Stretch(each)
            self._run_on(text)
        if self.open is not None and not self.open.open_run and self.open.end <= upto:
            done.append(self.open)
            self.open = None
        return done

    def _run_on(self, text: Window) -> None:
        stretch = self.open
        if stretch is not None and stretch.open_run:
            stretch.end = text.run_end(stretch.end, stretch.run)
            stretch.open_run = stretch.end >= text.end and not text.complete


class Window:
    """A part of a text that is still growing, unless it is `complete`; offsets count from where the text began."""

    __slots__ = ("complete", "start", "text")

    def __init__(self, text: str, start: int = 0, *, complete: bool = True) -> None:
        self.text = text
        self.start = start
        self.complete = complete

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def part(self, start: int, end: int) -> str:
        return self.text[start - self.start : end - self.start]

    def run_end(self, offset: int, characters: str) -> int:
        """Where the run of `characters` at `offset` ends."""
        rest = self.text[offset - self.start :]
        return offset + len(rest) - len(rest.lstrip(characters))
