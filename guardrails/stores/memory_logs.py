"""Session logs in memory.

Takes notes, gives their numbers and what lies after one. Bounded per session by `MOST_NOTES` and
`MOST_BYTES`, and as a whole by the sessions that have not expired.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from guardrails.stores.sessions import MOST_BYTES, MOST_NOTES, Moved, Past, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.stores.sessions import Note

FEW_LOGS = 1_024


class SessionLogs:
    """The logs of all sessions, for whoever holds the lock."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._sweep_above = FEW_LOGS

    def moved(self, note: Note, now: int) -> Moved | None:
        """What is in the way of `note`, if anything."""
        if note.after is None:
            return None
        log = self._there(note.session, now)
        last = log.last if log else 0
        return None if last == note.after else Moved(last)

    def write(self, note: Note, now: int) -> int:
        """Add `note`, which nothing is in the way of; its number."""
        log = self._there(note.session, now)
        if log is None:
            log = self._logs[note.session] = _Log()
        log.add(note.text, max(now, log.mark), note.keep)
        if len(self._logs) > self._sweep_above:
            self._sweep(now)
        return log.last

    def recall(self, session: str, after: int, now: int) -> Past:
        log = self._there(session, now)
        if log is None:
            return Past(0, ())
        first = log.last - len(log.texts) + 1
        return Past(log.last, tuple(islice(log.texts, max(0, after + 1 - first), None)))

    def forget(self, session: str) -> bool:
        return self._logs.pop(session, None) is not None

    def _there(self, session: str, now: int) -> _Log | None:
        log = self._logs.get(session)
        return log if log is not None and now < log.ends else None

    def _sweep(self, now: int) -> None:
        self._logs = {session: log for session, log in self._logs.items() if now < log.ends}
        self._sweep_above = max(FEW_LOGS, 2 * len(self._logs))


class _Log:
    """One session: its latest notes, and the number of the last."""

    __slots__ = ("ends", "last", "mark", "size", "texts")

    def __init__(self) -> None:
        self.last = self.mark = self.ends = self.size = 0
        self.texts: deque[str] = deque()

    def add(self, text: str, at: int, keep: int) -> None:
        self.mark = at
        self.ends = max(self.ends, at + keep)
        self.last += 1
        self.texts.append(text)
        self.size += size_of(text)
        while len(self.texts) > 1 and (len(self.texts) > MOST_NOTES or self.size > MOST_BYTES):
            self.size -= size_of(self.texts.popleft())
