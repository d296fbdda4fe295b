"""The model of a guarded Pydantic AI agent: what it says is judged before anybody reads it.

Takes whatever model serves a request, gives one around it. It stands inside of every hook and every way to stream, so
that pieces, parts and the answer are all made of what was judged.
"""

from __future__ import annotations

from asyncio import to_thread
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic_ai.messages import (
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models import CompletedStreamedResponse, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel

from guardrails.errors import Denied
from guardrails.integrations.pydantic_ai.run import Run, as_read, refuse_hosted
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from datetime import datetime

    from guardrails.integrations.passages import Checked


class GuardedModel(WrapperModel):
    """A model that is called in a guarded run."""

    def __init__(self, wrapped: Any, run: Run) -> None:
        super().__init__(wrapped)
        self._run = run

    async def request(self, messages: Any, model_settings: Any, model_request_parameters: Any) -> Any:
        self._run.raise_if_over()
        if self._run.refusal is not None:
            return _told(self._run, self._run.refusal, model_request_parameters)
        read = await as_read(self._run, messages)
        response = await self.wrapped.request(read, model_settings, model_request_parameters)
        await charged(self._run, response.model_name, response.usage)
        return await said(self._run, response, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self, messages: Any, model_settings: Any, model_request_parameters: Any, run_context: Any = None
    ) -> AsyncIterator[StreamedResponse]:
        self._run.raise_if_over()
        if self._run.refusal is not None:
            told = _told(self._run, self._run.refusal, model_request_parameters)
            yield _replayed(told, model_request_parameters)
            return
        read = await as_read(self._run, messages)
        async with self.wrapped.request_stream(
            read, model_settings, model_request_parameters, run_context
        ) as stream:
            if self._run.streaming == "pieces":
                yield GuardedStream(model_request_parameters, stream, self._run)
                return
            async for _ in stream:
                pass
            response = stream.get()
            await charged(self._run, response.model_name, response.usage)
            response = await said(self._run, response, model_request_parameters)
            yield _replayed(response, model_request_parameters)

    async def count_tokens(self, messages: Any, model_settings: Any, model_request_parameters: Any) -> Any:
        read = await as_read(self._run, messages)
        return await self.wrapped.count_tokens(read, model_settings, model_request_parameters)


@dataclass
class GuardedStream(StreamedResponse):
    """A response in pieces: texts as far as they may go on by now, all else once it is whole."""

    inner: StreamedResponse
    run: Run

    async def _get_event_iterator(self) -> AsyncIterator[Any]:
        stream = self.run.seat.stream("pieces")
        last: int | None = None
        try:
            async for event in self.inner:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    last = event.index
                    yield self._parts_manager.handle_part(
                        vendor_part_id=last, part=TextPart(stream.feed(event.part.content))
                    )
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    for each in self._more(event.index, stream.feed(event.delta.content_delta)):
                        yield each
                else:
                    async for each in self._whole(event):
                        yield each
            tail = await to_thread(stream.close)
            if stream.checked is not None:
                self.run.raise_if_halted(stream.checked)
            for each in self._more(last, tail):
                yield each
        finally:
            await self._ended()

    def _more(self, index: int | None, text: str) -> Iterator[Any]:
        if text:
            yield from self._parts_manager.handle_text_delta(vendor_part_id=index, content=text)

    async def _whole(self, event: Any) -> AsyncIterator[Any]:
        """The part that ends, or that never comes in pieces."""
        is_end = isinstance(event, PartEndEvent) and not isinstance(event.part, TextPart)
        is_one = isinstance(event, PartStartEvent) and not _has_end(event.part)
        if is_end or is_one:
            part = await _part(self.run, event.part, _forms(self.model_request_parameters))
            yield self._parts_manager.handle_part(vendor_part_id=None, part=part)

    async def _ended(self) -> None:
        inner = self.inner
        self._usage = inner.usage
        self.provider_response_id, self.provider_details = inner.provider_response_id, inner.provider_details
        self.finish_reason, self.state, self.metadata = inner.finish_reason, inner.state, inner.metadata
        await charged(self.run, inner.model_name, inner.usage)

    async def close_stream(self) -> None:
        await self.inner.cancel()

    @property
    def model_name(self) -> str:
        return self.inner.model_name

    @property
    def provider_name(self) -> str | None:
        return self.inner.provider_name

    @property
    def provider_url(self) -> str | None:
        return self.inner.provider_url

    @property
    def timestamp(self) -> datetime:
        return self.inner.timestamp


async def charged(run: Run, model: str | None, usage: Any) -> None:
    """Charge what a response used."""
    await run.seat.aused(
        model, input=usage.input_tokens, output=usage.output_tokens, cached=usage.cache_read_tokens
    )


async def said(run: Run, response: ModelResponse, parameters: Any) -> ModelResponse:
    """A response as it may leave. Its texts are one text, for that is how they are read. Raises `Denied` where it is
    refused, and the agent answers in a form that has no place for the reason."""
    raw, forms = text_of(response), _forms(parameters)
    parts: list[Any] = [await _part(run, part, forms) for part in response.parts]
    if not raw:
        return replace(response, parts=parts)
    checked = await run.seat.aoutput(raw)
    run.raise_if_halted(checked)
    if not checked.allowed and not _takes_text(parameters):
        raise run.stop(_denied(checked))
    if checked.value != raw:
        parts = list(_with_text(parts, str(checked.value)))
    return replace(response, parts=parts)


def _takes_text(parameters: Any) -> bool:
    """Whether an answer may be any text."""
    return bool(parameters.allow_text_output) and parameters.output_mode not in ("auto", "native", "prompted")


def text_of(response: ModelResponse) -> str:
    """The texts of a response, as one."""
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


def _with_text(parts: Iterable[Any], text: str) -> Iterator[Any]:
    """Parts with another text, which is in the first of them. What points at the old one goes."""
    is_said = False
    for part in parts:
        if not isinstance(part, TextPart):
            yield part
        elif not is_said:
            is_said = True
            yield TextPart(text)


async def _part(run: Run, part: Any, forms: frozenset[str]) -> Any:
    if isinstance(part, ThinkingPart) and part.content:
        checked = await run.seat.aoutput(part.content)
        run.raise_if_halted(checked)
        return ThinkingPart(str(checked.value)) if checked.is_changed else part
    if isinstance(part, ToolCallPart) and part.tool_name in forms:
        return await _form(run, part)
    if isinstance(part, (NativeToolCallPart, NativeToolReturnPart)):
        refuse_hosted([part.tool_name.partition(":")[0]], run.unchecked)
    return part


async def _form(run: Run, part: ToolCallPart) -> ToolCallPart:
    """An answer that is given as the arguments of a tool: they leave as they are, or as the policy changes them, or
    not at all. Raises `Denied`, and `Unmediated` where guard could not decide."""
    checked = await run.seat.aoutput(part.args_as_json_str())
    run.raise_if_halted(checked)
    if not checked.allowed:
        raise run.stop(_denied(checked))
    return replace(part, args=str(checked.value), id=None) if checked.is_changed else part


def _denied(checked: Checked) -> Denied | Unmediated:
    return Denied(checked.decision) if checked.decision is not None else Unmediated(str(checked.value))


def _told(run: Run, refusal: Checked, parameters: Any) -> ModelResponse:
    """The answer to an input that is refused. Raises `Denied` where the agent answers in a form that has no place
    for it."""
    if not _takes_text(parameters):
        raise run.stop(_denied(refusal))
    run.seat.receipts.passed(str(refusal.value))
    return ModelResponse(parts=[TextPart(str(refusal.value))], model_name="guard")


def _forms(parameters: Any) -> frozenset[str]:
    """The tools by which a model gives its answer."""
    return frozenset(each.name for each in parameters.output_tools)


def _replayed(response: ModelResponse, parameters: Any) -> CompletedStreamedResponse:
    return CompletedStreamedResponse(response, model_request_parameters=parameters, replay_events=True)


def _has_end(part: Any) -> bool:
    """Whether an event says when a part is whole."""
    from pydantic_ai.messages import BaseToolCallPart

    return isinstance(part, (TextPart, ThinkingPart, BaseToolCallPart))
