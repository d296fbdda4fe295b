"""A chat client for Microsoft Agent Framework that says what a script tells it, in pieces where it is asked to stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from agent_framework import BaseChatClient, ChatResponse, ChatResponseUpdate, Content, Message, ResponseStream
from agent_framework._middleware import ChatMiddlewareLayer
from agent_framework._tools import FunctionInvocationLayer

USAGE: Any = {"input_token_count": 10, "output_token_count": 5, "cache_read_input_token_count": 4}


class FakeClient(FunctionInvocationLayer, ChatMiddlewareLayer, BaseChatClient):  # type: ignore[misc,type-arg]
    """`script` are lists of contents; `cuts` say where streamed texts are cut."""

    def __init__(self, script: list[list[Content]], cuts: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.script = script
        self.cuts = cuts
        self.seen: list[str] = []

    def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **_: Any) -> Any:
        self.seen.append(str([message.to_dict() for message in messages]))
        contents = self.script.pop(0)
        if stream:
            return ResponseStream(self._pieces(contents), finalizer=ChatResponse.from_updates)

        async def whole() -> ChatResponse[Any]:
            return ChatResponse(messages=[Message(role="assistant", contents=contents)], usage_details=USAGE)

        return whole()

    async def _pieces(self, contents: list[Content]) -> AsyncIterator[ChatResponseUpdate]:
        for content in contents:
            for piece in self._cut(content):
                yield ChatResponseUpdate(role="assistant", contents=[piece])
        yield ChatResponseUpdate(role="assistant", contents=[Content.from_usage(USAGE)])

    def _cut(self, content: Content) -> list[Content]:
        if content.type != "text":
            return [content]
        text = content.text or ""
        ends = [*self.cuts, len(text)]
        return [Content.from_text(text[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


def call(tool: str, id: str, **args: Any) -> Content:
    return Content.from_function_call(call_id=id, name=tool, arguments=json.dumps(args))


def text(said: str) -> Content:
    return Content.from_text(said)
