"""Tool calls of every host in the same words, so that one policy fits all.

Takes the name and input of a host's call, and the folder that it happens in; gives the calls that it means:
`run_command {command}`, `read_file {path}`, `write_file {path, content}`, `edit_file {path, old, new}`,
`delete_file {path}`, `list_directory {path}`, `search_files {path, text}`, `fetch_url {url}`, `search_web {query}`,
`run_agent {prompt}`, `update_plan`, `ask_user`, ..., and `mcp.SERVER.TOOL` with the tool's own arguments. What is
not known is `other.NAME`, which no policy allows by accident.

Two things are put into the canonical form because a policy would not see them otherwise: paths are absolute (a host
resolves them from its folder, not from the policy's), and a command that runs elsewhere than in the project's
root, or in the background, says so in its own text.
"""

from __future__ import annotations

import os

from guardrails.integrations.contract import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PATHS = ("path",)
"""Canonical arguments that are files or folders."""

WILD = "*?[{"


class Tool:
    """How a host's tool is called in the common words: `fields` are canonical argument -> the host's names for
    it, `dropped` what the host passes beside it that no policy needs, `given` what stands where it says nothing
    (None: the folder of the call), `flags` fields that put a command into the background, with the values that do,
    and `folders` fields that say where a command runs."""

    __slots__ = ("dropped", "fields", "flags", "folders", "given", "name")

    def __init__(
        self,
        name: str,
        fields: Mapping[str, tuple[str, ...]] | None = None,
        dropped: str = "",
        *,
        given: Mapping[str, Any] | None = None,
        flags: Mapping[str, tuple[Any, ...]] | None = None,
        folders: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.fields = fields or {}
        self.dropped = frozenset(dropped.split())
        self.given = given or {}
        self.flags = flags or {}
        self.folders = folders


def canonical(tool: Tool, host: Mapping[str, Any], folder: str, root: str) -> Call:
    """The call in common words. Fields that nobody knows stay as they are, for a policy to refuse."""
    args: dict[str, Any] = dict(tool.given)
    keys: dict[str, str] = {}
    used: set[str] = {*tool.dropped, *tool.flags, *tool.folders}
    for name, names in tool.fields.items():
        present = [each for each in names if each in host]
        used.update(present)
        if present:
            args[name], keys[name] = host[present[0]], present[0]
        if len(present) > 1:
            return Call(f"other.{tool.name}", dict(host))
    args |= {name: value for name, value in host.items() if name not in used}
    for name in PATHS:
        if name in tool.fields:
            args[name] = located(args.get(name), folder)
    if tool.name == "run_command":
        _place(args, keys, _where(tool, host, folder), root)
        if any(host.get(flag) in values for flag, values in tool.flags.items()):
            _send_back(args, keys)
    return Call(tool.name, args, keys)


def located(path: Any, folder: str) -> Any:
    """A path as the host means it: from its folder, with the user's home written out."""
    if path is None:
        return folder
    if path.__class__ is not str:
        return path
    if path == "~" or path.startswith("~/"):
        path = os.path.expanduser(path)
    return path if os.path.isabs(path) else os.path.join(folder, path)


def _where(tool: Tool, host: Mapping[str, Any], folder: str) -> Any:
    named = [host[name] for name in tool.folders if host.get(name)]
    return located(named[0], folder) if named else folder


def _place(args: dict[str, Any], keys: dict[str, str], where: Any, root: str) -> None:
    """A command that does not run in the root says where it does."""
    command = args.get("command")
    if command.__class__ is not str or os.path.realpath(str(where)) == os.path.realpath(root):
        return
    from shlex import quote

    args["command"] = f"cd {quote(str(where))} && {command}"
    keys.pop("command", None)


def _send_back(args: dict[str, Any], keys: dict[str, str]) -> None:
    """A command that is left running says so."""
    command = args.get("command")
    if command.__class__ is str:
        args["command"] = f"({command}\n) &"
        keys.pop("command", None)


def globbed(host: Mapping[str, Any], call: Call) -> Call:
    """A search by file name: where the name leads elsewhere, it is a search there, or an unknown call."""
    pattern = call.args.get("text")
    if pattern.__class__ is not str:
        return Call("other.glob", dict(host))
    fixed = pattern[: min((pattern.find(sign) for sign in WILD if sign in pattern), default=len(pattern))]
    if ".." in pattern[len(fixed) :] or fixed.startswith("~"):
        return Call("other.glob", dict(host))
    lead = fixed.rpartition("/")[0] + ("/" if fixed.startswith("/") else "")
    return Call("search_files", {**call.args, "path": os.path.join(call.args["path"], lead)})


def of_server(server: str, tool: str, host: Any) -> Call:
    """A call of an MCP server's tool."""
    args = dict(host) if host.__class__ is dict else {"input": host}
    return Call(f"mcp.{server}.{tool}", args, {name: name for name in args})


def unknown(tool: str, host: Any) -> Call:
    """A call of a tool that is not in any table."""
    args = dict(host) if host.__class__ is dict else {"input": host}
    return Call(f"other.{tool}", args, {name: name for name in args})
