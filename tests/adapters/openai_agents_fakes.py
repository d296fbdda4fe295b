"""Agents, tools and models for the tests of the adapter for the OpenAI Agents SDK."""

from __future__ import annotations

from typing import Any, cast

from agents import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningSummaryTextDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from openai.types.responses.response_reasoning_item import Summary
from pydantic import BaseModel

from guardrails import Guard

POLICY = """
policy shop

on call pay {
  allow
  more: ask finance when args.amount > 60
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /secret-[0-9]+/ in args.note
}
on call look, leak, help_desk { allow }
on call broken { allow
  few: limit 1 per 1d by session.id }
on call burn { halt because "No." }
on call "transfer_to_*" { allow
  deny when tool.name == "transfer_to_forbidden" because "Not there." }
on result look, leak, broken { redact /secret-[0-9]+/ }
on input {
  deny when text contains "attack" because "No attacks."
  redact /card-[0-9]+/
}
on output {
  deny when text contains "forbidden" because "Not said."
  redact /secret-[0-9]+/
}
on session { budget tokens 1_000 }
"""

QUIET = RunConfig(tracing_disabled=True)


class Tools:
    """Tools, and a list of what they did."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []

        @function_tool
        def pay(amount: float, note: str = "") -> str:
            """Pay."""
            self.ran.append(("pay", (amount, note)))
            return f"paid {amount}"

        @function_tool
        def look(what: str) -> dict[str, str]:
            """Look."""
            self.ran.append(("look", what))
            return {"found": f"{what} secret-12"}

        @function_tool
        def drop() -> str:
            """Drop."""
            self.ran.append(("drop", None))
            return "dropped"

        @function_tool
        def burn() -> str:
            """Burn."""
            self.ran.append(("burn", None))
            return "burnt"

        @function_tool(failure_error_function=lambda _, error: str(error))
        def broken() -> str:
            """Fail."""
            self.ran.append(("broken", None))
            raise ValueError("it broke at secret-99")

        self.all = [pay, look, drop, burn, broken]


def guard(**settings: Any) -> Guard:
    return Guard.from_text(POLICY, reviewers={"finance": ["fay", "gus"]}, **settings)


def session(**settings: Any) -> Any:
    return guard(**settings).session(id="s", principal={"id": "ana"})


def model(*steps: Any) -> ScriptedModel:
    return ScriptedModel([_step(step) for step in steps])


def _step(step: Any) -> Any:
    if isinstance(step, str):
        return [assistant_message(step)]
    if isinstance(step, tuple):
        return [step_call(step)]
    if isinstance(step, list):
        return [step_call(each) if isinstance(each, tuple) else each for each in step]
    return step


def step_call(step: tuple[Any, ...]) -> Any:
    name, args, id = step
    return function_call(name, args, call_id=id)


def agent(*steps: Any, tools: Any = None, **settings: Any) -> Agent[Any]:
    kinds = Tools().all if tools is None else tools.all if isinstance(tools, Tools) else tools
    return Agent(name="shop", model=model(*steps), tools=kinds, **settings)


async def run(agent: Any, text: Any = "hello", **settings: Any) -> Any:
    return await Runner.run(agent, text, run_config=QUIET, **settings)


def outputs(result: Any) -> list[Any]:
    return [item.raw_item["output"] for item in result.new_items if item.type == "tool_call_output_item"]


def used(session: Any) -> Any:
    return next(state.used for state in session.guard.limits() if state.name.endswith("most"))


def said(text: str, usage: Usage | None = None) -> ModelResponse:
    return ModelResponse([assistant_message(text)], usage or Usage(), None)


def parted(*texts: str) -> ResponseOutputMessage:
    """A message in several parts."""
    parts = [ResponseOutputText(text=each, type="output_text", annotations=[], logprobs=[]) for each in texts]
    return ResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed", content=list(parts)
    )


# --- streams -----------------------------------------------------------------------------------


def streamed(message: Any, pieces: list[tuple[int, str]], *, with_output: bool = True) -> ModelStep:
    """The events of a message that a model writes in pieces, as `(part, text)`."""
    place = {"item_id": message.id, "output_index": 0, "sequence_number": 0}
    item = {"output_index": 0, "sequence_number": 0}
    events: list[Any] = [
        ResponseOutputItemAddedEvent(type="response.output_item.added", item=message, **item)
    ]
    for index, part in enumerate(message.content):
        kind: dict[str, Any] = {"content_index": index, **place}
        events.append(ResponseContentPartAddedEvent(type="response.content_part.added", part=part, **kind))
        events += [
            ResponseTextDeltaEvent(type="response.output_text.delta", delta=text, logprobs=[], **kind)
            for number, text in pieces
            if number == index
        ]
        events.append(
            ResponseTextDoneEvent(type="response.output_text.done", text=part.text, logprobs=[], **kind)
        )
        events.append(ResponseContentPartDoneEvent(type="response.content_part.done", part=part, **kind))
    events.append(ResponseOutputItemDoneEvent(type="response.output_item.done", item=message, **item))
    response = Response(
        id="r", created_at=0, model="m", object="response", output=[message] if with_output else [],
        parallel_tool_calls=False, tool_choice="none", tools=[],
    )  # fmt: skip
    events.insert(0, ResponseCreatedEvent(type="response.created", response=response, sequence_number=0))
    events.append(ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0))
    return ModelStep.stream(events)


async def heard(agent: Any, text: str = "hello") -> tuple[str, str, Any]:
    """All that anybody could read of a streamed run: the pieces, everything else, and the answer."""
    result = Runner.run_streamed(agent, text, run_config=QUIET)
    pieces, rest = "", ""
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type.endswith("text.delta"):
            pieces += event.data.delta
        rest += repr(getattr(event, "data", None) or (getattr(event, "item", None) and event.item.raw_item))
    return pieces, rest + repr(result.new_items) + repr(result.raw_responses), result.final_output


class Unknown(BaseModel):
    """An event of a kind that there is not yet."""

    type: str
    delta: str


def thinking(*pieces: str) -> ModelStep:
    """The events of a model that thinks aloud, and then says something."""
    text, place = "".join(pieces), {"item_id": "t", "output_index": 0, "sequence_number": 0}
    part: dict[str, Any] = {"summary_index": 0, **place}
    item = ResponseReasoningItem(id="t", type="reasoning", summary=[Summary(text=text, type="summary_text")])
    answer = streamed(assistant_message("so be it"), [(0, "so be it")])
    later = [
        event.model_copy(update={"output_index": 1}) if hasattr(event, "output_index") else event
        for event in cast("list[Any]", answer.stream_events)
    ]
    done = later[-1].response.model_copy(update={"output": [item, *later[-1].response.output]})
    later[-1] = later[-1].model_copy(update={"response": done})
    own: list[Any] = [
        ResponseOutputItemAddedEvent(
            type="response.output_item.added", item=item, output_index=0, sequence_number=0
        )
    ]
    own += [
        ResponseReasoningSummaryTextDeltaEvent(
            type="response.reasoning_summary_text.delta", delta=piece, **part
        )
        for piece in pieces
    ]
    own.append(
        ResponseReasoningSummaryTextDoneEvent(type="response.reasoning_summary_text.done", text=text, **part)
    )
    own.append(
        ResponseOutputItemDoneEvent(
            type="response.output_item.done", item=item, output_index=0, sequence_number=0
        )
    )
    return ModelStep.stream([later[0], *own, *later[1:]])
