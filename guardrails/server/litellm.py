"""LiteLLM's generic guardrail API: texts on their way into a model and out of it, and the calls that it proposes.

Every text of a request is checked as an input, every text of a response as an output, and every call in a response as a
call. Arguments cannot be changed over this API, nor can anybody be waited for, so such a call is blocked. While a
response is streamed, `stream_holdback_chars` says how much of its end has to wait; all of it where only the whole can
be judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.json_positions import JsonError
from guardrails.model import Outcome
from guardrails.server.degrading import give_back, is_changed, passes, refusal
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT
from guardrails.strict_json import read_json

if TYPE_CHECKING:
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

ALL_OF_IT = 1_000_000_000
POINTS = {"request": "input", "response": "output"}


class _Blocked(Exception):
    """A text or a call is refused, and why."""


async def guardrail(service: Service, request: Request) -> Answer:
    """Check one request or response of a model."""
    body = object_of(request)
    point = POINTS.get(body.get("input_type", ""))
    if point is None:
        raise Problem(400, "bad_request", "`input_type` is `request` or `response`", at="/input_type")
    around = _around(body)
    try:
        texts = [await _text(service, request, point, text, around) for text in _list(body, "texts")]
        if point == "output":
            for call in _list(body, "tool_calls"):
                await _call(service, request, call, around)
    except _Blocked as blocked:
        return told({"action": "BLOCKED", "blocked_reason": str(blocked)})
    found: dict[str, Any] = {"action": "NONE"}
    if texts != (body.get("texts") or []):
        found = {"action": "GUARDRAIL_INTERVENED", "texts": texts}
    if point == "output":
        hold = await _hold(service, request, around)
        found["stream_holdback_chars"] = [hold] * len(texts)
    return told(found)


def _around(body: dict[str, Any]) -> dict[str, Any]:
    """Who asks: the user of the key that LiteLLM was called with, in the trace that it names."""
    said = body.get("request_data")
    data = said if isinstance(said, dict) else {}
    found: dict[str, Any] = {}
    user, trace = data.get("user_api_key_user_id"), body.get("litellm_trace_id")
    if isinstance(user, str) and user:
        found["principal"] = {"id": user}
    if isinstance(trace, str) and trace:
        found["session"] = trace
    return found


def _list(body: dict[str, Any], name: str) -> list[Any]:
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Problem(400, "bad_request", f"`{name}` is a list", at=f"/{name}")
    return found


async def _text(service: Service, request: Request, point: str, text: Any, around: dict[str, Any]) -> str:
    event = {"type": point, "text": text, **around}
    decision = await service.decide(event, request.caller, len(request.body))
    if decision.outcome is not Outcome.ALLOW:
        raise _Blocked(refusal(decision))
    return str(decision.payload) if is_changed(decision, event) else str(text)


async def _call(service: Service, request: Request, call: Any, around: dict[str, Any]) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise Problem(400, "bad_request", "a call in `tool_calls` has a `function`", at="/tool_calls")
    event = {"type": "call", "tool": function.get("name"), "args": _arguments(function), **around}
    if isinstance(call.get("id"), str):
        event["call_id"] = call["id"]
    decision = await service.decide(event, request.caller, len(request.body))
    if not passes(decision, event):
        if decision.outcome is Outcome.ALLOW:
            await give_back(service, event, decision, request.caller)
        raise _Blocked(refusal(decision))


def _arguments(function: dict[str, Any]) -> Any:
    """The arguments, which a model wrote as a text: what cannot be read is refused."""
    text = function.get("arguments")
    if not isinstance(text, str):
        return {} if text is None else text
    try:
        return read_json(text) if text.strip() else {}
    except JsonError as error:
        raise _Blocked(f"The arguments of `{function.get('name')}` are not valid JSON: {error}.") from None


async def _hold(service: Service, request: Request, around: dict[str, Any]) -> int:
    event = {"type": "output", "text": "", **around}
    stream = await service.apart(lambda: service.stream(event, request.caller))
    return ALL_OF_IT if stream.hold is None else stream.hold


def plainly(problem: Problem, request: Request | None) -> Answer:
    """Without a decision the request is blocked."""
    return told({"action": "BLOCKED", "blocked_reason": f"The policy could not be asked: {problem}"})


ROUTES = (
    Route(
        "POST", "/beta/litellm_basic_guardrail_api", guardrail, "agent", "LiteLLM: the generic guardrail API.",
        takes=ANY_OBJECT, gives=ANY_OBJECT, teller=plainly, listed=False,
    ),
)  # fmt: skip
