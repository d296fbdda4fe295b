"""Both sides of a gateway as objects: servers that say what a test wants, and a client that keeps what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from guardrails import Guard
from guardrails.gateway import eras, messages
from guardrails.gateway.exchange import Exchange
from guardrails.gateway.hub import Hub, Plan
from guardrails.gateway.links import Ears, Id, Link, LinkError, Local, Message, Place

Handler = Callable[[dict[str, Any]], Any]

SECONDS = 10.0


class Refusal(Exception):
    """A server answers with this error."""

    def __init__(self, code: int, text: str, data: Any = None) -> None:
        super().__init__(text)
        self.code, self.text, self.data = code, text, data


SILENT = object()
"""What a server that does not answer gives."""


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"{name}.", "inputSchema": {"type": "object"}, **more}


def text(*said: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": each} for each in said], **more}


class FakeServer:
    """A server. `era` is `old`, `new` or `both`; `handlers` answer methods, `tools` calls of tools."""

    def __init__(self, name: str = "srv", era: str = "both", **abilities: Any) -> None:
        self.name = name
        self.era = era
        self.abilities = {"tools": {"listChanged": True}, **abilities}
        self.listed: list[dict[str, Any]] = []
        self.tools: dict[str, Handler] = {}
        self.handlers: dict[str, Handler] = {}
        self.heard: list[Message] = []
        self.version = ""
        self.instructions = ""
        self.trouble = ""
        self.closed = False
        self.ears: Ears | None = None
        self._answers: dict[Id, asyncio.Future[Message]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- as a server ---------------------------------------------------------------------------

    def offer(self, name: str, handler: Handler | dict[str, Any] | None = None, **more: Any) -> FakeServer:
        """Have a tool; `handler` gives its result from its arguments."""
        self.listed.append(tool(name, **more))
        found = handler if callable(handler) else lambda _: handler if handler is not None else text("done")
        self.tools[name] = found
        return self

    def hear(self, message: Message, ears: Ears) -> None:
        self.heard.append(message)
        if messages.is_response(message):
            self._answers.pop(message["id"]).set_result(message)
        elif "id" in message:
            task = asyncio.get_running_loop().create_task(self._respond(message, ears))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _respond(self, message: Message, ears: Ears) -> None:
        try:
            result = await self._result(message)
        except Refusal as refusal:
            answer = messages.failure(message["id"], refusal.code, refusal.text, refusal.data)
            await ears.heard(messages.read(messages.write(answer)))
            return
        if result is not SILENT:
            answer = messages.response(message["id"], self._stamped(result))
            await ears.heard(messages.read(messages.write(answer)))

    def _stamped(self, result: dict[str, Any]) -> dict[str, Any]:
        return result if self.version not in eras.NEW_VERSIONS else {"resultType": "complete", **result}

    async def _result(self, message: Message) -> Any:
        method, params = message["method"], messages.params_of(message)
        if method == "initialize" and self.era != "new":
            return {
                "protocolVersion": params["protocolVersion"], "capabilities": self.abilities,
                "serverInfo": {"name": self.name, "version": "1"}, "instructions": self.instructions,
            }  # fmt: skip
        if method == "server/discover" and self.era != "old":
            return {
                "supportedVersions": ["2026-07-28"], "capabilities": self.abilities, "instructions": self.instructions,
            }  # fmt: skip
        if method in self.handlers:
            return await self._of(self.handlers[method](params))
        if method == "tools/list":
            return {"tools": self.listed}
        if method == "tools/call" and params["name"] in self.tools:
            return await self._of(self.tools[params["name"]](params.get("arguments", {})))
        raise Refusal(messages.METHOD_NOT_FOUND, f"no {method}")

    async def _of(self, found: Any) -> Any:
        return await found if asyncio.iscoroutine(found) else found

    async def say(self, message: Message, about: Id | None = None) -> None:
        """Send something to the gateway."""
        assert self.ears is not None
        await self.ears.heard(messages.read(messages.write(message)), about)

    async def ask(self, method: str, params: dict[str, Any] | None = None, id: Id = "s1") -> Message:
        """Ask the client for something, and wait for the answer."""
        future = asyncio.get_running_loop().create_future()
        self._answers[id] = future
        await self.say(messages.request(id, method, params))
        return await asyncio.wait_for(future, SECONDS)

    def of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all messages of a method that it heard."""
        return [messages.params_of(each) for each in self.heard if each.get("method") == method]

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of all calls of a tool that came through."""
        return [each["arguments"] for each in self.of("tools/call") if each["name"] == name]


class Wire:
    """One exchange's way to a server."""

    def __init__(self, server: FakeServer) -> None:
        self.name = server.name
        self._server = server
        self._ears: Ears | None = None
        self._closed = False

    async def open(self, ears: Ears) -> None:
        if self._server.trouble:
            raise LinkError(self._server.trouble)
        self._ears = self._server.ears = ears

    async def send(self, message: Message) -> None:
        if self._closed:
            raise LinkError("it is closed")
        assert self._ears is not None
        self._server.hear(messages.read(messages.write(message)), self._ears)

    def agreed(self, version: str) -> None:
        self._server.version = version

    async def close(self) -> None:
        self._closed = self._server.closed = True


class Hubbed(Hub):
    """A hub whose servers are objects."""

    def __init__(self, guard: Guard, servers: Mapping[str, FakeServer], **plan: Any) -> None:
        self.servers = servers
        super().__init__(guard, Plan([Local(name, "fake") for name in servers], **plan))

    def link_to(self, place: Place) -> Link:
        return Wire(self.servers[place.name])


class Peer:
    """A client of one era."""

    def __init__(self, exchange: Exchange, *, new: bool, abilities: dict[str, Any] | None = None) -> None:
        self.exchange = exchange
        self.new = new
        self.abilities = abilities or {}
        self.heard: list[tuple[Message, Id | None]] = []
        self.answers: dict[str, Handler] = {}
        self._waiting: dict[Id, asyncio.Future[Message]] = {}
        self._last = 0

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        message = messages.read(messages.write(message))
        self.heard.append((message, about))
        if messages.is_response(message):
            future = self._waiting.pop(message["id"], None)
            if future is not None:
                future.set_result(message)
        elif "id" in message and message["method"] in self.answers:
            asyncio.get_running_loop().create_task(self._answer(message))

    async def _answer(self, message: Message) -> None:
        try:
            result = self.answers[message["method"]](messages.params_of(message))
        except Refusal as refusal:
            answer = messages.failure(message["id"], refusal.code, refusal.text)
        else:
            if result is SILENT:
                return
            answer = messages.response(message["id"], result)
        await self.exchange.heard(answer, self)

    async def begin(self, version: str = "2025-11-25") -> Peer:
        """The handshake, in the old era."""
        if not self.new:
            params = {
                "protocolVersion": version, "capabilities": self.abilities, "clientInfo": {"name": "t", "version": "1"},
            }  # fmt: skip
            answer = await self.ask("initialize", params)
            assert "result" in answer, answer
            await self.tell("notifications/initialized")
        return self

    def params(self, params: dict[str, Any] | None) -> dict[str, Any]:
        params = params or {}
        if not self.new:
            return params
        meta = {eras.VERSION_KEY: "2026-07-28", eras.ABILITIES_KEY: self.abilities}
        return {**params, "_meta": {**params.get("_meta", {}), **meta}}

    async def start(self, method: str, params: dict[str, Any] | None = None, id: Id | None = None) -> Id:
        """Send a request and do not wait; its id."""
        self._last += 1
        id = self._last if id is None else id
        self._waiting[id] = asyncio.get_running_loop().create_future()
        await self.exchange.heard(messages.request(id, method, self.params(params)), self)
        return id

    async def answer_to(self, id: Id) -> Message:
        return await asyncio.wait_for(self._waiting[id], SECONDS)

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> Message:
        """The response to a request."""
        id = await self.start(method, params)
        future = self._waiting.get(id)
        return await asyncio.wait_for(future, SECONDS) if future else self.response(id)

    def response(self, id: Id) -> Message:
        return next(each for each, _ in self.heard if messages.is_response(each) and each["id"] == id)

    async def call(self, name: str, args: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The result of a call of a tool."""
        answer = await self.ask("tools/call", {"name": name, "arguments": args or {}, **more})
        assert "result" in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    async def tell(self, method: str, params: dict[str, Any] | None = None) -> None:
        await self.exchange.heard(messages.notification(method, params), self)

    def told(self, method: str) -> list[dict[str, Any]]:
        return [messages.params_of(each) for each, _ in self.heard if each.get("method") == method]


def said(result: dict[str, Any]) -> str:
    """All texts of a tool's result."""
    return "\n".join(block.get("text", "") for block in result["content"])


def is_denied(result: dict[str, Any]) -> bool:
    return result.get("isError") is True and result.get("_meta", {}).get("guard/decision", {}).get("outcome") in (
        "deny", "halt", "ask",
    )  # fmt: skip


def gateway(
    policy: str, *servers: FakeServer, new: bool = False, abilities: dict[str, Any] | None = None,
    guard: Guard | None = None, **plan: Any,
) -> tuple[Hubbed, Peer]:  # fmt: skip
    """A hub for these servers, and a client at it. Servers are called as they are named."""
    guard = guard or Guard.from_text(policy, store="memory:")
    hub = Hubbed(guard, {each.name: each for each in servers}, **plan)
    return hub, Peer(hub.open(hub.who()), new=new, abilities=abilities)


def run(work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
    """Run a test's coroutine in bounded time."""

    async def bounded() -> Any:
        return await asyncio.wait_for(work, 3 * SECONDS)  # type: ignore[arg-type]  # either is awaited

    return asyncio.run(bounded())
