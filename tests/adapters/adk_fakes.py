"""A model for Google ADK that says what a script tells it, in pieces where it is asked to stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.genai import types

USAGE = types.GenerateContentResponseUsageMetadata(
    prompt_token_count=10, candidates_token_count=5, cached_content_token_count=4
)


class FakeLlm(BaseLlm):
    """`script` are lists of parts; `cuts` say where streamed texts are cut."""

    model: str = "fake"
    script: Any
    cuts: tuple[int, ...] = ()
    seen: Any

    async def generate_content_async(
        self, llm_request: Any, *more: Any, **named: Any
    ) -> AsyncIterator[LlmResponse]:
        stream = named.get("stream", bool(more and more[0]))
        self.seen.append(str([content.model_dump(exclude_none=True) for content in llm_request.contents]))
        parts = self.script.pop(0)
        if stream:
            for part in parts:
                for piece in pieces(part.text or "", self.cuts):
                    text = types.Part(text=piece, thought=part.thought)
                    yield LlmResponse(content=types.Content(role="model", parts=[text]), partial=True)
        yield LlmResponse(content=types.Content(role="model", parts=parts), usage_metadata=USAGE)


def pieces(text: str, cuts: tuple[int, ...]) -> list[str]:
    ends = [*cuts, len(text)]
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def call(tool: str, id: str | None = None, **args: Any) -> types.Part:
    return types.Part(function_call=types.FunctionCall(name=tool, args=args, id=id))


def text(said: str) -> types.Part:
    return types.Part(text=said)
