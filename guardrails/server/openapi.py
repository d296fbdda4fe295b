"""The OpenAPI document, made from the routes, so that it cannot say anything else than they do."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from guardrails.approvals.request import STATES
from guardrails.server.messages import Answer, told
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT, COMPONENTS, ID, STRING, ref
from guardrails.version import VERSION

if TYPE_CHECKING:
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

PROBLEMS = {
    400: "The request is malformed.",
    401: "There is no key, or nobody knows it.",
    403: "The key may not do this.",
    404: "There is no such thing.",
    405: "The path takes another method.",
    408: "The body came too slowly.",
    409: "It is not as the request takes it to be.",
    413: "The body is too large.",
    422: "The policy does not load; the one in force stays.",
    500: "The server made a mistake; nothing was allowed.",
    503: "The store, the log or the server is busy or away; nothing was allowed.",
}
ALWAYS = (400, 500, 503)
OF_KEYS = (401, 403)


async def document(service: Service, request: Request) -> Answer:
    """The document."""
    return told(openapi())


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of all routes."""
    from guardrails.server.app import table

    paths: dict[str, dict[str, Any]] = {}
    for route in table().routes:
        if route.listed:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Guard", "version": VERSION, "description": "Decisions of a policy, over HTTP."},
        "paths": paths,
        "components": {"schemas": COMPONENTS, "securitySchemes": schemes},
    }


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}.{route.handler.__name__}",
        "summary": route.about,
        "responses": dict(_responses(route)),
    }
    parameters = [*_parameters(route)]
    if parameters:
        found["parameters"] = parameters
    if route.takes is not None:
        found["requestBody"] = {"required": True, "content": _content(route, route.takes)}
    if route.role:
        found["security"] = [{}, {"bearer": []}, {"key": []}]
        found["description"] = f"For keys that may act as {route.role}."
    return found


def _parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    path = [{"name": name, "in": "path", "required": True, "schema": ID} for name in names]
    query = [{"name": name, "in": "query", "required": False, "schema": _asked(name)} for name in route.query]
    headers = [{"name": name, "in": "header", "required": False, "schema": STRING} for name in route.headers]
    return path + query + headers


def _asked(name: str) -> dict[str, Any]:
    known = {"state": [*STATES, "any"], "kind": ["ask", "review"]}.get(name)
    return ID if known is None else {"enum": known}


def _responses(route: Route) -> list[tuple[str, dict[str, Any]]]:
    good = {"description": "Done.", "content": _content(route, route.gives or ANY_OBJECT)}
    if route.kind == "text/plain":
        good["content"] = {"text/plain": {"schema": STRING}}
    codes = {*ALWAYS, *route.codes, *(OF_KEYS if route.role else ()), *((408, 413) if route.takes else ())}
    if route.teller is not None:
        codes -= {400, 500, 503} - set(route.codes)
    problem = {"application/json": {"schema": ref("Problem")}} if route.teller is None else {}
    told_as = {"content": problem} if problem else {}
    bad = [(str(code), {"description": PROBLEMS[code], **told_as}) for code in sorted(codes)]
    if "/ready" in route.path:
        bad = [(code, {"description": PROBLEMS[int(code)]}) for code, _ in bad]
    return [(str(route.status), good), *bad]


def _content(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/x-ndjson" if route.streams else "application/json": {"schema": schema}}


ROUTES = (Route("GET", "/openapi.json", document, "", "This document.", gives=ANY_OBJECT),)
