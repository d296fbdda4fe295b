"""`guard doctor` finds what is wrong, and says nothing is where nothing is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hook_runs import Guard

from guardrails.integrations.hosts import HOSTS
from guardrails.integrations.installing import place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="hooks run in a POSIX shell here")


def findings(guard: Guard, host: str) -> list[dict[str, Any]]:
    said = guard("doctor", host, "--format", "json")
    found: list[dict[str, Any]] = json.loads(said.out)
    has_problem = any(finding["level"] == "problem" for finding in found)
    assert said.code == (1 if has_problem or not found else 0)
    return found


def told(found: list[dict[str, Any]], level: str) -> str:
    return "\n".join(finding["text"] for finding in found if finding["level"] == level)


def changed(guard: Guard, host: str, old: str, new: str) -> None:
    path = Path(place(host, "project", str(guard.folder)))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def trusting(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Guard:
    """Codex trusts the hooks of the project, and no host's program is there."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    folder = guard.folder / "home/.codex"
    folder.mkdir(parents=True)
    key = f"{guard.folder}/.codex/hooks.json:pre_tool_use:0:0"
    (folder / "config.toml").write_text(f'[hooks.state."{key}"]\ntrusted_hash = "sha256:1"\n')
    return guard


@pytest.mark.parametrize("host", HOSTS)
def test_what_was_installed_is_proved(trusting: Guard, host: str) -> None:
    trusting("install", host, "team.guard", "--write")
    found = findings(trusting, host)
    assert told(found, "problem") == ""
    assert "a denied call is blocked" in told(found, "ok")
    assert "an event that cannot be read is blocked" in told(found, "ok")


def test_nothing_that_is_set_up_is_no_proof(guard: Guard) -> None:
    said = guard("doctor")
    assert said.code == 1
    assert "no coding agent is set up" in said.out


def test_the_text_names_hosts_and_help(guard: Guard) -> None:
    guard("install", "codex", "team.guard", "--write")
    said = guard("doctor")
    assert said.code == 1
    assert "Codex CLI\n" in said.out
    assert "PROBLEM  Codex has not been told to trust" in said.out
    assert "help: start `codex`" in said.out


def test_a_policy_that_is_gone_blocks_everything(guard: Guard) -> None:
    guard("install", "claude-code", "team.guard", "--write")
    (guard.folder / "team.guard").unlink()
    assert "every call is blocked" in told(findings(guard, "claude-code"), "problem")


def test_a_guard_that_is_gone_blocks_everything(guard: Guard) -> None:
    guard("install", "gemini", "team.guard", "--write")
    path = Path(place("gemini", "project", str(guard.folder)))
    path.write_text(path.read_text().replace("/guard hook", "/missing/guard hook"))
    assert "every call is blocked" in told(findings(guard, "gemini"), "problem")


@pytest.mark.parametrize("host", ["claude-code", "gemini"])
def test_a_hook_that_opens_when_it_fails_is_found(guard: Guard, host: str) -> None:
    guard("install", host, "team.guard", "--write")
    path = Path(place(host, "project", str(guard.folder)))
    settings = json.loads(path.read_text())
    for groups in settings["hooks"].values():
        hook = groups[0]["hooks"][0]
        hook["command"] = hook["command"].split(" || ")[0]
        hook.pop("onFailure", None)
    path.write_text(json.dumps(settings))
    assert "runs when guard is missing" in told(findings(guard, host), "problem")


def test_a_command_of_somebody_else_is_not_run(guard: Guard) -> None:
    guard("install", "claude-code", "team.guard", "--write")
    changed(guard, "claude-code", "|| {", "; touch was-run || {")
    assert "is not run here" in told(findings(guard, "claude-code"), "problem")
    assert not (guard.folder / "was-run").exists()


def test_a_guard_of_somebody_else_is_not_run(guard: Guard) -> None:
    other = guard.folder / "guard"
    other.write_text("#!/bin/sh\ntouch was-run\n")
    other.chmod(0o755)
    guard("install", "claude-code", "team.guard", "--write")
    path = guard.folder / ".claude/settings.json"
    settings = json.loads(path.read_text())
    for groups in settings["hooks"].values():
        groups[0]["hooks"][0]["command"] = f"{other} hook claude-code"
    path.write_text(json.dumps(settings))
    assert "is not run here" in told(findings(guard, "claude-code"), "problem")
    assert not (guard.folder / "was-run").exists()


def test_tools_that_no_hook_sees_are_found(guard: Guard) -> None:
    guard("install", "claude-code", "team.guard", "--write")
    changed(guard, "claude-code", '"matcher": "*"', '"matcher": "Bash"')
    (guard.folder / ".mcp.json").write_text('{"mcpServers": {"shop": {"command": "shop"}}}')
    problems = told(findings(guard, "claude-code"), "problem")
    assert "only `Bash` is seen" in problems
    assert "MCP server `shop`: no hook sees its tools" in problems


def test_servers_that_are_seen_are_named_as_policies_do(guard: Guard) -> None:
    guard("install", "claude-code", "team.guard", "--write")
    (guard.folder / ".mcp.json").write_text('{"mcpServers": {"shop": {"command": "shop"}}}')
    assert "`mcp.shop.*`" in told(findings(guard, "claude-code"), "note")


def test_hooks_that_are_missing_or_twice_there_are_found(guard: Guard) -> None:
    guard("install", "claude-code", "team.guard", "--write")
    guard("install", "claude-code", "team.guard", "--write", "--user")
    assert "guard runs 2 times at `PreToolUse`" in told(findings(guard, "claude-code"), "warning")
    guard("install", "claude-code", "--remove", "--write", "--user")
    path = guard.folder / ".claude/settings.json"
    settings = json.loads(path.read_text())
    del settings["hooks"]["PreToolUse"], settings["hooks"]["Stop"]
    path.write_text(json.dumps(settings))
    found = findings(guard, "claude-code")
    assert "no hook runs before a call" in told(found, "problem")
    assert "nothing is checked at `Stop`" in told(found, "warning")


def test_cursor_and_claude_code_together_are_found(guard: Guard) -> None:
    guard("install", "claude-code", "team.guard", "--write")
    guard("install", "cursor", "team.guard", "--write")
    said = guard("doctor", "--format", "json")
    assert "guard decides twice" in said.out


@pytest.mark.parametrize(
    ("host", "settings"),
    [("claude-code", {"disableAllHooks": True}), ("gemini", {"hooksConfig": {"enabled": False}})],
)
def test_hooks_that_are_turned_off_are_found(guard: Guard, host: str, settings: dict[str, Any]) -> None:
    path = Path(place(host, "project", str(guard.folder)))
    path.parent.mkdir()
    path.write_text(json.dumps(settings))
    guard("install", host, "team.guard", "--write")
    assert "off" in told(findings(guard, host), "problem")


def test_codex_turned_off_is_found(trusting: Guard) -> None:
    config = trusting.folder / "home/.codex/config.toml"
    config.write_text("[features]\nhooks = false\n" + config.read_text())
    trusting("install", "codex", "team.guard", "--write")
    assert "turns hooks off" in told(findings(trusting, "codex"), "problem")


def test_old_versions_are_found(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = guard.folder / "bin"
    programs.mkdir()
    (programs / "claude").write_text("#!/bin/sh\necho '2.0.9 (Claude Code)'\n")
    (programs / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    guard("install", "claude-code", "team.guard", "--write")
    assert "version 2.0.9 is older" in told(findings(guard, "claude-code"), "warning")


def test_a_file_that_cannot_be_read_is_a_problem(guard: Guard) -> None:
    path = guard.folder / ".cursor/hooks.json"
    path.parent.mkdir()
    path.write_text("{,}")
    assert "not plain JSON" in told(findings(guard, "cursor"), "problem")
