"""A process that takes part in a race for a lease. It is forked from one that has all of this imported."""

from __future__ import annotations

from typing import Any

from approving import REFUND, asked_for, guard_of, session_of

asked_for(session_of(guard_of()))  # whatever is imported late is there before the race


def run_for(url: str, start: Any, answers: Any, call_id: str | None) -> None:
    """Told are the approval that was used, or what came out instead."""
    session = session_of(guard_of(url))
    session.check_call("note", {})
    start.wait(60)
    decision = session.check_call("refund", REFUND, call_id=call_id)
    answers.put(decision.approval or decision.outcome.value)
