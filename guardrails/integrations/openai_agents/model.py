"""The model of a guarded OpenAI agent: what it reads is judged before it is called, what it says before it leaves.

Takes a model of the SDK, or its name, gives a model. It stands where the SDK takes the texts from that it hands on in
pieces, so nothing is said before it was judged; and where the results of tools go in, so it notices those that nobody
has judged.
"""

from __future__ import annotations

import time

from agents import ModelResponse, MultiProvider, Usage
from agents.models.interface import Model, ModelTracing
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)

from guardrails.integrations.openai_agents.events import Said, refused
from guardrails.integrations.openai_agents.watch import raise_if_halted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from guardrails.integrations.openai_agents.watch import Run, Watch
    from guardrails.integrations.passages import Checked


ASKING = ("user", "system", "developer")
"""Roles of what stands before a model's answer."""


class GuardedModel(Model):
    """A model that is called for a guarded agent."""

    def __init__(self, model: str | Model | None, watch: Watch) -> None:
        self._given = model
        self._watch = watch

    @property
    def wrapped(self) -> Model:
        """The model that answers."""
        if not isinstance(self._given, Model):
            provider = self._watch.provider or MultiProvider()
            self._name, self._given = self._given or "", provider.get_model(self._given)
        return self._given

    @property
    def name(self) -> str | None:
        """How prices and budgets call the model."""
        model = self.wrapped
        return getattr(self, "_name", "") or getattr(model, "model", None) or type(model).__name__

    async def get_response(
        self, system_instructions: Any, input: Any, model_settings: Any, tools: Any, output_schema: Any,
        handoffs: Any, tracing: ModelTracing, **more: Any,
    ) -> ModelResponse:  # fmt: skip
        run = self._watch.asked_by(input)
        items, refusal = await self._read(run)
        if refusal is not None:
            return ModelResponse([_told(run, refusal, output_schema)], Usage(), None)
        response = await self.wrapped.get_response(
            system_instructions,
            items,
            model_settings,
            tools,
            output_schema,
            handoffs,
            _quiet(tracing),
            **more,
        )
        await self._charged(run, response.usage)
        response.output = await self._said(run, output_schema, "whole").items(response.output)
        return response

    async def stream_response(
        self, system_instructions: Any, input: Any, model_settings: Any, tools: Any, output_schema: Any,
        handoffs: Any, tracing: ModelTracing, **more: Any,
    ) -> AsyncIterator[Any]:  # fmt: skip
        run = self._watch.asked_by(input)
        items, refusal = await self._read(run)
        if refusal is not None:
            for event in _spoken(_told(run, refusal, output_schema)):
                yield event
            return
        said = self._said(run, output_schema, self._watch.streaming)
        stream: Any = self.wrapped.stream_response(
            system_instructions,
            items,
            model_settings,
            tools,
            output_schema,
            handoffs,
            _quiet(tracing),
            **more,
        )
        try:
            async for event in stream:
                if getattr(event, "type", "") == "response.completed":
                    await self._charged(run, event.response.usage)
                async for each in said.events(event):
                    yield each
        finally:
            await stream.aclose()

    def _said(self, run: Run, output_schema: Any, mode: str) -> Said:
        return Said(run.seat, mode, hosted=bool(self._watch.unchecked), is_form=_is_form(output_schema))

    async def _charged(self, run: Run, usage: Any) -> None:
        if usage is None:
            return
        details = getattr(usage, "input_tokens_details", None)
        await run.seat.aused(
            self.name, input=usage.input_tokens or 0, output=usage.output_tokens or 0,
            cached=getattr(details, "cached_tokens", 0) or 0,
        )  # fmt: skip

    # --- what goes in --------------------------------------------------------------------------

    async def _read(self, run: Run) -> tuple[list[Any], Checked | None]:
        """The items of a request as they may be read; and the refusal where one may not."""
        items = run.opened()
        is_first, run.begun = not run.begun, True
        new = _first_new(items) if is_first else len(items)
        read: list[Any] = []
        for index, item in enumerate(items):
            changed, refusal = await self._item(run, item, is_new=index >= new)
            if refusal is not None:
                return items, refusal
            read.append(changed)
        return read, None

    async def _item(self, run: Run, item: Any, *, is_new: bool) -> tuple[Any, Checked | None]:
        """An item as it may be read. A message that was refused earlier stays in the history as the refusal."""
        if not isinstance(item, dict) or item.get("role") != "user":
            return item, None
        content = item.get("content")
        parts = [{"text": content}] if isinstance(content, str) else content or []
        read: list[Any] = []
        for part in parts:
            text = part.get("text") if isinstance(part, dict) else None
            checked = await self._input(run, text, is_new=is_new) if isinstance(text, str) else None
            if checked is not None and is_new and not checked.allowed:
                return item, checked
            read.append(part if checked is None else {**part, "text": checked.value})
        return {**item, "content": read[0]["text"] if isinstance(content, str) else read}, None

    async def _input(self, run: Run, text: str, *, is_new: bool) -> Checked:
        """What became of a message of the user: each is judged once, the new ones of a run always."""
        checked = None if is_new else self._watch.judged_before(run.seat, text)
        if checked is None:
            checked = await run.seat.ainput(text, by=run.by)
            self._watch.judged_now(run.seat, text, checked)
        raise_if_halted(checked)
        return checked

    # --- the SDK's other questions to a model --------------------------------------------------

    async def close(self) -> None:
        if isinstance(self._given, Model):
            await self._given.close()

    async def _cleanup_on_run_end(self, owner: object) -> None:
        if isinstance(self._given, Model):
            await self._given._cleanup_on_run_end(owner)

    def get_retry_advice(self, request: Any) -> Any:
        return self.wrapped.get_retry_advice(request)


def _first_new(items: list[Any]) -> int:
    """Where the messages begin that nobody has answered yet."""
    index = len(items)
    while index and isinstance(items[index - 1], dict) and items[index - 1].get("role") in ASKING:
        index -= 1
    return index


def _quiet(tracing: ModelTracing) -> ModelTracing:
    """Traces leave too: they tell that the model was called, and not what it said."""
    return tracing if tracing.is_disabled() else ModelTracing.ENABLED_WITHOUT_DATA


def _told(run: Run, refusal: Checked, output_schema: Any) -> ResponseOutputMessage:
    """The answer to an input that is refused. Raises `Denied` where the agent answers in a form that has no place
    for it, and `Unmediated` where guard could not decide that."""
    text = str(refusal.value)
    if _is_form(output_schema):
        raise refused(refusal)
    run.seat.receipts.passed(text)
    part = ResponseOutputText(text=text, type="output_text", annotations=[], logprobs=[])
    return ResponseOutputMessage(
        id="guard-refusal", type="message", role="assistant", status="completed", content=[part]
    )


def _is_form(output_schema: Any) -> bool:
    return output_schema is not None and not output_schema.is_plain_text()


def _spoken(message: ResponseOutputMessage) -> list[Any]:
    """The events of an answer with one message."""
    text = next(part.text for part in message.content if isinstance(part, ResponseOutputText))
    place: dict[str, Any] = {"item_id": message.id, "output_index": 0, "sequence_number": 0}
    response = Response(
        id="guard-refusal", created_at=time.time(), model="guard", object="response", output=[message],
        parallel_tool_calls=False, tool_choice="none", tools=[],
    )  # fmt: skip
    empty = message.model_copy(update={"content": [], "status": "in_progress"})
    return [
        ResponseOutputItemAddedEvent(
            type="response.output_item.added", item=empty, output_index=0, sequence_number=0
        ),
        ResponseTextDeltaEvent(
            type="response.output_text.delta", delta=text, content_index=0, logprobs=[], **place
        ),
        ResponseTextDoneEvent(
            type="response.output_text.done", text=text, content_index=0, logprobs=[], **place
        ),
        ResponseOutputItemDoneEvent(
            type="response.output_item.done", item=message, output_index=0, sequence_number=0
        ),
        ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0),
    ]
