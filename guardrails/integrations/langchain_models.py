"""A chat model of LangChain that hears and says only what a policy lets pass.

Takes a chat model, gives one that is used in its place. The one idea: LangChain hands pieces of an answer to callbacks
from inside the model, before any middleware sees the whole; so guard is the model. The one beneath is asked without
callbacks and without a trace, because those would repeat what is withheld here.
"""

from __future__ import annotations

from asyncio import to_thread
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables.config import var_child_runnable_config
from langsmith import tracing_context
from pydantic import Field

from guardrails.errors import Halted
from guardrails.integrations.langchain_messages import (
    answer_with,
    is_marked,
    is_of_a_model,
    key_of,
    newest,
    people_in,
    piece_of,
    results_in,
    text_of,
    with_call_args,
    with_text,
    without_text,
)
from guardrails.integrations.receipts import Unmediated
from guardrails.strict_json import read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_core.callbacks import BaseCallbackManager
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

    from guardrails.integrations.mediation import Checked, Mediation

_READ: WeakKeyDictionary[Mediation, set[str]] = WeakKeyDictionary()
"""The messages that were judged on their way in, for each session: each is judged once."""


class Reading:
    """A conversation on its way into a model. `messages` as they may be read, `changed` those that are others now,
    `keys` what stands for the messages that are judged by now, `refusal` what is said instead of asking the model."""

    __slots__ = ("changed", "keys", "messages", "refusal")

    def __init__(self, messages: list[BaseMessage]) -> None:
        self.messages = list(messages)
        self.changed: list[BaseMessage] = []
        self.keys: list[str] = []
        self.refusal = ""


def known_to(mediation: Mediation) -> set[str]:
    """What stands for the messages of this session that were judged."""
    return _READ.setdefault(mediation, set())


def read(mediation: Mediation, messages: list[BaseMessage], by: str = "user") -> Reading:
    """Judge the messages of people that were not yet. One that is refused is replaced by the reason, and where the
    model was about to answer it, the model is not asked. Raises `Halted`."""
    reading, known = Reading(messages), known_to(mediation)
    for at, message in people_in(reading.messages):
        text = text_of(message.content)
        if not text or key_of(message) in known:
            continue
        checked = mediation.input(text, by=by)
        checked.raise_if_halted()
        if checked.is_changed:
            message = message.model_copy(update={"content": with_text(message.content, str(checked.value))})
            reading.messages[at] = message
            reading.changed.append(message)
        reading.keys.append(key_of(message))
        if not checked.allowed and at >= newest(messages):
            reading.refusal = str(checked.value)
    known.update(reading.keys)
    return reading


def hear(
    mediation: Mediation, messages: list[BaseMessage], answers: frozenset[str], *, from_before: bool
) -> None:
    """Hold the results that the model is about to read against the receipts. Raises `Unmediated`."""
    begin = max((at for at, _ in people_in(messages)), default=0) if from_before else 0
    early = {id(message) for message in messages[:begin]}
    for message, name in results_in(messages):
        if is_marked(message) or id(message) in early:
            mediation.receipts.from_before([name])
        if message.name in answers:
            continue
        try:
            mediation.heard([(name, message.name or "?")])
        except Unmediated:
            if message.status != "error" or not _may_be_read(mediation, text_of(message.content)):
                raise


def _may_be_read(mediation: Mediation, text: str) -> bool:
    """Middleware refuses calls with results of its own: nothing ran, and what it says is a text like others."""
    checked = mediation.input(text, by="agent")
    return checked.allowed and not checked.is_changed


def raise_if_over(mediation: Mediation) -> None:
    """Raise `Halted` where the session was halted."""
    halted = getattr(mediation.session, "halted", None)
    if halted is not None:
        raise Halted(halted)


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

    said: Any = Field(default_factory=list, repr=False, exclude=True)
    """Grows with each answer: whoever put the model in place of another sees whether it was asked."""

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
            return super().__getattr__(name)  # type: ignore[misc]
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
        self.said.append(True)
        return mediation, reading

    # --- whole answers ---------------------------------------------------------------------------

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        mediation, reading = self._begun(messages)
        if reading.refusal:
            return _result(_refusal(mediation, reading.refusal))
        with _alone(CallbackManager) as config:
            answer = self.bound.invoke(reading.messages, config, stop=stop, **kwargs)
        return _result(self._left(mediation, answer))

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        mediation, reading = await to_thread(self._begun, messages)
        if reading.refusal:
            return _result(_refusal(mediation, reading.refusal))
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
            yield _whole(_result(_refusal(mediation, reading.refusal)))
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
            yield _whole(_result(_refusal(mediation, reading.refusal)))
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


# --- what leaves -------------------------------------------------------------------------------


def leaving(
    mediation: Mediation,
    answer: Any,
    answers: frozenset[str],
    checked: Checked | None,
    *,
    is_changed: bool = False,
) -> Any:
    """An answer as it may leave. Raises `Halted`."""
    if checked is not None:
        checked.raise_if_halted()
    text = str(checked.value) if checked is not None else text_of(answer.content)
    changed = is_changed or (checked is not None and checked.is_changed)
    judge = _judge(mediation)
    left = answer_with(answer, text, judge, is_changed=changed)
    return _forms(mediation, left, answers) if answers else left


def _judge(mediation: Mediation) -> Callable[[str], str | None]:
    def judge(text: str) -> str | None:
        checked = mediation.output(text)
        checked.raise_if_halted()
        return text if checked.allowed and not checked.is_changed else None

    return judge


def _forms(mediation: Mediation, answer: Any, answers: frozenset[str]) -> Any:
    """Answers in a form leave like texts: changed where the form stays one, and otherwise not at all."""
    changed: dict[str, dict[str, Any]] = {}
    for call in answer.tool_calls:
        if call["name"] not in answers:
            continue
        written = write_json(call["args"])
        checked = mediation.output(written)
        checked.raise_if_halted()
        if not checked.is_changed:
            continue
        args = _form(checked)
        if args is None:
            return _refusal(mediation, str(checked.value), like=answer)
        changed[call["id"] or ""] = args
    return with_call_args(answer, changed) if changed else answer


def _form(checked: Checked) -> dict[str, Any] | None:
    if not checked.allowed:
        return None
    try:
        args = read_json(str(checked.value))
    except Exception:
        return None
    return args if isinstance(args, dict) else None


def _refusal(mediation: Mediation, text: str, like: Any = None) -> Any:
    mediation.receipts.passed(text)
    if isinstance(like, AIMessageChunk):
        return AIMessageChunk(content=text, id=like.id, usage_metadata=like.usage_metadata)
    return AIMessage(text)


def settled(mediation: Mediation, message: AIMessage, answers: frozenset[str] = frozenset()) -> AIMessage:
    """An answer that comes out of an agent: one that guard has seen stays, one that middleware wrote by hand is judged.
    Raises `Unmediated` for that of a model which guard did not stand around."""
    text = text_of(message.content)
    try:
        mediation.receipts.left(text)
    except Unmediated as error:
        if is_of_a_model(message):
            raise Unmediated(
                f"{error}: put GuardMiddleware last, so that no middleware takes another model"
            ) from None
    else:
        return message
    left: AIMessage = leaving(mediation, message, answers, mediation.output(text))
    return left


def charge(mediation: Mediation, answer: AIMessage, model: Any) -> None:
    """Tell what an answer used."""
    used = answer.usage_metadata
    if used is None:
        return
    facts = answer.response_metadata
    name = facts.get("model_name") or facts.get("model") or _model_name(model)
    cached = (used.get("input_token_details") or {}).get("cache_read") or 0
    mediation.used(name, input=used["input_tokens"], output=used["output_tokens"], cached=cached)


def _model_name(model: Any) -> str | None:
    found = getattr(model, "model_name", None) or getattr(model, "model", None)
    return found if isinstance(found, str) else None


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
