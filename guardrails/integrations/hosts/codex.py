"""Codex CLI: hooks as commands (proved with 0.169.0).

It passes over whatever it does not understand, and then runs the tool: an unknown key, a refusal without a
reason, an `ask`, a code that is not 2. So a refusal is code 2 with a text, and nothing more is said than needed.
"""

from __future__ import annotations

from guardrails.integrations.contract import Call, Moment
from guardrails.integrations.tools import Tool, canonical, located, of_server, unknown
from guardrails.integrations.wire import (
    NOTHING,
    HookError,
    Reply,
    folder_of,
    object_field,
    optional_text,
    refused,
    some_text,
    text_field,
    told,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from guardrails.integrations.contract import Answer

NAME = "codex"
TITLE = "Codex CLI"

ABILITIES = {
    "input": frozenset({"refuse"}),
    "pre_tool": frozenset({"refuse", "change"}),
    "post_tool": frozenset({"replace"}),
    "output": frozenset({"retry"}),
}

EVENTS = {
    "SessionStart": "session_start", "UserPromptSubmit": "input", "PreToolUse": "pre_tool",
    "PostToolUse": "post_tool", "Stop": "output", "SubagentStop": "output",
}  # fmt: skip

TOOLS = {
    "Bash": Tool("run_command", {"command": ("command",)}),
    "view_image": Tool("read_file", {"path": ("path",)}, "detail"),
    "update_plan": Tool("update_plan"),
}


def read(event: Mapping[str, Any], root: str) -> Moment:
    """The moment of an event. Raises `HookError`."""
    name = text_field(event, "hook_event_name")
    session = text_field(event, "session_id")
    point = EVENTS.get(name)
    if point is None:
        raise HookError(f"guard has nothing to say to the event `{name[:80]}`; take its hook out")
    if point == "input":
        prompt = some_text(event, "prompt")
        return Moment(point, name, session, call_id=optional_text(event, "turn_id"), payload=prompt)
    if point == "output":
        said = optional_text(event, "last_assistant_message") or ""
        return Moment(point, name, session, payload=said, last=event.get("stop_hook_active") is True)
    if point == "session_start":
        return Moment(point, name, session)
    if point == "post_tool" and "tool_response" not in event:
        raise HookError("the host's event has no `tool_response`")
    host = object_field(event, "tool_input")
    return Moment(
        point, name, session,
        call_id=optional_text(event, "tool_use_id"),
        calls=calls_of(text_field(event, "tool_name"), host, folder_of(event, root), root),
        payload=event.get("tool_response"),
        host_input=host,
    )  # fmt: skip


def calls_of(name: str, host: dict[str, Any], folder: str, root: str) -> tuple[Call, ...]:
    """The calls that a call of the host means."""
    if name.startswith("mcp__"):
        server, mark, tool = name.removeprefix("mcp__").partition("__")
        return (of_server(server, tool, host) if mark and server and tool else unknown(name, host),)
    if name == "apply_patch":
        return _patch(host, folder)
    return (canonical(TOOLS[name], host, folder, root) if name in TOOLS else unknown(name, host),)


def _patch(host: dict[str, Any], folder: str) -> tuple[Call, ...]:
    from guardrails.integrations.patches import PatchError, patched

    text = host.get("command")
    try:
        found = patched(text) if text.__class__ is str and host.keys() == {"command"} else ()
    except PatchError:
        found = ()
    placed = [Call(tool, {**args, "path": located(args["path"], folder)}) for tool, args in found]
    return tuple(placed) or (unknown("apply_patch", host),)


def write(moment: Moment, answer: Answer) -> Reply:
    """The reply that Codex understands."""
    if answer.form == "go":
        return NOTHING
    if answer.form == "change":
        return told({"hookSpecificOutput": {
            "hookEventName": moment.event, "permissionDecision": "allow", "updatedInput": answer.value
        }})  # fmt: skip
    if moment.point == "pre_tool":
        return refused(answer.reason)
    if (moment.point, answer.form) == ("output", "seal"):
        return NOTHING  # it was said, the session is sealed, and a refusal would send the model back for ever
    return told({"decision": "block", "reason": answer.reason.strip() or "Blocked by policy."})


def broken(reason: str) -> Reply:
    """The reply when nothing else can be said."""
    return refused(reason)
