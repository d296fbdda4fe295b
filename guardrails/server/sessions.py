"""The native API of sessions: opened by the host with all that is known of who works in them, and ended by it."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.errors import EventError
from guardrails.reporting import check_task
from guardrails.server import bindings
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import fields_of, object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT, STRING, record

if TYPE_CHECKING:
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

KNOWN = {
    "id": "string",
    "principal": "object",
    "agent": "object",
    "facts": "object",
    "task": "string",
    "given": "object",
}
SESSION = record(
    ("id", "ended"), id=STRING, ended={"type": "boolean"}, principal=ANY_OBJECT, agent=ANY_OBJECT, facts=ANY_OBJECT
)  # fmt: skip


async def open_session(service: Service, request: Request) -> Answer:
    """Open a session: every event that names it is of this principal and agent, for this task."""
    body = fields_of(object_of(request), KNOWN)
    body.setdefault("id", urandom(16).hex())
    agent = request.caller.agent
    if agent is not None and body.setdefault("agent", {"id": agent}).get("id") != agent:
        message = f"this key speaks for the agent `{agent}` only"
        raise Problem(403, "another_agent", message, at="/agent/id")
    facts = {**body.get("facts", {}), **{name: body[name] for name in ("task", "given") if name in body}}
    kept = {name: body[name] for name in bindings.BINDING if name in body} | {"facts": facts}
    await service.apart(lambda: _open(service, body["id"], kept))
    return told({"id": body["id"], "ended": False, **kept}, 201)


def _open(service: Service, id: str, kept: dict[str, Any]) -> None:
    guard = service.guard
    _check(guard, kept)
    bindings.opened(guard, id, kept)


def _check(guard: Any, kept: dict[str, Any]) -> None:
    try:
        check_task(guard, kept["facts"])
    except EventError as error:
        raise Problem(409, "bad_session", error.message, at=error.pointer.replace("/session", "")) from None


async def session_of(service: Service, request: Request) -> Answer:
    """What a session was opened with."""
    id = request.names["id"]
    found = await service.apart(lambda: bindings.known(service.guard, id))
    if found is None:
        raise _unknown(id)
    return told({"id": id, **found})


async def end_session(service: Service, request: Request) -> Answer:
    """End a session: whatever comes later in it is refused."""
    id = request.names["id"]
    if not await service.apart(lambda: bindings.ended(service.guard, id)):
        raise _unknown(id)
    return told({"id": id, "ended": True})


def _unknown(id: str) -> Problem:
    advice = "`POST /v1/sessions` opens one"
    return Problem(404, "no_such_session", f"there is no open session `{id[:100]}`", at="/id", advice=advice)


OPENING = record(
    (), id={"type": "string", "minLength": 1, "maxLength": bindings.MOST_ID}, principal=ANY_OBJECT,
    agent=ANY_OBJECT, facts=ANY_OBJECT, task=STRING, given=ANY_OBJECT,
)  # fmt: skip

ROUTES = (
    Route(
        "POST", "/v1/sessions", open_session, "agent", "Open a session for a principal.",
        takes=OPENING, gives=SESSION, status=201, codes=(409,),
    ),
    Route(
        "GET", "/v1/sessions/{id}", session_of, "agent", "Show what a session was opened with.", gives=SESSION,
        codes=(404,),
    ),
    Route(
        "DELETE", "/v1/sessions/{id}", end_session, "agent", "End a session.",
        gives=record(("id", "ended"), id=STRING, ended={"type": "boolean"}), codes=(404,),
    ),
)  # fmt: skip
