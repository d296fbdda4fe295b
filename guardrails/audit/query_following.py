"""Following: the records that are added to a log while somebody looks.

Takes a log and the place of the last record that was seen, gives what came since, poll by poll. In files a
poll reads from where the last one ended, line by line, and goes on into the next segment when a log is rotated;
a line that is not finished waits for the next poll.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from guardrails.audit.query import AFTER, Query, Term
from guardrails.audit.segments import segments_of

if TYPE_CHECKING:
    from guardrails.audit.query_open import Reader


class Follower(Protocol):
    def poll(self) -> list[dict[str, Any]]:
        """The records since the last poll, in order. Raises `AuditError`."""
        ...


class FollowedFiles:
    """Follows a folder of segments from the record after `seen`; -1: from the first one."""

    def __init__(self, folder: Path, seen: int) -> None:
        self._folder = folder
        self._seen = seen
        self._name = self._begin(seen)
        self._offset = 0

    def _begin(self, seen: int) -> str:
        """The segment that holds the record after `seen`: its name is the place of its first record."""
        earlier = [name for name in segments_of(self._folder) if int(name.partition(".")[0]) <= seen + 1]
        return earlier[-1] if earlier else ""

    def poll(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        following = self._following()
        while True:
            # The list of segments is older than this read, so nothing of this one is missed when it is left.
            found += self._new_lines()
            if not following:
                return found
            self._name, self._offset = following.pop(0), 0

    def _following(self) -> list[str]:
        return [name for name in segments_of(self._folder) if name > self._name]

    def _new_lines(self) -> list[dict[str, Any]]:
        if not self._name:
            return []
        with open(self._folder / self._name, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        return [record for line in data[:whole].splitlines() if (record := self._record(line)) is not None]

    def _record(self, line: bytes) -> dict[str, Any] | None:
        """A new record; None for one that was seen, and for what is none."""
        from json import loads

        try:
            record = loads(line)
            place = record["seq"]
        except (ValueError, KeyError, TypeError):
            return None
        if not isinstance(place, int) or place <= self._seen:
            return None
        self._seen = place
        return dict(record)


class FollowedReader:
    """Follows a log in a database, by asking for what comes after the last record."""

    def __init__(self, reader: Reader, seen: int) -> None:
        self._reader = reader
        self._seen = seen

    def poll(self) -> list[dict[str, Any]]:
        found = list(self._reader.records(Query([Term("seq", AFTER, (self._seen,))])))
        if found:
            self._seen = found[-1]["seq"]
        return found


def last_place(reader: Reader) -> int:
    """The place of the newest record; -1 for an empty log."""
    newest = list(reader.records(Query(newest=1)))
    return int(newest[-1]["seq"]) if newest else -1
