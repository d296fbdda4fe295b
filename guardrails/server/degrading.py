"""What a host cannot do is refused: how decisions end up in dialects that know less than Guard does.

Verdicts only ever get stricter. A change that cannot be passed on, or an approval that cannot be waited for, is a
refusal; what the call was charged is then given back, because it is not going to run.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from guardrails.errors import GuardError
from guardrails.model import Outcome

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.server.keys import Caller
    from guardrails.server.service import Service

WITHHELD = "[withheld by policy]"


def passes(decision: Decision, event: dict[str, Any]) -> bool:
    """Whether the event can go on as it is: it is allowed, and no transform found anything to change."""
    return decision.outcome is Outcome.ALLOW and not is_changed(decision, event)


def is_changed(decision: Decision, event: dict[str, Any]) -> bool:
    """Whether something else goes on than the event's own arguments, result or text."""
    if not decision.transforms:
        return False
    given = event.get({"call": "args", "result": "result"}.get(event["type"], "text"))
    return bool(decision.payload != given)


def refusal(decision: Decision) -> str:
    """Why it does not go on, for the model; never empty."""
    if decision.outcome is Outcome.ALLOW:
        kinds = ", ".join(dict.fromkeys(each.kind for each in decision.transforms))
        return f"The policy lets this through only with a change ({kinds}) that cannot be made here."
    message = decision.message or "The policy does not allow this."
    if decision.outcome is Outcome.ASK and decision.request and decision.request not in message:
        return f"{message} It waits for people under the id {decision.request}; make the same call again once they agreed."
    return message


async def give_back(service: Service, event: dict[str, Any], decision: Decision, caller: Caller) -> None:
    """Give back what an allowed call was charged that does not run after all. Where that cannot be done it stays
    charged, which is the strict side."""
    if not decision.reservation:
        return
    names = ("tool", "args", "principal", "agent", "session", "call_id")
    known = {name: event[name] for name in names if name in event}
    told = {"type": "outcome", "outcome": "not run", "reservation": decision.reservation, **known}
    with suppress(GuardError):
        await service.decide(told, caller)


def blanked(value: Any) -> Any:
    """A value of the same shape with nothing in it."""
    if isinstance(value, str):
        return WITHHELD
    if isinstance(value, dict):
        return {name: blanked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [blanked(each) for each in value]
    return value if isinstance(value, bool) or value is None else 0
