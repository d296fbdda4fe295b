"""A process that takes part in a race for a lease. It is forked from one that has all of this imported."""

from __future__ import annotations

from typing import Any

from approving import LIMITED, MORE, NOW, REFUND, asked_for, guard_of, session_of

from guardrails import Guard
from guardrails.runtime.clock import FrozenClock
from guardrails.state import State
from guardrails.stores import redis as _redis  # noqa: F401 - each process would import it anew

_warm = guard_of()
asked_for(session_of(_warm))  # whatever is imported or compiled late is there before the race
PROGRAM = _warm.engine.program
_more = guard_of(policy=MORE)
_request = asked_for(session_of(_more), "pay", {"amount": 1})
_more.approvals.approve(_request, by="ana")
session_of(_more).check_call("pay", {"amount": 1}, call_id="c1")
MORE_PROGRAM = _more.engine.program
_limited = guard_of(policy=LIMITED)
_request = asked_for(session_of(_limited), "buy", {"amount": 160, "who": "a"})
_limited.approvals.approve(_request, by="ana")
for _ in range(2):
    session_of(_limited).check_call("buy", {"amount": 160, "who": "a"}, call_id="c1")
LIMITED_PROGRAM = _limited.engine.program


def run_for(url: str, start: Any, answers: Any, call_id: str | None) -> None:
    """Told are the approval that was used, or what came out instead."""
    session = session_of(Guard(PROGRAM, clock=FrozenClock(NOW), state=State(url)))
    session.check_call("note", {})
    start.wait(300)
    decision = session.check_call("refund", REFUND, call_id=call_id)
    answers.put(decision.approval or decision.outcome.value)


def pay_for(url: str, start: Any, answers: Any, amount: float, call_id: str | None) -> None:
    """The same of an approval that is good for more calls; told with the amount."""
    session = session_of(Guard(MORE_PROGRAM, clock=FrozenClock(NOW), state=State(url)))
    session.check_call("note", {})
    start.wait(300)
    decision = session.check_call("pay", {"amount": amount}, call_id=call_id)
    answers.put((decision.approval or decision.outcome.value, amount))


def buy_for(url: str, start: Any, answers: Any, tool: str, call_id: str) -> None:
    """The same of a call that fills a limit; told with what it holds."""
    session = session_of(Guard(LIMITED_PROGRAM, clock=FrozenClock(NOW), state=State(url)))
    session.check_call("note", {})
    start.wait(300)
    decision = session.check_call(tool, {"amount": 160, "who": "a"}, call_id=call_id)
    answers.put((decision.approval or decision.outcome.value, decision.reservation))
