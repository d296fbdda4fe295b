"""What is seen of a decision at a door, in a form that all doors share.

`outcome` is `go` or one of `ask`, `deny`, `halt`; `payload` what goes on instead of the event's own (None: nothing else
does, or nothing at all). A door that knows fewer words says what becomes of each: see `fitted`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from guardrails import Decision

PARTS = {"call": "args", "result": "result", "input": "text", "output": "text"}


class Seen(NamedTuple):
    outcome: str
    payload: Any = None


def seen(decision: Decision, event: dict[str, Any]) -> Seen:
    """A decision as Python has it."""
    if decision.outcome.value != "allow":
        return Seen(decision.outcome.value)
    changed = decision.transforms and decision.payload != event[PARTS[event["type"]]]
    return Seen("go", decision.payload if changed else None)


def seen_in_json(decision: dict[str, Any], event: dict[str, Any]) -> Seen:
    """A decision as JSON has it."""
    if decision["outcome"] != "allow":
        return Seen(decision["outcome"])
    changed = decision["transforms"] and decision["payload"] != event[PARTS[event["type"]]]
    return Seen("go", decision["payload"] if changed else None)
