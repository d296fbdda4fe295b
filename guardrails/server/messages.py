"""Requests and answers, as handlers see them: read whole, with the caller known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from guardrails.server.problems import Problem
from guardrails.strict_json import write_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from guardrails.server.keys import Caller

JSON = b"application/json"


class Answer:
    """What goes back. `headers` come beside the type and length of the body."""

    __slots__ = ("body", "headers", "kind", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        kind: bytes = JSON,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.status = status
        self.body = body
        self.kind = kind
        self.headers = tuple(headers)


def told(value: Any, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """An answer in JSON."""
    return Answer(status, write_json(value).encode(), JSON, headers)


def refused(problem: Problem) -> Answer:
    """A problem in the shape of the native API."""
    headers = ((b"retry-after", b"1"),) if problem.status == 503 else ()
    if problem.status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    if problem.status == 405:
        headers = ((b"allow", problem.at.encode()),)
    return told(problem.as_json(), problem.status, headers)


class Request:
    """A request. `body` are its bytes (empty while a stream still brings them by `receive`), `names` what
    stands for the variable parts of its path."""

    __slots__ = ("body", "caller", "method", "names", "path", "receive", "scope", "send")

    def __init__(self, scope: Any, receive: Callable[[], Awaitable[Any]], caller: Caller) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.receive = receive
        self.send: Any = None
        self.caller = caller
        self.body = b""
        self.names: dict[str, str] = {}

    @property
    def query(self) -> dict[str, str]:
        """The query's values by name. Raises `Problem` for a name that stands there twice."""
        try:
            pairs = parse_qsl(
                self.scope["query_string"].decode(),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=32,
            )
        except ValueError:
            raise Problem(400, "bad_query", "the query cannot be read", at="the query") from None
        if len(dict(pairs)) != len(pairs):
            raise Problem(400, "bad_query", "a name stands twice in the query", at="the query")
        return dict(pairs)

    def asked(self, *known: str) -> dict[str, str]:
        """The query, which may have nothing but these names. One that says nothing is a mistake: it would find nothing,
        or everything."""
        found = self.query
        for name, value in found.items():
            if name in known and not value:
                raise Problem(
                    400, "bad_query", f"`{name}` is empty in the query", advice="leave it out, or fill it in"
                )
            if name not in known:
                allowed = f"it may have {', '.join(known)}" if known else "it has none"
                raise Problem(400, "bad_query", f"the query has no `{name[:40]}` here", advice=allowed)
        return found

    def header(self, name: bytes) -> str:
        """A header's value; empty where there is none. Raises `Problem` where there is more than one."""
        found = [value for key, value in self.scope["headers"] if key == name]
        if len(found) > 1:
            raise Problem(400, "bad_header", f"the header `{name.decode()}` stands there twice")
        return found[0].decode("latin-1") if found else ""
