"""The sidecar as a serverless function: AWS Lambda behind an HTTP API, a function URL or a REST API.

    from guardrails import Guard
    from guardrails.server import handler

    handle = handler(Guard.load("support.guard", store="redis://..."), keys="keys.json")

Takes the gateway's event, gives the gateway's answer; in between is the same application as everywhere. A function has an
address that others reach, so it asks for keys, or (`gateway=True`) for requests that the gateway says it has authorised.
"""

from __future__ import annotations

from asyncio import Runner
from base64 import b64decode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from guardrails.server.app import App, refused_of
from guardrails.server.keys import Keys, KeysError
from guardrails.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.guard import Guard
    from guardrails.server.service import Settings

    Json = dict[str, Any]


def handler(
    guard: Guard,
    *,
    keys: Keys | str | None = None,
    settings: Settings | None = None,
    gateway: bool = False,
) -> Callable[[Json, Any], Json]:
    """A function of `(event, context)` for AWS Lambda, for payloads of the formats 2.0 (HTTP APIs, function URLs) and
    1.0 (REST APIs). `keys` are those of `guard key`, or their file. With `gateway` a request needs none that IAM or an
    authoriser of the gateway let through. Raises `KeysError` without either."""
    if keys is None and not gateway:
        raise KeysError(
            "a function can be reached from elsewhere, and nobody would have to say who they are: give `keys=`, or "
            "`gateway=True` where the gateway has an authoriser"
        )
    known = Keys.read(keys) if isinstance(keys, str) else keys
    return _Handler(App(guard, keys=known, settings=settings), needs_authoriser=known is None)


class _Handler:
    def __init__(self, app: App, *, needs_authoriser: bool) -> None:
        self._app = app
        self._needs_authoriser = needs_authoriser
        self._runner = Runner()

    def __call__(self, event: Json, context: Any = None) -> Json:
        is_old = isinstance(event, dict) and "httpMethod" in event
        exchange = _Exchange()
        try:
            scope, exchange.body = (_old_scope if is_old else _scope)(event)
            if self._needs_authoriser and not _is_authorised(event):
                advice = "give the route an authoriser, or the function keys"
                raise Problem(401, "no_key", "the gateway did not authorise this request", advice=advice)
        except Exception as error:
            answer = refused_of(error)
            exchange.start(answer.status, [(b"content-type", answer.kind), *answer.headers])
            exchange.parts.append(answer.body)
        else:
            self._runner.run(self._app(scope, exchange.receive, exchange.send))
        return exchange.answer(is_old=is_old)


class _Exchange:
    """One request and its answer, as the application sees them."""

    def __init__(self) -> None:
        self.body = b""
        self.parts: list[bytes] = []
        self._is_read = False
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []

    async def receive(self) -> Json:
        if self._is_read:
            return {"type": "http.disconnect"}
        self._is_read = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: Json) -> None:
        if message["type"] == "http.response.start":
            self.start(message["status"], message["headers"])
        else:
            self.parts.append(message.get("body", b""))

    def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._status, self._headers = status, headers

    def answer(self, *, is_old: bool) -> Json:
        """What the gateway takes: texts only, as all answers are."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers}
        found = {"statusCode": self._status, "body": b"".join(self.parts).decode(), "isBase64Encoded": False}
        if is_old:
            return found | {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
        return found | {"headers": headers}


# --- the gateway's events ----------------------------------------------------------------------


def _scope(event: Any) -> tuple[Json, bytes]:
    """Of the format 2.0. The path of an HTTP API begins with the name of its stage, unless that is `$default`."""
    try:
        context = event["requestContext"]
        path, stage = event["rawPath"], context.get("stage", "$default")
        prefix = "" if stage == "$default" else f"/{stage}"
        raw = path[len(prefix) :] if prefix and path.startswith(f"{prefix}/") else path
        named = [(name, value) for name, value in (event.get("headers") or {}).items()]
        return _asked(event, context["http"]["method"], raw, event.get("rawQueryString", ""), named)
    except (KeyError, TypeError, AttributeError):
        raise _no_request() from None


def _old_scope(event: Json) -> tuple[Json, bytes]:
    """Of the format 1.0, whose path is not escaped any more, and whose query is in parts."""
    try:
        named = _several(event, "headers", "multiValueHeaders")
        query = urlencode(_several(event, "queryStringParameters", "multiValueQueryStringParameters"))
        return _asked(event, event["httpMethod"], quote(event["path"]), query, named)
    except (KeyError, TypeError, AttributeError):
        raise _no_request() from None


def _several(event: Json, single: str, multiple: str) -> list[tuple[str, str]]:
    found = event.get(multiple) or {name: [value] for name, value in (event.get(single) or {}).items()}
    return [(name, value) for name, values in found.items() for value in values]


def _asked(
    event: Json, method: str, raw: str, query: str, named: list[tuple[str, str]]
) -> tuple[Json, bytes]:
    body = _body(event)
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in named
    ]
    told = [pair for pair in headers if pair[0] != b"content-length"]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "https",
        "method": method.upper(), "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(),
        "root_path": "", "headers": [*told, (b"content-length", b"%d" % len(body))],
    }  # fmt: skip
    return scope, body


def _body(event: Json) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise Problem(400, "bad_encoding", "the gateway's body is not base64") from None


def _is_authorised(event: Json) -> bool:
    """Whether the gateway says who asks."""
    context = event["requestContext"]
    identity = context.get("identity") or {}
    return bool(context.get("authorizer") or identity.get("userArn"))


def _no_request() -> Problem:
    advice = "invoke it through an HTTP API, a function URL or a REST API"
    return Problem(400, "no_request", "this event is no HTTP request of a gateway", advice=advice)
