"""Matches, and what a detector is.

Offsets are code points of the text as it was given, however the detector normalised it for itself.
"""

from __future__ import annotations

from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol
else:
    Protocol = object


class Match(Value):
    """`text[start:end]` is an `entity` (`EMAIL_ADDRESS`, `PRIVATE_KEY`, ...), by `score` from 0 to 1, because of
    `reason`, a few words for people."""

    __slots__ = ("end", "entity", "reason", "score", "start")

    def __init__(self, start: int, end: int, entity: str, score: float, reason: str = "") -> None:
        self.start = start
        self.end = end
        self.entity = entity
        self.score = score
        self.reason = reason


class Detector(Protocol):
    """Finds its entities in texts. Thread-safe, linear in the text, the same answer for the same text."""

    name: str

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        """The matches, by start, then longest first; they may overlap. `context` holds words around the text
        that it does not contain itself, such as the key of the JSON field that it was found in. Raises
        `guardrails.errors.EvaluationError` when the text cannot be judged; never gives up silently."""

    def settled(self, text: str) -> int:
        """Up to where `text`, which more may follow, is settled: for every continuation, the matches that
        begin before that offset are those of `find(text)` that do, and all of them end before it too.
        So `text[:settled]` may be redacted and let go. It is never less for a longer text."""

    hold: int
    """The most characters that `settled` ever keeps back."""

    left: int
    """How many characters before a match can take part in the decision about it (context, boundaries): what
    a stream must keep of what it has let go."""


class Optional(Protocol):
    """What a detector may say besides, for redaction to know. `Detector` holds without it."""

    def judged_whole(self, context: Sequence[str]) -> int:
        """Up to which length, in characters, a text with this context is judged as a whole, such as the value
        of a field that is called a password; 0 where context only moves scores. Without it 4,096 is assumed,
        and no shorter text of a JSON document goes on before it ends."""

    def find_from(self, text: str, start: int, context: Sequence[str]) -> list[Match]:
        """The matches that begin at `start` or later, for a detector whose matches depend on where the one
        before them ended."""

    def settled_from(self, text: str, start: int) -> int:
        """`settled` for such a detector."""

    def goes_on(self, match: Match) -> str:
        """The characters with which a match goes on that was cut short: all that follow are a part of it.
        Empty for a match that is whole."""

    run: str
    """What `goes_on` says of every match of `hold` characters or more, for a detector without it."""
