"""An upstream of LiteLLM that speaks the API of OpenAI: it says what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from typing import Any

BASE = {"id": "x", "created": 1, "model": "fake"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def call(name: str, arguments: str, id: str = "c1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def answer(text: str | None = None, calls: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {}), **more}


def whole(message: dict[str, Any]) -> dict[str, Any]:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        **BASE, "object": "chat.completion", "usage": USAGE,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }  # fmt: skip


def in_pieces(message: dict[str, Any], cuts: list[int]) -> Iterator[dict[str, Any]]:
    """The chunks of an answer, its text cut at the places, its calls in two pieces each."""
    text = message.get("content") or ""
    places = [0, *(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    for begin, end in pairwise(places):
        yield _chunk({"role": "assistant", "content": text[begin:end]})
    if message.get("reasoning_content"):
        yield _chunk({"reasoning_content": message["reasoning_content"]})
    for at, each in enumerate(message.get("tool_calls") or ()):
        arguments = each["function"]["arguments"]
        yield _chunk(
            {
                "tool_calls": [
                    {**each, "index": at, "function": {**each["function"], "arguments": arguments[:4]}}
                ]
            }
        )
        yield _chunk({"tool_calls": [{"index": at, "function": {"arguments": arguments[4:]}}]})
    yield _chunk({}, "tool_calls" if message.get("tool_calls") else "stop")
    yield {**BASE, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        **BASE, "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }  # fmt: skip


class Upstream:
    """A server on this machine. `says` is its next answer, `seen` what it was asked."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = answer("hello")
        self.cuts: list[int] = [3]
        self.seen: list[dict[str, Any]] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                return

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.seen.append(body)
                kind, text = upstream.answered(body)
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def answered(self, body: dict[str, Any]) -> tuple[str, bytes]:
        if not body.get("stream"):
            return "application/json", json.dumps(whole(self.says)).encode()
        lines = [f"data: {json.dumps(each)}\n\n" for each in in_pieces(self.says, self.cuts)]
        return "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
