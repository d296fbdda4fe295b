"""Goldens: whole conversations in both eras and mixed, message by message.

A script says what client and server write; the golden file shows, after each of these, what the gateway wrote to
either. `GUARD_UPDATE_GOLDEN=1` writes the files anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from gateway_peers import run

from guardrails import Guard
from guardrails.gateway import messages
from guardrails.gateway.hub import Hub, Plan
from guardrails.gateway.links import Ears, Id, Link, Local, Message, Place

GOLDEN = Path(__file__).parent / "golden"
UPDATES = os.environ.get("GUARD_UPDATE_GOLDEN") == "1"

POLICY = """
policy golden
on call "mcp.shop.get" { allow }
on call "mcp.shop.pay" {
  threshold args.amount {
    up to 100: allow
    up to 500: ask
    above: deny because "Too much."
  }
}
on call "mcp.shop.resources/read" { allow when args.uri == "note:1" }
on call "server.shop.sampling" { allow }
on result "mcp.shop.*" { redact /SECRET-[0-9]+/ }
"""

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "sampling": {}},
    "io.modelcontextprotocol/clientInfo": {"name": "client", "version": "1"},
}
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("get", "pay", "drop")]
DATA = {"id": "o1", "key": "SECRET-1"}
YES = {"action": "accept", "content": {"approve": True}}


def client(id: Any, method: str, params: dict[str, Any] | None = None, **meta: Any) -> tuple[str, Message]:
    """A request of a client of the new era."""
    return "client", messages.request(id, method, {**(params or {}), "_meta": {**meta, **META}})


def old(id: Any, method: str, params: dict[str, Any] | None = None) -> tuple[str, Message]:
    return "client", messages.request(id, method, params)


def answer(id: Any, result: dict[str, Any]) -> tuple[str, Message]:
    return "server", messages.response(id, result)


HELLO_OLD = old(0, "initialize", {
    "protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}, "sampling": {}},
    "clientInfo": {"name": "client", "version": "1"},
})  # fmt: skip
ABLE = {"tools": {"listChanged": True}, "resources": {}, "tasks": {}}
BEGUN_OLD = {
    "protocolVersion": "2025-11-25",
    "capabilities": ABLE,
    "serverInfo": {"name": "shop", "version": "1"},
}
BEGUN_NEW = {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": ABLE,
             "ttlMs": 60_000, "cacheScope": "public"}  # fmt: skip
NO_METHOD = {"code": -32601, "message": "Method not found"}
BODY = {"content": [{"type": "text", "text": json.dumps(DATA)}], "structuredContent": DATA}
NOTE = [{"uri": "note:1", "text": "SECRET-3"}]
PAID = {"content": [{"type": "text", "text": "paid"}]}
SAMPLE = {"messages": [{"role": "user", "content": {"type": "text", "text": "Sum up."}}], "maxTokens": 9}
SAMPLED = {"role": "assistant", "content": {"type": "text", "text": "Short."}, "model": "m"}


def _call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


SCRIPTS: dict[str, list[tuple[str, Any]]] = {
    "old client, old server": [
        HELLO_OLD, answer(1, BEGUN_OLD), ("client", messages.notification("notifications/initialized")),
        old(1, "tools/list"), answer(2, {"tools": TOOLS}),
        old(2, "tools/call", {**_call("get", id="o1"), "_meta": {"progressToken": "p"}}),
        ("server", messages.notification(
            "notifications/progress", {"progressToken": 3, "progress": 0.5, "message": "SECRET-2"})),
        answer(3, BODY),
        old(3, "tools/call", _call("pay", amount=900)),
        old(4, "tools/call", _call("drop")),
        old(5, "tools/call", _call("pay", amount=200)),
        ("approval", YES), answer(4, PAID),
        old(6, "resources/read", {"uri": "file:///etc/passwd"}),
        old(7, "resources/read", {"uri": "note:1"}), answer(5, {"contents": NOTE}),
        old(8, "tools/call", _call("get", id="o2")),
        ("server", messages.request(77, "sampling/createMessage", SAMPLE)), ("reply", SAMPLED),
        ("server", messages.request(78, "elicitation/create", {"message": "Password?", "requestedSchema": {}})),
        ("client", messages.notification("notifications/cancelled", {"requestId": 8, "reason": "enough"})),
        old(9, "tasks/list"),
        old("x", "ping"),
    ],
    "new client, new server": [
        client(1, "server/discover"), answer(1, BEGUN_NEW),
        client(2, "tools/list"), answer(2, {"resultType": "complete", "tools": TOOLS, "ttlMs": 1, "cacheScope": "public"}),
        client(3, "tools/call", _call("get", id="o1"), progressToken=9), answer(3, {"resultType": "complete", **BODY}),
        client(4, "tools/call", _call("pay", amount=900)),
        client(5, "tools/call", _call("pay", amount=200)),
        ("again", client(6, "tools/call", {**_call("pay", amount=200), "inputResponses": {"guard.approval": YES}})),
        answer(4, {"resultType": "complete", **PAID}),
        client(7, "resources/read", {"uri": "note:1"}),
        answer(5, {"resultType": "complete", "contents": NOTE, "ttlMs": 5, "cacheScope": "public"}),
        client(8, "tools/call", _call("get", id="o2")),
        answer(6, {"resultType": "input_required", "requestState": "mine",
                   "inputRequests": {"k": {"method": "sampling/createMessage", "params": SAMPLE}}}),
        ("again", client(9, "tools/call", {**_call("get", id="o2"), "inputResponses": {"k": SAMPLED}})),
        answer(7, {"resultType": "complete", **BODY}),
        ("client", messages.request(10, "tools/list", {})),
    ],
    "old client, new server": [
        HELLO_OLD, ("server", {"jsonrpc": "2.0", "id": 1, "error": NO_METHOD}), answer(2, BEGUN_NEW),
        old(1, "tools/call", _call("get", id="o1")), answer(4, {"resultType": "complete", "tools": TOOLS}),
        answer(5, {"resultType": "input_required", "requestState": "mine",
                   "inputRequests": {"k": {"method": "sampling/createMessage", "params": SAMPLE}}}),
        ("reply", SAMPLED), answer(6, {"resultType": "complete", **BODY}),
    ],
    "new client, old server": [
        client(1, "server/discover"), ("server", {"jsonrpc": "2.0", "id": 1, "error": NO_METHOD}),
        answer(2, BEGUN_OLD),
        client(2, "tools/call", _call("get", id="o1")), answer(3, {"tools": TOOLS}), answer(4, BODY),
        client(3, "tools/call", _call("get", id="o2")),
        ("server", messages.request(77, "sampling/createMessage", SAMPLE)),
        answer(5, {**PAID, "isError": True}),
    ],
}  # fmt: skip


class Recorder:
    """Both ends of a gateway; keeps what comes out."""

    name = "shop"

    def __init__(self) -> None:
        self.out: list[tuple[str, Message]] = []
        self.ears: Ears | None = None
        self.new = asyncio.Event()

    def record(self, where: str, message: Message) -> None:
        self.out.append((where, messages.read(messages.write(message))))
        self.new.set()

    async def open(self, ears: Ears) -> None:
        self.ears = ears

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        self.record("to server", message)

    def agreed(self, version: str) -> None: ...

    async def close(self) -> None: ...

    def last(self, key: str) -> Any:
        """What the gateway wrote to the client last with this in it."""
        found = [each for where, each in self.out if where == "to client"]
        return next(each for each in reversed(found) if key in json.dumps(each))


class ToClient:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        self._recorder.record("to client", message)


class Recorded(Hub):
    def __init__(self, guard: Guard, recorder: Recorder) -> None:
        self._recorder = recorder
        super().__init__(guard, Plan([Local("shop", "fake")], session="golden"))

    def link_to(self, place: Place) -> Link:
        return self._recorder


SIGNS = (
    (r'"requestState":"[A-Za-z0-9_=-]+\.[0-9a-f]{64}"', '"requestState":"STATE"'),
    (r"guard-[0-9a-f]{16}", "guard-ID"), (r"sha256:[0-9a-f]{64}", "sha256:..."), (r"[0-9a-f]{32}", "REQUEST"),
)  # fmt: skip


def shown(message: Message) -> str:
    text = messages.text_of(message)
    for pattern, sign in SIGNS:
        text = re.sub(pattern, sign, text)
    return text


async def conversation(script: list[tuple[str, Any]], counts: list[int] | None) -> str:
    recorder = Recorder()
    hub = Recorded(Guard.from_text(POLICY, store="memory:"), recorder)
    exchange, to_client, lines = hub.open(hub.who()), ToClient(recorder), list[str]()
    for number, (who, what) in enumerate(script):
        begun = len(recorder.out)
        message = _message(recorder, who, what)
        lines.append(f"{'server' if who == 'server' else 'client'} {shown(message)}")
        if who == "server":
            assert recorder.ears is not None
            await recorder.ears.heard(message)
        else:
            await exchange.heard(message, to_client)
        await _settled(recorder, None if counts is None else begun + counts[number])
        lines += [f"    {where} {shown(each)}" for where, each in recorder.out[begun:]]
    await exchange.close()
    return "\n".join(lines) + "\n"


def _message(recorder: Recorder, who: str, what: Any) -> Message:
    if who == "approval":
        return messages.response(recorder.last("elicitation/create")["id"], what)
    if who == "reply":
        return messages.response(recorder.last("sampling/createMessage")["id"], what)
    if who == "again":
        state = recorder.last("requestState")["result"]["requestState"]
        return {**what[1], "params": {**what[1]["params"], "requestState": state}}
    found: Message = what
    return found


async def _settled(recorder: Recorder, count: int | None) -> None:
    """Until as much came out as the golden file has, and a moment more."""
    if count is None:
        await asyncio.sleep(0.2)
        return
    while len(recorder.out) < count:
        recorder.new.clear()
        await asyncio.wait_for(recorder.new.wait(), 10)
    for _ in range(20):
        await asyncio.sleep(0)


def counts_of(golden: str) -> list[int]:
    """How many messages came out after each that went in."""
    counts: list[int] = []
    for line in golden.splitlines():
        if line.startswith("    "):
            counts[-1] += 1
        else:
            counts.append(0)
    return counts


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_conversation_is_the_one_of_its_golden_file(name: str) -> None:
    path = GOLDEN / f"{name.replace(', ', '_').replace(' ', '-')}.txt"
    if UPDATES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(run(conversation(SCRIPTS[name], None)), encoding="utf-8")
    golden = path.read_text(encoding="utf-8")
    assert "SECRET" not in "".join(line for line in golden.splitlines() if line.startswith("    to client"))
    found = run(conversation(SCRIPTS[name], counts_of(golden)))
    assert found.splitlines() == golden.splitlines()
