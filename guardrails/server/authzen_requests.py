"""AuthZEN's access requests: a refusal that people can lift, and how the one who asks learns that they did.

The engine has asked people already when it refuses; its request is what the client asks for here, by the token that
came with the refusal. Once it is approved, the same evaluation with `context.approval` is allowed, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.approvals.answering import Rejected
from guardrails.listings import moment
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT, STRING

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

STATUSES = {
    "pending": "pending",
    "escalated": "pending",
    "approved": "approved",
    "consumed": "approved",
    "denied": "denied",
    "expired": "expired",
    "void": "cancelled",
}


def base_of(service: Service, request: Request) -> str:
    """The address that clients reach the server at: as it was told, or as this one did."""
    if service.settings.address:
        return service.settings.address.rstrip("/")
    host = request.header(b"host")
    is_plain = bool(host) and all(letter.isalnum() or letter in ".-:[]" for letter in host)
    return f"{request.scope.get('scheme', 'http')}://{host if is_plain else 'localhost'}"


def waiting_for(decision: Decision, base: str) -> dict[str, Any]:
    """What a refusal tells about the people who could lift it."""
    people = list(dict.fromkeys(name for each in decision.approvals for name in each.reviewers))
    found = {
        "endpoint": f"{base}/access/v1/requests",
        "binding_token": decision.request,
        "display": {"title": decision.message, "reviewers": people},
    }
    return {"access_request": found}


async def ask(service: Service, request: Request) -> Answer:
    """Take note that the client waits."""
    denial = object_of(request).get("denial")
    token = denial.get("binding_token") if denial.__class__ is dict else None
    if token.__class__ is not str:
        message = "`denial.binding_token` is the one that came with the refusal"
        raise Problem(400, "bad_request", message, at="/denial/binding_token")
    found = await _task(service, request, token)
    location = found["task"]["status_endpoint"].encode("latin-1", "replace")
    return told(found, 202, [(b"location", location)])


async def status(service: Service, request: Request) -> Answer:
    """What became of it."""
    return told(await _task(service, request, request.names["id"]))


async def _task(service: Service, request: Request, id: str) -> dict[str, Any]:
    def work() -> tuple[str, str, int, int]:
        desk = service.guard.approvals
        found = desk.get(id)
        return found.id, desk.state_of(found), found.ended, found.until

    try:
        full, state, ended, until = await service.apart(work)
    except Rejected as error:
        raise Problem(404, "no_such_request", str(error), at="/id") from None
    endpoint = f"{base_of(service, request)}/access/v1/requests/{full}"
    found: dict[str, Any] = {
        "task": {"id": full, "status": STATUSES.get(state, "failed"), "status_endpoint": endpoint}
    }
    if state == "approved":
        approval = {"id": full, "approved_at": moment(ended), "approved_until": moment(until)}
        found["result"] = {"mode": "reevaluate", "approval": approval}
    return found


def plainly(problem: Problem, request: Request | None) -> Answer:
    return Answer(problem.status, str(problem).encode(), b"text/plain; charset=utf-8")


ASKED = {
    "type": "object",
    "required": ["denial"],
    "properties": {
        "denial": {"type": "object", "required": ["binding_token"], "properties": {"binding_token": STRING}}
    },
}

ROUTES = (
    Route(
        "POST", "/access/v1/requests", ask, "agent", "AuthZEN: wait for people.", takes=ASKED, gives=ANY_OBJECT,
        status=202, codes=(400, 404, 500, 503), teller=plainly,
    ),
    Route(
        "GET", "/access/v1/requests/{id}", status, "agent", "AuthZEN: what became of it.", gives=ANY_OBJECT,
        codes=(404, 500, 503), teller=plainly,
    ),
)  # fmt: skip
