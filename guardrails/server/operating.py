"""The native API for the people who run it: requests that wait for them, halts, limits, and the policy in force.

An operator answers in the name of their own key; a desk (a chat bot, a page that people log in to) says for whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.approvals.answering import Rejected
from guardrails.approvals.request import STATES
from guardrails.listings import halt_as_json, limit_as_json, request_as_json
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import fields_of, object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT, STRING, record

if TYPE_CHECKING:
    from guardrails.server.keys import Caller
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

VERDICTS = ("approve", "deny", "upheld", "wrong")
LONGEST = 1e9
"""Seconds."""


# --- requests ----------------------------------------------------------------------------------


async def requests(service: Service, request: Request) -> Answer:
    """List requests."""
    query = request.asked("state", "session", "kind")
    states = [query["state"]] if "state" in query else []
    _one_of(query, "state", (*STATES, "any"))
    _one_of(query, "kind", ("ask", "review"))

    def work() -> list[dict[str, Any]]:
        desk = service.guard.approvals
        found = desk.list(*states, session=query.get("session"), kind=query.get("kind"))
        return [request_as_json(each, desk) for each in found]

    return told({"requests": await service.apart(work)})


async def request_of(service: Service, request: Request) -> Answer:
    """Show one request; a person's name is kept as that of somebody who read it."""
    id, caller = request.names["id"], request.caller
    query = request.asked("by")
    by = _person(caller, query.get("by")) if "by" in query or caller.role == "operator" else None

    def work() -> dict[str, Any]:
        desk = service.guard.approvals
        return request_as_json(_found(lambda: desk.show(id, by=by)), desk)

    return told(await service.apart(work))


async def state_of(service: Service, request: Request) -> Answer:
    """What became of a request, for the agent that waits for it."""
    id = request.names["id"]

    def work() -> dict[str, Any]:
        desk = service.guard.approvals
        found = _found(lambda: desk.get(id))
        return {"id": found.id, "state": desk.state_of(found), "why": found.why or None}

    return told(await service.apart(work))


async def answer(service: Service, request: Request) -> Answer:
    """Answer a request."""
    known = {"verdict": "string", "reason": "string", "by": "string", "seconds": "number", "once": "boolean"}
    body = fields_of(object_of(request), known, "verdict")
    _one_of(body, "verdict", VERDICTS, at="/verdict")
    seconds = _seconds(body)
    by, id = _person(request.caller, body.get("by")), request.names["id"]
    verdict, reason, once = body["verdict"], body.get("reason", ""), bool(body.get("once"))

    def work() -> dict[str, Any]:
        desk = service.guard.approvals
        _found(lambda: desk.get(id))
        if verdict == "approve":
            found = desk.approve(id, by=by, reason=reason, seconds=seconds, once=once)
        elif verdict == "deny":
            found = desk.deny(id, by=by, reason=reason, once=once)
        else:
            found = desk.judge(id, verdict, by=by, reason=reason)
        return request_as_json(found, desk)

    return told(await service.apart(work))


def _person(caller: Caller, by: str | None) -> str:
    """Who answers. Raises `Problem` for an operator who speaks for somebody else, and a desk that does not say."""
    if caller.role == "desk":
        if not by or not by.strip():
            raise Problem(400, "missing_field", "a desk has to say who answers, as `by`", at="/by")
        return by
    if by is not None and by != caller.name:
        message = f"the key `{caller.name}` answers for nobody else"
        raise Problem(403, "another_person", message, at="/by", advice="leave `by` out")
    return caller.name


def _found(work: Any) -> Any:
    """What the desk gives; a request that is not there is a path that is not there."""
    try:
        return work()
    except Rejected as error:
        raise Problem(404, "no_such_request", str(error), at="/id") from None


# --- halts, limits, policy ---------------------------------------------------------------------


async def halts(service: Service, request: Request) -> Answer:
    """List the halts in force."""
    request.asked()

    def work() -> list[dict[str, Any]]:
        if service.guard._state is None:
            return []
        found = service.guard.state.store.halts(now=service.guard.clock.now())
        return [halt_as_json(each) for each in found]

    return told({"halts": await service.apart(work)})


async def halt(service: Service, request: Request) -> Answer:
    """Halt everything, or one scope."""
    body = fields_of(object_of(request), {"scope": "string", "why": "string", "seconds": "number"}, "why")
    scope, why, seconds = body.get("scope", "all"), body["why"], _seconds(body)
    if not why.strip():
        raise Problem(400, "bad_request", "`why` is a reason; agents and people are told", at="/why")
    by = request.caller.name
    await service.apart(lambda: service.guard.halt(scope, by=by, why=why, seconds=seconds))
    return told({"scope": scope, "who": by, "why": why, "seconds": seconds}, 201)


async def resume(service: Service, request: Request) -> Answer:
    """Lift a halt."""
    scope = request.asked("scope").get("scope")
    if scope is None:
        raise Problem(400, "bad_query", "say what to resume: `?scope=all`", at="the query")
    lifted = await service.apart(lambda: service.guard.resume(scope))
    if not lifted:
        raise Problem(
            404, "not_halted", f"`{scope[:100]}` is not halted", advice="`GET /v1/halts` lists halts"
        )
    return told({"scope": scope, "lifted": True})


async def limits(service: Service, request: Request) -> Answer:
    """How full limits, budgets and breakers are."""
    query = request.asked("session", "principal")

    def work() -> list[dict[str, Any]]:
        return [limit_as_json(each) for each in service.guard.limits(**query)]

    return told({"policy": service.guard.digest, "limits": await service.apart(work)})


async def policy(service: Service, request: Request) -> Answer:
    """What is in force."""
    request.asked()
    return told(_policy(service))


async def reload(service: Service, request: Request) -> Answer:
    """Load the policy anew, here and in all workers."""
    changed = await service.apart(service.reload)
    service.ask_reload()
    return told({"changed": changed, **_policy(service)})


def _policy(service: Service) -> dict[str, Any]:
    guard = service.guard
    problem = service.problem
    return {"name": guard.name, "digest": guard.digest, "problem": str(problem) if problem else None}


def _seconds(body: dict[str, Any]) -> float | None:
    seconds: float | None = body.get("seconds")
    if seconds is not None and not 0 < seconds < LONGEST:
        raise Problem(
            400, "bad_request", "`seconds` is more than 0, and less than 1,000,000,000", at="/seconds"
        )
    return seconds


def _one_of(found: dict[str, Any], name: str, known: tuple[str, ...], at: str = "the query") -> None:
    if name in found and found[name] not in known:
        raise Problem(400, "bad_request", f"`{name}` is one of {', '.join(known)}", at=at)


SECONDS = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": LONGEST}
TEXT = {"type": "string", "pattern": r"\S"}
MANY = {"type": "array", "items": ANY_OBJECT}
POLICY = record(
    ("name", "digest", "problem"), name=STRING, digest=STRING, problem={"type": ["string", "null"]}
)  # fmt: skip
RELOADED = record(
    ("name", "digest", "problem", "changed"), changed={"type": "boolean"}, **POLICY["properties"]
)  # fmt: skip

ROUTES = (
    Route(
        "GET", "/v1/approvals", requests, "desk", "List requests that wait for people.",
        gives=record(("requests",), requests=MANY), query=("state", "session", "kind"),
    ),
    Route(
        "GET", "/v1/approvals/{id}", request_of, "desk", "Show all that a person needs to decide.",
        gives=ANY_OBJECT, query=("by",), codes=(404,),
    ),
    Route(
        "GET", "/v1/approvals/{id}/state", state_of, "agent", "What became of a request, for who waits for it.",
        gives=record(("id", "state", "why"), id=STRING, state=STRING, why={"type": ["string", "null"]}), codes=(404,),
    ),
    Route(
        "POST", "/v1/approvals/{id}/answer", answer, "desk", "Approve or deny a request, or answer a review.",
        takes=record(
            ("verdict",), verdict={"enum": list(VERDICTS)}, reason=STRING, by=STRING, seconds=SECONDS,
            once={"type": "boolean"},
        ),
        gives=ANY_OBJECT, codes=(404, 409),
    ),
    Route(
        "GET", "/v1/halts", halts, "monitor", "List what is halted.", gives=record(("halts",), halts=MANY),
    ),
    Route(
        "POST", "/v1/halts", halt, "operator", "Halt everything, or an agent, principal, session or tool.",
        takes=record(("why",), scope=STRING, why=TEXT, seconds=SECONDS), gives=ANY_OBJECT, status=201,
    ),
    Route(
        "DELETE", "/v1/halts", resume, "operator", "Lift a halt.",
        gives=record(("scope", "lifted"), scope=STRING, lifted={"type": "boolean"}), query=("scope",), codes=(404,),
    ),
    Route(
        "GET", "/v1/limits", limits, "monitor", "How full limits, budgets and breakers are.",
        gives=record(("policy", "limits"), policy=STRING, limits=MANY), query=("session", "principal"),
    ),
    Route("GET", "/v1/policy", policy, "monitor", "The policy in force.", gives=POLICY),
    Route(
        "POST", "/v1/reload", reload, "operator", "Load the policy anew.", gives=RELOADED, codes=(422,),
    ),
)  # fmt: skip
