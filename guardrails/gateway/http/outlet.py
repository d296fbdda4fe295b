"""Outlets: what waits to be written to one response, and the writing of it.

Takes messages from whoever has some, without ever making them wait; a task that serves the response writes them, as JSON
when the answer is all there is and else as a stream of events. A reader that is too slow for what comes loses its
connection: only so much is kept for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from guardrails.gateway.http.events import PING, event_bytes
from guardrails.gateway.http.refusals import status_of
from guardrails.gateway.messages import is_response, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from guardrails.gateway.links import Message

    Send = Callable[[Any], Awaitable[None]]
    Receive = Callable[[], Awaitable[Any]]
    Header = tuple[bytes, bytes]

PAUSE = 15.0
"""Seconds of silence after which a stream says that it is still there."""
MOST_ITEMS = 10_000

NOSNIFF = (b"x-content-type-options", b"nosniff")
STREAMING = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    NOSNIFF,
)


class Outlet:
    """One response. `lasts` for one that stays open with nothing under way. `abort` cuts the connection."""

    def __init__(self, most: int, *, lasts: bool = False, abort: Callable[[], None] | None = None) -> None:
        self._most = most
        self.lasts = lasts
        self._abort = abort
        self._items: deque[tuple[Message, bytes]] = deque()
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self.is_over = False
        """Nothing more is taken: it ended, or its reader is gone."""
        self.was_cut = False
        self.is_answered = False

    def push(self, message: Message) -> bool:
        """Put a message in line; False when nothing can be sent here any more."""
        if self.is_over:
            return False
        data = write(message)
        self._size += len(data)
        if self._size > self._most or len(self._items) >= MOST_ITEMS:
            self.cut()
            return False
        self._items.append((message, data))
        self.is_over = self.is_answered = is_response(message)
        self._wake()
        return True

    def end(self) -> None:
        """Take no more; what is in line is still written."""
        self.is_over = True
        self._wake()

    def cut(self) -> None:
        """Give the reader up: it is gone, or too slow."""
        self._items.clear()
        self.was_cut = True
        self.end()
        if self._abort is not None:
            self._abort()

    def finish(self) -> None:
        """The last piece is about to be written: the connection is kept for whatever comes next on it."""
        self._abort = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def take(self) -> tuple[Message, bytes] | None:
        """The next message; None when none came for a while. Raises `EOFError` at the end."""
        if not self._items and not self.is_over:
            await self._wait()
        if self._items:
            found = self._items.popleft()
            self._size -= len(found[1])
            return found
        if self.is_over:
            raise EOFError
        return None

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(PAUSE, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None


# --- writing -----------------------------------------------------------------------------------------


async def answer(outlet: Outlet, send: Send, headers: Callable[[], Sequence[Header]], *, new: bool) -> bool:
    """Write an outlet to its end: one answer as JSON, or messages and an answer as a stream; False when it ended
    before anything was written. `headers` are asked for when it begins, when the answer may have settled them."""
    try:
        found = await outlet.take()
    except EOFError:
        return False
    if found is not None and is_response(found[0]):
        status = status_of(found[0]) if new else 200
        outlet.finish()
        await told(send, status, found[1], headers())
        return True
    await stream(outlet, send, headers(), found)
    return True


async def stream(
    outlet: Outlet, send: Send, headers: Sequence[Header], first: tuple[Message, bytes] | None = None
) -> None:
    """Write an outlet as a stream of events, beginning with `first`; without one, with a comment."""
    await send({"type": "http.response.start", "status": 200, "headers": [*STREAMING, *headers]})
    found = first
    while True:
        data = PING if found is None else event_bytes(found[1])
        await send({"type": "http.response.body", "body": data, "more_body": True})
        try:
            found = await outlet.take()
        except EOFError:
            break
    outlet.finish()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def told(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """A whole answer at once; JSON, or nothing."""
    kind = ((b"content-type", b"application/json"),) if body else ()
    length = ((b"content-length", b"%d" % len(body)),) if status != 204 else ()
    head = [*kind, *length, NOSNIFF, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def watch(receive: Receive, outlet: Outlet) -> None:
    """Cut the outlet once its reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    outlet.cut()
