"""Tool calls of LangChain and LangGraph, until they are decided.

Takes a request as `ToolNode` hands it to its wrapper, gives the decision on its call, after people were asked. The one
idea: a graph that is resumed runs the step from its top, in whatever process, so each part of a call has a name that is
the same every time.
"""

from __future__ import annotations

from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langgraph.types import interrupt

from guardrails.integrations.answers import answer_of
from guardrails.integrations.langchain.messages import name_of, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.passages import Passage

CHECKPOINTER = "__pregel_checkpointer"


class Asking:
    """A call, until it is decided. `name` is that of what was judged last: other arguments are another call."""

    def __init__(self, mediation: Mediation, request: Any) -> None:
        self.mediation = mediation
        self.edits = 0
        self._request = request
        self._tool = str(request.tool_call["name"])
        self._own = self.name = name_of(request.tool_call["id"], messages_of(request.state))

    def passage(self) -> Passage:
        passage = self._judged(self._request.tool_call["args"])
        while passage.outcome == "ask" and can_pause(self._request):
            value = interrupt(passage.question)
            answer = answer_of(value, self.mediation.reviewer)
            edited = edited_args(value)
            if edited is None:
                return self.mediation.answered(passage, answer)
            self.edits += 1
            self.name = f"{self._own}/edit{self.edits}"
            passage = self._judged(edited)
            if passage.outcome == "ask" and answer.approves is not None:
                return self.mediation.answered(passage, answer)
        return passage

    def _judged(self, args: Any) -> Passage:
        """The decision on what runs: the arguments as the model wrote them, with what the tool's schema makes of them.
        Where it makes others of them, both are judged."""
        runs = filled(self._request.tool, args)
        if runs is not None and any(runs[key] != args[key] for key in args):
            raw = self.mediation.call(self._tool, args, f"{self.name}/raw")
            if raw.outcome in ("deny", "halt"):
                return raw
            self.mediation.dropped(raw)
        return self.mediation.call(self._tool, args if runs is None else runs, self.name)


def messages_of(state: Any) -> list[Any]:
    """The conversation in the state of a graph."""
    found = (
        state
        if isinstance(state, list)
        else state.get("messages")
        if isinstance(state, dict)
        else getattr(state, "messages", None)
    )
    return [each for each in found or () if isinstance(each, BaseMessage)] if isinstance(found, list) else []


def filled(tool: Any, args: Any) -> dict[str, Any] | None:
    """The arguments with which a tool runs, as its schema coerces and fills them; None where that cannot be told."""
    if not isinstance(tool, BaseTool) or not isinstance(args, dict):
        return None
    try:
        read: Any = tool.tool_call_schema
        if isinstance(read, dict):
            return None
        values = read.model_validate(args)
        found = {name: plain(getattr(values, name), args.get(name)) for name in read.model_fields}
    except Exception:
        return None  # the tool will not run with these; they are judged as they are
    return {**args, **{name: value for name, value in found.items() if name in args or value is not None}}


def edited_args(value: Any) -> dict[str, Any] | None:
    """The arguments that somebody wrote in place of the model's; the tool stays."""
    if not isinstance(value, dict):
        return None
    action = value.get("edited_action")
    found = action.get("args") if isinstance(action, dict) else value.get("args")
    return found if isinstance(found, dict) else None


def can_pause(request: Any) -> bool:
    """Whether somebody can resume the run: without a checkpointer an interrupt would be its end."""
    config = getattr(request.runtime, "config", None) or {}
    return bool((config.get("configurable") or {}).get(CHECKPOINTER))
