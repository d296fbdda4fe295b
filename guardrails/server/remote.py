"""A guard in another process, asked over frames on a Unix socket: the same calls as in process, and the same decisions.

    guard = Guard.connect("unix:/run/guard-frames.sock")
    session = guard.session(principal={"id": "ana", "customers": ["c-17"]})
    decision = session.check_call("issue_refund", {"customer_id": "c-17", "amount": 40})

One connection answers in order, and is used by one thread at a time; a guard opens as many as threads ask at once. Without
an answer there is no decision: `ServerUnavailable` is raised, and whoever catches it has to refuse.
"""

from __future__ import annotations

import socket
from select import POLLIN, poll
from typing import TYPE_CHECKING, Any

from guardrails.errors import EvaluationError, EventError, Unavailable
from guardrails.json_positions import JsonError
from guardrails.server.decision_read import decision_of
from guardrails.session import refuse
from guardrails.strict_json import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guardrails.model import Decision
    from guardrails.runtime.usage import Usage

HEAD = 4
MOST_KEPT = 32
"""Connections that are kept for later."""


class ServerUnavailable(Unavailable):
    """The server cannot be reached, or did not answer in time: nothing is known to be allowed."""


class RemoteGuard:
    """A guard behind a socket. Thread-safe. `timeout` is how many seconds an answer may take."""

    def __init__(self, address: str, *, key: str | None = None, timeout: float = 10.0) -> None:
        if not address.startswith("unix:") or not address.removeprefix("unix:").removeprefix("//"):
            raise EvaluationError(f"`{address}` names no server: write `unix:/run/guard-frames.sock`")
        self._path = address.removeprefix("unix:").removeprefix("//")
        self._key = key
        self._timeout = timeout
        self._idle: list[_Connection] = []

    def session(
        self,
        *,
        principal: Mapping[str, Any] | None = None,
        agent: Mapping[str, Any] | None = None,
        id: str | None = None,
        facts: Mapping[str, Any] | None = None,
        task: str | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> RemoteSession:
        """A session of an agent that works for `principal`; see `Guard.session`."""
        from os import urandom

        record = {**(facts or {}), "id": id or urandom(16).hex()}
        record |= {name: value for name, value in (("task", task), ("given", given)) if value is not None}
        who = {"principal": dict(principal or {}), "agent": dict(agent or {})}
        return RemoteSession(self, {"session": record, **{name: each for name, each in who.items() if each}})

    def decide(self, event: Mapping[str, Any]) -> Decision:
        """The decision on one event as data. Raises `EventError` for a malformed one, `ServerUnavailable`."""
        try:
            request = write_json(dict(event)).encode()
        except (ValueError, RecursionError) as error:
            raise EventError(f"the event cannot be written as JSON: {error}") from None
        connection = self._connection()
        try:
            answer = connection.ask(request)
        except (OSError, ServerUnavailable) as error:
            connection.close()
            raise ServerUnavailable(f"the server at `unix:{self._path}` does not answer: {error}") from None
        if len(self._idle) < MOST_KEPT:
            self._idle.append(connection)
        else:
            connection.close()
        return _decided(answer)

    def _connection(self) -> _Connection:
        """One that nobody uses, and that the server has not closed; else a new one. An event is sent once only: what
        was sent may have been decided, and charged."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return _Connection(self._path, self._key, self._timeout)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> RemoteGuard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RemoteSession:
    """One agent's work for one principal. Create it with `RemoteGuard.session`."""

    def __init__(self, guard: RemoteGuard, around: dict[str, Any]) -> None:
        self.guard = guard
        self.id: str = around["session"]["id"]
        self._around = around

    def check_call(
        self,
        tool: str,
        args: Any,
        *,
        digest: str | None = None,
        call_id: str | None = None,
        hold: float | None = None,
        approval: str | None = None,
    ) -> Decision:
        """The decision on a tool call that is about to run; see `Session.check_call`."""
        more = {"tool_digest": digest, "call_id": call_id, "hold": hold, "approval": approval}
        return self._ask("call", more, tool=tool, args=args)

    def check_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Decision:
        """The decision on what a tool gave back."""
        more = {"args": args, "call_id": call_id, "reservation": reservation or None}
        return self._ask("result", more, tool=tool, result=result)

    def check_input(self, text: str, *, by: str = "user") -> Decision:
        """The decision on a text that goes into the model."""
        return self._ask("input", {}, text=text, by=by)

    def check_output(self, text: str) -> Decision:
        """The decision on a text that leaves for a person or another system."""
        return self._ask("output", {}, text=text)

    def failed(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        """The call was made and failed: what it used up is given back."""
        self._became("failed", tool, args, decision, call_id)

    def succeeded(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        """The call ran, and there is no result to be checked."""
        self._became("ok", tool, args, decision, call_id)

    def released(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        """The call was not made: what it would have used up is given back."""
        self._became("not run", tool, args, decision, call_id)

    def report(self, usage: Usage) -> Decision:
        """Charge what a model or tool used, in full."""
        names = ("model", "input_tokens", "cached_tokens", "output_tokens", "tool")
        told = {name: getattr(usage, name) for name in names}
        told["tool_time"] = float(usage.tool_time)
        told["cost"] = None if usage.cost is None else f"{usage.cost[0]} {usage.cost[1]}"
        return self._ask("usage", told)

    async def acheck_call(self, tool: str, args: Any, **settings: Any) -> Decision:
        """`check_call` for a running event loop."""
        return await _apart(lambda: self.check_call(tool, args, **settings))

    async def acheck_result(self, tool: str, result: Any, **settings: Any) -> Decision:
        return await _apart(lambda: self.check_result(tool, result, **settings))

    async def acheck_input(self, text: str, *, by: str = "user") -> Decision:
        return await _apart(lambda: self.check_input(text, by=by))

    async def acheck_output(self, text: str) -> Decision:
        return await _apart(lambda: self.check_output(text))

    def call(self, tool: str, function: Callable[..., Any], args: dict[str, Any]) -> Any:
        """Check a call, run `function` with what the policy made of `args`, and give its result as the policy
        made it. Raises `Denied`, `Halted` or `ApprovalRequired` instead of running."""
        from os import urandom

        id = urandom(16).hex()
        before = self.check_call(tool, args, call_id=id)
        refuse(before)
        passed = before.payload if before.transforms else args
        try:
            result = function(**passed)
        except Exception:
            self.failed(tool, args, decision=before, call_id=id)
            raise
        after = self.check_result(tool, result, args=passed, call_id=id, reservation=before.reservation)
        refuse(after)
        return after.payload if after.transforms else result

    def _became(
        self, what: str, tool: str, args: Any, decision: Decision | None, call_id: str | None
    ) -> None:
        held = decision.reservation if decision is not None else ""
        self._ask(
            "outcome", {"call_id": call_id, "reservation": held or None}, tool=tool, args=args, outcome=what
        )

    def _ask(self, kind: str, more: Mapping[str, Any], **fields: Any) -> Decision:
        given = {name: value for name, value in more.items() if value is not None}
        return self.guard.decide({"type": kind, **self._around, **fields, **given})


class _Connection:
    """One socket, whose answers come in order."""

    def __init__(self, path: str, key: str | None, timeout: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._poll = poll()
        self._poll.register(self._socket, POLLIN)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise ServerUnavailable(f"the server at `unix:{path}` cannot be reached: {error}") from None
        if key is not None:
            _checked(read_json(self.ask(write_json({"key": key}).encode()).decode()))

    @property
    def is_open(self) -> bool:
        """Whether the other side is still there: nothing is there to be read, not even the end."""
        return not self._poll.poll(0)

    def ask(self, request: bytes) -> bytes:
        self._socket.sendall(len(request).to_bytes(HEAD) + request)
        return self._read(int.from_bytes(self._read(HEAD)))

    def _read(self, length: int) -> bytes:
        data = self._socket.recv(length)
        if len(data) == length:
            return data
        parts = bytearray(data)
        while len(parts) < length:
            data = self._socket.recv(length - len(parts)) if data else b""
            if not data:
                raise ServerUnavailable("the connection was closed")
            parts += data
        return bytes(parts)

    def close(self) -> None:
        self._socket.close()


def _decided(answer: bytes) -> Decision:
    try:
        found = read_json(answer.decode())
    except (JsonError, UnicodeDecodeError):
        raise ServerUnavailable("the server's answer is not JSON") from None
    return decision_of(_checked(found))


def _checked(found: Any) -> dict[str, Any]:
    """An answer that is no problem."""
    error = found.get("error") if isinstance(found, dict) else {}
    if error is None:
        return found  # type: ignore[no-any-return]  # it is a dict, as was just seen
    message = str(error.get("message") or "the server's answer cannot be read")
    if error.get("code") == "malformed_event":
        raise EventError(message, error.get("at") or "")
    raise ServerUnavailable(f"{message} ({error.get('code', 'no decision')})")


async def _apart(check: Callable[[], Decision]) -> Decision:
    from asyncio import to_thread

    return await to_thread(check)
