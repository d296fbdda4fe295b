"""Claude Agent SDK: what Claude Code says, on its way to the application.

Takes the messages of a conversation, gives them with every text as the policy lets it leave: parts of a stream,
whole messages and the last result alike. The one idea: Claude Code has no hook that could change an answer, but all
that it says passes through this process first.
"""

from __future__ import annotations

from dataclasses import replace

from claude_agent_sdk import (
    AssistantMessage,
    ResultMessage,
    ServerToolResultBlock,
    ServerToolUseBlock,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    UserMessage,
)

from guardrails.errors import Halted
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from guardrails.integrations.claude_agent.hooks import Hooks
    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.model_streams import ModelStream
    from guardrails.integrations.passages import Checked

TEXTS = {"text_delta": "text", "thinking_delta": "thinking"}
"""Kinds of parts that are text -> the field that has it."""

OTHERS = frozenset({"input_json_delta", "signature_delta"})
"""Kinds of parts that hold no text of an answer. Any other kind is not known, and left out."""

NO_TEXTS = frozenset({"tool_use", "redacted_thinking"})
"""Kinds of blocks that hold no text of an answer. The others are tools on the provider's side, which nothing checks."""

MOST_TEXTS = 200


class Writing:
    """A text that Claude Code is writing: what came so far, the check that it goes through, and what that still
    holds back."""

    __slots__ = ("field", "given", "held", "is_taken", "kind", "stream")

    def __init__(self, stream: ModelStream, kind: str) -> None:
        self.stream = stream
        self.kind = kind
        self.field = TEXTS[kind]
        self.given = ""
        self.held = ""
        self.is_taken = False

    def feed(self, piece: str) -> str:
        self.given += piece
        return self.stream.feed(piece)

    def end(self) -> None:
        if self.stream.checked is None:
            self.held += self.stream.close()


class Messages:
    """The messages of one conversation, in the order in which they come."""

    def __init__(self, seat: Callable[[], Mediation], hooks: Hooks, mode: str) -> None:
        self._seat = seat
        self._hooks = hooks
        self._mode = mode
        self._writing: dict[tuple[str | None, Any], Writing] = {}
        self._texts: dict[str, str] = {}
        self._answers: dict[str, tuple[int, int, int]] = {}
        self._charged = (0, 0, 0)

    async def passed(self, message: Any) -> list[Any]:
        """What goes on instead of a message. Raises `Halted` once the session is over, and `Unmediated`."""
        self._raise_if_over()
        gone = await self._by_kind(message)
        self._raise_if_over()
        return gone

    def _raise_if_over(self) -> None:
        if self._hooks.halted is not None:
            raise Halted(self._hooks.halted)
        if self._hooks.broken is not None:
            raise self._hooks.broken

    async def _by_kind(self, message: Any) -> list[Any]:
        if isinstance(message, StreamEvent):
            return self._event(message)
        if isinstance(message, AssistantMessage):
            await self._used(message)
            return [replace(message, content=[await self._block(each, message) for each in message.content])]
        if isinstance(message, UserMessage):
            return [self._results(message)]
        if isinstance(message, ResultMessage):
            return [await self._last(message)]
        return [await self._told(message) if isinstance(message, SystemMessage) else message]

    # --- texts ---------------------------------------------------------------------------------

    async def _block(self, block: Any, message: AssistantMessage) -> Any:
        if isinstance(block, (ServerToolUseBlock, ServerToolResultBlock)):
            raise Unmediated("a tool ran on the provider's side, and no check has seen its call")
        if isinstance(block, TextBlock):
            return TextBlock(text=await self._text(block.text, message.parent_tool_use_id))
        if isinstance(block, ThinkingBlock):
            return replace(block, thinking=await self._text(block.thinking, message.parent_tool_use_id))
        return block

    async def _text(self, text: str, parent: str | None) -> str:
        """A whole text; one that came in parts before leaves as its parts did."""
        for (owner, _), writing in self._writing.items():
            if owner == parent and writing.given == text and not writing.is_taken:
                writing.is_taken = True
                writing.end()
                return self._keep(text, writing.stream.text)
        return self._keep(text, str(self._checked(await self._seat().aoutput(text)).value)) if text else text

    def _keep(self, text: str, gone: str) -> str:
        self._texts[text] = gone
        while len(self._texts) > MOST_TEXTS:
            self._texts.pop(next(iter(self._texts)))
        return gone

    def _checked(self, checked: Checked) -> Checked:
        if checked.halted:
            self._hooks.halted = self._hooks.halted or checked.decision
        return checked

    async def _last(self, message: ResultMessage) -> ResultMessage:
        """The end of a turn, which says its last text again."""
        await self._settled(message)
        text = message.result
        if text:
            known = self._texts.get(text)
            text = known if known is not None else await self._text(text, None)
            self._seat().receipts.left(text)
        return replace(message, result=text, structured_output=await self._value(message.structured_output))

    async def _value(self, value: Any) -> Any:
        """A structured output, judged as its JSON."""
        if value is None:
            return None
        from guardrails.strict_json import read_json, write_json

        checked = self._checked(await self._seat().aoutput(write_json(value)))
        if not checked.allowed:
            return checked.value
        return read_json(checked.value) if checked.is_changed else value

    async def _told(self, message: SystemMessage) -> SystemMessage:
        """What the host tells of a task that runs beside: a sub-agent's words, and in its raw data again."""
        words = {
            name: getattr(message, name)
            for name in ("summary", "description")
            if isinstance(getattr(message, name, None), str)
        }
        gone = {name: await self._text(text, None) for name, text in words.items()}
        if gone == words:
            return message
        return replace(message, **gone, data={**message.data, **gone})

    # --- texts in parts ----------------------------------------------------------------------------

    def _event(self, message: StreamEvent) -> list[StreamEvent]:
        event, kind = message.event, message.event.get("type")
        place = (message.parent_tool_use_id, event.get("index"))
        if kind == "message_start":
            self._forget(message.parent_tool_use_id)
        if kind == "content_block_start":
            return [self._begun(message, place)]
        if kind == "content_block_delta":
            return self._part(message, place)
        if kind == "content_block_stop" and place in self._writing:
            return self._ended(message, self._writing[place])
        return [message]

    def _forget(self, parent: str | None) -> None:
        for place in [place for place in self._writing if place[0] == parent]:
            del self._writing[place]

    def _begun(self, message: StreamEvent, place: tuple[str | None, Any]) -> StreamEvent:
        block = message.event.get("content_block") or {}
        kind = f"{block.get('type')}_delta"
        if kind not in TEXTS and block.get("type") not in NO_TEXTS:
            raise Unmediated(f"the model writes `{block.get('type')}`, which no check sees")
        if kind not in TEXTS:
            return message
        writing = self._writing[place] = Writing(self._seat().stream(self._mode), kind)
        shown = writing.feed(str(block.get(writing.field) or ""))
        return replace(message, event={**message.event, "content_block": {**block, writing.field: shown}})

    def _part(self, message: StreamEvent, place: tuple[str | None, Any]) -> list[StreamEvent]:
        delta = message.event.get("delta") or {}
        if delta.get("type") in OTHERS:
            return [message]
        writing = self._writing.get(place)
        if writing is None or delta.get("type") != writing.kind:
            return []
        piece = writing.feed(str(delta.get(writing.field) or ""))
        return [_with(message, writing, piece)] if piece else []

    def _ended(self, message: StreamEvent, writing: Writing) -> list[StreamEvent]:
        writing.end()
        if writing.stream.checked is not None:
            self._checked(writing.stream.checked)
        rest, writing.held = writing.held, ""
        return [_with(message, writing, rest), message] if rest else [message]

    # --- results -------------------------------------------------------------------------------

    def _results(self, message: UserMessage) -> UserMessage:
        if isinstance(message.content, str):
            return message
        shown = [self._result(block) for block in message.content]
        if shown == message.content:
            return message
        return replace(message, content=shown, tool_use_result=None)

    def _result(self, block: Any) -> Any:
        if not isinstance(block, ToolResultBlock):
            return block
        withheld = self._hooks.errors.get(block.tool_use_id)
        if withheld is not None:
            return replace(block, content=withheld)
        if not block.is_error:
            self._hooks.heard(block.tool_use_id, block.content)
        return block

    # --- what the model used -----------------------------------------------------------------------

    async def _used(self, message: AssistantMessage) -> None:
        """Each message of a model is told once for each of its parts, with what it used by then."""
        usage, id = message.usage or {}, message.message_id or ""
        counts = _counts(usage)
        before = self._answers.get(id, (0, 0, 0)) if id else (0, 0, 0)
        put_in, given_out, cached = (max(pair) for pair in zip(counts, before, strict=True))
        self._answers[id] = (put_in, given_out, cached)
        await self._charge(message.model, [now - then for now, then in zip(counts, before, strict=True)])

    async def _charge(self, model: str, more: list[int]) -> None:
        input, output, cached = (max(0, count) for count in more)
        old = self._charged
        self._charged = (old[0] + input, old[1] + output, old[2] + cached)
        await self._seat().aused(model, input=input, output=output, cached=cached)

    async def _settled(self, message: ResultMessage) -> None:
        """What the host counted in all, with its helpers and retries; what was not charged yet is charged now."""
        usage: Any = message.model_usage or {}
        if not usage:
            return
        totals = [
            sum(
                each.get("inputTokens", 0) + each.get("cacheReadInputTokens", 0) + each.get("cacheCreationInputTokens", 0)
                for each in usage.values()
            ),
            sum(each.get("outputTokens", 0) for each in usage.values()),
            sum(each.get("cacheReadInputTokens", 0) for each in usage.values()),
        ]  # fmt: skip
        model = max(usage, key=lambda name: usage[name].get("outputTokens", 0))
        await self._charge(model, [now - then for now, then in zip(totals, self._charged, strict=True)])


def _counts(usage: dict[str, Any]) -> tuple[int, int, int]:
    """Tokens in, out, and out of a cache; the host counts those of a cache apart."""
    cached = int(usage.get("cache_read_input_tokens") or 0)
    made = int(usage.get("cache_creation_input_tokens") or 0)
    return int(usage.get("input_tokens") or 0) + made + cached, int(usage.get("output_tokens") or 0), cached


def _with(message: StreamEvent, writing: Writing, text: str) -> StreamEvent:
    """A part with another text, in the place of a message about the same block."""
    event = {
        "type": "content_block_delta",
        "index": message.event.get("index"),
        "delta": {"type": writing.kind, writing.field: text},
    }
    return replace(message, event=event)


__all__ = ["Messages"]
