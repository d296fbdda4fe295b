"""A connection that sends its request too slowly is closed; one that sends many ahead is not read until they are answered.

uvicorn waits for ever for the first line of a request and for its headers. Each connection here has so many seconds
from its first byte, or from its beginning, until the headers are whole; the body has its own limit in the application.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS = 10.0
"""Seconds until a request's headers are whole."""

MOST_HEADERS = 65_536
"""Bytes of headers that are waited for; what comes in one piece may be as much longer as that piece is."""


LINGER = 2.0
MOST_IGNORED = 1_000_000
"""Seconds and bytes that the rest of a body may take once it was answered (refused, that is): a client that first sends
and then reads gets its answer, and one that never ends is closed."""


class PatientProtocol(HttpToolsProtocol):
    """HTTP with a limit to how long headers may take, and how long they may be."""

    _timer: Any = None
    _is_whole = True
    _ignored = 0
    _length = 0
    _in_headers = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = OneAtATime(transport, self.pipeline)
        self._timer = self.loop.call_later(HEADERS, self._lose_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_headers:
            self._wait_on(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]  # the base says nothing, which means no
        """A client that sends nothing more may still read: what it asked whole is answered, then all is closed."""
        cycle = self.cycle
        is_waiting = cycle is not None and not cycle.response_complete and not cycle.more_body
        if not is_waiting or self._in_headers or self.scheme == "https":
            return False
        cycle.keep_alive = False
        return True

    def _wait_on(self, length: int) -> None:
        """The headers are not whole yet; only now is there anything to be timed and counted. The piece that they
        begin in is as long as one read can be, and may hold other requests before them."""
        self._length = 0 if self._length < 0 else self._length + length
        if self._length > MOST_HEADERS:
            self.transport.close()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEADERS, self._lose_patience)

    def _lose_patience(self) -> None:
        """Close the connection, unless it is the server that does not read."""
        self._timer = None
        if self.flow.read_paused:
            self._timer = self.loop.call_later(HEADERS, self._lose_patience)
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._length = True, -1

    def on_headers_complete(self) -> None:
        self._settle()
        self._is_whole, self._ignored = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._ignored += len(body)
            if self._ignored > MOST_IGNORED:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_whole = True
        self._settle()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_whole and self.cycle.response_complete and self._timer is None:
            self._timer = self.loop.call_later(LINGER, self.transport.close)

    def _settle(self) -> None:
        self._in_headers, self._length = False, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class OneAtATime(FlowControl):
    """Does not read on while requests wait behind the one that is answered: uvicorn would read another piece at each of
    them, and keep thousands for a client that reads no answers."""

    def __init__(self, transport: Any, behind: Any) -> None:
        super().__init__(transport)
        self._behind = behind

    def resume_reading(self) -> None:
        if not self._behind:
            super().resume_reading()
