"""Tools of LangChain while they run, and every copy of what they give back.

Takes an allowed call, gives the request that a `ToolNode` executes, and judges what comes of it. The one idea: the tool
runs in a copy whose body ends with the check of its result, because LangChain tells callbacks (and so event streams) what
a tool gave back before any wrapper gets it. What comes out of the node is held against what the body gave.
"""

from __future__ import annotations

from asyncio import to_thread
from dataclasses import replace
from functools import wraps
from json import dumps

from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langchain_core.tools.base import TOOL_MESSAGE_BLOCK_TYPES
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, Send

from guardrails.integrations.langchain.calls import messages_of
from guardrails.integrations.langchain.messages import (
    answer_with,
    fields_of,
    marked,
    may_stay,
    plain,
    rest_of,
    text_of,
    with_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.integrations.langchain.calls import Asking
    from guardrails.integrations.passages import Checked, Passage


class Run:
    """An allowed call while it runs. `request` is what the node executes."""

    def __init__(self, asking: Asking, passage: Passage, request: Any) -> None:
        self._mediation = asking.mediation
        self._name = asking.name
        self._passage = passage
        self._before = {message.id: message for message in messages_of(request.state) if message.id}
        self._told: set[str] = set()
        self._is_over = False
        self._call = request.tool_call
        self._returns_to_people = bool(getattr(request.tool, "return_direct", False))
        update: dict[str, Any] = {}
        if passage.is_changed or asking.edits:
            update["tool_call"] = {**request.tool_call, "args": passage.args}
        if isinstance(request.tool, BaseTool):
            update["tool"] = self._quiet(request.tool)
        self.request = request.override(**update) if update else request

    # --- the body of the tool --------------------------------------------------------------------

    def _quiet(self, tool: BaseTool) -> BaseTool:
        """A copy of the tool that gives what may be seen."""
        body, abody = tool._run, tool._arun

        @wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            refused = self._differs(kwargs)
            if refused is not None:
                return self._shaped(tool, refused)
            try:
                value = body(*args, **kwargs)
            except GraphBubbleUp:
                raise
            except Exception as error:
                self._failed(error)
                raise
            return self._gave(tool, value)

        @wraps(abody)
        async def arun(*args: Any, **kwargs: Any) -> Any:
            refused = await to_thread(self._differs, kwargs)
            if refused is not None:
                return self._shaped(tool, refused)
            try:
                value = await abody(*args, **kwargs)
            except GraphBubbleUp:
                raise
            except Exception as error:
                await to_thread(self._failed, error)
                raise
            return await to_thread(self._gave, tool, value)

        copy = tool.model_copy()
        object.__setattr__(copy, "_run", run)
        object.__setattr__(copy, "_arun", arun)
        return copy

    def _differs(self, kwargs: dict[str, Any]) -> str | None:
        """The refusal of a call whose tool is about to run with other values than were judged; None where it may."""
        judged = self._passage.args
        runs = {key: plain(kwargs[key], judged[key]) for key in judged if key in kwargs}
        if all(runs[key] == judged[key] for key in runs):
            return None
        other = self._mediation.call(self._passage.tool, {**judged, **runs}, f"{self._name}/ran")
        if other.allowed and not other.is_changed:
            self._mediation.dropped(other)
            return None
        other.raise_if_halted()
        self._mediation.dropped(other)
        self.broke()
        why = other.text or "The values that the tool would have run with are not those that were judged."
        self._told.add(why)
        return why

    def _failed(self, error: Exception) -> None:
        """The tool raised. What it says is told to callbacks: only the policy's form of it may be."""
        self.broke()
        checked = self._mediation.error(self._name, self._passage.tool, str(error))
        checked.raise_if_halted()
        self._told.add(str(checked.value))
        if checked.is_changed:
            raise ToolException(str(checked.value)) from None

    def broke(self) -> None:
        """The call was made, and there is no result."""
        if not self._is_over:
            self._is_over = True
            self._mediation.failed(self._name, self._passage.tool)

    @staticmethod
    def _shaped(tool: BaseTool, text: str) -> Any:
        return (text, None) if tool.response_format == "content_and_artifact" else text

    def _gave(self, tool: BaseTool, value: Any) -> Any:
        has_artifact = tool.response_format == "content_and_artifact"
        if has_artifact and isinstance(value, tuple) and len(value) == 2:
            content, is_changed = self._content(value[0])
            return content, self._artifact(value[1], is_changed=is_changed)
        if _is_output(value):
            return self._walked(value)
        return self._content(value)[0]

    # --- the node's result -----------------------------------------------------------------------

    def ended(self, outcome: Any) -> Any:
        """The result of the node: judged where the body was not what gave it, and named after its call."""
        if isinstance(outcome, ToolMessage):
            return marked(self._judged_once(outcome), self._name)
        if not self._is_over:
            outcome = self._walked(outcome)
            self._close()
        return self._named(outcome)

    def _judged_once(self, message: ToolMessage) -> ToolMessage:
        text = text_of(message.content)
        if self._is_over and text in self._told:
            return message
        if message.status != "error":
            return self._message(message)
        self.broke()
        checked = self._mediation.error(self._name, self._passage.tool, text)
        checked.raise_if_halted()
        return message if not checked.is_changed else message.model_copy(update={"content": checked.value})

    def _close(self) -> None:
        """A result without any text for the model is the end of its call as well."""
        if not self._is_over:
            self._result("")

    def _named(self, value: Any) -> Any:
        if isinstance(value, ToolMessage):
            return marked(value, self._name) if value.tool_call_id == self._call["id"] else value
        if isinstance(value, (list, tuple)):
            return type(value)([self._named(each) for each in value])
        if isinstance(value, Command) and value.update is not None:
            return replace(value, update=self._named(value.update))
        if isinstance(value, dict):
            return {key: self._named(each) for key, each in value.items()}
        return value

    # --- every copy ------------------------------------------------------------------------------

    def _result(self, value: Any) -> Checked:
        self._is_over = True
        checked = self._mediation.result(self._name, self._passage.tool, value)
        checked.raise_if_halted()
        return checked

    def _content(self, value: Any) -> tuple[Any, bool]:
        """What a tool gave for the model, and whether it is something else now."""
        text, blocks = _written(value)
        checked = self._result(text)
        words, is_changed = str(checked.value), checked.is_changed
        if self._returns_to_people:
            left = self._mediation.output(words)
            left.raise_if_halted()
            words, is_changed = str(left.value), is_changed or left.is_changed
        if blocks is None:
            self._told.add(words)
            return (words if is_changed else value), is_changed
        kept = rest_of(with_text(blocks, words), self._judge)
        self._told.add(text_of(kept))
        return kept, is_changed or kept != blocks

    def _judge(self, text: str) -> str | None:
        checked = self._result(text)
        return text if checked.allowed and not checked.is_changed else None

    def _artifact(self, artifact: Any, *, is_changed: bool) -> Any:
        """What a tool keeps for the program beside its text: it is another copy, and often a fuller one."""
        if artifact is None:
            return None
        checked = self._result(plain(artifact))
        if not checked.allowed:
            return None
        if not checked.is_changed:
            return None if is_changed and not _is_data(artifact) else artifact
        return checked.value

    def _message(self, message: ToolMessage) -> ToolMessage:
        content, is_changed = self._content(message.content)
        update: dict[str, Any] = {"content": content}
        if message.artifact is not None:
            update["artifact"] = self._artifact(message.artifact, is_changed=is_changed)
        update["additional_kwargs"] = fields_of(message.additional_kwargs, self._judge)
        if not may_stay(message.response_metadata, self._judge):
            update["response_metadata"] = {}
        return message.model_copy(update=update)

    def _walked(self, value: Any) -> Any:
        """Anything that a tool gives to the graph, with each copy of its result judged."""
        if isinstance(value, ToolMessage):
            return self._message(value)
        if isinstance(value, BaseMessage):
            return self._other(value)
        if isinstance(value, Command):
            return replace(value, update=self._update(value.update), goto=self._walked_goto(value.goto))
        if isinstance(value, Send):
            return Send(value.node, self._update(value.arg))
        if not _holds_messages(value):
            return self._value(value)
        if isinstance(value, dict):
            return {key: self._walked(each) for key, each in value.items()}
        return type(value)([self._walked(each) for each in value])

    def _update(self, update: Any) -> Any:
        """What a tool writes into the state: each field is a copy of its own."""
        if isinstance(update, dict):
            return {key: self._walked(each) for key, each in update.items()}
        if isinstance(update, (list, tuple)) and all(_is_field(each) for each in update):
            return [(key, self._walked(each)) for key, each in update]
        return self._walked(update)

    def _walked_goto(self, goto: Any) -> Any:
        if isinstance(goto, Send):
            return self._walked(goto)
        if isinstance(goto, (list, tuple)):
            return type(goto)([self._walked_goto(each) for each in goto])
        return goto

    def _other(self, message: BaseMessage) -> BaseMessage:
        """A message that is not the result: one of the conversation so far stays as it is."""
        if self._before.get(message.id or "") == message or not message.content:
            return message
        checked = self._result(text_of(message.content))
        return answer_with(
            message,  # type: ignore[arg-type]  # nothing is asked of it that not every message has
            str(checked.value),
            self._judge,
            is_changed=checked.is_changed,
        )

    def _value(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        checked = self._result(plain(value))
        if checked.allowed:
            return checked.value if checked.is_changed else value
        return checked.value if isinstance(value, str) else None


def _is_output(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_output(each) for each in value)
    return isinstance(value, (ToolMessage, Command))


def _holds_messages(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_messages(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_messages(each) for each in value)
    return isinstance(value, (BaseMessage, Command, Send))


def _is_field(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _is_data(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, list, dict))


def _written(value: Any) -> tuple[str, Any]:
    """What the model would read of a result: its text; and its blocks, where it is made of them."""
    if isinstance(value, str):
        return value, None
    if isinstance(value, (list, tuple)) and all(_is_block(each) for each in value):
        return text_of(value), list(value)
    try:
        return dumps(value, ensure_ascii=False), None
    except (TypeError, ValueError, RecursionError):
        return str(value), None


def _is_block(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, dict) and value.get("type") in TOOL_MESSAGE_BLOCK_TYPES
    )
