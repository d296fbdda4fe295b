"""The audit log: records in, events out, with what was decided then.

Takes the records of `guardrails.audit`, one JSON object a line. An `intent` is an event that was decided, an
`outcome` what became of a call, a `usage` a report; other kinds are about the log itself. Bodies are sealed
unless the log was opened for it; and they hold what the policy had left. Such an event is decided by what is
there, and when it comes out otherwise that is counted, under its reason, as no change.
"""

from __future__ import annotations

from typing import Any

from guardrails.runtime.events import USAGE
from guardrails.testing.replay_items import (
    APPROVED,
    REDACTED,
    SEALED,
    STOPPED,
    UNREACHABLE,
    Found,
    Recorded,
)
from guardrails.testing.replay_lines import BadLine

KINDS = ("intent", "outcome", "usage")
HALT = "guard.halt"
POINTS = {"call": "args", "result": "result", "input": "text", "output": "text"}


def is_record(value: dict[str, Any]) -> bool:
    return "kind" in value and ("us" in value or "at" in value) and "type" not in value


def record(value: Any) -> Found | None:
    """The event of a record; None for a record of another kind. Raises `BadLine`."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise BadLine("a record of an audit log is an object with a `kind`")
    at = value.get("us")
    if at is not None and at.__class__ is not int:
        raise BadLine("`us` is a whole number of microseconds")
    if value["kind"] not in KINDS:
        return None
    body = value.get("body")
    body = body if isinstance(body, dict) else {}
    around = {name: _named(value.get(name), body.get(name)) for name in ("principal", "agent")}
    event = {name: who for name, who in around.items() if who}
    if isinstance(value.get("session"), str):
        event["session"] = value["session"]
    if value["kind"] == "intent":
        return _intent(at, value, body, event)
    told = _outcome(value, body, event) if value["kind"] == "outcome" else _usage(value, body, event)
    return None if told is None else (at, told, None)


def _named(written: Any, opened: Any) -> Any:
    """Who it was: as the body says, else the pseudonym of the record."""
    who = opened if opened is not None else written
    return who if isinstance(who, dict) else {"id": who} if isinstance(who, str) else None


def _intent(at: int | None, value: dict[str, Any], body: dict[str, Any], event: dict[str, Any]) -> Found:
    point = value.get("point")
    if point not in POINTS:
        raise BadLine(f"there is no point `{str(point)[:40]}`")
    held, field = body.get(POINTS[point]), POINTS[point]
    told: dict[str, Any] = {"type": point, **event, field: _empty(point) if held is None else held}
    if point in ("call", "result"):
        told["tool"] = value.get("tool")
        identity = value.get("call_id") or (value.get("id") if point == "call" else value.get("ref"))
        if isinstance(identity, str):
            told["call_id"] = identity
    if point == "result" and isinstance(body.get("args"), dict):
        told["args"] = body["args"]
    return at, told, _recorded(value, has_body=held is not None)


def _empty(point: str) -> Any:
    return {} if point == "call" else "" if point in ("input", "output") else None


def _recorded(value: dict[str, Any], *, has_body: bool) -> Recorded:
    outcome = value.get("outcome")
    if outcome not in ("allow", "ask", "deny", "halt"):
        raise BadLine("an intent has an `outcome`: allow, ask, deny or halt")
    names = tuple(name for name in value.get("statements") or () if isinstance(name, str))
    reservation = value.get("reservation")
    reason = _reason(value, names, has_body=has_body)
    return outcome, names, reason, reservation if isinstance(reservation, str) else ""


def _reason(value: dict[str, Any], names: tuple[str, ...], *, has_body: bool) -> str:
    """Why the event cannot be replayed as it was; empty where it can."""
    if HALT in names:
        return STOPPED
    if any(isinstance(e, dict) and e.get("kind") == "unavailable" for e in value.get("errors") or ()):
        return UNREACHABLE
    if not has_body:
        return SEALED
    if value.get("approval"):
        return APPROVED
    return REDACTED if value.get("transforms") or value.get("cleaned") else ""


def _outcome(value: dict[str, Any], body: dict[str, Any], event: dict[str, Any]) -> dict[str, Any] | None:
    status, tool = value.get("status"), value.get("tool")
    if status not in ("ok", "failed", "not run") or not isinstance(tool, str):
        return None
    args = body.get("args")
    told = {"type": "outcome", **event, "tool": tool, "outcome": status}
    told["args"] = args if isinstance(args, dict) else {}
    identity = value.get("call_id") or value.get("ref")
    if isinstance(identity, str):
        told["call_id"] = identity
    if isinstance(value.get("reservation"), str):
        told["reservation"] = value["reservation"]
    return told


def _usage(value: dict[str, Any], body: dict[str, Any], event: dict[str, Any]) -> dict[str, Any] | None:
    facts = value.get("facts") or body.get("facts")
    if not isinstance(facts, dict):
        return None
    known = {name: facts[name] for name in USAGE if name in facts and name != "reservation"}
    return {"type": "usage", **event, **known}
