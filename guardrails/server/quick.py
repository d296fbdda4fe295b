"""Checks that are answered where they come in, without an application between.

Most requests of a sidecar are short events of a policy that asks nobody: their decision takes less time than an ASGI
server spends on starting a task for it. This protocol reads such a request whole, decides it and writes the answer, all
in one go. It takes over nothing else: what is long, comes in parts, waits, asks for anything unusual or follows upon
something that is still under way goes to the application as ever. Both ways ask the same functions, and one test sends the
same requests through both and compares what comes back, byte by byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.server import checks
from guardrails.server.app import NOSNIFF, admitted, refused_of
from guardrails.server.messages import Answer
from guardrails.server.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.server.routes import Route
    from guardrails.server.service import Service

READERS: dict[bytes, tuple[Route, Callable[[bytes], Any]]] = {
    route.path.encode(): (route, reader)
    for route, reader in zip(
        checks.ROUTES,
        (checks.checked_event, checks.reported_outcome, checks.reported_usage),
        strict=True,
    )
}
"""Path -> the route, and who reads the event out of its body."""

UNUSUAL = frozenset((b"expect", b"transfer-encoding", b"content-encoding", b"upgrade", b"x-request-id"))
PLAIN = frozenset(
    b"host user-agent accept accept-encoding accept-language connection content-type content-length".split()
)
"""Headers that say nothing of who asks, or of how the body is to be read."""

AT_ONCE = 16
"""Requests of one piece of a connection that are answered in one go; then others have their turn."""

ENDS = b"\r\n\r\n"
CLOSING = b"\r\nconnection: close"


class QuickProtocol(PatientProtocol):
    """HTTP, with the quick way for what is quick."""

    _reader: tuple[Route, Callable[[bytes], Any]] | None = None
    _body = b""
    _count = 0
    _idle: Any = None
    _seen = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._service: Service = self.config.app.service  # type: ignore[union-attr]  # it is our own application

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._count = 0
        super().data_received(data)
        if self._reader is not None:
            self._give_over()

    # --- the parser's calls --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._in_headers, self._length = True, -1

    def on_headers_complete(self) -> None:
        reader = READERS.get(self.url)
        if reader is not None and self._is_plain():
            self._settle()
            self._reader, self._body = reader, b""
        else:
            self._begin()

    def _is_plain(self) -> bool:
        """Whether nothing is under way, and the request is one that can be answered at once."""
        cycle, parser = self.cycle, self.parser
        return (
            (cycle is None or cycle.response_complete)
            and self._count < AT_ONCE
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and UNUSUAL.isdisjoint([name for name, _ in self.headers])
            and self._service.is_quick
        )

    def on_body(self, body: bytes) -> None:
        if self._reader is None:
            super().on_body(body)
        elif not self._body:
            self._body = body
        else:
            self._body += body

    def on_message_complete(self) -> None:
        reader = self._reader
        if reader is None:
            super().on_message_complete()
        elif len(self._body) >= self._service.settings.quick_length:
            self._give_over()
            super().on_message_complete()
        else:
            self._reader = None
            self._count += 1
            self._answer(_answered(self._service, reader, self.headers, self._body))

    # --- to the application --------------------------------------------------------------------

    def _begin(self) -> None:
        """Hand the request over as uvicorn would have begun it."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _give_over(self) -> None:
        """Hand over a request of which a part was read already."""
        body, self._reader, self._body = self._body, None, b""
        self._begin()
        if body:
            super().on_body(body)

    # --- the answer ----------------------------------------------------------------------------

    def _answer(self, answer: Answer) -> None:
        state = self.server_state
        state.total_requests += 1
        lasts = self.parser.should_keep_alive()
        head = _head(answer, state.default_headers)
        self.transport.write(b"".join((head, b"" if lasts else CLOSING, ENDS, answer.body)))
        if not lasts:
            self.transport.close()
            return
        self._seen = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        """Close the connection if it has been idle for long; one timer serves for many requests."""
        self._idle = None
        left = self._seen + self.timeout_keep_alive - self.loop.time()
        if self.timeout_keep_alive_task is not None or (self.cycle and not self.cycle.response_complete):
            return  # the application had the last request, and uvicorn keeps time for that
        if left <= 0:
            self.transport.close()
        else:
            self._idle = self.loop.call_later(left, self._look)


def _answered(service: Service, reader: Any, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
    """The answer to a request that is there as a whole, as `App` gives it."""
    route, read = reader
    told = [pair for pair in headers if pair[0] not in PLAIN]
    try:
        caller = admitted({"headers": told}, route, service)
        return Answer(200, checks.written(service.decided(read(body), caller)))
    except Exception as error:
        return refused_of(error)


SAID = b"\r\n%b: %b" % NOSNIFF
_heads: dict[int, tuple[Any, bytes]] = {}


def _head(answer: Answer, default: list[tuple[bytes, bytes]]) -> bytes:
    """The first line and the headers, without the end; the headers of all answers change once a second."""
    kept = _heads.get(answer.status)
    if kept is None or kept[0] is not default:
        kept = _heads[answer.status] = default, _first_lines(answer.status, default)
    head = b"%b%b\r\ncontent-length: %d%b" % (kept[1], answer.kind, len(answer.body), SAID)
    if answer.headers:
        head += b"".join([b"\r\n%b: %b" % pair for pair in answer.headers])
    return head


def _first_lines(status: int, default: list[tuple[bytes, bytes]]) -> bytes:
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE

    lines = b"".join([b"%b: %b\r\n" % pair for pair in default])
    return STATUS_LINE[status] + lines + b"content-type: "
