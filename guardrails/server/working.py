"""What a remote session asks for beside events: the rest of what a session in process can do.

    {"do": "reserve", "session": "s1", "principal": {...}, "with": {"usage": {"model": "m", "output_tokens": 500}}}

Takes such a request, gives what the session gives. There is no session that a server would have to remember: each
request says who works, for which task, with which tools and on whose behalf (`chain`), and the session is made anew, with
all that is counted and kept of it in the store. So any worker can answer, and a server that was started again.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from guardrails.decision_json import decision_as_json
from guardrails.errors import EvaluationError, EventError
from guardrails.model import Decision, Outcome
from guardrails.reporting import usage_of
from guardrails.runtime.usage import COUNTS
from guardrails.server.bindings import bound
from guardrails.server.problems import Problem
from guardrails.server.reading import fields_of
from guardrails.server.service import check_origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.server.keys import Caller
    from guardrails.server.service import Service
    from guardrails.session import Session

Fields = dict[str, Any]

AROUND = {
    "do": "string",
    "session": "object",
    "principal": "object",
    "agent": "object",
    "allow": "any",
    "chain": "array",
    "with": "object",
}
LINK = {"agent": "object", "tools": "array", "id": "string"}
CALL = {"tool": "string", "args": "any", "call_id": "string"}
TAKES = {
    "facts": {},
    "open": {},
    "check_call": CALL | {"digest": "string", "hold": "number", "approval": "string"},
    "check_result": CALL | {"result": "any", "reservation": "string"},
    "check_input": {"text": "any", "by": "string"},
    "check_output": {"text": "any"},
    "failed": CALL | {"reservation": "string"},
    "succeeded": CALL | {"reservation": "string"},
    "release": {"reservation": "string"},
    "settle": {"reservation": "string", "usage": "object", "estimate": "object"},
    "report": {"usage": "object"},
    "reserve": {"usage": "object", "hold": "number"},
    "stream_output": {},
    "stream_args": {"tool": "string"},
}
"""What can be asked for -> what it takes."""
USAGE = {
    "model": "string",
    **dict.fromkeys((*COUNTS, "tool_time"), "number"),
    "cost": "string",
    "tool": "string",
}
STREAMS = ("stream_output", "stream_args")


def done(service: Service, asked: Fields, caller: Caller) -> Any:
    """What a session gives: a stream, or something to be written as JSON. May block. Raises `Problem`,
    `EventError` and what sessions raise."""
    body = fields_of(asked, AROUND, "do")
    name, given = body["do"], body.get("with", {})
    if name not in TAKES:
        raise Problem(400, "unknown_field", f"there is nothing called `{name[:40]}` to do", at="/do")
    _check(fields_of(given, TAKES[name]))
    if "agent" not in caller.may:
        raise Problem(403, "wrong_role", f"the key `{caller.name}` may not ask for decisions")
    check_origin(body, caller)
    found = _tried(service, body, name, given)
    if isinstance(found, Decision):
        return decision_as_json(found)
    return found if name in STREAMS else {"done": found}


def _check(given: Fields) -> None:
    if "hold" in given and not 0 < given["hold"] < 1e9:
        raise EventError("`hold` is a number of seconds", "/with/hold")
    for name in ("usage", "estimate"):
        fields_of(given.get(name, {}), USAGE)


def _tried(service: Service, body: Fields, name: str, given: Fields) -> Any:
    """As `Service.decided`: a policy that keeps nothing has a store from the first halt of a session on."""
    guard = service.guard
    found = HANDLERS[name](_session(service, body), given)
    if isinstance(found, Decision) and found.outcome is Outcome.HALT and guard._state is None:
        _ = guard.state
        return HANDLERS[name](_session(service, body), given)
    return found


# --- the session -------------------------------------------------------------------------------


def _session(service: Service, body: Fields) -> Session:
    """The session that a request is of, below all whom it answers to."""
    guard = service.guard
    record = body.setdefault("session", {})
    if guard._state is not None:
        body = bound(guard, body)
        record = body["session"]
    session = _opened(guard, body, dict(record))
    for link in body.get("chain", ()):
        session = _below(session, link)
    return session


def _opened(guard: Any, body: Fields, record: Fields) -> Session:
    from guardrails.observing import ObservedSession
    from guardrails.session import Session

    id = record.get("id")
    if id is not None and id.__class__ is not str:
        raise EventError("the `id` of a session is a string", "/session/id")
    allow = body.get("allow")
    if allow.__class__ not in (dict, list, NoneType):
        raise EvaluationError("`allow` is a list of tools, or an object of them")
    told = {name: record.pop(name, None) for name in ("task", "given")}
    kind = ObservedSession if guard.observers else Session
    session = kind(
        guard, principal=body.get("principal"), agent=body.get("agent"), id=id, facts=record, allow=allow, **told
    )  # fmt: skip
    if guard.is_stateful:
        session.ledger.tracks = True
        if id is None:
            session.ledger.disown()
    return session


def _below(session: Session, link: Any) -> Session:
    from guardrails.delegation import delegated
    from guardrails.observing import ObservedDelegate

    if link.__class__ is not dict:
        raise Problem(400, "wrong_type", "each part of `chain` is an object", at="/chain")
    fields_of(link, LINK, "id")
    kind = ObservedDelegate if session.guard.observers else None
    tools = link.get("tools")
    return delegated(session, agent=link.get("agent"), tools=tools, guard=None, id=link["id"], kind=kind)


# --- what it does ------------------------------------------------------------------------------


def _open(session: Session, given: Fields) -> bool:
    """It can be opened so, and those who watch are told."""
    for observer in session.guard.observers:
        observer.opened(session)
    return True


def _facts(session: Session, given: Fields) -> Fields:
    """What a host has to know to enforce the policy on its tools."""
    from guardrails.enforcement import Needs

    needs = Needs(session.guards)
    return {"policy": session.guard.digest, "is_timed": needs.is_timed, "is_told": needs.is_told}


def _check_call(session: Session, given: Fields) -> Decision:
    return session.check_call(given.pop("tool", None), given.pop("args", None), **given)


def _check_result(session: Session, given: Fields) -> Decision:
    return session.check_result(given.pop("tool", None), given.pop("result", None), **given)


def _check_input(session: Session, given: Fields) -> Decision:
    return session.check_input(given.get("text"), by=given.get("by", "user"))  # type: ignore[arg-type]  # judged there


def _check_output(session: Session, given: Fields) -> Decision:
    return session.check_output(given.get("text"))  # type: ignore[arg-type]  # judged there


def _failed(session: Session, given: Fields) -> None:
    decision = _holding(session, given.pop("reservation", ""))
    session.failed(given.get("tool"), given.get("args"), decision=decision, call_id=given.get("call_id"))  # type: ignore[arg-type]  # found by its reservation


def _succeeded(session: Session, given: Fields) -> bool:
    told = {"call_id": given.get("call_id"), "reservation": given.get("reservation", "")}
    return session.ledger.succeeded(given.get("tool"), given.get("args"), **told)  # type: ignore[arg-type]  # as above


def _release(session: Session, given: Fields) -> bool:
    return session.release(_holding(session, given.get("reservation", "")))


def _settle(session: Session, given: Fields) -> bool:
    reservation = given.get("reservation", "")
    if "estimate" in given:
        session.ledger.expect(reservation, usage_of(given["estimate"]))
    usage = usage_of(given["usage"]) if "usage" in given else None
    return session.settle(_holding(session, reservation), usage)


def _report(session: Session, given: Fields) -> Decision:
    return session.report(usage_of(given.get("usage", {})))


def _reserve(session: Session, given: Fields) -> Decision:
    return session.reserve(usage_of(given.get("usage", {})), hold=given.get("hold"))


def _stream_output(session: Session, given: Fields) -> Any:
    return session.stream_output()


def _stream_args(session: Session, given: Fields) -> Any:
    if "tool" not in given:
        raise EvaluationError("say of which `tool` the arguments are")
    return session.stream_args(given["tool"])


def _holding(session: Session, reservation: str) -> Decision:
    return Decision(Outcome.ALLOW, session.guard.digest).holding(reservation)


HANDLERS: dict[str, Callable[[Session, Fields], Any]] = {
    "facts": _facts, "open": _open,
    "check_call": _check_call, "check_result": _check_result, "check_input": _check_input,
    "check_output": _check_output, "failed": _failed, "succeeded": _succeeded, "release": _release,
    "settle": _settle, "report": _report, "reserve": _reserve,
    "stream_output": _stream_output, "stream_args": _stream_args,
}  # fmt: skip
