"""AuthZEN: the OpenID Authorization API 1.0, as a policy decision point.

    POST /access/v1/evaluation      {"subject", "action", "resource", "context"?} → {"decision": true | false}
    POST /access/v1/evaluations     the same many times, with defaults and with one of three semantics

A resource of the type `tool` is a call of that tool, whose arguments are `properties.arguments` of the action or of the
resource. Any other action is a call of a tool of the action's name, with the action's properties and the `resource` as
its arguments. The subject is the principal; of the context `agent`, `session`, `call_id` and `approval.id` count. A
refusal is a 200 with `false`; only what is no request is another status, with a plain text.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.model import Outcome
from guardrails.server.app import mistake_of
from guardrails.server.authzen_requests import ROUTES as REQUESTS
from guardrails.server.authzen_requests import base_of, waiting_for
from guardrails.server.degrading import give_back, is_changed, refusal
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem, problem_of
from guardrails.server.reading import object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT, STRING

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

SEMANTICS = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")
PARTS = ("subject", "action", "resource", "context")
MOST = 1_000
"""Evaluations of one request."""


async def evaluation(service: Service, request: Request) -> Answer:
    """Decide one."""
    return told(await _evaluated(service, request, object_of(request)))


async def evaluations(service: Service, request: Request) -> Answer:
    """Decide many, each with the defaults where it says nothing else."""
    body = object_of(request)
    items = body.get("evaluations", [])
    if items.__class__ is not list or len(items) > MOST:
        raise Problem(400, "bad_request", f"`evaluations` is a list of {MOST:,} at most", at="/evaluations")
    semantic = _semantic(body)
    if not items:
        return told(await _evaluated(service, request, body))
    defaults = {name: _part(body, name, needed=()) for name in PARTS if name in body}
    found: list[dict[str, Any]] = []
    for item in items:
        found.append(await _item(service, request, item, defaults))
        if (semantic, found[-1]["decision"]) in ((SEMANTICS[1], False), (SEMANTICS[2], True)):
            break
    return told({"evaluations": found})


def _semantic(body: dict[str, Any]) -> str:
    options = body.get("options", {})
    semantic = options.get("evaluations_semantic", SEMANTICS[0]) if options.__class__ is dict else None
    if semantic not in SEMANTICS:
        raise Problem(
            400, "bad_request", f"`evaluations_semantic` is one of {', '.join(SEMANTICS)}", at="/options"
        )
    return str(semantic)


async def _item(service: Service, request: Request, item: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    """One of many; what is wrong with it is its own refusal."""
    try:
        if item.__class__ is not dict:
            raise Problem(400, "bad_request", "an evaluation is an object")
        return await _evaluated(service, request, defaults | item)
    except Exception as error:
        problem = problem_of(error) or mistake_of(error)
        return {"decision": False, "context": {"error": {"status": problem.status, "message": str(problem)}}}


async def _evaluated(service: Service, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    context = _part(body, "context", needed=())
    event = event_of(body, context)
    decision = await service.decide(event, request.caller, len(request.body))
    found = _Told(base_of(service, request), context, decision, event)
    answer = found.answer()
    if decision.outcome is Outcome.ALLOW and not answer["decision"]:
        await give_back(service, event, decision, request.caller)
    return answer


# --- from AuthZEN to an event ------------------------------------------------------------------


def event_of(body: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """The call that a request asks about. Raises `Problem` for what is no request."""
    subject = _part(body, "subject", ("type", "id"))
    action = _part(body, "action", ("name",))
    resource = _part(body, "resource", ("type", "id"))
    event: dict[str, Any] = {"type": "call", "principal": {**_properties(subject, "subject")}}
    event["principal"] |= {"type": subject["type"], "id": subject["id"]}
    if resource["type"] == "tool":
        event |= {"tool": resource["id"], "args": _arguments(action, resource)}
    else:
        event |= {"tool": action["name"], "args": _action_args(action, resource)}
    return event | _surroundings(context)


def _part(body: dict[str, Any], name: str, needed: tuple[str, ...]) -> dict[str, Any]:
    part = body.get(name, None if needed else {})
    if part.__class__ is not dict:
        raise Problem(400, "bad_request", f"`{name}` is an object", at=f"/{name}")
    for field in needed:
        if part.get(field).__class__ is not str or not part[field]:
            raise Problem(400, "bad_request", f"`{name}.{field}` is a text", at=f"/{name}/{field}")
    return part


def _properties(part: dict[str, Any], name: str) -> dict[str, Any]:
    found = part.get("properties", {})
    if found.__class__ is not dict:
        raise Problem(400, "bad_request", f"`{name}.properties` is an object", at=f"/{name}/properties")
    return found


def _arguments(action: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a tool's call, which stand in one place."""
    parts = ((action, "action"), (resource, "resource"))
    given = [
        _properties(part, name)["arguments"]
        for part, name in parts
        if "arguments" in part.get("properties", {})
    ]
    if len(given) > 1 and given[0] != given[1]:
        raise Problem(
            400, "bad_request", "the arguments stand there twice, differently", at="/action/properties"
        )
    arguments = given[0] if given else {}
    if arguments.__class__ is not dict:
        raise Problem(
            400, "bad_request", "the arguments of a tool are an object", at="/action/properties/arguments"
        )
    return arguments


def _action_args(action: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    what = {**_properties(resource, "resource"), "type": resource["type"], "id": resource["id"]}
    return {**_properties(action, "action"), "resource": what}


def _surroundings(context: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: context[name] for name in ("session", "call_id", "agent") if name in context
    }
    if found.get("agent").__class__ is str:
        found["agent"] = {"id": found["agent"]}
    approval = context.get("approval")
    if approval.__class__ is dict and "id" in approval:
        found["approval"] = approval["id"]
    return found


# --- from a decision to AuthZEN ----------------------------------------------------------------


class _Told:
    """A decision in the words of AuthZEN. A change, and the end of a session, are told as obligations to who can
    meet them."""

    def __init__(self, base: str, context: dict[str, Any], decision: Decision, event: dict[str, Any]) -> None:
        self._base = base
        self._decision = decision
        self._is_changed = is_changed(decision, event)
        supported = context.get("supported_obligations")
        self._supported = supported if supported.__class__ is list else []
        self._context: dict[str, Any] = {"evaluation_id": decision.id or urandom(16).hex()}

    def answer(self) -> dict[str, Any]:
        decision = self._decision
        if decision.outcome is Outcome.ALLOW:
            return self._allowed()
        if decision.outcome is Outcome.ASK and decision.request:
            self._context |= waiting_for(decision, self._base)
        elif decision.outcome is Outcome.HALT and "session_termination" in self._supported:
            self._oblige("session_termination", {"reason": decision.message})
        return self._refused("approval_required" if decision.outcome is Outcome.ASK else "policy_denied")

    def _allowed(self) -> dict[str, Any]:
        decision = self._decision
        if self._is_changed and "custom" not in self._supported:
            return self._refused("transform_unsupported")
        if self._is_changed:
            properties = {"vendor": "guard", "action": "replace_arguments", "arguments": decision.payload}
            self._oblige("custom", properties)
        if decision.reservation:
            self._context["reservation"] = decision.reservation
        return {"decision": True, "context": self._context}

    def _refused(self, reason: str) -> dict[str, Any]:
        return {
            "decision": False,
            "context": {"reason": reason, "reason_user": {"en": refusal(self._decision)}, **self._context},
        }

    def _oblige(self, kind: str, properties: dict[str, Any]) -> None:
        duties = self._context.setdefault("obligations", [])
        duties.append({"id": f"guard-{len(duties) + 1}", "type": kind, "properties": properties})


async def configuration(service: Service, request: Request) -> Answer:
    """What there is, and where."""
    base = base_of(service, request)
    return told(
        {
            "policy_decision_point": base,
            "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
            "access_request_endpoint": f"{base}/access/v1/requests",
            "capabilities": ["urn:openid:authzen:capability:access-request"],
            "supported_obligations": ["custom", "session_termination"],
        }
    )


def plainly(problem: Problem, request: Request | None) -> Answer:
    """A problem as a plain text."""
    return Answer(problem.status, str(problem).encode(), b"text/plain; charset=utf-8")


TEXT = {"type": "string", "minLength": 1}
ENTITY = {"type": "object", "required": ["type", "id"], "properties": {"type": TEXT, "id": TEXT}}
ACTION = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
ONE = {
    "type": "object",
    "required": ["subject", "action", "resource"],
    "properties": {"subject": ENTITY, "action": ACTION, "resource": ENTITY, "context": ANY_OBJECT},
}
MANY = {
    "type": "object",
    "properties": {
        **dict.fromkeys(PARTS, ANY_OBJECT),
        "evaluations": {"type": "array", "items": {}, "maxItems": MOST},
        "options": {"type": "object", "properties": {"evaluations_semantic": {"enum": list(SEMANTICS)}}},
    },
    "anyOf": [{"required": ["evaluations"], "properties": {"evaluations": {"minItems": 1}}}, ONE],
}
ENDPOINTS = ("policy_decision_point", "access_evaluation_endpoint", "access_evaluations_endpoint")
METADATA = {"type": "object", "required": list(ENDPOINTS), "properties": dict.fromkeys(ENDPOINTS, STRING)}
DECIDED = {"type": "object", "required": ["decision"], "properties": {"decision": {"type": "boolean"}}}

ROUTES = (
    Route(
        "POST", "/access/v1/evaluation", evaluation, "agent", "AuthZEN: decide one.", takes=ONE, gives=DECIDED,
        codes=(400, 500, 503), teller=plainly,
    ),
    Route(
        "POST", "/access/v1/evaluations", evaluations, "agent", "AuthZEN: decide many.", takes=MANY,
        gives=ANY_OBJECT, codes=(400, 500, 503), teller=plainly,
    ),
    Route(
        "GET", "/.well-known/authzen-configuration", configuration, "", "AuthZEN: what there is.",
        gives=METADATA,
    ),
    *REQUESTS,
)  # fmt: skip
