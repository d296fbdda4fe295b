"""The doors: every way in which an event can be put to guard, each as a function from an event to what is seen.

`points` says which events a door knows. `fitted` says what becomes of a decision that it cannot express, which is the
page of that door in code: never something looser.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from seen import PARTS, Seen, seen, seen_in_json

from guardrails import Guard
from guardrails.gateway.hub import Hub, Plan
from guardrails.gateway.links import Local, Who
from guardrails.integrations.mediation import Mediation
from guardrails.integrations.passages import Passage

Event = dict[str, Any]
ALL = frozenset(PARTS)


class Door:
    """One way in. `answer` is asked for every event of its points, in order."""

    points = ALL

    def answer(self, event: Event) -> Seen:
        raise NotImplementedError

    def fitted(self, event: Event, wanted: Seen) -> Seen:
        """What this door shows of a decision."""
        return wanted

    def close(self) -> None: ...


class Direct(Door):
    """`Guard.decide`, against which all others are held."""

    def __init__(self, policy: Path) -> None:
        self.guard = Guard.load(policy, store="memory:", reviewers={"finance": ["fay"]})

    def answer(self, event: Event) -> Seen:
        return seen(self.guard.decide(dict(event)), event)


class Sessions(Direct):
    """Sessions in process."""

    def __init__(self, policy: Path) -> None:
        super().__init__(policy)
        self.sessions: dict[str, Any] = {}

    def session(self, event: Event) -> Any:
        name = event["session"]
        if name not in self.sessions:
            self.sessions[name] = self.open(principal=event["principal"], agent=event["agent"], id=name)
        return self.sessions[name]

    def open(self, **who: Any) -> Any:
        return self.guard.session(**who)

    def answer(self, event: Event) -> Seen:
        session, kind = self.session(event), event["type"]
        if kind == "call":
            decision = session.check_call(event["tool"], event["args"], call_id=event["call_id"])
        elif kind == "result":
            known = {"args": event["args"], "call_id": event["call_id"]}
            decision = session.check_result(event["tool"], event["result"], **known)
        else:
            check = session.check_input if kind == "input" else session.check_output
            decision = check(event["text"])
        return seen(decision, event)


class Awaited(Sessions):
    """Sessions in an event loop."""

    def __init__(self, policy: Path) -> None:
        super().__init__(policy)
        self.loop = asyncio.new_event_loop()

    def answer(self, event: Event) -> Seen:
        return self.loop.run_until_complete(self._answer(event))

    async def _answer(self, event: Event) -> Seen:
        session, kind = self.session(event), event["type"]
        if kind == "call":
            decision = await session.acheck_call(event["tool"], event["args"], call_id=event["call_id"])
        elif kind == "result":
            known = {"args": event["args"], "call_id": event["call_id"]}
            decision = await session.acheck_result(event["tool"], event["result"], **known)
        else:
            check = session.acheck_input if kind == "input" else session.acheck_output
            decision = await check(event["text"])
        return seen(decision, event)

    def close(self) -> None:
        self.loop.close()


class Adapters(Sessions):
    """What every adapter of a framework goes through."""

    def __init__(self, policy: Path) -> None:
        super().__init__(policy)
        self.seats: dict[str, Mediation] = {}

    def answer(self, event: Event) -> Seen:
        seat = self.seats.setdefault(event["session"], Mediation(self.session(event)))
        kind = event["type"]
        if kind == "call":
            passage = seat.call(event["tool"], json.dumps(event["args"]), event["call_id"])
            return self._of_call(passage)
        if kind == "result":
            checked = seat.result(event["call_id"], event["tool"], event["result"])
        else:
            checked = (seat.input if kind == "input" else seat.output)(event["text"])
        if not checked.allowed:
            return Seen("halt" if checked.halted else "deny")
        return Seen("go", checked.value if checked.is_changed else None)

    @staticmethod
    def _of_call(passage: Passage) -> Seen:
        if not passage.allowed:
            return Seen(passage.outcome)
        return Seen("go", passage.args if passage.is_changed else None)


# --- a server ----------------------------------------------------------------------------------


class Served(Door):
    """A door of `guard serve`, on one connection that is kept."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        self.connection.request("POST", path, json.dumps(body).encode(), headers)
        reply = self.connection.getresponse()
        data = reply.read()
        assert reply.status == 200, data
        return json.loads(data)

    def close(self) -> None:
        self.connection.close()


class Native(Served):
    def answer(self, event: Event) -> Seen:
        return seen_in_json(self.post("/v1/check", event), event)


class AuthZen(Served):
    """Only calls; the client says that it can change arguments and end sessions."""

    points = frozenset({"call"})

    def answer(self, event: Event) -> Seen:
        told = self.post(
            "/access/v1/evaluation",
            {
                "subject": {"type": "user", **event["principal"]},
                "action": {"name": "tools/call", "properties": {"arguments": event["args"]}},
                "resource": {"type": "tool", "id": event["tool"]},
                "context": {
                    "session": event["session"], "call_id": event["call_id"], "agent": event["agent"],
                    "supported_obligations": ["custom", "session_termination"],
                },
            },
        )  # fmt: skip
        duties = {duty["type"]: duty["properties"] for duty in told["context"].get("obligations", ())}
        if told["decision"]:
            return Seen("go", duties["custom"]["arguments"] if "custom" in duties else None)
        if "session_termination" in duties:
            return Seen("halt")
        return Seen("ask" if told["context"]["reason"] == "approval_required" else "deny")


class Opa(Served):
    def answer(self, event: Event) -> Seen:
        result = self.post("/v1/data/guard", {"input": event})["result"]
        found = seen_in_json(result["decision"], event)
        assert result["allow"] is (found == Seen("go"))
        return found


class ClaudeOverHttp(Served):
    """Claude Code's HTTP hook."""

    def answer(self, event: Event) -> Seen:
        told = self.post(
            "/hooks/claude-code", claude(event), **{"x-guard-principal": event["principal"]["id"]}
        )
        return from_claude(told, event)

    def fitted(self, event: Event, wanted: Seen) -> Seen:
        return fitted_to_claude(event, wanted)


class Frames(Sessions):
    """`Guard.connect`: the same calls, in another process."""

    def __init__(self, path: str) -> None:
        self.guard: Any = Guard.connect(f"unix:{path}")
        self.sessions = {}

    def close(self) -> None:
        self.guard.close()


# --- Claude Code -------------------------------------------------------------------------------


def claude(event: Event) -> Event:
    """An event in the words of Claude Code."""
    about = {"session_id": event["session"], "cwd": "/work"}
    if event["type"] in ("input", "output"):
        name, part = {"input": ("UserPromptSubmit", "prompt"), "output": ("Stop", "last_assistant_message")}[
            event["type"]
        ]
        return {**about, "hook_event_name": name, part: event["text"], "stop_hook_active": False}
    about |= {
        "tool_name": "__".join(event["tool"].split(".")), "tool_input": event["args"],
        "tool_use_id": event["call_id"],
    }  # fmt: skip
    if event["type"] == "call":
        return {**about, "hook_event_name": "PreToolUse"}
    return {**about, "hook_event_name": "PostToolUse", "tool_response": event["result"]}


def from_claude(told: Event, event: Event) -> Seen:
    """What Claude Code makes of an answer."""
    special = told.get("hookSpecificOutput", {})
    if told.get("continue") is False:
        return Seen("halt")
    if told.get("decision") == "block":
        return Seen("deny")
    if "permissionDecision" in special:
        waits = "is waiting for a person" in special["permissionDecisionReason"]
        return Seen("ask" if waits else special["permissionDecision"])
    if event["type"] == "result" and "updatedToolOutput" in special:
        value = special["updatedToolOutput"]
        return Seen("deny") if "[withheld: " in json.dumps(value) else Seen("go", value)
    return Seen("go", special.get("updatedInput"))


def fitted_to_claude(event: Event, wanted: Seen) -> Seen:
    """It cannot change a prompt or an answer: those are refused."""
    if event["type"] in ("input", "output") and wanted.payload is not None:
        return Seen("deny")
    return wanted


class ClaudeHook(Door):
    """`guard hook claude-code`, with everything it knows in a file."""

    def __init__(self, policy: Path) -> None:
        (entry,) = entry_points(group="console_scripts", name="guard")
        self.main: Callable[[list[str]], int] = entry.load()
        store = f"sqlite:///{policy.parent}/hook.db"
        self.words = ["hook", "claude-code", str(policy), "--root", "/work", "--store", store]

    def answer(self, event: Event) -> Seen:
        out = io.StringIO()
        words = [*self.words, "--principal", json.dumps(event["principal"])]
        with _stdin(json.dumps(claude(event)).encode()), redirect_stdout(out), redirect_stderr(io.StringIO()):
            code = self.main(words)
        assert code == 0
        return from_claude(json.loads(out.getvalue() or "{}"), event)

    def fitted(self, event: Event, wanted: Seen) -> Seen:
        return fitted_to_claude(event, wanted)


@contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        yield
    finally:
        sys.stdin = before


# --- the MCP gateway ---------------------------------------------------------------------------

OLD, NEW = "2025-11-25", "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientCapabilities": {},
}  # fmt: skip
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}}
    for name in ("look", "pay", "fetch", "mail", "wipe", "sell")
]


class Shop:
    """An MCP server that gives the recorded results; `called` is what a call reached it with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result: Any = None
        self.called: Any = None

    async def open(self, ears: Any) -> None:
        self.ears = ears

    async def send(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": self._result(message)}
            await self.ears.heard(answer)

    def _result(self, message: dict[str, Any]) -> dict[str, Any]:
        method = message["method"]
        info = {"capabilities": {"tools": {}}, "serverInfo": {"name": "shop", "version": "1"}}
        if method == "initialize":
            return {"protocolVersion": OLD, **info}
        if method == "server/discover":
            return {"resultType": "complete", "supportedVersions": [NEW], **info}
        if method == "tools/list":
            return {"resultType": "complete", "tools": TOOLS}
        assert method == "tools/call"
        self.called = message["params"]["arguments"]
        text = {"type": "text", "text": json.dumps(self.result)}
        return {
            "resultType": "complete",
            "content": [text],
            "structuredContent": self.result,
            "isError": False,
        }

    def agreed(self, version: str) -> None: ...

    async def close(self) -> None: ...


class Ear:
    """The client of a gateway."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, message: dict[str, Any], *, about: Any = None) -> None:
        if "method" not in message:
            await self.answers.put(message)


class Gateway(Door):
    """`guard mcp`: one exchange for each session. A call and its result are one request there, so what became of the
    result is told when it is asked for."""

    points = frozenset({"call", "result"})

    def __init__(self, policy: Path, day: Iterable[Event]) -> None:
        self.results = {event["call_id"]: event["result"] for event in day if event["type"] == "result"}
        self.guard = Guard.load(policy, store="memory:", reviewers={"finance": ["fay"]})
        self.loop = asyncio.new_event_loop()
        self.sessions: dict[str, tuple[Any, Ear, Shop]] = {}
        self.after: dict[str, Seen] = {}
        self.number = 0

    def answer(self, event: Event) -> Seen:
        if event["type"] == "result":
            return self.after.pop(event["call_id"])
        return self.loop.run_until_complete(self._called(event))

    async def _called(self, event: Event) -> Seen:
        exchange, ear, shop = await self._session(event)
        shop.called, shop.result = None, self.results[event["call_id"]]
        params = {"name": event["tool"].rsplit(".", 1)[1], "arguments": event["args"]}
        answer = (await self._asked(exchange, ear, "tools/call", params))["result"]
        if shop.called is None:
            return Seen(answer["_meta"]["guard/decision"]["outcome"])
        self.after[event["call_id"]] = self._of_result(answer, shop.result)
        return Seen("go", shop.called if shop.called != event["args"] else None)

    @staticmethod
    def _of_result(answer: dict[str, Any], result: Any) -> Seen:
        if answer["isError"]:
            return Seen(answer["_meta"]["guard/decision"]["outcome"])
        value = answer["structuredContent"]
        assert json.loads(answer["content"][0]["text"]) == value
        return Seen("go", value if value != result else None)

    async def _session(self, event: Event) -> tuple[Any, Ear, Shop]:
        name = event["session"]
        if name not in self.sessions:
            shop = Shop("shop")

            class Shops(Hub):
                def link_to(self, place: Any) -> Any:
                    return shop

            hub = Shops(self.guard, Plan(places=[Local("shop", "none")]))
            exchange, ear = hub.open(Who("", name, event["principal"], event["agent"])), Ear()
            self.sessions[name] = exchange, ear, shop
            await self._greeted(exchange, ear)
        return self.sessions[name]

    async def _greeted(self, exchange: Any, ear: Ear) -> None:
        about = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "door", "version": "1"}}
        await self._asked(exchange, ear, "initialize", about)
        await exchange.heard({"jsonrpc": "2.0", "method": "notifications/initialized"}, ear)

    async def _asked(self, exchange: Any, ear: Ear, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        await exchange.heard({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}, ear)
        answer = await asyncio.wait_for(ear.answers.get(), 30)
        assert answer["id"] == self.number
        return answer

    def close(self) -> None:
        for exchange, *_ in self.sessions.values():
            self.loop.run_until_complete(exchange.close())
        self.loop.close()


class GatewayOfNewEra(Gateway):
    """The same without a handshake."""

    async def _greeted(self, exchange: Any, ear: Ear) -> None: ...

    async def _asked(self, exchange: Any, ear: Ear, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return await super()._asked(exchange, ear, method, {**params, "_meta": META})
