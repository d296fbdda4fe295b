"""Claude Code: hooks as commands (proved with 2.1.329 and 2.1.330).

It runs the tool when a hook ends with anything but 0 and 2 unless the hook says `onFailure: "block"`, and keeps
a result whose replacement does not have the shape of the original.
"""

from __future__ import annotations

from guardrails.integrations.contract import OWN, Call, Moment
from guardrails.integrations.tools import Tool, canonical, globbed, of_server, unknown
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

NAME = "claude-code"
TITLE = "Claude Code"

ABILITIES = {
    "input": frozenset({"refuse", "stop"}),
    "pre_tool": frozenset({"refuse", "change", "ask", "stop"}),
    "post_tool": frozenset({"change", "stop"}),
    "output": frozenset({"retry", "stop"}),
}

EVENTS = {
    "SessionStart": "session_start", "UserPromptSubmit": "input", "PreToolUse": "pre_tool",
    "PostToolUse": "post_tool", "PostToolUseFailure": "post_tool", "Stop": "output", "SubagentStop": "output",
    "SessionEnd": "session_end",
}  # fmt: skip

PATTERN = {"path": ("path",), "text": ("pattern",)}
PLAN = Tool("update_plan")

TOOLS = {
    "Bash": Tool(
        "run_command", {"command": ("command",)}, "description timeout", flags={"run_in_background": (True,)}
    ),
    "Read": Tool("read_file", {"path": ("file_path",)}, "offset limit pages"),
    "Write": Tool("write_file", {"path": ("file_path",), "content": ("content",)}),
    "Edit": Tool(
        "edit_file",
        {"path": ("file_path",), "old": ("old_string",), "new": ("new_string",)},
        "replace_all",
    ),
    "NotebookEdit": Tool(
        "edit_file", {"path": ("notebook_path",), "new": ("new_source",)}, "cell_id cell_type edit_mode",
        given={"old": ""},
    ),
    "Grep": Tool(
        "search_files", PATTERN, "glob type output_mode head_limit offset multiline -A -B -C -i -n -o context"
    ),
    "Glob": Tool("search_files", PATTERN),
    "LS": Tool("list_directory", {"path": ("path",)}, "ignore"),
    "WebFetch": Tool("fetch_url", {"url": ("url",)}, "prompt"),
    "WebSearch": Tool("search_web", {"query": ("query",)}, "allowed_domains blocked_domains"),
    "Task": Tool("run_agent", {"prompt": ("prompt",)}, "description subagent_type model"),
    "Agent": Tool("run_agent", {"prompt": ("prompt",)}, "description subagent_type model"),
    "AskUserQuestion": Tool("ask_user"),
    "TodoWrite": PLAN, "TaskCreate": PLAN, "TaskUpdate": PLAN, "TaskGet": PLAN, "TaskList": PLAN,
    "EnterPlanMode": PLAN, "ExitPlanMode": PLAN,
}  # fmt: skip

MIME_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"}
)
KEPT = {
    "type": frozenset(
        {
            "text", "image", "audio", "resource", "resource_link", "document", "base64", "pdf", "notebook", "parts",
            "file", "create", "update", "delete", "file_unchanged", "completed", "async_launched",
        }
    ),
    "mode": frozenset({"content", "files_with_matches", "count"}),
    "status": frozenset({"completed", "async_launched", "running", "pending", "in_progress"}),
    "mimeType": MIME_TYPES, "media_type": MIME_TYPES, "filePath": frozenset({OWN}),
}  # fmt: skip
"""Words that say of what kind a result is; it is dropped when they are not what they were."""


def read(event: Mapping[str, Any], root: str) -> Moment:
    """The moment of an event. Raises `HookError`."""
    name = text_field(event, "hook_event_name")
    session = text_field(event, "session_id")
    point = EVENTS.get(name)
    if point is None:
        raise HookError(f"guard has nothing to say to the event `{name[:80]}`; take its hook out")
    if point == "input":
        prompt = some_text(event, "prompt")
        return Moment(point, name, session, call_id=optional_text(event, "prompt_id"), payload=prompt)
    if point == "output":
        said = optional_text(event, "last_assistant_message") or ""
        return Moment(point, name, session, payload=said, last=event.get("stop_hook_active") is True)
    if point not in ("pre_tool", "post_tool"):
        return Moment(point, name, session)
    host = object_field(event, "tool_input")
    return Moment(
        point, name, session,
        call_id=optional_text(event, "tool_use_id"),
        calls=calls_of(text_field(event, "tool_name"), host, folder_of(event, root), root),
        payload=_result(event, name, point),
        host_input=host,
        failed=name == "PostToolUseFailure",
        kept=KEPT,
    )  # fmt: skip


def _result(event: Mapping[str, Any], name: str, point: str) -> Any:
    if point == "pre_tool" or name == "PostToolUseFailure":
        return None
    if "tool_response" not in event:
        raise HookError("the host's event has no `tool_response`")
    return event["tool_response"]


def calls_of(name: str, host: dict[str, Any], folder: str, root: str) -> tuple[Call, ...]:
    """The calls that a call of the host means."""
    if name.startswith("mcp__"):
        server, mark, tool = name.removeprefix("mcp__").partition("__")
        return (of_server(server, tool, host) if mark and server and tool else unknown(name, host),)
    if name == "MultiEdit":
        return _edits(host, folder, root)
    if name not in TOOLS:
        return (unknown(name, host),)
    call = canonical(TOOLS[name], host, folder, root)
    return (globbed(host, call) if name == "Glob" and call.tool == "search_files" else call,)


def _edits(host: dict[str, Any], folder: str, root: str) -> tuple[Call, ...]:
    edits = host.get("edits")
    if edits.__class__ is not list or not edits or any(edit.__class__ is not dict for edit in edits):
        return (unknown("MultiEdit", host),)
    found = [
        canonical(TOOLS["Edit"], {"file_path": host.get("file_path"), **edit}, folder, root) for edit in edits
    ]
    return tuple([Call(call.tool, call.args) for call in found])


def write(moment: Moment, answer: Answer) -> Reply:
    """The reply that Claude Code understands."""
    if answer.form == "go":
        return NOTHING
    if answer.form == "stop":
        stopped: dict[str, Any] = {"continue": False, "stopReason": answer.reason}
        if moment.point == "pre_tool":  # without it the call runs, and the run ends after it
            refused = {"permissionDecision": "deny", "permissionDecisionReason": answer.reason}
            stopped["hookSpecificOutput"] = _specific(moment, **refused)
        if moment.point == "post_tool":
            stopped["hookSpecificOutput"] = _specific(moment, updatedToolOutput=answer.value)
        return told(stopped)
    if moment.point == "pre_tool":
        return told({"hookSpecificOutput": _permission(moment, answer)})
    if moment.point == "post_tool":
        return told({"hookSpecificOutput": _specific(moment, updatedToolOutput=answer.value)})
    return told({"decision": "block", "reason": answer.reason})


def _permission(moment: Moment, answer: Answer) -> dict[str, Any]:
    """What becomes of a call. Changed arguments go without a permission, so that the host's own rules still
    hold for the call."""
    if answer.form == "change":
        return _specific(moment, updatedInput=answer.value)
    decision = "ask" if answer.form == "ask" else "deny"
    said = _specific(moment, permissionDecision=decision, permissionDecisionReason=answer.reason)
    return said if answer.value is None else {**said, "updatedInput": answer.value}


def _specific(moment: Moment, **fields: Any) -> dict[str, Any]:
    return {"hookEventName": moment.event, **fields}


def broken(reason: str) -> Reply:
    """The reply when nothing else can be said."""
    return refused(reason)
