"""Gemini CLI: hooks as commands (proved with 0.61.0).

It runs the tool when a hook ends with anything but 0 and 2, and waits for ever for an answer to an `ask` where
nobody sits in front of it; so nothing is asked there.
"""

from __future__ import annotations

from guardrails.integrations.contract import Call, Moment
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

NAME = "gemini"
TITLE = "Gemini CLI"

ABILITIES = {
    "input": frozenset({"refuse", "stop"}),
    "pre_tool": frozenset({"refuse", "change", "stop"}),
    "post_tool": frozenset({"replace", "stop"}),
    "output": frozenset({"retry", "stop"}),
}

EVENTS = {
    "SessionStart": "session_start", "BeforeAgent": "input", "BeforeTool": "pre_tool", "AfterTool": "post_tool",
    "AfterAgent": "output", "SessionEnd": "session_end",
}  # fmt: skip

PATTERN = {"path": ("dir_path", "path"), "text": ("pattern",)}
SEARCH = Tool(
    "search_files", PATTERN, "include include_pattern exclude_pattern case_sensitive fixed_strings context before "
    "after no_ignore max_matches_per_file total_max_matches names_only",
)  # fmt: skip
PLAN = Tool("update_plan")

TOOLS = {
    "run_shell_command": Tool(
        "run_command", {"command": ("command",)}, "description delay_ms",
        flags={"is_background": (True,)}, folders=("dir_path", "directory"),
    ),
    "read_file": Tool("read_file", {"path": ("file_path", "absolute_path")}, "offset limit start_line end_line"),
    "write_file": Tool("write_file", {"path": ("file_path",), "content": ("content",)}),
    "replace": Tool(
        "edit_file", {"path": ("file_path",), "old": ("old_string",), "new": ("new_string",)},
        "instruction expected_replacements allow_multiple",
    ),
    "list_directory": Tool(
        "list_directory", {"path": ("dir_path", "path")}, "ignore respect_git_ignore file_filtering_options"
    ),
    "grep_search": SEARCH,
    "search_file_content": SEARCH,
    "glob": Tool("search_files", PATTERN, "case_sensitive respect_git_ignore respect_gemini_ignore"),
    "google_web_search": Tool("search_web", {"query": ("query",)}),
    "write_todos": PLAN, "enter_plan_mode": PLAN, "exit_plan_mode": PLAN, "ask_user": Tool("ask_user"),
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
    if point == "output":
        said = some_text(event, "prompt_response")
        return Moment(point, name, session, payload=said, last=event.get("stop_hook_active") is True)
    if point not in ("pre_tool", "post_tool"):
        return Moment(point, name, session)
    if point == "post_tool" and "tool_response" not in event:
        raise HookError("the host's event has no `tool_response`")
    host = object_field(event, "tool_input")
    return Moment(
        point, name, session,
        call_id=optional_text(event, "tool_use_id", "call_id"),
        calls=calls_of(event, host, root),
        payload=_result(event.get("tool_response")),
        host_input=host,
    )  # fmt: skip


def _result(response: Any) -> Any:
    """What the model is shown of a result; the copy for the screen says the same."""
    return response["llmContent"] if response.__class__ is dict and "llmContent" in response else response


def calls_of(event: Mapping[str, Any], host: dict[str, Any], root: str) -> tuple[Call, ...]:
    """The calls that a call of the host means."""
    name = text_field(event, "tool_name")
    server = event.get("mcp_context")
    if server.__class__ is dict or name.startswith("mcp_"):
        return (_of_server(name, server, host),)
    if name == "web_fetch":
        return _fetches(host)
    if name not in TOOLS:
        return (unknown(name, host),)
    call = canonical(TOOLS[name], host, folder_of(event, root), root)
    return (globbed(host, call) if name == "glob" and call.tool == "search_files" else call,)


def _of_server(name: str, context: Any, host: dict[str, Any]) -> Call:
    """A call of an MCP server: the host tells which one, else its name ends at the first `_`."""
    if context.__class__ is dict:
        server, tool = context.get("server_name"), context.get("tool_name")
        if server.__class__ is str and server and tool.__class__ is str and tool:
            return of_server(server, tool, host)
        return unknown(name, host)
    server, mark, tool = name.removeprefix("mcp_").partition("_")
    return of_server(server, tool, host) if mark and server and tool else unknown(name, host)


def _fetches(host: dict[str, Any]) -> tuple[Call, ...]:
    """The addresses that are fetched: they stand in a text, each at its own place."""
    if host.keys() == {"url"}:
        return (Call("fetch_url", dict(host), {"url": "url"}),)
    prompt = host.get("prompt")
    words = prompt.split() if prompt.__class__ is str and host.keys() == {"prompt"} else []
    found = [word for word in words if "://" in word]
    return tuple([Call("fetch_url", {"url": word}) for word in found]) or (unknown("web_fetch", host),)


def write(moment: Moment, answer: Answer) -> Reply:
    """The reply that Gemini CLI understands."""
    if answer.form == "go":
        return NOTHING
    if answer.form == "change":
        return told({"hookSpecificOutput": {"hookEventName": moment.event, "tool_input": answer.value}})
    if answer.form == "stop":
        return told(
            {"continue": False, "stopReason": answer.reason, "decision": "deny", "reason": answer.reason}
        )
    return told({"decision": "deny", "reason": answer.reason.strip() or "Blocked by policy."})


def broken(reason: str) -> Reply:
    """The reply when nothing else can be said."""
    return refused(reason)
