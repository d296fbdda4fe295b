"""A chat model of LangChain that says what a script tells, whole or in pieces, and keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


class ScriptedModel(BaseChatModel):
    """Answers with the messages of `script`, one for each call. `cuts` are the places where a text is cut."""

    script: list[AIMessage] = Field(default_factory=list)
    seen: list[list[Any]] = Field(default_factory=list)
    cuts: list[int] = Field(default_factory=lambda: [3])
    model_name: str = "scripted"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(**{key: value for key, value in kwargs.items() if key != "tool_choice"})

    def _next(self, messages: list[Any]) -> AIMessage:
        self.seen.append(list(messages))
        return self.script[len(self.seen) - 1].model_copy(deep=True)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for piece in self._pieces(self._next(messages)):
            if run_manager is not None:
                run_manager.on_llm_new_token(piece.content, chunk=ChatGenerationChunk(message=piece))
            yield ChatGenerationChunk(message=piece)

    def _pieces(self, message: AIMessage) -> Iterator[AIMessageChunk]:
        for content in self._contents(message.content):
            yield AIMessageChunk(content=content)
        yield AIMessageChunk(
            content="" if isinstance(message.content, str) else [],
            additional_kwargs=message.additional_kwargs,
            response_metadata=message.response_metadata,
            usage_metadata=message.usage_metadata,
            tool_call_chunks=[
                {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": at,
                 "type": "tool_call_chunk"}
                for at, call in enumerate(message.tool_calls)
            ],
        )  # fmt: skip

    def _contents(self, content: Any) -> Iterator[Any]:
        if isinstance(content, str):
            yield from self._cut(content)
            return
        for at, block in enumerate(content):
            if block["type"] == "text":
                for text in self._cut(block["text"]):
                    yield [{"type": "text", "text": text, "index": at}]
            else:
                yield [{**block, "index": at}]

    def _cut(self, text: str) -> Iterator[str]:
        places = [0, *sorted(cut for cut in self.cuts if 0 < cut < len(text)), len(text)]
        for begin, end in pairwise(places):
            yield text[begin:end]


def calling(
    *calls: tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], str], text: str = ""
) -> AIMessage:
    """An answer that calls tools: of each its name, its arguments and its id."""
    return AIMessage(
        text,
        tool_calls=[
            {
                "name": call[0],
                "args": call[1],
                "id": call[2] if len(call) > 2 else f"c{at}",
                "type": "tool_call",
            }
            for at, call in enumerate(calls)
        ],
        usage_metadata=USAGE,
    )


def saying(text: Any, **more: Any) -> AIMessage:
    return AIMessage(text, usage_metadata=USAGE, **more)
