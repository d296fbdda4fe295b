"""The recipe for AG2; see `test_recipes`."""

# --- recipe
import json

from ag2.events import ModelMessage, ModelResponse, ToolApprovalRequest, ToolCallEvent, ToolResultEvent
from ag2.middleware import BaseMiddleware, Middleware

from guardrails.integrations.answers import answer_of
from guardrails.integrations.mediation import Mediation


def guard_middleware(mediation: Mediation, reviewer: str = "") -> Middleware:
    """Middleware for an `Agent`. A call that asks goes to its `hitl_hook`, whose yes counts as that of `reviewer`."""
    calls = []

    class Guard(BaseMiddleware):
        async def on_llm_call(self, call_next, events, context):
            for passage in calls:
                passage.raise_if_halted()  # what is raised around a tool, AG2 tells the model
            response = await call_next(events, context)
            if response.message is None or not response.message.content:
                return response
            checked = await mediation.aoutput(response.message.content)
            checked.raise_if_halted()
            return ModelResponse(
                ModelMessage(checked.value), tool_calls=response.tool_calls, usage=response.usage
            )

        async def on_tool_execution(self, call_next, event, context):
            passage = await mediation.acall(event.name, event.arguments, id=event.id)
            if passage.outcome == "ask":
                said = await context.ask(ToolApprovalRequest(passage.text, tool_call_id=event.id, timeout=60))
                passage = await mediation.aanswered(passage, answer_of(said, reviewer))
            calls.append(passage)
            if not passage.allowed:
                return ToolResultEvent.from_call(event, result=passage.text)
            changed = ToolCallEvent(event.name, id=event.id, arguments=json.dumps(passage.args))
            result = await call_next(changed, context)
            if getattr(result, "error", None) is not None:
                await mediation.afailed(passage.id, event.name)
            texts = [
                str(getattr(part, "content", getattr(part, "data", part))) for part in result.result.parts
            ]
            judge = mediation.aerror if getattr(result, "error", None) is not None else mediation.aresult
            checked = await judge(passage.id, event.name, " ".join(texts))
            return ToolResultEvent.from_call(event, result=checked.value) if checked.is_changed else result

    return Middleware(Guard)
