"""With an audit log and a store of its own, everything that passed is written down, and nothing that was redacted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway_peers import FakeServer, gateway, run, text

from guardrails import Guard
from guardrails.audit.errors import AuditError

POLICY = """
policy p
audit durable
on call "mcp.srv.do" { allow }
on call "mcp.srv.no" { deny because "Never." }
on result "mcp.srv.do" { redact /SECRET-[0-9]+/; label untrusted }
"""


def test_calls_and_results_are_in_the_log(tmp_path: Path) -> None:
    async def work() -> None:
        log = f"file://{tmp_path}/log"
        guard = Guard.from_text(POLICY, store=f"sqlite:///{tmp_path}/g.db", audit=log)

        async def do(_: Any) -> Any:
            token = srv.of("tools/call")[-1]["_meta"]["progressToken"]
            params = {"progressToken": token, "progress": 1, "message": "SECRET-1"}
            await srv.say({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            return text("SECRET-2")

        srv = FakeServer("srv", "old").offer("do", do).offer("no")
        _, peer = gateway("", srv, guard=guard, session="s1", principal={"id": "ana"})
        await peer.begin()
        assert "[REDACTED]" in str(await peer.call("do", {"a": 1}, _meta={"progressToken": 1}))
        assert peer.told("notifications/progress")[0]["message"] == "[REDACTED]"
        await peer.call("no", {})
        await peer.exchange.close()
        assert guard.audit is not None
        guard.audit.close()
        records = [json.loads(line) for part in guard.audit.home.parts() for line in part.lines]
        seen = [(each["point"], each["tool"], each["outcome"]) for each in records if "tool" in each]
        assert seen == [
            ("call", "mcp.srv.do", "allow"), ("result", "mcp.srv.do", "allow"), ("call", "mcp.srv.no", "deny"),
        ]  # fmt: skip
        assert {each["session"] for each in records if "tool" in each} == {"s1"}

    run(work())


def test_a_log_that_cannot_be_written_lets_nothing_through(tmp_path: Path, monkeypatch: Any) -> None:
    async def work() -> None:
        guard = Guard.from_text(POLICY, store="memory:", audit=f"file://{tmp_path}/log")
        srv = FakeServer("srv").offer("do", text("ran"))
        _, peer = gateway("", srv, guard=guard)
        await peer.begin()
        assert guard.audit is not None

        def fail(*_: Any, **__: Any) -> Any:
            raise AuditError("the disk is full")

        for way in ("record", "record_later"):
            monkeypatch.setattr(guard.audit, way, fail)
        result = await peer.call("do")
        assert result["isError"]
        assert srv.called("do") == []

    run(work())
