"""The application: a plain ASGI object, which any ASGI server can run.

    app = App(Guard.load("support.guard"))

Takes requests, gives answers: find the route, know the caller, read the body, ask the handler. Whatever is raised on
the way becomes a refusal in the words of the route's dialect; a mistake of the server itself is written to standard
error under an id that the caller gets as well.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from guardrails.server.keys import LOCAL, Caller, Keys, holders
from guardrails.server.messages import Answer, Request, refused
from guardrails.server.problems import Problem, problem_of
from guardrails.server.reading import Gone, body_of, too_large, unpacked
from guardrails.server.routes import Route, Table
from guardrails.server.service import Service, Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from guardrails.guard import Guard

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

PACKED = "guard.content-encoding"
NOSNIFF = (b"x-content-type-options", b"nosniff")


@cache
def table() -> Table:
    """Every route there is."""
    from guardrails.server import (
        agentgateway,
        authzen,
        checks,
        claude_code,
        envoy,
        litellm,
        opa,
        openapi,
        operating,
        sessions,
        standing,
        streams,
    )

    homes = (checks, sessions, streams, operating, standing, openapi)
    dialects = (authzen, opa, claude_code, litellm, agentgateway, envoy)
    return Table(route for home in (*homes, *dialects) for route in home.ROUTES)


class App:
    """The sidecar of one guard as an ASGI application."""

    def __init__(
        self,
        guard: Guard,
        *,
        keys: Keys | None = None,
        settings: Settings | None = None,
        service: Service | None = None,
    ) -> None:
        self.service = service or Service(guard, keys, settings)
        self.table = table()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the sidecar speaks HTTP, not {scope['type']}")
        try:
            answer = await self._answer(scope, receive, send)
        except Gone:
            return
        if answer is not None:
            await _sent(answer, scope, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Begin and end: at the end, what waits is written."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self.service.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "lifespan.startup.complete"})

    # --- one request ---------------------------------------------------------------------------

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> Answer | None:
        """The answer; None for one that the handler sends itself."""
        route: Route | None = None
        request: Request | None = None
        try:
            route, names = self.table.find(scope["method"], scope["path"], scope.get("raw_path") or b"")
            request = Request(scope, receive, admitted(scope, route, self.service))
            request.names = names
            if route.streams:
                request.send = send
                await route.handler(self.service, request)
                return None
            if scope["method"] not in ("GET", "HEAD"):
                body = await body_of(receive, self.service.settings)
                coding = scope.get(PACKED)
                request.body = unpacked(body, coding, self.service.settings.most_body) if coding else body
            return await route.handler(self.service, request)
        except Gone:
            raise
        except Exception as error:
            teller = route.teller if route else None
            return teller(problem_of(error) or mistake_of(error), request) if teller else refused_of(error)


def admitted(scope: Any, route: Route, service: Service) -> Caller:
    """Who calls, if they may. Raises `Problem`.

    A route for every method gets requests that a gateway asks about: their headers are those of somebody else, but
    for `X-Guard-Key`.
    """
    key, length, is_ours = "", 0, route.method != "*"
    for name, value in scope["headers"]:
        if name == b"x-guard-key":
            key = value.decode("latin-1")
        elif name == b"authorization" and is_ours:
            key = key or _bearer(value)
        elif name == b"x-api-key" and is_ours:
            key = key or value.decode("latin-1")
        elif name == b"origin" and is_ours:
            message = "pages in a browser may not ask this server"
            raise Problem(403, "from_a_browser", message, at="the header Origin")
        elif name == b"content-length":
            length = int(value)
        elif name == b"content-encoding" and value.lower() != b"identity":
            scope[PACKED] = value.lower()
    if length > service.settings.most_body and not route.streams:
        raise too_large(service.settings.most_body)
    return _caller(key, route, service.keys)


def _bearer(value: bytes) -> str:
    scheme, _, rest = value.decode("latin-1").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def _caller(key: str, route: Route, keys: Keys | None) -> Caller:
    if keys is None:
        caller: Caller | None = LOCAL
    elif key:
        caller = keys.caller(key)
    else:
        caller = None
    if not route.role:
        return caller or LOCAL
    if caller is None:
        advice = "send `Authorization: Bearer KEY` or `X-Guard-Key: KEY`; `guard key` makes one"
        what = "the key is not known" if key else "the request has no key"
        raise Problem(401, "no_key", what, advice=advice)
    return may(caller, route)


def may(caller: Caller, route: Route) -> Caller:
    """The caller, who may ask this. Raises `Problem` for one who may not."""
    if route.role and route.role not in caller.may:
        raise _forbidden(caller, route)
    return caller


def _forbidden(caller: Caller, route: Route) -> Problem:
    if caller is LOCAL:
        advice = "start the server with `--keys FILE`; `guard key NAME --role operator` makes a key"
        return Problem(403, "keys_needed", "this takes a key, and the server has none", advice=advice)
    message = f"the key `{caller.name}` has the role {caller.role}, and this takes {holders(route.role)}"
    return Problem(403, "wrong_role", message, advice="use a key of that role")


def mistake_of(error: Exception) -> Problem:
    """A mistake of the server: told to whoever runs it, and denied to whoever asks."""
    from os import urandom
    from traceback import format_exception

    id = urandom(6).hex()
    sys.stderr.write(f"guard serve: mistake {id}: {''.join(format_exception(error))}")
    advice = f"tell whoever runs it the id {id}; nothing was allowed"
    return Problem(500, "internal", "the server made a mistake", at=id, advice=advice)


def refused_of(error: Exception) -> Answer:
    """The answer of the native API to whatever was raised."""
    return refused(problem_of(error) or mistake_of(error))


async def _sent(answer: Answer, scope: Any, send: Send) -> None:
    body = answer.body
    headers = [
        (b"content-type", answer.kind),
        (b"content-length", b"%d" % len(body)),
        NOSNIFF,
        *answer.headers,
    ]
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            headers.append((name, value[:200]))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
