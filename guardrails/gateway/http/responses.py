"""Responses: what a server answers over HTTP, read within bounds into messages.

Takes a response whose headers are there, gives the messages of its body, JSON or a stream of events. Whatever else it is
(a status that tells of a failure, a redirect, another type, a packed body, too many bytes, something that is no message)
raises `Unanswered` with the reason. A server is trusted with nothing: not with ending, and not with its size.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrails.gateway.http.events import Bounds, EventReader, StreamError
from guardrails.gateway.messages import Refused, is_response, read

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from guardrails.gateway.links import Id, Limits, Message

JSON = "application/json"
EVENTS = "text/event-stream"
LEAST_RETRY = 0.05
MOST_RETRY = 30.0
"""Seconds that a server may ask for before its stream is opened again."""


class Unanswered(Exception):
    """Why a request has no answer. `is_lost` says that the server knows the session no more."""

    def __init__(self, why: str, *, is_lost: bool = False) -> None:
        super().__init__(why)
        self.is_lost = is_lost


@dataclass(slots=True)
class Resumption:
    """Where a stream that broke off would go on, and after how many seconds; `last` None for nowhere."""

    last: str | None = None
    wait: float = 1.0


def kind_of(response: httpx.Response) -> str:
    found: str = response.headers.get("content-type", "")
    return found.partition(";")[0].strip().lower()


def check_plain(response: httpx.Response) -> None:
    """Raise `Unanswered` for a packed body: nobody asked for one, and a few bytes could become very many."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise Unanswered(f"it answers with a body packed by `{coding[:40]}`, which was not asked for")


async def whole(response: httpx.Response, most: int) -> bytes:
    """The body. Raises `Unanswered` for one that is too large."""
    found = bytearray()
    async for part in response.aiter_raw():
        found += part
        if len(found) > most:
            raise Unanswered(f"its answer has more than {most:,} bytes")
    return bytes(found)


async def messages_of(
    response: httpx.Response, limits: Limits, place: Resumption, *, lasts: bool = False
) -> AsyncGenerator[Message, None]:
    """The messages that a response brings, in their order. With `lasts` its stream may go on for ever."""
    check_plain(response)
    kind = kind_of(response)
    if kind == JSON:
        yield _message(await whole(response, limits.most_bytes))
    elif kind == EVENTS:
        bounds = Bounds(limits.most_bytes, limits.most_bytes, None if lasts else limits.most_stream)
        async with aclosing(_streamed(response, bounds, place)) as found:
            async for message in found:
                yield message
    else:
        raise Unanswered(f"it answers with the type `{kind[:80]}`, and not with JSON or a stream of events")


async def _streamed(
    response: httpx.Response, bounds: Bounds, place: Resumption
) -> AsyncGenerator[Message, None]:
    reader = EventReader(bounds)
    async for part in response.aiter_raw():
        try:
            for event in reader.feed(part):
                if event.id is not None:
                    place.last = event.id or None
                if event.retry is not None:
                    place.wait = min(max(event.retry / 1000, LEAST_RETRY), MOST_RETRY)
                if event.data and event.kind == "message":
                    yield _message(event.data.encode())
        except StreamError as error:
            raise Unanswered(str(error)) from None


def _message(data: bytes) -> Message:
    try:
        return read(data)
    except Refused as refused:
        raise Unanswered(f"it sends what is no message: {refused.why}") from None


async def told_error(response: httpx.Response, id: Id, limits: Limits) -> Message | None:
    """The JSON-RPC error in the body of a refusal, as the answer to the request `id`; None where there is none."""
    if kind_of(response) != JSON:
        return None
    try:
        check_plain(response)
        message = read(await whole(response, limits.most_bytes))
    except (Unanswered, Refused):
        return None
    if not is_response(message) or "error" not in message or message.get("id") not in (None, id):
        return None
    return {**message, "id": id}


def refusal_of(response: httpx.Response, *, had_session: bool) -> Unanswered:
    """Why a response with this status is no answer."""
    status = response.status_code
    if status == 404 and had_session:
        return Unanswered("it knows the session no more (HTTP 404): start anew", is_lost=True)
    if status in (401, 403):
        return Unanswered(
            f"it refuses the gateway (HTTP {status}): look at the `headers` of its configuration"
        )
    if response.is_redirect:
        return Unanswered(
            f"it sends elsewhere (HTTP {status}), where the gateway does not follow: name that address"
        )
    return Unanswered(f"it answers with HTTP {status}")
