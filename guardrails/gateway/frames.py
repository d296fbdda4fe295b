"""Frames: a stream of bytes cut into lines, however it arrives, with a bound on what is kept of a line."""

from __future__ import annotations

SPACE = b" \t\r"


class Frames:
    """Takes bytes as they come, gives the lines that are whole. A line of more than `most` bytes is not kept; it
    comes out as None, once, as soon as it is known to be too long."""

    __slots__ = ("_kept", "_most", "_size", "_skipping")

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that these bytes complete, without empty ones."""
        *ended, rest = data.split(b"\n")
        found: list[bytes | None] = []
        for part in ended:
            self._keep(part, found)
            line = b"".join(self._kept).strip(SPACE)
            if line and not self._skipping:
                found.append(line)
            self._kept, self._size, self._skipping = [], 0, False
        self._keep(rest, found)
        return found

    def end(self) -> list[bytes | None]:
        """What is left when the stream is over: a last line without an end."""
        return self.feed(b"\n")

    def _keep(self, part: bytes, found: list[bytes | None]) -> None:
        if self._skipping or not part:
            return
        self._size += len(part)
        if self._size <= self._most:
            self._kept.append(part)
            return
        self._kept, self._skipping = [], True
        found.append(None)
