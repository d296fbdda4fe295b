"""Outputs in pieces over one request: pieces come in as lines of JSON, and go out again as soon as they can.

    POST /v1/streams/output
    → {"principal": {...}, "session": "s1"}       the first line says who speaks; `{}` will do
    → {"text": "My card is 4111 1111 "}           ← {"hold": 40}
    → {"text": "1111 1111, ok?"}                  ← {"text": "My card is [CREDIT_CARD], ok?"}
    (the end of the body)                         ← {"end": true, "denied": false, "decision": {...}}

One request is one output, so whichever worker has it has all of it. An answer without the last line was cut short.
"""

from __future__ import annotations

from asyncio import timeout
from functools import partial
from typing import TYPE_CHECKING, Any

from guardrails.decision_json import decision_as_json
from guardrails.runtime.events import session_of
from guardrails.server.messages import Answer
from guardrails.server.problems import Problem, problem_of
from guardrails.server.reading import Gone, fields_of, json_of
from guardrails.server.routes import Route
from guardrails.server.schemas import STRING
from guardrails.strict_json import write_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from guardrails.server.messages import Request
    from guardrails.server.service import Service
    from guardrails.streaming import OutputStream

LINES = b"application/x-ndjson"
IDLE = 120.0
"""Seconds between two lines, and that a client may take to read one."""

WHO = ("principal", "agent", "session")


async def output(service: Service, request: Request) -> Answer:
    """Filter an output while it is written."""
    lines = _lines(request, service.settings.most_body)
    first = await anext(lines, None)
    if first is None:
        raise Problem(400, "no_body", "the first line says who speaks; `{}` will do", at="line 1")
    stream = await service.apart(lambda: service.stream(_opening(first), request.caller))
    out = _Out(request)
    await out.begin({"hold": stream.hold})
    try:
        await _filter(service, stream, lines, out)
    except Gone:
        await service.apart(stream.close)  # those who watch it are told of its end
        raise
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        await out.end({**problem.as_json(), "end": True, "denied": True})
    return Answer(200)


async def _filter(
    service: Service, stream: OutputStream, lines: AsyncIterator[dict[str, Any]], out: _Out
) -> None:
    async for line in lines:
        piece = fields_of(line, {"text": "string"}, "text")["text"]
        await out.text(await service.apart(partial(stream.feed, piece)))
        if stream.denied:
            break
    await out.text(await service.apart(stream.close))
    decision = stream.decision
    said = decision_as_json(decision) if decision is not None else None
    await out.end({"end": True, "denied": stream.denied, "decision": said})


def _opening(line: dict[str, Any]) -> dict[str, Any]:
    for name in line:
        if name not in WHO:
            raise Problem(400, "unknown_field", f"the first line has no `{name[:40]}`", at=f"/{name[:40]}")
    return {"type": "output", "text": "", **line}


async def _lines(request: Request, most: int) -> AsyncIterator[dict[str, Any]]:
    """The objects of a body, a line each, as they come."""
    waiting = b""
    while True:
        async with timeout(IDLE):
            message = await request.receive()
        if message["type"] != "http.request":
            raise Gone
        *whole, waiting = (waiting + message.get("body", b"")).split(b"\n")
        if len(waiting) > most:
            raise Problem(
                413, "too_large", f"a line has more than {most:,} bytes", advice="send shorter pieces"
            )
        is_last = not message.get("more_body", False)
        for line in [*whole, waiting] if is_last else whole:
            if line.strip():
                yield _object(line)
        if is_last:
            return


def _object(line: bytes) -> dict[str, Any]:
    value = json_of(line)
    if value.__class__ is not dict:
        raise Problem(400, "not_an_object", "each line is a JSON object")
    return value


class _Out:
    """The answer, line by line."""

    def __init__(self, request: Request) -> None:
        self._send = request.send

    async def begin(self, line: dict[str, Any]) -> None:
        headers = [(b"content-type", LINES), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._line(line, more=True)

    async def text(self, text: str) -> None:
        if text:
            await self._line({"text": text}, more=True)

    async def end(self, line: dict[str, Any]) -> None:
        await self._line(line, more=False)

    async def _line(self, line: dict[str, Any], *, more: bool) -> None:
        body = write_json(line).encode() + b"\n"
        async with timeout(IDLE):
            await self._send({"type": "http.response.body", "body": body, "more_body": more})


def session_parts(event: dict[str, Any]) -> dict[str, Any]:
    """What a session is opened with, of an event."""
    record = session_of(event)
    chosen: dict[str, Any] = {"id": record.get("id"), "facts": record}
    chosen |= {"task": record.get("task"), "given": record.get("given")}
    return chosen | {name: event.get(name) for name in ("principal", "agent")}


ROUTES = (
    Route(
        "POST", "/v1/streams/output", output, "agent",
        "Filter an output while it is written: lines of JSON in, lines of JSON out.",
        takes=STRING, gives=STRING, streams=True, kind=LINES.decode(),
    ),
)  # fmt: skip
