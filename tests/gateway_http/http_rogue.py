"""A server that answers with whatever bytes a test wants, and the ears of a link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from guardrails.gateway.http.client import RemoteLink
from guardrails.gateway.links import Id, Limits, Message, Remote


@dataclass
class Got:
    """One request, and the way to answer it."""

    method: str
    headers: dict[str, str]
    body: bytes
    out: asyncio.StreamWriter

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    async def say(self, data: bytes) -> None:
        self.out.write(data)
        await self.out.drain()

    async def json(self, value: Any, status: str = "200 OK", **headers: str) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        fixed = {"content_type": "application/json", "content_length": str(len(body))}
        await self.head(status, **(fixed | headers))
        await self.say(body)

    async def head(self, status: str = "200 OK", **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {each}\r\n" for name, each in headers.items() if each)
        await self.say(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode())

    async def stream(self, *pieces: bytes, end: bool = True) -> None:
        """A stream of events; without `end` it stays open."""
        await self.head(content_type="text/event-stream", connection="close")
        for piece in pieces:
            await self.say(piece)
        if not end:
            await asyncio.sleep(60)

    async def result(self, **result: Any) -> None:
        await self.json({"jsonrpc": "2.0", "id": self.message["id"], "result": result})

    def event(self, **message: Any) -> bytes:
        return b"data: " + json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n\n"


Script = Callable[[Got], Awaitable[None]]


@dataclass
class Heard:
    """Ears that keep what they hear."""

    messages: list[tuple[Message, Id | None]] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    answers: dict[Id, asyncio.Future[Message]] = field(default_factory=dict)

    async def heard(self, message: Message, about: Id | None = None) -> None:
        self.messages.append((message, about))
        if "method" not in message and message["id"] in self.answers:
            self.answers[message["id"]].set_result(message)

    async def lost(self, why: str) -> None:
        self.losses.append(why)

    @property
    def methods(self) -> list[str]:
        return [message["method"] for message, _ in self.messages if "method" in message]


@dataclass
class Talk:
    """A link to a rogue, and what came of it."""

    link: RemoteLink
    heard: Heard
    requests: list[Got]
    port: int

    async def ask(self, method: str = "tools/call", id: Id = 1, **params: Any) -> Message:
        """The answer to a request; a link owes one whatever the server does."""
        self.heard.answers[id] = asyncio.get_running_loop().create_future()
        await self.link.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return await asyncio.wait_for(self.heard.answers[id], 20)

    async def tell(self, method: str, **params: Any) -> None:
        await self.link.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def why(self, **params: Any) -> str:
        """Why a call has no answer."""
        answer = await self.ask(**params)
        assert answer["error"]["code"] == -32000, answer
        return str(answer["error"]["message"])

    async def greet(self, script_did: str = "2025-11-25") -> None:
        """Shake hands in the old era."""
        assert "result" in await self.ask("initialize", 0)
        self.link.agreed(script_did)
        await self.tell("notifications/initialized")


@asynccontextmanager
async def talking(script: Script, limits: Limits | None = None, **place: Any) -> AsyncIterator[Talk]:
    requests: list[Got] = []

    async def serve(incoming: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        try:
            while True:
                got = await _read(incoming, out)
                requests.append(got)
                await script(got)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            out.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = place.pop("url", f"http://127.0.0.1:{port}/mcp").replace("PORT", str(port))
    link = RemoteLink(Remote("shop", url, **place), limits or Limits(opening=5, answering=5, closing=0.5))
    heard = Heard()
    try:
        await link.open(heard)
        yield Talk(link, heard, requests, port)
    finally:
        await link.close()
        server.close()


async def _read(incoming: asyncio.StreamReader, out: asyncio.StreamWriter) -> Got:
    head = (await incoming.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): each.strip() for name, _, each in (line.partition(":") for line in head[1:] if line)
    }
    body = await incoming.readexactly(int(headers.get("content-length", "0")))
    return Got(head[0].split(" ")[0], headers, body, out)
