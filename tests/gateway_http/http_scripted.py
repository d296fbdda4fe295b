"""The endpoint before an exchange that does as it is told, in a thread; and a client that speaks raw HTTP to it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from guardrails.gateway.http.admission import Gate
from guardrails.gateway.http.server import Endpoint, Serving
from guardrails.gateway.http.serving import server_of
from guardrails.gateway.links import Client, Message, Who

T = TypeVar("T")
NEW = "2026-07-28"
OLD = "2025-11-25"
META = "io.modelcontextprotocol/"
BOTH = "application/json, text/event-stream"

TOOLS = [
    {
        "name": "route",
        "inputSchema": {
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "level": {"type": "integer", "x-mcp-header": "Level"},
                "where": {
                    "type": "object",
                    "properties": {"deep": {"type": "boolean", "x-mcp-header": "Deep"}},
                },
            },
        },
    },
    {"name": "echo", "inputSchema": {"type": "object"}},
]


class Scripted:
    """An exchange: what a call does is in the name of its tool."""

    def __init__(self, hub: ScriptedHub, who: Who) -> None:
        self.hub = hub
        self.who = who
        self.heard_of: list[Message] = []
        self.is_closed = False
        self.gone_clients = 0
        self.answers: dict[Any, asyncio.Future[Message]] = {}
        self.client: Client | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def heard(self, message: Message, client: Client) -> None:
        self.heard_of.append(message)
        self.client = client
        if "method" not in message:
            if message["id"] in self.answers:
                self.answers[message["id"]].set_result(message)
        elif "id" in message:
            task = asyncio.create_task(self._answered(message, client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answered(self, message: Message, client: Client) -> None:
        id, method = message["id"], message["method"]
        if method == "subscriptions/listen":
            note = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {}}
            await client.send(note, about=id)
            return
        found = await self._result(message, client)
        if found is not None:
            await client.send({"jsonrpc": "2.0", "id": id, **found}, about=id)

    async def _result(self, message: Message, client: Client) -> Message | None:
        method, params = message["method"], message.get("params") or {}
        if method == "initialize":
            if params.get("capabilities") is None:
                return {"error": {"code": -32602, "message": "no capabilities"}}
            return {"result": {"protocolVersion": params["protocolVersion"], "capabilities": {}}}
        if method == "tools/list":
            self.hub.lists += 1
            if self.hub.lists_for_ever:
                return None
            if self.hub.cannot_list:
                return {"error": {"code": -32000, "message": "not now"}}
            return {"result": {"tools": TOOLS}}
        if method == "tools/call":
            return await self._called(message["id"], params, client)
        return {"error": {"code": -32601, "message": f"`{method}` is unknown"}}

    async def _called(self, id: Any, params: Message, client: Client) -> Message | None:
        name, args = params["name"], params.get("arguments") or {}
        text: Any = args
        if name == "never":
            return None
        if name == "progress":
            await client.send(_note("notifications/progress", {"progress": 1}), about=id)
        if name == "general":
            await client.send(_note("notifications/tools/list_changed", {}))
        if name == "flood":
            for each in range(args["times"]):
                await client.send(
                    _note("notifications/message", {"data": "x" * args["size"], "n": each}), about=id
                )
                await asyncio.sleep(0)
        if name == "ask":
            text = await self._asked(client, id if args.get("about") else None)
        return {"result": {"content": [{"type": "text", "text": json.dumps(text)}]}}

    async def _asked(self, client: Client, about: Any) -> Message:
        id = f"guard-{len(self.answers)}"
        self.answers[id] = asyncio.get_running_loop().create_future()
        question = {
            "jsonrpc": "2.0",
            "id": id,
            "method": "elicitation/create",
            "params": {"message": "Sure?"},
        }
        await client.send(question, about=about)
        return await self.answers[id]

    def gone(self, client: Client) -> None:
        self.gone_clients += 1

    async def close(self) -> None:
        self.is_closed = True
        for task in self._tasks:
            task.cancel()


def _note(method: str, params: Message) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": params}


class ScriptedHub:
    def __init__(self) -> None:
        self.exchanges: list[Scripted] = []
        self.lists = 0
        self.cannot_list = False
        self.lists_for_ever = False

    def open(self, who: Who) -> Scripted:
        self.exchanges.append(Scripted(self, who))
        return self.exchanges[-1]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def error(self) -> int:
        return int(self.json["error"]["code"])

    @property
    def events(self) -> list[Any]:
        """The messages of a stream of events."""
        assert self.headers["content-type"] == "text/event-stream", self
        lines = self.data.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


class Running:
    """An endpoint that is served in a thread."""

    def __init__(self, gate: Gate | None = None, serving: Serving | None = None, hub: Any = None) -> None:
        self.hub = hub or ScriptedHub()
        self.endpoint = Endpoint(self.hub, gate, serving)
        self.server = server_of(self.endpoint, grace=2)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._begun.wait(20)

    def _run(self) -> None:
        async def all_of_it() -> None:
            self.loop = asyncio.get_running_loop()
            self.loop.call_soon(self._begun.set)
            await self.server.serve([self.socket])

        asyncio.run(all_of_it())

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.endpoint.hush)
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.socket.close()

    def inside(self, work: Callable[[], T]) -> T:
        """What `work` gives in the loop of the server."""

        async def done() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(20)

    def await_inside(self, work: Callable[[], Awaitable[None]]) -> None:
        async def done() -> None:
            await work()

        asyncio.run_coroutine_threadsafe(done(), self.loop).result(20)

    def sweep(self) -> None:
        """Close what nobody uses."""
        self.await_inside(self.endpoint._sessions.sweep)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method: str, body: Any = None, **headers: str) -> Reply:
        """One request; a body that is no bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        base = {"accept": BOTH} | ({"content-type": "application/json"} if data is not None else {})
        sent = base | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connection()
        try:
            connection.request(method, "/mcp", data, {name: each for name, each in sent.items() if each})
            reply = connection.getresponse()
            return Reply(
                reply.status, {name.lower(): each for name, each in reply.getheaders()}, reply.read()
            )
        finally:
            connection.close()

    def begin(self, **headers: str) -> str:
        """A session of the old era."""
        reply = self.ask("POST", initialize(), **headers)
        assert reply.status == 200, reply
        return reply.headers["mcp-session-id"]

    def call(self, session: str, name: str, args: Any = None, *, id: Any = 2, **headers: str) -> Reply:
        """A call in the old era."""
        return self.ask("POST", called(name, args, id=id), mcp_session_id=session, **headers)

    def call_new(self, name: str, args: Any = None, **headers: str) -> Reply:
        """A call in the new era."""
        return self.ask("POST", in_new(called(name, args)), **(routing("tools/call", name) | headers))


def initialize(id: Any = 1, **params: Any) -> Message:
    found = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return {"jsonrpc": "2.0", "id": id, "method": "initialize", "params": found | params}


def called(name: str, args: Any = None, *, id: Any = 2) -> Message:
    return {
        "jsonrpc": "2.0",
        "id": id,
        "method": "tools/call",
        "params": {"name": name, "arguments": args or {}},
    }


def in_new(message: Message, **meta: Any) -> Message:
    """A request as the new era has it."""
    found = {META + "protocolVersion": NEW, META + "clientCapabilities": {}} | meta
    return {**message, "params": {**message.get("params", {}), "_meta": found}}


def routing(method: str, name: str = "") -> dict[str, str]:
    found = {"mcp_protocol_version": NEW, "mcp_method": method}
    return found | ({"mcp_name": name} if name else {})
