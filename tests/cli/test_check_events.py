"""`guard check --events`: one decision a line, and no outcome for what is no event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import ANA, Command


def call(tool: str, **more: Any) -> str:
    return json.dumps({"type": "call", "tool": tool, "args": {}, **more})


def test_a_stream_gives_one_decision_a_line(guard: Command, tmp_path: Path) -> None:
    order = {"type": "result", "tool": "get_order", "result": {"card": 1}}
    (tmp_path / "e.jsonl").write_text(
        "\n".join([call("stop", call_id="c-1"), "", json.dumps(order), call("x")])
    )
    result = guard("check", "p.guard", "--events", "e.jsonl")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 0
    assert [(line["line"], line["outcome"]) for line in lines] == [(1, "halt"), (3, "allow"), (4, "deny")]
    assert lines[0]["call_id"] == "c-1"
    assert result.err == "3 events: 1 allow, 1 deny, 1 halt\n"


def test_a_malformed_line_has_no_outcome_and_does_not_stop_the_others(guard: Command) -> None:
    stream = b"\n".join(
        [b'{"type": "call",', call("stop").encode(), b"\xff", b'{"type": "call", "tool": 1, "args": {}}']
    )
    result = guard("check", "p.guard", "--events", "-", stdin=stream)
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 65
    assert [line.get("outcome") for line in lines] == [None, "halt", None, None]
    assert lines[0]["error"]["column"] == 17
    assert lines[3]["error"]["pointer"] == "/tool"
    assert "error: standard input:1:17: " in result.err
    assert "error: standard input:4: `tool` must be a string (at /tool)" in result.err
    assert result.err.endswith("1 event: 1 halt; 3 malformed\n")


def test_options_fill_in_what_events_leave_out(guard: Command) -> None:
    event = call("issue_refund", args={"customer_id": "c1", "amount": 4})
    result = guard("check", "p.guard", "--events", "-", "--principal", ANA, stdin=event)
    assert json.loads(result.out)["outcome"] == "allow"


@pytest.mark.parametrize(
    ("tools", "fail_on", "code"),
    [
        (["get", "stop"], "deny", 30),
        (["get"], "deny", 20),
        (["get"], "ask", 20),
        ([], "deny", 0),
    ],
)
def test_a_stream_can_fail_on_an_outcome(guard: Command, tools: list[str], fail_on: str, code: int) -> None:
    stream = "\n".join(call(tool) for tool in tools)
    assert guard("check", "p.guard", "--events", "-", "--fail-on", fail_on, stdin=stream).code == code


def test_an_ask_is_below_deny(guard: Command) -> None:
    stream = call("issue_refund", args={"customer_id": "c1", "amount": 400}, principal={"customers": ["c1"]})
    assert guard("check", "p.guard", "--events", "-", "--fail-on", "deny", stdin=stream).code == 0
    assert guard("check", "p.guard", "--events", "-", "--fail-on", "ask", stdin=stream).code == 10


def test_a_stream_as_text(guard: Command) -> None:
    stream = "\n".join([call("stop"), json.dumps({"type": "input", "text": "hi"}), "{"])
    result = guard("check", "p.guard", "--events", "-", "--format", "text", stdin=stream)
    assert [line.split(":")[:2] for line in result.out.splitlines()] == [
        ["1", " halt stop"], ["2", " allow input"], ["3", " malformed"],
    ]  # fmt: skip
