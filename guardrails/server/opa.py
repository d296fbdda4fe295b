"""OPA's Data API: for clients and gateways that ask an Open Policy Agent.

    POST /v1/data/guard/allow       {"input": {"tool": "refund", "args": {...}}} → {"result": true}
    POST /v1/data/guard/decision    the whole decision
    POST /v0/data/guard/allow       the input itself → the result itself
    GET  /v1/data/guard/allow?input={...}

The input is an event; without a `type` it is a call. `allow` is true only where the event can go on as it is: what has
to be changed, approved or refused is false. What nobody asked about is undefined, which every client takes for no.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.decision_json import decision_as_json
from guardrails.model import Outcome
from guardrails.server.degrading import give_back, passes, refusal
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import json_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT
from guardrails.version import VERSION

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

UNDEFINED = object()
WARNING = {
    "code": "api_usage_warning",
    "message": "the body has no `input`: nothing was decided, and the result is undefined",
}
CODES = {
    400: "invalid_parameter",
    401: "unauthorized",
    403: "unauthorized",
    404: "undefined_document",
    405: "invalid_operation",
}


async def data(service: Service, request: Request) -> Answer:
    """Version 1: the input under `input`, the result under `result`."""
    query = request.query
    if request.method == "GET":
        given = json_of(query["input"].encode()) if "input" in query else UNDEFINED
    else:
        body = json_of(request.body) if request.body.strip() else {}
        if body.__class__ is not dict:
            raise Problem(400, "bad_request", "the body is an object with `input`")
        given = body.get("input", UNDEFINED)
    if given is UNDEFINED:
        return told({"warning": WARNING})
    result, id = await _result(service, request, given)
    found: dict[str, Any] = {} if result is UNDEFINED else {"result": result, "decision_id": id}
    if query.get("provenance") == "true":
        found["provenance"] = {"version": VERSION, "policy": service.guard.digest}
    if query.get("metrics") == "true":
        found["metrics"] = {}
    return told(found)


async def raw(service: Service, request: Request) -> Answer:
    """Version 0, and the default decision: the body is the input, and the answer the result."""
    result, _ = await _result(service, request, json_of(request.body))
    if result is UNDEFINED:
        raise Problem(404, "undefined_document", "document missing or undefined")
    return told(result)


async def _result(service: Service, request: Request, given: Any) -> tuple[Any, str]:
    """What stands at the path, with the decision's id; nothing is decided for a path that is not there."""
    path = [part for part in request.names.get("rest", "guard/allow").split("/") if part]
    if path[:1] != ["guard"] or (len(path) > 1 and path[1] not in ("allow", "decision", "reason")):
        return UNDEFINED, ""
    if given.__class__ is not dict:
        raise Problem(400, "bad_request", "the input is an event: an object", at="/input")
    event = {"type": "call", **given}
    if event["type"] == "call":
        event.setdefault("args", {})
    decision = await service.decide(event, request.caller, len(request.body))
    if path[1:] == ["allow"] and decision.outcome is Outcome.ALLOW and not passes(decision, event):
        await give_back(service, event, decision, request.caller)
    return _at(_document(decision, event), path[1:]), decision.id or urandom(16).hex()


async def policies(service: Service, request: Request) -> Answer:
    """What clients look at to see whether anybody is there."""
    return told({"result": [{"id": service.guard.name}]})


def _document(decision: Decision, event: dict[str, Any]) -> dict[str, Any]:
    is_allowed = passes(decision, event)
    return {
        "allow": is_allowed,
        "reason": "" if is_allowed else refusal(decision),
        "decision": decision_as_json(decision),
    }


def _at(value: Any, path: list[str]) -> Any:
    for part in path:
        if value.__class__ is not dict or part not in value:
            return UNDEFINED
        value = value[part]
    return value


def plainly(problem: Problem, request: Request | None) -> Answer:
    """A problem in OPA's shape."""
    code = CODES.get(problem.status, "internal_error" if problem.status >= 500 else "invalid_parameter")
    return told({"code": code, "message": str(problem)}, problem.status)


def _route(method: str, path: str, handler: Any, about: str) -> Route:
    return Route(
        method, path, handler, "agent", f"OPA: {about}", gives=ANY_OBJECT, teller=plainly, listed=False
    )


ROUTES = (
    _route("POST", "/v1/data/*", data, "the document at a path, for an input."),
    _route("GET", "/v1/data/*", data, "the document at a path, for an input in the query."),
    _route("POST", "/v0/data/*", raw, "the same without wrapping."),
    _route("GET", "/v1/policies", policies, "the policy in force."),
    _route("GET", "/v1/policies/", policies, "the same."),
    _route("POST", "/", raw, "the default decision, which is `guard/allow`."),
)
