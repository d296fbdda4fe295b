"""Events as data, for policies that keep count: each is decided in the session that it names.

Takes an event from outside, gives the decision. Of an event without a session nothing is known that sessions
are counted and remembered by; a statement that asks for it errs, and so does not loosen (law L2).
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, EventError
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.events import OUTCOMES, check_event, session_of, time_of
from guardrails.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.runtime.usage import Usage


def decided(guard: Guard, event: Mapping[str, Any], now: int | None) -> Decision:
    """The decision on one event. Raises `EventError` for a malformed one."""
    kind = check_event(event)
    assert isinstance(event, dict)
    session = session_for(guard, event)
    at = time_of(event)
    moment = at if at is not None else now
    if moment is not None:
        session.ledger.clock = FrozenClock(moment)
    return in_session(session, kind, event)


def session_for(guard: Guard, event: dict[str, Any]) -> Session:
    """The session of a well-formed event. Raises `EventError` for a task that the policy does not have, and for a
    session without a name: each event would have limits of its own, which are never full."""
    record = session_of(event)
    if record.get("id") == "":
        raise EventError("the id of a `session` is a text that is not empty", "/session")
    check_task(guard, record)
    session = Session(
        guard, principal=event.get("principal"), agent=event.get("agent"), id=record.get("id"), facts=record,
        task=record.get("task"), given=record.get("given"),
    )  # fmt: skip
    session.ledger.tracks = True
    if record.get("id") is None:
        session.ledger.disown()
    return session


def in_session(session: Session, kind: str, event: dict[str, Any]) -> Decision:
    """The decision on a well-formed event of a session."""
    return _HANDLERS[kind](session, event)


def check_task(guard: Guard, record: Mapping[str, Any]) -> None:
    """Raise `EventError` for a session of a task that the policy does not have."""
    from guardrails.narrowing import task_record

    given = record.get("given")
    if given is not None and given.__class__ is not dict:
        raise EventError("`given` is an object with the values of the task", "/session/given")
    try:
        task_record(guard.engine.program, record.get("task"), given)
    except EvaluationError as error:
        raise EventError(str(error), "/session/task") from None


def _call(session: Session, event: dict[str, Any]) -> Decision:
    hold = event.get("hold")
    if hold is not None and (hold.__class__ not in (int, float) or not 0 < hold < 1e9):
        raise EventError("`hold` is a number of seconds", "/hold")
    return session.check_call(
        event["tool"], event["args"], digest=event.get("tool_digest"), call_id=event.get("call_id"), hold=hold,
        approval=event.get("approval"),
    )  # fmt: skip


def _result(session: Session, event: dict[str, Any]) -> Decision:
    return session.check_result(
        event["tool"], event["result"], args=event.get("args"), call_id=event.get("call_id"),
        reservation=event.get("reservation", ""),
    )  # fmt: skip


def _input(session: Session, event: dict[str, Any]) -> Decision:
    return session.check_input(event["text"], by=event.get("by", "user"))


def _output(session: Session, event: dict[str, Any]) -> Decision:
    return session.check_output(event["text"])


def _outcome(session: Session, event: dict[str, Any]) -> Decision:
    """A call's outcome: it is taken note of, and there is nothing to refuse."""
    outcome = event["outcome"]
    if outcome not in OUTCOMES:
        raise EventError(f"`outcome` is one of {', '.join(OUTCOMES)}", "/outcome")
    plain = Decision(Outcome.ALLOW, session.guard.digest)
    held = plain.holding(event.get("reservation", ""))
    if outcome == "ok":
        session.ledger.succeeded(
            event["tool"], event.get("args", {}), call_id=event.get("call_id"), reservation=held.reservation
        )
    elif outcome == "failed":
        session.failed(event["tool"], event.get("args", {}), decision=held, call_id=event.get("call_id"))
    else:
        session.release(held)
    return plain


def _usage(session: Session, event: dict[str, Any]) -> Decision:
    return session.report(usage_of(event))


def usage_of(event: Mapping[str, Any]) -> Usage:
    """The usage that an event reports; `cost` is written as `0.05 USD`."""
    from guardrails.runtime.usage import Usage
    from guardrails.session_parameters import check_usage

    counts = {
        name: event[name]
        for name in ("input_tokens", "cached_tokens", "output_tokens", "tool_time")
        if name in event
    }
    try:
        usage = Usage(event.get("model"), **counts, cost=_cost(event.get("cost")), tool=event.get("tool"))
        check_usage(usage)
    except EvaluationError as error:
        raise EventError(str(error)) from None
    return usage


def _cost(text: Any) -> tuple[Any, str] | None:
    if text is None:
        return None
    from decimal import Decimal, InvalidOperation

    try:
        amount, currency = text.split()
        return Decimal(amount), currency
    except (AttributeError, ValueError, InvalidOperation):
        raise EventError("`cost` is an amount and a currency, such as `0.05 USD`", "/cost") from None


_HANDLERS = {
    "call": _call, "result": _result, "input": _input, "output": _output, "outcome": _outcome, "usage": _usage,
}  # fmt: skip
