"""GitHub Copilot CLI: hooks as commands (by its documentation; not run here).

A hook that fails is passed over, whatever its code; so every refusal is JSON and the code is always 0. It listens
to hooks before a tool and at the end of a turn only: what a text or a result may not hold ends the session here.
"""

from __future__ import annotations

from guardrails.integrations.contract import Call, Moment
from guardrails.integrations.tools import Tool, canonical, globbed, unknown
from guardrails.integrations.wire import (
    NOTHING,
    HookError,
    Reply,
    folder_of,
    object_field,
    optional_text,
    some_text,
    text_field,
    told,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from guardrails.integrations.contract import Answer

NAME = "copilot"
TITLE = "GitHub Copilot CLI"

ABILITIES = {
    "input": frozenset[str](),
    "pre_tool": frozenset({"refuse", "change", "ask"}),
    "post_tool": frozenset[str](),
}

EVENTS = {
    "SessionStart": "session_start", "UserPromptSubmit": "input", "PreToolUse": "pre_tool",
    "PostToolUse": "post_tool", "PostToolUseFailure": "post_tool", "SessionEnd": "session_end",
}  # fmt: skip
"""The names under which it tells which event it is, and names its fields as other hosts do."""

PATTERN = {"path": ("path",), "text": ("pattern",)}

TOOLS = {
    "bash": Tool(
        "run_command", {"command": ("command",)}, "description sessionId timeout initial_wait",
        flags={"mode": ("async", "detached"), "detach": (True,), "async": (True,)},
    ),
    "view": Tool("read_file", {"path": ("path",)}, "view_range forceReadLargeFiles"),
    "create": Tool("write_file", {"path": ("path",), "content": ("file_text",)}),
    "edit": Tool("edit_file", {"path": ("path",), "old": ("old_str",), "new": ("new_str",)}),
    "grep": Tool("search_files", PATTERN, "glob type output_mode head_limit multiline -A -B -C -i -n"),
    "glob": Tool("search_files", PATTERN),
    "web_fetch": Tool("fetch_url", {"url": ("url",)}, "max_length start_index raw"),
    "task": Tool("run_agent", {"prompt": ("prompt",)}, "description agent_type model name mode"),
    "ask_user": Tool("ask_user"),
    "update_todo": Tool("update_plan"), "report_intent": Tool("update_plan"),
}  # fmt: skip


def read(event: Mapping[str, Any], root: str) -> Moment:
    """The moment of an event. Raises `HookError`."""
    name = text_field(event, "hook_event_name")
    session = text_field(event, "session_id")
    point = EVENTS.get(name)
    if point is None:
        raise HookError(f"guard has nothing to say to the event `{name[:80]}`; take its hook out")
    if point == "input":
        return Moment(point, name, session, payload=some_text(event, "prompt"))
    if point not in ("pre_tool", "post_tool"):
        return Moment(point, name, session)
    host = object_field(event, "tool_input")
    return Moment(
        point, name, session,
        call_id=optional_text(event, "tool_use_id"),
        calls=(_call(text_field(event, "tool_name"), host, folder_of(event, root), root),),
        payload=_result(event, name) if point == "post_tool" else None,
        host_input=host,
        failed=name == "PostToolUseFailure",
    )  # fmt: skip


def _result(event: Mapping[str, Any], name: str) -> Any:
    if name == "PostToolUseFailure":
        return None
    return some_text(object_field(event, "tool_result"), "text_result_for_llm")


def _call(name: str, host: dict[str, Any], folder: str, root: str) -> Call:
    if name not in TOOLS:
        return unknown(name, host)
    call = canonical(TOOLS[name], host, folder, root)
    return globbed(host, call) if name == "glob" and call.tool == "search_files" else call


def write(moment: Moment, answer: Answer) -> Reply:
    """The reply that Copilot understands."""
    if answer.form == "go" or moment.point != "pre_tool":
        return NOTHING
    if answer.form == "change":
        return told({"modifiedArgs": answer.value})
    decision = "ask" if answer.form == "ask" else "deny"
    said = _permission(decision, answer.reason)
    return told(said if answer.value is None else {**said, "modifiedArgs": answer.value})


def _permission(decision: str, reason: str) -> dict[str, Any]:
    return {
        "permissionDecision": decision,
        "permissionDecisionReason": reason.strip() or "Blocked by policy.",
    }


def broken(reason: str) -> Reply:
    """The reply when nothing else can be said."""
    return told(_permission("deny", reason))
