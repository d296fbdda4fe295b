"""What hosts write to the standard input of a hook, as recorded: the canary of `guard doctor`.

Takes a host and a folder, gives the text of an event in which the host is about to call a tool that does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from guardrails.integrations.judging import CANARY

SESSION = "guard-doctor"

_CALL = {"tool_name": CANARY, "tool_input": {"probe": "guard doctor"}}
_PLAIN = {"session_id": SESSION, "transcript_path": "", "tool_use_id": "guard-doctor-1"}

EVENTS: dict[str, dict[str, Any]] = {
    "claude-code": {**_PLAIN, **_CALL, "hook_event_name": "PreToolUse", "permission_mode": "default"},
    "codex": {**_PLAIN, **_CALL, "hook_event_name": "PreToolUse", "turn_id": "1", "model": "none"},
    "gemini": {
        **_CALL, "session_id": SESSION, "transcript_path": "", "hook_event_name": "BeforeTool",
        "timestamp": "2026-01-01T00:00:00.000Z",
    },
    "cursor": {
        **_CALL, "conversation_id": SESSION, "generation_id": "1", "hook_event_name": "preToolUse",
        "tool_use_id": "guard-doctor-1", "model": "none", "cursor_version": "2.0.0", "user_email": None,
    },
    "copilot": {
        **_CALL, "session_id": SESSION, "hook_event_name": "PreToolUse", "timestamp": "2026-01-01T00:00:00.000Z"
    },
}  # fmt: skip
"""Host -> the canary's event, without the folder."""

CALLS = {
    "claude-code": "PreToolUse", "codex": "PreToolUse", "gemini": "BeforeTool", "cursor": "preToolUse",
    "copilot": "PreToolUse",
}  # fmt: skip
"""Host -> the event of its configuration that comes before a call."""


def canary(host: str, folder: str) -> str:
    """The text of the canary's event in a project."""
    event = EVENTS[host] | {"cwd": folder}
    if host == "cursor":
        event["workspace_roots"] = [folder]
    return json.dumps(event)


def is_refusal(host: str, out: str, err: str, code: int) -> bool:
    """Whether a host blocks a call after such a reply, by what was found out about it."""
    if code == 2 and host != "copilot":
        return bool(err.strip())
    if code != 0:
        return False
    try:
        said = json.loads(out or "{}")
    except ValueError:
        return False
    return isinstance(said, dict) and _REFUSALS[host](said)


def _specific(said: dict[str, Any]) -> bool:
    inner = said.get("hookSpecificOutput")
    return isinstance(inner, dict) and inner.get("permissionDecision") == "deny"


_REFUSALS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "claude-code": _specific,
    "codex": lambda said: False,
    "gemini": lambda said: said.get("decision") == "deny" and bool(said.get("reason")),
    "cursor": lambda said: said.get("permission") == "deny",
    "copilot": lambda said: (
        said.get("permissionDecision") == "deny" and bool(said.get("permissionDecisionReason"))
    ),
}
