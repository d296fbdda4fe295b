"""What a connection of frames can carry beside events: work of sessions, streams, and the paths of the HTTP API.

    {"do": "settle", "session": "s1", "with": {...}}         → {"done": true}, or a decision   (see `working`)
    {"do": "stream_output", "session": "s1"}                 → {"hold": 40}
    {"text": "My card is 4111 1111 "}                        → {"text": "", "denied": false}
    {"end": true}                                            → {"text": "...", "denied": false, "decision": {...}}
    {"method": "GET", "path": "/v1/limits?session=s1"}       → {"status": 200, "body": {...}}

A stream has its connection for itself until it ends. A path is asked with the rights of the connection's key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from guardrails.decision_json import decision_as_json
from guardrails.server.app import may, refused_of, table
from guardrails.server.messages import Request
from guardrails.server.problems import Problem
from guardrails.server.reading import fields_of
from guardrails.server.working import done
from guardrails.strict_json import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.server.keys import Caller
    from guardrails.server.service import Service

ASKED = {"method": "string", "path": "string", "body": "any"}


class Lines:
    """One connection's work. `stream` is what is under way on it, if anything is."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.stream: Any = None
        self._is_short = True

    def takes(self, value: Any) -> bool:
        """Whether this is no event."""
        return self.stream is not None or (value.__class__ is dict and ("do" in value or "method" in value))

    async def answer(self, value: Any, caller: Caller, size: int) -> bytes:
        """The answer to something that this takes. Raises `Problem`, `EventError` and what sessions raise."""
        self._is_short = size < self._service.settings.long_event
        if self.stream is not None:
            found = await self._piece(value)
        elif "method" in value:
            found = await self._path(fields_of(value, ASKED, "method", "path"), caller)
        else:
            found = await self._apart(lambda: done(self._service, value, caller))
            if not isinstance(found, dict):
                self.stream = found
                found = {"hold": found.hold}
        return write_json(found).encode()

    async def _apart(self, work: Callable[[], Any]) -> Any:
        return work() if self._is_short and self._service.is_quick else await self._service.apart(work)

    # --- streams -------------------------------------------------------------------------------

    async def _piece(self, value: Any) -> dict[str, Any]:
        if value.__class__ is not dict:
            self.stream = None
            raise Problem(400, "not_an_object", "each piece of a stream is a JSON object")
        try:
            fields_of(value, {"text": "string", "end": "boolean"})
            answer: dict[str, Any] = await self._apart(lambda: self._fed(value))
            return answer
        except BaseException:
            self.stream = None
            raise

    def _fed(self, value: dict[str, Any]) -> dict[str, Any]:
        stream = self.stream
        text = stream.feed(value["text"]) if "text" in value else ""
        if value.get("end"):
            text += stream.close()
            self.stream = None
        if hasattr(stream, "error"):
            return {"text": text, "failed": str(stream.error) if stream.error else None}
        is_told = stream.denied or self.stream is None
        told = decision_as_json(stream.decision) if is_told and stream.decision is not None else None
        return {"text": text, "denied": stream.denied, "decision": told}

    def close(self) -> None:
        """The connection is gone: an output that is under way ends here, and those who watch it are told."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()

    # --- paths ---------------------------------------------------------------------------------

    async def _path(self, asked: dict[str, Any], caller: Caller) -> dict[str, Any]:
        request: Request | None = None
        try:
            request = _request(asked, caller)
            route, request.names = table().find(request.method, request.path, request.scope["raw_path"])
            if route.streams or route.teller is not None:
                raise Problem(404, "no_such_path", "only the native API is asked over frames")
            may(caller, route)
            answer = await route.handler(self._service, request)
        except Exception as error:
            answer = refused_of(error)
        text = answer.body.decode()
        body = read_json(text) if answer.kind == b"application/json" else text
        return {"status": answer.status, "body": body}


def _request(asked: dict[str, Any], caller: Caller) -> Request:
    path, _, query = asked["path"].partition("?")
    scope = {
        "type": "http",
        "method": asked["method"],
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [],
    }
    request = Request(scope, _nothing, caller)
    request.body = write_json(asked["body"]).encode() if "body" in asked else b""
    return request


async def _nothing() -> Any:
    raise Problem(400, "no_body", "the body of a request over frames is in its frame")
