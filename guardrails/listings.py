"""Requests, limits and halts as plain data: what `guard approvals`, `guard limits` and `guard halts` write as JSON, and the
server over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from guardrails.approvals.reusing import reuse_as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.approvals.desk import Approvals
    from guardrails.approvals.request import Request
    from guardrails.inspection import BreakerState, LimitState
    from guardrails.stores.halts import Halt


def moment(at: int) -> str:
    """A time in microseconds as ISO 8601, to the second."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def halt_as_json(halt: Halt) -> dict[str, Any]:
    until = None if halt.until is None else moment(halt.until)
    since = moment(halt.since)
    return {"scope": halt.scope, "who": halt.who, "why": halt.why, "since": since, "until": until}


def limit_as_json(state: LimitState | BreakerState) -> dict[str, Any]:
    """A counter: amounts are exact (a text where they are no whole number), waits are seconds."""
    values = dict(zip(state.by, state.values, strict=True)) if state.values else dict.fromkeys(state.by)
    place = state.place
    head: dict[str, Any] = {
        "kind": state.kind,
        "statement": state.name,
        "by": values,
        "shadow": state.shadow,
        "span": {"file": place.file, "line": place.line, "column": place.column},
    }
    names = ("failures", "outcomes", "retry_in") if state.kind == "breaker" else AMOUNTS
    more = {name: getattr(state, name) for name in names}
    if state.kind == "breaker":
        return head | {"state": getattr(state, "state") or None, **more}  # noqa: B009 - one of two kinds
    return head | more | {"unit": more["unit"] or None}


AMOUNTS = ("session", "measure", "unit", "per", "limit", "used", "reserved", "room_in")


def request_as_json(request: Request, desk: Approvals) -> dict[str, Any]:
    """A request for approval: times in ISO 8601, durations in seconds."""
    return {
        "id": request.id,
        "kind": request.kind,
        "state": desk.state_of(request),
        "created": moment(request.created),
        "deadline": moment(request.deadline),
        "until": moment(request.until) if request.until else None,
        "subject": asdict(request.subject),
        "needs": [_need(request, index) for index in range(len(request.needs))],
        "answers": [_answer(answer) for answer in request.answers],
        "reuse": reuse_as_json(request),
        "alone": request.alone or None,
        "context": asdict(request.dossier),
        "why": request.why,
    }


def _need(request: Request, index: int) -> dict[str, Any]:
    need = request.needs[index]
    within = None if need.within is None else need.within / 1_000_000
    plain = {name: value for name, value in asdict(need).items() if name != "reuse"}
    return plain | {"within": within, "met": request.is_met(index)}


def _answer(answer: Any) -> dict[str, Any]:
    return {
        "by": answer.by,
        "verdict": answer.verdict,
        "at": moment(answer.at),
        "reason": answer.reason,
        "read": answer.shown is not None,
    }
