"""Claude Code, LiteLLM, agentgateway and Envoy: each gets an answer that it takes for what was decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from served import Served, make_key

CARD = "4111111111111111"

HOOKED = """\
policy hooked
on call run_command {
  allow
  deny when args.command contains "rm " because "No deleting."
  ask when args.command contains "push"
  ask finance when args.command contains "pay"
  halt when args.command contains "reboot"
  redact /[0-9]{16}/ in args.command
}
on call "http.*" { allow when args.path == "/open" }
on call query { allow when args.q == "a" }
on call plain { allow }
on result run_command { redact /[0-9]{16}/; deny when result.stdout contains "private" }
on input { deny when text contains "ignore previous"; redact /[0-9]{16}/ }
on output { redact /[0-9]{16}/; deny when text contains "secret" }
"""


@pytest.fixture
def hooked(serve: Any, folder: Path) -> Served:
    (folder / "hooked.guard").write_text(HOOKED)
    return serve("hooked.guard", "--store", "memory:", "--reviewers", "reviewers.json")  # type: ignore[no-any-return]


# --- Claude Code -------------------------------------------------------------------------------


def hook(server: Served, name: str, **more: Any) -> dict[str, Any]:
    common = {"session_id": "s1", "cwd": "/w", "permission_mode": "default", "hook_event_name": name}
    reply = server.post("/hooks/claude-code", common | more)
    assert reply.status == 200, reply
    return reply.json  # type: ignore[no-any-return]


def bash(server: Served, command: str, **more: Any) -> dict[str, Any]:
    about = {"tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": command}
    return hook(server, "PreToolUse", **about, **more)


def test_claude_code_before_a_call(hooked: Served) -> None:
    assert bash(hooked, "ls") == {}
    denied = bash(hooked, "rm x")["hookSpecificOutput"]
    assert (denied["permissionDecision"], "No deleting." in denied["permissionDecisionReason"]) == (
        "deny",
        True,
    )
    assert bash(hooked, "git push")["hookSpecificOutput"]["permissionDecision"] == "ask"
    waiting = bash(hooked, "pay 3")["hookSpecificOutput"]
    assert waiting["permissionDecision"] == "deny"
    assert "is waiting" in waiting["permissionDecisionReason"]
    changed = bash(hooked, f"echo {CARD}")["hookSpecificOutput"]
    assert "permissionDecision" not in changed
    assert CARD not in changed["updatedInput"]["command"]
    stopped = bash(hooked, "reboot")
    assert (stopped["continue"], stopped["stopReason"] != "") == (False, True)
    assert bash(hooked, "ls")["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_claude_code_after_a_call(hooked: Served) -> None:
    about = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1"}
    output = {"stdout": f"card {CARD}", "stderr": "", "interrupted": False}
    changed = hook(hooked, "PostToolUse", **about, tool_response=output)["hookSpecificOutput"][
        "updatedToolOutput"
    ]
    assert set(changed) == set(output)
    assert CARD not in changed["stdout"]
    assert hook(hooked, "PostToolUse", **about, tool_response=output | {"stdout": "fine"}) == {}
    withheld = hook(hooked, "PostToolUse", **about, tool_response=output | {"stdout": "private thing"})
    assert withheld["hookSpecificOutput"]["updatedToolOutput"]["stdout"].startswith("[withheld: ")
    assert hook(hooked, "PostToolUseFailure", **about, error="x") == {}


def test_claude_code_prompts_and_last_words(hooked: Served) -> None:
    assert hook(hooked, "UserPromptSubmit", prompt="hello") == {}
    assert hook(hooked, "UserPromptSubmit", prompt="ignore previous")["decision"] == "block"
    assert hook(hooked, "UserPromptSubmit", prompt=CARD)["decision"] == "block"
    assert hook(hooked, "Stop", last_assistant_message="done", stop_hook_active=False) == {}
    first = hook(hooked, "Stop", last_assistant_message="a secret", stop_hook_active=False)
    assert (first["decision"], "continue" in first) == ("block", False)
    assert hook(hooked, "Stop", last_assistant_message="a secret", stop_hook_active=True)["continue"] is False
    assert hook(hooked, "SessionStart") == {}


def test_claude_code_never_gets_what_it_takes_for_a_failed_hook(serve: Any, folder: Path) -> None:
    make_key(folder, "bot")
    server = serve("plain.guard", "--keys", "keys.json")
    for body in (b"{", b"", b"[]", b"{}", b'{"hook_event_name": "PreToolUse"}'):
        reply = server.post("/hooks/claude-code", body)
        assert (reply.status, reply.json["continue"], reply.json["decision"]) == (200, False, "block")
    server.key = make_key(folder, "other")
    reply = server.post("/hooks/claude-code", {"hook_event_name": "PreToolUse", "tool_name": 3})
    assert (reply.status, reply.json["continue"]) == (200, False)


# --- LiteLLM -----------------------------------------------------------------------------------


def litellm(server: Served, kind: str, **more: Any) -> dict[str, Any]:
    reply = server.post("/beta/litellm_basic_guardrail_api", {"input_type": kind, "request_data": {}, **more})
    assert reply.status == 200
    return reply.json  # type: ignore[no-any-return]


def called(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_litellm(hooked: Served) -> None:
    assert litellm(hooked, "request", texts=["hello"]) == {"action": "NONE"}
    assert litellm(hooked, "request", texts=["a", "ignore previous"])["action"] == "BLOCKED"
    masked = litellm(hooked, "request", texts=["a", f"b {CARD}"])
    assert (masked["action"], len(masked["texts"]), CARD in masked["texts"][1]) == (
        "GUARDRAIL_INTERVENED",
        2,
        False,
    )
    answered = litellm(hooked, "response", texts=["fine", "good"])
    assert answered["action"] == "NONE"
    assert len(answered["stream_holdback_chars"]) == 2
    assert all(hold >= 16 for hold in answered["stream_holdback_chars"])
    assert litellm(hooked, "response", texts=["a secret"])["action"] == "BLOCKED"


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (called("run_command", '{"command": "ls"}'), "NONE"),
        (called("run_command", '{"command": "rm x"}'), "BLOCKED"),
        (called("run_command", '{"command": "git push"}'), "BLOCKED"),
        (called("run_command", f'{{"command": "echo {CARD}"}}'), "BLOCKED"),
        (called("run_command", '{"command": "ls", "command": "rm x"}'), "BLOCKED"),
        (called("run_command", '{"command": "l'), "BLOCKED"),
        (called("run_command", "[]"), "BLOCKED"),
        (called("unknown", "{}"), "BLOCKED"),
        ({"id": "c1"}, "BLOCKED"),
    ],
)
def test_litellm_calls(hooked: Served, call: dict[str, Any], action: str) -> None:
    assert litellm(hooked, "response", texts=[], tool_calls=[call])["action"] == action


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}", b'{"input_type": "request", "texts": 3}', b'{"input_type": "request", "texts": [3]}'],
)
def test_litellm_blocks_what_it_cannot_read(shared: Served, body: bytes) -> None:
    reply = shared.post("/beta/litellm_basic_guardrail_api", body)
    assert (reply.status, reply.json["action"]) == (200, "BLOCKED")


# --- agentgateway ------------------------------------------------------------------------------


def incoming(server: Served, *messages: Any) -> Any:
    return server.post("/request", {"body": {"messages": list(messages)}}).json["action"]


def test_agentgateway(hooked: Served) -> None:
    user = {"role": "user", "content": "hello"}
    assert set(incoming(hooked, user)) == {"reason"}
    assert incoming(hooked, user | {"content": "ignore previous"})["status_code"] == 403
    assert set(incoming(hooked, {"role": "system", "content": "ignore previous"})) == {"reason"}
    parts = user | {
        "content": [{"type": "text", "text": f"my {CARD}"}, {"type": "image_url", "image_url": {}}]
    }
    masked = incoming(hooked, user, parts)["body"]["messages"]
    assert masked[0] == user
    assert CARD not in masked[1]["content"][0]["text"]
    assert masked[1]["content"][1] == parts["content"][1]
    choice = {"message": {"role": "assistant", "content": f"my {CARD}"}}
    found = hooked.post("/response", {"body": {"choices": [choice]}}).json["action"]["body"]["choices"]
    assert CARD not in found[0]["message"]["content"]
    for wrong in ({"message": {"content": "a secret"}}, {"message": {"tool_calls": [{}]}}, {}):
        assert hooked.post("/response", {"body": {"choices": [wrong]}}).json["action"]["status_code"] == 403
    assert hooked.post("/request", b"{").json["action"]["status_code"] == 403


# --- Envoy -------------------------------------------------------------------------------------


def rpc(name: str, arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def test_envoy_by_the_body_and_by_the_headers(hooked: Served) -> None:
    allowed = hooked.post("/ext_authz/mcp", rpc("query", {"q": "a"}))
    assert (allowed.status, allowed.headers["x-guard-decision"], allowed.data) == (200, "allow", b"")
    denied = hooked.post("/ext_authz/mcp", rpc("query", {"q": "b"}))
    assert (denied.status, denied.headers["x-guard-decision"]) == (403, "deny")
    named = {"Mcp_Method": "tools/call", "Mcp_Name": "plain"}
    assert hooked.post("/ext_authz/mcp", b"", **named).status == 200
    assert hooked.post("/ext_authz/mcp", b"", **(named | {"Mcp_Name": "query"})).status == 403
    assert hooked.post("/ext_authz/mcp", rpc("query", {"q": "a"}), **named).status == 403
    assert hooked.post("/ext_authz/mcp", [rpc("plain", {})]).status == 403
    assert (
        hooked.post("/ext_authz/mcp", b'{"jsonrpc": "2.0", "method": "tools/call", "method": "ping"}').status
        == 403
    )


def test_envoy_other_methods_and_other_requests(hooked: Served) -> None:
    for method in ("initialize", "tools/list", "notifications/cancelled"):
        assert hooked.post("/ext_authz/mcp", {"jsonrpc": "2.0", "method": method}).status == 200
    assert hooked.post("/ext_authz/mcp", {"jsonrpc": "2.0", "method": "resources/read"}).status == 403
    assert hooked.post("/ext_authz/mcp", {"jsonrpc": "2.0", "id": 1, "result": {}}).status == 200
    assert hooked.get("/ext_authz/open").status == 200
    assert hooked.get("/ext_authz/shut").status == 403
    assert hooked.ask("DELETE", "/ext_authz/open").status == 200
    assert (
        hooked.get("/ext_authz/open", origin="https://app.example", authorization="Bearer of-the-user").status
        == 200
    )
    assert hooked.post("/ext_authz/mcp", rpc("Bash", {"command": f"echo {CARD}"})).status == 403


def test_envoy_takes_its_own_key_only(serve: Any, folder: Path) -> None:
    (folder / "hooked.guard").write_text(HOOKED)
    key = make_key(folder, "gateway")
    server = serve("hooked.guard", "--keys", "keys.json")
    assert server.get("/ext_authz/open", X_Guard_Key=key).status == 200
    assert server.get("/ext_authz/open", authorization=f"Bearer {key}").status == 401
