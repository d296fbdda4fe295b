"""Cursor: hooks as commands (by its documentation; not run here).

`preToolUse` tells of every tool; it can refuse and change, but not ask. The older events before a shell command,
an MCP call and a file that is read can ask (not for files). Results can be changed for MCP tools only.
"""

from __future__ import annotations

from guardrails.integrations.contract import Call, Moment
from guardrails.integrations.tools import Tool, canonical, globbed, of_server, unknown
from guardrails.integrations.wire import (
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

NAME = "cursor"
TITLE = "Cursor"

KEPT = {
    "type": frozenset({"text", "image", "audio", "resource", "resource_link"}),
    "mimeType": frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"}),
}
"""Words of an MCP server's result that say what its parts are."""

ABILITIES = {
    "input": frozenset({"refuse"}),
    "pre_tool": frozenset({"refuse", "change"}),
    "post_tool": frozenset[str](),
    "output": frozenset[str](),
    "pre_tool:beforeShellExecution": frozenset({"refuse", "ask"}),
    "pre_tool:beforeMCPExecution": frozenset({"refuse", "ask"}),
    "post_tool:MCP": frozenset({"change"}),
}
"""Point -> abilities; `point:event` where an event of that point has others."""

EVENTS = {
    "sessionStart": "session_start", "beforeSubmitPrompt": "input", "preToolUse": "pre_tool",
    "beforeShellExecution": "pre_tool", "beforeMCPExecution": "pre_tool", "beforeReadFile": "pre_tool",
    "postToolUse": "post_tool", "postToolUseFailure": "post_tool", "afterAgentResponse": "output",
    "sessionEnd": "session_end",
}  # fmt: skip

ALLOWED = {"permission": "allow"}
NO_OPINION: dict[str, dict[str, Any]] = {
    "beforeShellExecution": ALLOWED, "beforeMCPExecution": ALLOWED, "beforeReadFile": ALLOWED,
    "beforeSubmitPrompt": {"continue": True},
}  # fmt: skip
"""What is said where there is nothing to say: an answer that is no JSON is taken for a failure."""

FILE = ("file_path", "path", "target_file")
PATTERN = {"path": ("path", "target_directory"), "text": ("pattern", "glob_pattern")}
EDIT = Tool(
    "edit_file", {"path": FILE, "old": ("old_string",), "new": ("new_string",)}, "replace_all instructions"
)

TOOLS = {
    "Shell": Tool(
        "run_command", {"command": ("command",)}, "description timeout block_until_ms required_permissions",
        flags={"is_background": (True,)}, folders=("working_directory", "cwd"),
    ),
    "Read": Tool("read_file", {"path": FILE}, "offset limit"),
    "Write": Tool("write_file", {"path": FILE, "content": ("content", "contents")}),
    "Edit": EDIT, "StrReplace": EDIT,
    "Delete": Tool("delete_file", {"path": FILE}, "explanation"),
    "LS": Tool("list_directory", {"path": ("path", "target_directory")}, "ignore_globs"),
    "Grep": Tool("search_files", PATTERN, "glob type output_mode head_limit offset multiline -A -B -C -i"),
    "Glob": Tool("search_files", PATTERN),
    "WebFetch": Tool("fetch_url", {"url": ("url",)}),
    "WebSearch": Tool("search_web", {"query": ("query", "search_term")}, "explanation"),
    "Task": Tool("run_agent", {"prompt": ("prompt",)}, "description subagent_type model readonly"),
    "TodoWrite": Tool("update_plan"),
}  # fmt: skip


def read(event: Mapping[str, Any], root: str) -> Moment:
    """The moment of an event. Raises `HookError`."""
    name = text_field(event, "hook_event_name")
    session = text_field(event, "conversation_id", "session_id")
    point = EVENTS.get(name)
    if point is None:
        raise HookError(f"guard has nothing to say to the event `{name[:80]}`; take its hook out")
    if point == "input":
        prompt = some_text(event, "prompt")
        return Moment(point, name, session, call_id=optional_text(event, "generation_id"), payload=prompt)
    if point == "output":
        return Moment(point, name, session, payload=some_text(event, "text"), last=True)
    if point not in ("pre_tool", "post_tool"):
        return Moment(point, name, session)
    return _of_call(event, (point, name, session), root)


def _of_call(event: Mapping[str, Any], told_by: tuple[str, str, str], root: str) -> Moment:
    point, name, session = told_by
    folder = folder_of(event, root)
    calls, host = _calls(event, name, folder, root)
    is_result = name == "postToolUse"
    if is_result and "tool_output" not in event:
        raise HookError("the host's event has no `tool_output`")
    return Moment(
        point, "MCP" if is_result and calls[0].tool.startswith("mcp.") else name, session,
        call_id=optional_text(event, "tool_use_id"),
        calls=calls,
        payload=_output(event["tool_output"]) if is_result else None,
        host_input=host,
        failed=name == "postToolUseFailure",
        kept=KEPT,
    )  # fmt: skip


def _output(value: Any) -> Any:
    """A result; it comes as the text of JSON."""
    if value.__class__ is not str:
        return value
    from guardrails.errors import GuardError
    from guardrails.strict_json import read_json

    try:
        return read_json(value)
    except GuardError:
        return value


def _calls(
    event: Mapping[str, Any], name: str, folder: str, root: str
) -> tuple[tuple[Call, ...], dict[str, Any]]:
    if name == "beforeShellExecution":
        host = {"command": some_text(event, "command")}
        return (canonical(TOOLS["Shell"], host, folder, root),), host
    if name == "beforeReadFile":
        host = {"file_path": text_field(event, "file_path")}
        return (canonical(TOOLS["Read"], host, folder, root),), host
    host = object_field(event, "tool_input")
    tool = text_field(event, "tool_name")
    if name == "beforeMCPExecution" and not tool.startswith("MCP:"):
        tool = f"MCP:{tool}"
    return (_call(tool, host, folder, root),), host


def _call(name: str, host: dict[str, Any], folder: str, root: str) -> Call:
    if name.startswith("MCP:"):
        server, _, tool = name.removeprefix("MCP:").rpartition(":")
        return of_server(server or "unnamed", tool, host) if tool else unknown(name, host)
    if name not in TOOLS:
        return unknown(name, host)
    call = canonical(TOOLS[name], host, folder, root)
    return globbed(host, call) if name == "Glob" and call.tool == "search_files" else call


def write(moment: Moment, answer: Answer) -> Reply:
    """The reply that Cursor understands."""
    if answer.form == "go":
        return told(NO_OPINION.get(moment.event, {}))
    if moment.point == "output":
        return told({})
    if moment.point == "input":
        return told({"continue": False, "user_message": answer.reason})
    if moment.point == "post_tool":
        return told({"updated_mcp_tool_output": answer.value} if answer.form == "change" else {})
    if answer.form == "change":
        return told({"permission": "allow", "updated_input": answer.value})
    permission = "ask" if answer.form == "ask" else "deny"
    return told({"permission": permission, "user_message": answer.reason, "agent_message": answer.reason})


def broken(reason: str) -> Reply:
    """The reply when nothing else can be said."""
    return refused(reason)
