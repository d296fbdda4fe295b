"""Routes: what is answered at which path, by whom it may be asked, and what the OpenAPI document says of it.

A route that belongs to a dialect says how that dialect tells a problem. Paths are looked up in a dictionary;
only those with `{names}` in them, or with `*` at the end, are compared part by part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from guardrails.server.problems import Problem

if TYPE_CHECKING:
    from guardrails.server.messages import Answer, Request
    from guardrails.server.service import Service

    Handler = Callable[["Service", "Request"], Awaitable["Answer"]]
    Teller = Callable[["Problem", "Request | None"], "Answer"]


@dataclass(frozen=True, slots=True)
class Route:
    """`takes` and `gives` are JSON Schemas of the bodies, `query` the names a query may have; `codes` are the
    statuses of problems that it may end with beside those that every route has. `role` is empty for what
    anybody may ask. `streams`: it reads its body itself."""

    method: str
    path: str
    handler: Handler
    role: str
    about: str
    takes: dict[str, Any] | None = None
    gives: dict[str, Any] | None = None
    query: tuple[str, ...] = ()
    status: int = 200
    codes: tuple[int, ...] = ()
    teller: Teller | None = None
    streams: bool = False
    listed: bool = True
    kind: str = "application/json"
    headers: tuple[str, ...] = field(default=())


class Table:
    """Finds routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._exact = {(each.method, each.path): each for each in self.routes if "{" not in each.path}
        self._shaped = [(each, each.path.split("/")) for each in self.routes if "{" in each.path]
        self._open = [each for each in self.routes if each.path.endswith("*")]

    def find(self, method: str, path: str, raw: bytes) -> tuple[Route, dict[str, str]]:
        """The route, and what stands for its names. Raises `Problem` for none."""
        route = self._exact.get((method, path))
        if route is not None:
            return route, {}
        found = [(each, names) for each, names in self._at(path, raw) if each.method in (method, "*")]
        if found:
            return found[0]
        methods = sorted({each.method for each, _ in self._at(path, raw)})
        if methods:
            told = f"`{path[:100]}` takes {' and '.join(methods)}"
            raise Problem(405, "wrong_method", told, at=", ".join(methods))
        advice = "`/openapi.json` lists what there is"
        raise Problem(404, "no_such_path", f"there is nothing at `{path[:100]}`", advice=advice)

    def _at(self, path: str, raw: bytes) -> list[tuple[Route, dict[str, str]]]:
        """Every route of a path, whatever its method."""
        found: list[tuple[Route, dict[str, str]]] = []
        found += [(each, {}) for (_, there), each in self._exact.items() if there == path]
        parts = raw.decode("latin-1").split("/")
        for route, shape in self._shaped:
            names = _named(shape, parts)
            if names is not None:
                found.append((route, names))
        found += [(each, {"rest": path[len(each.path) - 1 :]}) for each in self._open if _is_in(path, each)]
        return found


def _is_in(path: str, route: Route) -> bool:
    return path.startswith(route.path[:-1])


def _named(shape: list[str], parts: list[str]) -> dict[str, str] | None:
    """What stands for the names of a path, with an escaped `/` still one part."""
    if len(shape) != len(parts):
        return None
    names = {}
    for wanted, part in zip(shape, parts, strict=True):
        if wanted.startswith("{"):
            names[wanted[1:-1]] = unquote(part)
        elif wanted != part:
            return None
    return names if all(names.values()) else None
