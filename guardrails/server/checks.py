"""The native API: checks of events, and reports of what became of calls and what models used.

A decision is a 200 whatever it says; only a request that gets none is another status. A decision that holds nothing
of its event is written as JSON once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.decision_json import decision_as_json
from guardrails.errors import EventError
from guardrails.model import Outcome
from guardrails.runtime.usage import COUNTS
from guardrails.server.messages import Answer
from guardrails.server.reading import json_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ref
from guardrails.strict_json import write_json

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

CHECKED = ("call", "result", "input", "output")
MOST_KEPT = 1_000

_KEPT: dict[int, tuple[Decision, bytes]] = {}
"""Decisions that are handed out again and again, as JSON; the decision is kept, so that its id stays its own."""


async def check(service: Service, request: Request) -> Answer:
    """Decide a call, a result, an input or an output."""
    event = checked_event(request.body)
    return Answer(200, written(await service.decide(event, request.caller, len(request.body))))


async def outcome(service: Service, request: Request) -> Answer:
    """Take note of what became of a call."""
    event = reported_outcome(request.body)
    return Answer(200, written(await service.decide(event, request.caller, len(request.body))))


async def usage(service: Service, request: Request) -> Answer:
    """Charge what a model or tool used."""
    event = reported_usage(request.body)
    return Answer(200, written(await service.decide(event, request.caller, len(request.body))))


def checked_event(body: bytes) -> Any:
    """The event of a body, if it is one that is decided. Raises `Problem`, `EventError`."""
    event = json_of(body)
    if event.__class__ is dict:
        kind = event.get("type")
        if (kind.__class__ is not str or kind not in CHECKED) and "type" in event:
            _refuse(kind, CHECKED)
    return event


def reported_outcome(body: bytes) -> Any:
    """The event of a body that says what became of a call."""
    return _reported(body, "outcome")


def reported_usage(body: bytes) -> Any:
    """The event of a body that says what was used."""
    event = _reported(body, "usage")
    if event.__class__ is dict:
        for name in COUNTS:
            event |= _whole(name, event.get(name))
    return event


def _reported(body: bytes, kind: str) -> Any:
    event = json_of(body)
    if event.__class__ is dict:
        if event.get("type", kind) != kind:
            _refuse(event["type"], (kind,))
        event["type"] = kind
    return event


def _whole(name: str, value: Any) -> dict[str, int]:
    """A count that was written as `3.0`, which is the same number."""
    return {name: int(value)} if value.__class__ is float and value.is_integer() else {}


def _refuse(kind: Any, known: tuple[str, ...]) -> None:
    names = " or ".join(f"`{name}`" for name in known)
    raise (
        EventError(f"an event here has the type {names}", "/type")
        if kind.__class__ is str
        else EventError("the `type` of an event is a string", "/type")
    )


def written(decision: Decision) -> bytes:
    """A decision as JSON."""
    kept = _KEPT.get(id(decision))
    if kept is not None:
        return kept[1]
    data = write_json(decision_as_json(decision)).encode()
    if _is_general(decision):
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        _KEPT[id(decision)] = decision, data
    return data


def _is_general(decision: Decision) -> bool:
    """Whether nothing of the event is in it."""
    return (
        decision.outcome is Outcome.ALLOW
        and not (decision.errors or decision.transforms or decision.reservation or decision.id)
        and not decision.origins
        and decision.consent is None
    )


ROUTES = (
    Route(
        "POST", "/v1/check", check, "agent", "Decide a tool call, a result, an input or an output.",
        takes=ref("Event"), gives=ref("Decision"),
    ),
    Route(
        "POST", "/v1/outcome", outcome, "agent", "Report what became of a call: it ran, failed, or was not run.",
        takes=ref("Outcome"), gives=ref("Decision"),
    ),
    Route(
        "POST", "/v1/usage", usage, "agent", "Report the tokens, the cost or the time that something used.",
        takes=ref("Usage"), gives=ref("Decision"),
    ),
)  # fmt: skip
