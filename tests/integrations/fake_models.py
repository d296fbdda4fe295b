"""Models on this machine that say what a script tells them: the three dialects that coding agents speak.

A step of a script is a text, or a call as `(tool, arguments)`. What the agent sent is kept, so a test can see what its
model was told of a call's result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Step = str | tuple[str, dict[str, Any]]


class FakeModel:
    """A server on a free port. A dialect says which requests are turns of the agent, and how to answer."""

    def __init__(self, script: Iterable[Step]) -> None:
        self.script = list(script)
        self.turns: list[dict[str, Any]] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                self._send("application/json", b'{"data": [], "models": []}')

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                try:
                    body = json.loads(data)
                except ValueError:
                    body = {}
                self._send(*model.answer(self.path, body))

            def _send(self, kind: str, data: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def step(self, body: dict[str, Any]) -> Step:
        """The next step of the script; its last one for ever."""
        self.turns.append(body)
        return self.script[min(len(self.turns), len(self.script)) - 1]

    def answer(self, path: str, body: dict[str, Any]) -> tuple[str, bytes]:
        raise NotImplementedError

    def told(self) -> str:
        """All that the model was sent in the last turn, as one text."""
        return json.dumps(self.turns[-1]) if self.turns else ""


def _events(events: Iterable[dict[str, Any]]) -> tuple[str, bytes]:
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return "text/event-stream", text.encode()


def _json(value: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


class Messages(FakeModel):
    """Anthropic's Messages API, for Claude Code."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[str, bytes]:
        if "count_tokens" in path:
            return _json({"input_tokens": 1})
        if "/messages" not in path:
            return _json({})
        step = self.step(body) if body.get("tools") else "ok"
        is_text = isinstance(step, str)
        kind = "text" if is_text else "tool_use"
        call = {} if is_text else {"id": f"toolu_{len(self.turns):04}", "name": step[0]}
        message = {
            "id": f"msg_{len(self.turns)}", "type": "message", "role": "assistant", "model": body.get("model"),
            "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip
        reason = "end_turn" if is_text else "tool_use"
        if not body.get("stream"):
            content = {"text": step} if is_text else {"input": step[1]}
            return _json({**message, "content": [{"type": kind, **call, **content}], "stop_reason": reason})
        empty = {"text": ""} if is_text else {"input": {}}
        part = {"type": "text_delta", "text": step} if is_text else _delta(step[1])
        return _events([
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": kind, **call, **empty}},
            {"type": "content_block_delta", "index": 0, "delta": part},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ])  # fmt: skip


def _delta(args: Any) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": json.dumps(args)}


class Responses(FakeModel):
    """OpenAI's Responses API, for Codex. A call of `shell` becomes one of the tool that the agent offers for it."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[str, bytes]:
        step = self.step(body)
        number = len(self.turns)
        if isinstance(step, str):
            content = [{"type": "output_text", "text": step, "annotations": []}]
            item: dict[str, Any] = {
                "type": "message",
                "role": "assistant",
                "id": f"m{number}",
                "content": content,
            }
        else:
            item = {"id": f"f{number}", "call_id": f"call_{number}", **_function(step, body)}
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return _events([
            {"type": "response.created", "response": {"id": f"r{number}"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": f"r{number}", "output": [item], "usage": usage}},
        ])  # fmt: skip


def _function(step: Any, body: dict[str, Any]) -> dict[str, Any]:
    name, args = step
    offered = [tool.get("name") or tool["type"] for tool in body["tools"]]
    if name == "apply_patch":
        return {"type": "custom_tool_call", "name": name, "input": args["patch"]}
    if name == "shell" and "exec_command" in offered:
        name, args = "exec_command", {"cmd": args["command"], **args.get("more", {})}
    elif name == "shell" and "shell_command" in offered:
        name, args = "shell_command", {"command": args["command"]}
    elif name == "shell":
        args = {"command": ["bash", "-c", args["command"]]}
    return {"type": "function_call", "name": name, "arguments": json.dumps(args)}


class Contents(FakeModel):
    """Google's generateContent API, for Gemini CLI."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[str, bytes]:
        if "countTokens" in path:
            return _json({"totalTokens": 1})
        step = self.step(body) if body.get("tools") else '{"model_choice": "flash", "reasoning": "x"}'
        is_text = isinstance(step, str)
        part = {"text": step} if is_text else {"functionCall": {"name": step[0], "args": step[1]}}
        counts = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        reply = {"candidates": [candidate], "usageMetadata": counts}
        if "stream" not in path:
            return _json(reply)
        return "text/event-stream", f"data: {json.dumps(reply)}\r\n\r\n".encode()
