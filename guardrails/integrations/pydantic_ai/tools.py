"""The tools of a guarded Pydantic AI agent.

Stands directly around what is run, inside of every other hook: what is judged are the arguments that the function gets,
after defaults, coercion, other capabilities and people have changed them, as JSON. And nobody has seen the result when
it is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic_ai.exceptions import (
    ApprovalRequired,
    CallDeferred,
    ModelRetry,
    SkipToolExecution,
    ToolFailed,
)
from pydantic_ai.messages import TextContent, ToolReturn
from pydantic_ai.toolsets import WrapperToolset
from pydantic_core import PydanticSerializationError, to_jsonable_python

from guardrails.integrations.answers import answer_of
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai.toolsets import ToolsetTool

    from guardrails.integrations.passages import Checked, Passage
    from guardrails.integrations.pydantic_ai.run import Run


@dataclass
class GuardedToolset(WrapperToolset[Any]):
    """All tools of a run, asked first."""

    run: Run

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        id = ctx.tool_call_id or ""
        passage = await self._judged(name, tool_args, ctx)
        self.run.raise_if_halted(passage)
        if passage.outcome == "ask" and not ctx.tool_call_approved:
            self.run.memory.asked(id, passage)
            raise ApprovalRequired(metadata=passage.question)
        if not passage.allowed:
            raise ToolFailed(passage.text)
        self.run.calls.add(id)
        args = tool_args if not passage.is_changed else tool.args_validator.validate_python(passage.args)
        return await self._made(passage, args, ctx, tool)

    async def _judged(self, name: str, args: dict[str, Any], ctx: RunContext[Any]) -> Passage:
        try:
            given = as_data(args)
        except (PydanticSerializationError, ValueError) as error:
            raise ToolFailed(f"the call of `{name}` is denied: its arguments are no JSON: {error}") from error
        passage = await self.run.seat.acall(name, given, ctx.tool_call_id)
        if passage.outcome != "ask" or not ctx.tool_call_approved:
            return passage
        said = ctx.tool_call_metadata if isinstance(ctx.tool_call_metadata, dict) else {}
        answer = answer_of({**said, "approve": True}, self.run.reviewer(ctx))
        self.run.memory.answered(ctx.tool_call_id or "")
        return await self.run.seat.aanswered(passage, answer)

    async def _made(
        self, passage: Passage, args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        seat, id, name = self.run.seat, ctx.tool_call_id or "", passage.tool
        try:
            result = await self.wrapped.call_tool(name, args, ctx, tool)
        except ApprovalRequired:
            seat.dropped(passage)  # it did not run; it is judged again when it does
            raise
        except CallDeferred:
            self.run.calls.discard(id)
            self.run.executed.discard(id)  # it runs elsewhere, and its result is judged when it comes
            raise
        except SkipToolExecution as skipped:
            result = skipped.result
        except (ToolFailed, ModelRetry) as error:
            await seat.afailed(id, name)
            raise type(error)(str((await seat.aerror(id, name, error.message)).value)) from None
        except BaseException:
            seat.failed(id, name)
            raise
        return await self._result(id, name, result)

    async def _result(self, id: str, name: str, result: Any) -> Any:
        """A result in the form that it had, with all its copies as the policy lets them go on."""
        if not isinstance(result, ToolReturn):
            checked = await self._checked(id, name, seen(result))
            return checked.value if checked.is_changed else result
        beside, value = _texts(result.content), seen(result.return_value)
        checked = await self._checked(id, name, {"result": value, "content": beside} if beside else value)
        self.run.from_tools.update(beside)
        if not checked.is_changed:
            return result
        if not beside or not isinstance(checked.value, dict):
            return replace(result, return_value=checked.value, content=None, metadata=None)
        texts = [str(each) for each in checked.value.get("content") or ()]
        self.run.from_tools.update(texts)
        return replace(result, return_value=checked.value.get("result"), content=texts or None, metadata=None)

    async def _checked(self, id: str, name: str, value: Any) -> Checked:
        try:
            checked = await self.run.seat.aresult(id, name, value)
        except Unmediated as error:
            raise self.run.stop(error) from None
        self.run.raise_if_halted(checked)
        return checked


def seen(result: Any) -> Any:
    """A result as a policy sees it: data, or its text where it is neither data nor text."""
    if isinstance(result, str):
        return result
    return as_data(result, fallback=str)


def as_data(value: Any, **how: Any) -> Any:
    """A value as JSON; bytes are text where they can be."""
    try:
        return to_jsonable_python(value, **how)
    except (PydanticSerializationError, ValueError):
        return to_jsonable_python(value, bytes_mode="base64", **how)


def _texts(content: Any) -> list[str]:
    """The texts that a tool gives the model beside its result."""
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    return [
        piece.content if isinstance(piece, TextContent) else piece
        for piece in content
        if isinstance(piece, (str, TextContent))
    ]


def is_covered(toolset: Any, run: Run) -> bool:
    """Whether the tools that a manager runs go through the checks of a run."""
    if isinstance(toolset, GuardedToolset):
        return toolset.run is run
    inner = getattr(toolset, "wrapped", None)
    if inner is not None:
        return is_covered(inner, run)
    return any(is_covered(each, run) for each in getattr(toolset, "toolsets", ()))
