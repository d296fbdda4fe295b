"""A session's log: what happened in it so far, in the order in which it was decided.

A store keeps notes without reading them; what they mean is the runtime's. Every note has a number, counted
from 1 without gaps, so whoever judged by the log as it was can ask that nothing has come in between.
"""

from __future__ import annotations

from guardrails.model import Value

MOST_NOTES = 10_000
"""Notes of a session that are kept; beyond them the oldest go."""

MOST_BYTES = 16_000_000
"""UTF-8 bytes of a session's notes that are kept; beyond them the oldest go. The newest always stays."""


class Note(Value):
    """`text` for the log of `session`, which then lives for `keep` microseconds more, or longer if it would.

    `after` is the number of the last note that the writer knew of; if another has come since, nothing is
    written (`Moved`). None: written whatever has come.
    """

    __slots__ = ("after", "keep", "session", "text")

    def __init__(self, session: str, text: str, keep: int, after: int | None = None) -> None:
        self.session = session
        self.text = text
        self.keep = keep
        self.after = after


class Moved(Value):
    """Nothing was done: the session's last note is number `last`, not the one that the writer knew."""

    __slots__ = ("last",)

    def __init__(self, last: int) -> None:
        self.last = last


class Past(Value):
    """Notes in their order, the last of which has number `last` (0: there is none).

    `texts` holds those that were asked for and still kept: number `last - len(texts) + 1` up to `last`. So
    some were dropped when fewer come than `last` minus the number asked from. A log that expired or was
    forgotten begins anew at 1.
    """

    __slots__ = ("last", "texts")

    def __init__(self, last: int, texts: tuple[str, ...]) -> None:
        self.last = last
        self.texts = texts


def size_of(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
