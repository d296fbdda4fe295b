"""Server-sent events: the bytes of a stream to its events and back, within bounds.

Takes bytes as they come, gives whole events. What a stream may hold is bounded in three ways (a line, an event, all of
it), so that a peer that never ends a line, an event or a stream costs a fixed amount of memory and is told why it was
left. Bytes that are no UTF-8 end the stream: two readers could disagree about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from guardrails.errors import GuardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = b"text/event-stream"
PING = b": ping\n\n"
"""A comment: it keeps proxies from closing a silent stream, and every reader skips it."""

_BOM = b"\xef\xbb\xbf"
_MOST_DIGITS = 9


class StreamError(GuardError):
    """A stream of events that cannot be read on."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes of a line, of the data of an event, and of a whole stream; `stream` None for one that may last."""

    line: int = 16_000_000
    event: int = 16_000_000
    stream: int | None = 64_000_000


class Event(NamedTuple):
    """One event. `id` and `retry` (milliseconds) are None where the stream said nothing of them."""

    kind: str
    data: str
    id: str | None = None
    retry: int | None = None


class EventReader:
    """Reads one stream. Whatever comes after its last blank line is no event."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._total = 0
        self._rest = bytearray()
        self._begun = False
        self._after_cr = False
        self._clear()

    def _clear(self) -> None:
        self._kind = ""
        self._data: list[str] = []
        self._size = 0
        self._id: str | None = None
        self._retry: int | None = None

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes end. Raises `StreamError`."""
        self._total += len(data)
        if self._bounds.stream is not None and self._total > self._bounds.stream:
            raise StreamError(f"the stream has more than {self._bounds.stream:,} bytes")
        for line in self._lines(data):
            event = self._read(line)
            if event is not None:
                yield event

    def _lines(self, data: bytes) -> Iterator[bytes]:
        """The whole lines there are by now; an end is CR LF, LF or CR, and CR LF may come in two pieces."""
        if self._after_cr and data:
            self._after_cr = False
            data = data[1:] if data[:1] == b"\n" else data
        searched = len(self._rest)
        self._rest += data
        start = 0
        while (end := self._end(max(start, searched))) >= 0:
            line = bytes(self._rest[start:end])
            start = end + 1
            if self._rest[end] == 13:
                if start == len(self._rest):
                    self._after_cr = True
                elif self._rest[start] == 10:
                    start += 1
            self._check_line(len(line))
            yield line
        del self._rest[:start]
        self._check_line(len(self._rest))

    def _end(self, start: int) -> int:
        feed = self._rest.find(b"\n", start)
        back = self._rest.find(b"\r", start, feed if feed >= 0 else len(self._rest))
        return back if back >= 0 else feed

    def _check_line(self, size: int) -> None:
        if size > self._bounds.line:
            raise StreamError(f"a line of the stream has more than {self._bounds.line:,} bytes")

    def _read(self, line: bytes) -> Event | None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BOM)
        if not line:
            return self._ended()
        if line[:4] == b"data":
            self._check_event(len(line))
        name, _, value = _text(line).partition(":")
        if name:
            self._field(name, value.removeprefix(" "))
        return None

    def _check_event(self, size: int) -> None:
        self._size += size
        if self._size > self._bounds.event:
            raise StreamError(f"an event of the stream has more than {self._bounds.event:,} bytes")

    def _field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
            self._retry = int(value)

    def _ended(self) -> Event | None:
        """The event that a blank line ends; one without data is only of use for its id or its time."""
        found = Event(self._kind or "message", "\n".join(self._data), self._id, self._retry)
        is_one = bool(self._data) or found.id is not None or found.retry is not None
        self._clear()
        return found if is_one else None


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise StreamError(
            f"a line of the stream is not UTF-8 text: byte {error.start + 1} is wrong"
        ) from None


_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""What some readers take for the end of a line; in JSON it can stand only in texts, and there it can be escaped."""


def event_bytes(json: bytes) -> bytes:
    """An event that carries a message, which is compact JSON and so has no line break of its own."""
    if not json.isascii():
        json = json.decode().translate(_BREAKS).encode()
    return b"event: message\ndata: " + json + b"\n\n"
