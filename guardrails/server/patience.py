"""A connection that sends its request too slowly is closed.

uvicorn waits for ever for the first line of a request and for its headers. Each connection here has so many seconds
from its first byte, or from its beginning, until the headers are whole; the body has its own limit in the application.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS = 10.0
"""Seconds until a request's headers are whole."""

MOST_HEADERS = 65_536
"""Bytes of a request's first line and headers."""


class PatientProtocol(HttpToolsProtocol):
    """HTTP with a limit to how long headers may take, and how long they may be."""

    _timer: Any = None
    _length = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEADERS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is not None:
            self._length += len(data)
            if self._length > MOST_HEADERS + 65_536:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._length = 0
            self._timer = self.loop.call_later(HEADERS, self.transport.close)

    def on_headers_complete(self) -> None:
        self._settle()
        super().on_headers_complete()

    def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
