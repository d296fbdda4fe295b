"""The audit log: records in, events out, with what was decided then.

Takes the records of `guardrails.audit`, one JSON object a line. An `intent` is an event that was decided, an
`outcome` a result that was, or what else became of a call, a `usage` a report; other kinds are about the log
itself. Bodies are sealed unless the log is opened for it; and they hold what the policy had left. Such an event
is decided by what is there, and when it comes out otherwise that is counted, under its reason, as no change.
"""

from __future__ import annotations

from typing import Any

from guardrails.runtime.events import USAGE
from guardrails.testing.replay_items import (
    APPROVED,
    REDACTED,
    REJECTED,
    SEALED,
    STOPPED,
    UNREACHABLE,
    Found,
    Recorded,
)
from guardrails.testing.replay_lines import BadLine

POINTS = {"call": "args", "result": "result", "input": "text", "output": "text"}
BECAME = {"ok": "ok", "settled": "ok", "failed": "failed", "not run": "not run"}
"""What became of a call -> the outcome of an event."""

BESIDE = {"call": ("hold", "tool_digest"), "input": ("by",)}
"""What a body says of an event beside its payload."""

NAMED = {"guard.halt": STOPPED, "guard.approval": REJECTED, "guard.audit": UNREACHABLE}
"""Statements that are no policy's, and what they mean for a replay."""


def is_record(value: dict[str, Any]) -> bool:
    return "kind" in value and ("us" in value or "at" in value) and "type" not in value


def records(value: Any) -> list[Found]:
    """The events of a record; none of a record of another kind. Raises `BadLine`."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise BadLine("a record of an audit log is an object with a `kind`")
    at = _time(value)
    kind, body = value["kind"], value.get("body")
    body = body if isinstance(body, dict) else {}
    if kind in ("intent", "outcome") and "outcome" in value:
        return [_decided(at, value, body)]
    if kind == "usage":
        return [(at, told, None) for told in _usage(value, body)]
    if kind == "outcome":
        return [(at, told, None) for told in (*_became(value, body), *_usage(value, body))]
    return []


def _time(value: dict[str, Any]) -> int | None:
    """When it was decided: by the guard's own clock, else when the decision was begun."""
    at = value.get("clock", value.get("us"))
    took = 0 if "clock" in value else value.get("latency_us", 0)
    if at.__class__ is not int or took.__class__ is not int:
        raise BadLine("`us`, `clock` and `latency_us` are whole numbers of microseconds")
    return int(at) - int(took)


def _around(value: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Session, principal and agent. Only a body says who the principal is; a record has a pseudonym. What is
    None is what earlier records say, see `replay_calls`."""
    found: dict[str, Any] = {"principal": None}
    who = body.get("principal", value.get("principal") if "sealed" in body or "withheld" in body else None)
    for name, said in (("principal", who), ("agent", body.get("agent", value.get("agent")))):
        if said:
            found[name] = said if isinstance(said, dict) else {"id": str(said)}
    session, facts = value.get("session"), body.get("session")
    if isinstance(session, str):
        found["session"] = {**facts, "id": session} if isinstance(facts, dict) else session
    return found


def _decided(at: int | None, value: dict[str, Any], body: dict[str, Any]) -> Found:
    point = value.get("point")
    if point not in POINTS:
        raise BadLine(f"there is no point `{str(point)[:40]}`")
    field = POINTS[point]
    held = body.get(field)
    empty: Any = {} if point == "call" else "" if field == "text" else None
    told: dict[str, Any] = {"type": point, **_around(value, body), field: empty if held is None else held}
    if point in ("call", "result"):
        told["tool"] = value.get("tool")
        _name_call(told, value, "id" if point == "call" else "ref")
    if point == "result":
        told["args"] = _object(body.get("args"))
        told["reservation"] = _call_of(value)
    told |= {name: body[name] for name in BESIDE.get(point, ()) if name in body}
    return at, told, _recorded(value, has_body=field in body)


def _call_of(value: dict[str, Any]) -> str:
    """The call that something became of, by the name of its reservation; else by the id of its decision."""
    return str(value.get("reservation") or value.get("ref", ""))


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _name_call(told: dict[str, Any], value: dict[str, Any], otherwise: str) -> None:
    """Under which id a call finds what becomes of it: its own, else that of the decision."""
    identity = value.get("call_id") or value.get(otherwise)
    if isinstance(identity, str):
        told["call_id"] = identity


def _recorded(value: dict[str, Any], *, has_body: bool) -> Recorded:
    outcome = value.get("outcome")
    if outcome not in ("allow", "ask", "deny", "halt"):
        raise BadLine("a decision has an `outcome`: allow, ask, deny or halt")
    names = tuple(name for name in value.get("statements") or () if isinstance(name, str))
    return (
        outcome,
        names,
        _reason(value, names, has_body=has_body),
        str(value.get("reservation") or value.get("id", "")),
    )


def _reason(value: dict[str, Any], names: tuple[str, ...], *, has_body: bool) -> str:
    """Why the event cannot be replayed as it was; empty where it can."""
    for name, reason in NAMED.items():
        if name in names and (
            has_body or reason != REJECTED
        ):  # what was rejected has to be known, to be so again
            return reason
    if any(isinstance(e, dict) and e.get("kind") == "unavailable" for e in value.get("errors") or ()):
        return UNREACHABLE
    if not has_body:
        return SEALED
    if value.get("approval") or (value.get("request") and value.get("outcome") in ("deny", "halt")):
        return APPROVED  # also where something else refused what they had approved of
    return REDACTED if value.get("transforms") or value.get("cleaned") else ""


def _became(value: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    status = BECAME.get(str(value.get("status")))
    if status is None:
        return []
    told = {"type": "outcome", **_around(value, body), "tool": value.get("tool"), "outcome": status}
    told["args"] = _object(body.get("args"))
    told["reservation"] = _call_of(value)
    return [told]


def _usage(value: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    """A report of usage. What was only reserved is charged when it is settled, by what was used then."""
    facts = value.get("facts") or body.get("facts")
    if not isinstance(facts, dict) or facts.get("reserved"):
        return []
    known = {name: facts[name] for name in USAGE if name in facts and name != "reservation"}
    if not known:
        return []
    if isinstance(known.get("tool_time"), str):
        known["tool_time"] = float(known["tool_time"])
    return [{"type": "usage", **_around(value, body), **known}]
