"""A chat model of LangChain that hears and says only what a policy lets pass.

Takes a chat model, gives one that is used in its place. The one idea: LangChain hands pieces of an answer to callbacks
from inside the model, before any middleware sees the whole; so guard is the model. The one beneath is asked without
callbacks and without a trace, because those would repeat what is withheld here.
"""

from __future__ import annotations

from asyncio import to_thread
from contextlib import contextmanager
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables.config import var_child_runnable_config
from langsmith import tracing_context
from pydantic import Field

from guardrails.integrations.langchain.messages import piece_of, text_of, with_text, without_text
from guardrails.integrations.langchain.texts import (
    Reading,
    charge,
    hear,
    leaving,
    raise_if_over,
    read,
    refusal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.callbacks import BaseCallbackManager
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

    from guardrails.integrations.mediation import Mediation


class GuardedModel(BaseChatModel):
    """Use `guardrails.integrations.langchain.guarded_model`, or the middleware, to get one."""

    bound: Any = Field(repr=False, exclude=True)
    """The chat model, or what its `bind_tools` gave."""

    seat: Any = Field(repr=False, exclude=True)
    """A function that gives the mediation of the run."""

    pace: str = "whole"
    by: str = "user"
    answers: frozenset[str] = frozenset()
    """Names of calls that are no calls but answers in a form."""

    is_alone: bool = True
    """Whether nobody tells guard what was in the conversation before the run."""

    cache: Any = Field(default=False, exclude=True)
    output_version: str | None = None

    @property
    def _llm_type(self) -> str:
        return f"guarded-{getattr(self._beneath, '_llm_type', 'model')}"

    @property
    def _beneath(self) -> Any:
        return getattr(self.bound, "bound", self.bound)

    def __getattr__(self, name: str) -> Any:
        """What is asked of the model beneath: its name, say. Nothing with which it could be run past guard."""
        if name.startswith("_") or name in type(self).model_fields:
            return super().__getattr__(name)  # type: ignore[misc]  # pydantic has it, and does not show it
        found = getattr(self._beneath, name)
        if callable(found):
            raise AttributeError(name)
        return found

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.model_copy(update={"bound": self.bound.bind_tools(tools, **kwargs)})

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
        from langchain_core.utils.function_calling import convert_to_openai_tool

        name = convert_to_openai_tool(schema)["function"]["name"]
        guarded = self.model_copy(update={"answers": self.answers | {name}})
        return BaseChatModel.with_structured_output(guarded, schema, **kwargs)

    # --- in ------------------------------------------------------------------------------------

    def _begun(self, messages: list[BaseMessage]) -> tuple[Mediation, Reading]:
        mediation = self.seat()
        raise_if_over(mediation)
        hear(mediation, messages, self.answers, from_before=self.is_alone)
        reading = read(mediation, messages, self.by)
        return mediation, reading

    # --- whole answers ---------------------------------------------------------------------------

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        mediation, reading = self._begun(messages)
        if reading.refusal:
            return _result(refusal(mediation, reading.refusal))
        with _alone(CallbackManager) as config:
            answer = self.bound.invoke(reading.messages, config, stop=stop, **kwargs)
        return _result(self._left(mediation, answer))

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        mediation, reading = await to_thread(self._begun, messages)
        if reading.refusal:
            return _result(refusal(mediation, reading.refusal))
        with _alone(AsyncCallbackManager) as config:
            answer = await self.bound.ainvoke(reading.messages, config, stop=stop, **kwargs)
        return _result(await to_thread(self._left, mediation, answer))

    def _left(self, mediation: Mediation, answer: AIMessage) -> Any:
        charge(mediation, answer, self._beneath)
        text = text_of(answer.content)
        checked = mediation.output(text) if text else None
        return leaving(mediation, answer, self.answers, checked)

    # --- pieces --------------------------------------------------------------------------------

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        if self.pace == "whole":
            yield _whole(self._generate(messages, stop, **kwargs))
            return
        mediation, reading = self._begun(messages)
        if reading.refusal:
            yield _whole(_result(refusal(mediation, reading.refusal)))
            return
        flow = Flow(self, mediation)
        pieces: Any = None
        while True:
            with _alone(CallbackManager) as config:
                pieces = pieces or iter(self.bound.stream(reading.messages, config, stop=stop, **kwargs))
                piece = next(pieces, None)
            if piece is None:
                break
            yield from flow.fed(piece)
        yield from flow.closed()

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        if self.pace == "whole":
            yield _whole(await self._agenerate(messages, stop, **kwargs))
            return
        mediation, reading = await to_thread(self._begun, messages)
        if reading.refusal:
            yield _whole(_result(refusal(mediation, reading.refusal)))
            return
        flow = Flow(self, mediation)
        pieces: Any = None
        while True:
            with _alone(AsyncCallbackManager) as config:
                pieces = pieces or aiter(self.bound.astream(reading.messages, config, stop=stop, **kwargs))
                piece = await anext(pieces, None)
            if piece is None:
                break
            for each in flow.fed(piece):
                yield each
        for each in await to_thread(lambda: list(flow.closed())):
            yield each


class Flow:
    """An answer in pieces: its text goes on as the policy lets it, and all that is beside it at the end."""

    def __init__(self, model: GuardedModel, mediation: Mediation) -> None:
        self._model = model
        self._mediation = mediation
        self._stream = mediation.stream(model.pace)
        self._held: AIMessageChunk | None = None
        self._place: dict[str, Any] | None = None

    def fed(self, piece: AIMessageChunk) -> Iterator[ChatGenerationChunk]:
        text = text_of(piece.content)
        self._note_place(piece.content)
        rest = piece.model_copy(update={"content": without_text(piece.content)})
        self._held = rest if self._held is None else self._held + rest
        if text and (out := self._stream.feed(text)):
            yield _chunk(AIMessageChunk(content=self._in_place(out), id=_id_of(piece)))

    def closed(self) -> Iterator[ChatGenerationChunk]:
        if self._held is None:
            return
        held = self._held
        charge(self._mediation, held, self._model._beneath)
        out = self._stream.close()
        checked = self._stream.checked
        if checked is not None:
            checked.raise_if_halted()
        beside = leaving(self._mediation, held, self._model.answers, None, is_changed=True)
        content = self._in_place(out) if out else with_text(beside.content, "")
        if out and beside.content:
            content = [*(content if isinstance(content, list) else [content]), *beside.content]
        yield _chunk(beside.model_copy(update={"content": content, "id": _id_of(held)}))

    def _note_place(self, content: Any) -> None:
        """Where the texts of an answer in blocks are: what goes on is told as the first of them."""
        if self._place is None and isinstance(content, list):
            for block in content:
                if isinstance(block, dict) and block.get("type") == "text":
                    self._place = {key: block[key] for key in ("index", "id") if key in block}
                    return

    def _in_place(self, text: str) -> Any:
        return text if self._place is None else [{"type": "text", "text": text, **self._place}]


# --- shapes ------------------------------------------------------------------------------------


@contextmanager
def _alone(kind: type[BaseCallbackManager]) -> Iterator[RunnableConfig]:
    """The model beneath runs without callbacks and traces, also where it runs others without telling them of any."""
    config: Any = {**(var_child_runnable_config.get() or {}), "callbacks": kind(handlers=[])}
    token = var_child_runnable_config.set(config)
    try:
        with tracing_context(enabled=False):
            yield {"callbacks": config["callbacks"]}
    finally:
        var_child_runnable_config.reset(token)


def _id_of(message: Any) -> str | None:
    """The provider's id of an answer; one of LangChain's own is given anew."""
    return None if (message.id or "").startswith(("lc_run-", "run-")) else message.id


def _result(answer: Any) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=answer.model_copy(update={"id": _id_of(answer)}))])


def _chunk(message: AIMessageChunk) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=message)


def _whole(result: ChatResult) -> ChatGenerationChunk:
    message: Any = result.generations[0].message
    return _chunk(piece_of(message))
