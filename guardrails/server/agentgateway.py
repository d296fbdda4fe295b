"""agentgateway's webhook for models: messages on their way in, choices on their way out.

What people, tools and agents wrote is checked as an input (only the user's own words vouch for anything); the
system's own messages are the host's. Choices are checked as outputs. A message may be masked; else all is passed or rejected
as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.model import Outcome
from guardrails.server.degrading import is_changed, refusal
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT

if TYPE_CHECKING:
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

OWN = ("system", "developer")


class _Rejected(Exception):
    """Something is refused, and why."""


async def incoming(service: Service, request: Request) -> Answer:
    """Check the messages of a request."""
    messages = _list(object_of(request), "messages")

    async def checked(message: dict[str, Any]) -> dict[str, Any]:
        if message.get("role") in OWN:
            return message
        by = "user" if message.get("role") == "user" else "agent"
        return await _message(service, request, message, {"type": "input", "by": by})

    return await _answered("messages", messages, checked)


async def outgoing(service: Service, request: Request) -> Answer:
    """Check the choices of a response."""
    choices = _list(object_of(request), "choices")

    async def checked(choice: dict[str, Any]) -> dict[str, Any]:
        message = choice.get("message")
        if not isinstance(message, dict):
            raise Problem(400, "bad_request", "a choice has a `message`", at="/body/choices")
        if message.get("tool_calls"):
            raise _Rejected(
                "The policy cannot see what calls in a webhook are for: check them where they run."
            )
        return {**choice, "message": await _message(service, request, message, {"type": "output"})}

    return await _answered("choices", choices, checked)


async def _answered(name: str, items: list[dict[str, Any]], checked: Any) -> Answer:
    try:
        found = [await checked(item) for item in items]
    except _Rejected as rejected:
        return _reject(str(rejected))
    if found == items:
        return told({"action": {"reason": "the policy allows it"}})
    return told({"action": {"body": {name: found}, "reason": "the policy masked a part of it"}})


def _list(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    inner = body.get("body")
    found = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Problem(400, "bad_request", f"`body.{name}` is a list of objects", at=f"/body/{name}")
    return found


async def _message(
    service: Service, request: Request, message: dict[str, Any], event: dict[str, Any]
) -> dict[str, Any]:
    content = message.get("content")
    if content is None:
        return message
    if isinstance(content, list):
        return {**message, "content": [await _part(service, request, part, event) for part in content]}
    return {**message, "content": await _text(service, request, content, event)}


async def _part(service: Service, request: Request, part: Any, event: dict[str, Any]) -> Any:
    """A part of a message; one that is no text (an image) cannot be judged, and goes on as it is."""
    if isinstance(part, dict) and "text" in part:
        return {**part, "text": await _text(service, request, part["text"], event)}
    return part


async def _text(service: Service, request: Request, text: Any, event: dict[str, Any]) -> Any:
    event = {**event, "text": text}
    decision = await service.decide(event, request.caller, len(request.body))
    if decision.outcome is not Outcome.ALLOW:
        raise _Rejected(refusal(decision))
    return decision.payload if is_changed(decision, event) else text


def _reject(reason: str) -> Answer:
    return told({"action": {"body": reason, "status_code": 403, "reason": reason}})


def plainly(problem: Problem, request: Request | None) -> Answer:
    """Without a decision it is rejected."""
    return _reject(f"The policy could not be asked: {problem}")


def _route(path: str, handler: Any, about: str) -> Route:
    return Route(
        "POST", path, handler, "agent", f"agentgateway: {about}", takes=ANY_OBJECT, gives=ANY_OBJECT,
        teller=plainly, listed=False,
    )  # fmt: skip


ROUTES = (
    _route("/request", incoming, "check the messages of a request."),
    _route("/response", outgoing, "check the choices of a response."),
)
