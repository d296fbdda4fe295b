"""Agents, tools and models for the tests of the adapter for Pydantic AI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import (
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel

from guardrails import Guard
from guardrails.integrations.pydantic_ai import GuardCapability

POLICY = """
policy shop

on call pay {
  allow
  more: ask finance when args.amount > 60
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /secret-[0-9]+/ in args.note
}
on call look, leak, delegate { allow }
on call broken { allow
  few: limit 1 per 1d by session.id }
on call burn { halt because "No." }
on result look, leak, broken { redact /secret-[0-9]+/ }
on input {
  deny when text contains "attack" because "No attacks."
  redact /card-[0-9]+/
}
on output {
  deny when text contains "forbidden" because "Not said."
  redact /secret-[0-9]+/
}
on session { budget tokens 100_000 }
"""


class Script:
    """A model that says what it is told to, and keeps what it read."""

    def __init__(self, *steps: Any, cut: int | None = None) -> None:
        self.steps = list(steps)
        self.cut = cut
        self.read: list[str] = []

    @property
    def model(self) -> FunctionModel:
        return FunctionModel(self._answer, stream_function=self._stream)

    def _parts(self, messages: Any) -> list[Any]:
        self.read.append(repr(messages))
        step = self.steps.pop(0)
        return [_part(each) for each in (step if isinstance(step, list) else [step])]

    def _answer(self, messages: Any, _: Any) -> ModelResponse:
        parts = self._parts(messages)
        if isinstance(parts[0], ModelResponse):
            return parts[0]
        return ModelResponse(parts=parts)

    async def _stream(self, messages: Any, _: Any) -> AsyncIterator[Any]:
        for index, part in enumerate(self._parts(messages)):
            if isinstance(part, TextPart):
                for piece in self._pieces(part.content):
                    yield piece
            elif isinstance(part, ThinkingPart):
                yield {index: DeltaThinkingPart(content=part.content)}
            else:
                yield {
                    index: DeltaToolCall(
                        name=part.tool_name, json_args=part.args_as_json_str(), tool_call_id=part.tool_call_id
                    )
                }

    def _pieces(self, text: str) -> list[str]:
        """A text cut in two, or in single letters."""
        return (
            list(text)
            if self.cut is None
            else [each for each in (text[: self.cut], text[self.cut :]) if each]
        )


def _part(step: Any) -> Any:
    if isinstance(step, str):
        return TextPart(step)
    if isinstance(step, tuple):
        name, args, id = step
        return ToolCallPart(name, args if isinstance(args, str) else json.dumps(args), tool_call_id=id)
    return step


class Tools:
    """Tools, and a list of what they did."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []

    def pay(self, amount: float, note: str = "") -> str:
        self.ran.append(("pay", (amount, note)))
        return f"paid {amount}"

    def look(self, what: str) -> dict[str, str]:
        self.ran.append(("look", what))
        return {"found": f"{what} secret-12"}

    def drop(self) -> str:
        self.ran.append(("drop", None))
        return "dropped"

    def burn(self) -> str:
        self.ran.append(("burn", None))
        return "burnt"

    @property
    def all(self) -> list[Any]:
        return [self.pay, self.look, self.drop, self.burn]


def guard(**settings: Any) -> Guard:
    return Guard.from_text(POLICY, reviewers={"finance": ["fay", "gus"]}, **settings)


def session(**settings: Any) -> Any:
    return guard(**settings).session(id="s", principal={"id": "ana"})


def agent(
    script: Script, session: Any, tools: Any = None, *, others: Any = (), how: Any = None, **settings: Any
) -> Agent[Any, Any]:
    """A guarded agent."""
    kinds: list[AbstractCapability[Any]] = [GuardCapability(session, **(how or {})), *others]
    return Agent(
        script.model, tools=(tools or Tools()).all if not isinstance(tools, list) else tools,
        capabilities=kinds, **settings,
    )  # fmt: skip


def returns(result: Any) -> list[Any]:
    return [
        part.content
        for message in result.all_messages()
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]


def used(session: Any) -> Any:
    return next(state.used for state in session.guard.limits() if state.name.endswith("most"))
