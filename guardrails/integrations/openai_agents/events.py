"""What a model of the OpenAI Agents SDK says, as a whole or in events, on its way out.

Takes items and events of a response, gives them with every copy of a text as the policy lets it leave: pieces, the
events that repeat a text when it is done, items, and the response at the end. The one idea: nothing that is not known
to be without text goes on; an event of a kind that is new is dropped, its text is in the item that follows.
"""

from __future__ import annotations

from asyncio import to_thread

from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage
from openai.types.responses.response_reasoning_item import ResponseReasoningItem

from guardrails.errors import Denied
from guardrails.integrations.openai_agents.watch import raise_if_halted, texts_of
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from guardrails.integrations.mediation import Mediation

PIECES = {
    "response.output_text.delta": "message", "response.refusal.delta": "message",
    "response.reasoning_text.delta": "content", "response.reasoning_summary_text.delta": "summary",
}  # fmt: skip
"""Events with a piece of a text -> what it is a piece of. The texts of a message are one text, for the SDK joins them."""

REPEATS = frozenset((
    "response.output_text.done", "response.refusal.done", "response.content_part.done",
    "response.reasoning_text.done", "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
))  # fmt: skip
"""Events that repeat a text, which are held until its item is done."""

STARTS = frozenset(("response.content_part.added", "response.reasoning_summary_part.added"))

STATES = frozenset((
    "response.created", "response.in_progress", "response.queued", "response.completed", "response.incomplete",
    "response.failed",
))  # fmt: skip
"""Events with the whole response."""

ENDS = frozenset(("response.completed", "response.incomplete", "response.failed"))

PLAIN = (
    "error", "response.error", "response.function_call_arguments.", "response.web_search_call.",
    "response.file_search_call.", "response.code_interpreter_call", "response.image_generation_call.",
    "response.mcp_call", "response.mcp_list_tools.", "response.compaction.", "response.keepalive",
)  # fmt: skip
"""How the kinds of those begin that hold no text of the model; what hosted tools do was said to go unchecked."""


OWN = frozenset(("message", "reasoning", "function_call", "compaction"))
"""Kinds of items that are the model's own."""


class Line:
    """One text in pieces."""

    __slots__ = ("last", "raw", "stream")

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.raw = ""
        self.last: Any = None

    def fed(self, event: Any) -> Any | None:
        self.raw, self.last = self.raw + event.delta, event
        return _piece(event, self.stream.feed(event.delta))


class Said:
    """What one answer of a model says. `hosted`: tools of the provider may have run; `is_form`: the agent answers in a
    form, which has no place for a refusal. Not for several tasks at once."""

    def __init__(self, seat: Mediation, mode: str = "whole", *, hosted: bool, is_form: bool) -> None:
        self._seat = seat
        self._mode = mode
        self._hosted = hosted
        self._is_form = is_form
        self._known: dict[str, str] = {}
        self._lines: dict[tuple[Any, ...], Line] = {}
        self._held: dict[Any, list[Any]] = {}

    # --- items ---------------------------------------------------------------------------------

    async def items(self, items: list[Any]) -> list[Any]:
        return [await self.item(item) for item in items]

    async def item(self, item: Any) -> Any:
        """An item as it may leave. Raises `RunHalted`, and `Unmediated` for what no check can stand before."""
        kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
        if kind == "message":
            return await self._message(ResponseOutputMessage.model_validate(item, from_attributes=True))
        if kind == "reasoning":
            return await self._reasoning(ResponseReasoningItem.model_validate(item, from_attributes=True))
        if (
            kind == "function_call"
            and isinstance(item, ResponseFunctionToolCall)
            and not item.arguments.strip()
        ):
            return item.model_copy(update={"arguments": "{}"})  # the SDK would ask people what that means
        if kind not in OWN and not self._hosted:
            raise Unmediated(f"the model's provider ran something (`{kind}`) where no check can stand")
        return item

    async def _message(self, message: ResponseOutputMessage) -> Any:
        raw = "".join(texts_of(message))
        text = await self._text(raw)
        if text == raw:
            for part in texts_of(message):
                self._seat.receipts.passed(part)
            return message
        return message.model_copy(update={"content": [_with_text(message.content[0], text)]})

    async def _reasoning(self, item: ResponseReasoningItem) -> Any:
        changes: dict[str, Any] = {"summary": [await self._part(part) for part in item.summary]}
        if item.content is not None:
            changes["content"] = [await self._part(part) for part in item.content]
        return item.model_copy(update=changes)

    async def _part(self, part: Any) -> Any:
        return part.model_copy(update={"text": await self._text(part.text)})

    async def _text(self, raw: str) -> str:
        if not raw:
            return raw
        known = self._known.get(raw)
        if known is None:
            checked = await self._seat.aoutput(raw)
            self._raise_if_refused(checked)
            known = self._known[raw] = str(checked.value)
        return known

    def _raise_if_refused(self, checked: Any) -> None:
        raise_if_halted(checked)
        if self._is_form and not checked.allowed:
            raise refused(checked)

    # --- events --------------------------------------------------------------------------------

    async def events(self, event: Any) -> AsyncIterator[Any]:
        """What goes on for an event of the model."""
        kind = getattr(event, "type", "")
        if kind in PIECES:
            piece = self._line(event).fed(event)
            if piece is not None:
                yield piece
        elif kind in REPEATS:
            self._held.setdefault(event.output_index, []).append(event)
        elif kind in STARTS:
            yield event.model_copy(update={"part": _emptied(event.part)})
        elif kind == "response.output_item.added":
            yield event.model_copy(update={"item": _without_text(event.item)})
        elif kind == "response.output_item.done":
            async for each in self._done(event):
                yield each
        elif kind in STATES:
            async for each in self._state(event):
                yield each
        elif kind.startswith(PLAIN):
            yield event

    def _line(self, event: Any) -> Line:
        what = PIECES[event.type]
        part = getattr(event, "summary_index", getattr(event, "content_index", 0)) if what != "message" else 0
        key = (event.output_index, what, part)
        if key not in self._lines:
            self._lines[key] = Line(self._seat.stream(self._mode))
        return self._lines[key]

    async def _done(self, event: Any) -> AsyncIterator[Any]:
        for key in [key for key in self._lines if key[0] == event.output_index]:
            tail = await self._closed(key)
            if tail is not None:
                yield tail
        item = await self.item(event.item)
        for held in self._held.pop(event.output_index, ()):
            repeated = _repeated(held, item)
            if repeated is not None:
                yield repeated
        yield event.model_copy(update={"item": item})

    async def _state(self, event: Any) -> AsyncIterator[Any]:
        if event.type in ENDS:
            for key in list(self._lines):
                tail = await self._closed(key)
                if tail is not None:
                    yield tail
        output = await self.items(event.response.output or [])
        yield event.model_copy(update={"response": event.response.model_copy(update={"output": output})})

    async def _closed(self, key: tuple[Any, ...]) -> Any | None:
        line = self._lines.pop(key)
        tail = await to_thread(line.stream.close)
        self._raise_if_refused(line.stream.checked)
        self._known[line.raw] = line.stream.text
        return _piece(line.last, tail)


def refused(checked: Any) -> Denied | Unmediated:
    """The error that stands for a refusal where there is no place for its text."""
    return Denied(checked.decision) if checked.decision is not None else Unmediated(str(checked.value))


def _piece(event: Any, text: str) -> Any | None:
    """An event with another piece of text; None for nothing."""
    if not text:
        return None
    extra: dict[str, Any] = {"logprobs": []} if hasattr(event, "logprobs") else {}
    return event.model_copy(update={"delta": text, **extra})


def _with_text(part: Any, text: str) -> Any:
    """A part with another text. What goes with the words of the old one (places, probabilities) goes."""
    if getattr(part, "refusal", None) is not None:
        return part.model_copy(update={"refusal": text})
    return part.model_copy(update={"text": text, "annotations": [], "logprobs": []})


def _emptied(part: Any) -> Any:
    fields = {"text": "", "refusal": "", "annotations": [], "logprobs": []}
    return part.model_copy(update={name: value for name, value in fields.items() if hasattr(part, name)})


def _without_text(item: Any) -> Any:
    kind = getattr(item, "type", None)
    if kind == "message":
        return item.model_copy(update={"content": []})
    if kind == "reasoning":
        return item.model_copy(update={"summary": [], "content": None})
    return item


def _repeated(event: Any, item: Any) -> Any | None:
    """An event that repeats a text, with that of the item as it leaves; None where that part is no more."""
    is_summary = hasattr(event, "summary_index")
    parts = getattr(item, "summary" if is_summary else "content", None) or []
    index = event.summary_index if is_summary else event.content_index
    if index >= len(parts):
        return None
    part = parts[index]
    if hasattr(event, "part"):
        return event.model_copy(update={"part": part})
    text = getattr(part, "text", None) or getattr(part, "refusal", None) or ""
    name = "refusal" if hasattr(event, "refusal") else "text"
    extra: dict[str, Any] = {"logprobs": []} if hasattr(event, "logprobs") else {}
    return event.model_copy(update={name: text, **extra})
