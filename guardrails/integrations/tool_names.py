"""The names that tools have in policies, against those of a host: for `guard lint --target HOST`.

Takes the texts of a policy and a coding agent, gives a warning for every tool that no call there goes by: a rule
for it holds for nothing. All calls of these agents come in the same words (see `tools`), beside the tools of MCP
servers and those that guard does not know, which may have any name; so the words are a closed list. The tools of
frameworks and gateways are whatever the application has, and nothing is said of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath

from guardrails.diagnostics import Diagnostic, Severity, did_you_mean, nearest_word
from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.language import syntax
from guardrails.language.parser import parse
from guardrails.language.schema import read_tools
from guardrails.language.tree import walk
from guardrails.patterns import compile_wildcard

RULE = "unknown-at-host"
CODE = "G245"
OPEN = ("mcp.", "other.")
"""How the names begin that may end in any way."""

BESIDE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "claude-code": {"MultiEdit": ("edit_file",)},
    "codex": {"apply_patch": ("write_file", "edit_file", "delete_file")},
    "gemini": {"web_fetch": ("fetch_url",)},
}
"""Host -> its tools that are not in its table because one call of them may mean several -> what they are called."""

SPELLED: Mapping[str, tuple[str, str]] = {
    "claude-code": ("mcp__", "__"), "codex": ("mcp__", "__"), "gemini": ("mcp_", "_"), "cursor": ("MCP:", ":"),
}  # fmt: skip
"""Host -> how its names of the tools of MCP servers begin, and what stands between server and tool."""

ANYTHING = "tools of MCP servers are `mcp.SERVER.TOOL`, and those that guard does not know `other.NAME`"


def uncalled(texts: Mapping[str, str], target: str) -> list[Diagnostic]:
    """A finding for each place where a policy names a tool that the target never calls by that name. What the
    policy's own tool files describe is there for another door, which is worth knowing and no mistake."""
    if target not in HOSTS:
        return []
    files = [file for file, _ in (parse(text, name) for name, text in texts.items()) if file]
    names, described = _Names(target), _described(files, texts)
    return [
        names.finding(pattern, "info" if _speaks_of(pattern, described) else "warning")
        for file in files
        for pattern in walk(file)
        if isinstance(pattern, syntax.ToolPattern) and not names.may_be_called(pattern)
    ]


def _described(files: Iterable[syntax.File], texts: Mapping[str, str]) -> frozenset[str]:
    """The tools of the tool files that a policy uses."""
    used = (item for file in files for item in file.items if isinstance(item, syntax.UseTools))
    paths = {PurePath(item.span.file).parent.joinpath(item.path).as_posix() for item in used}
    return frozenset(tool.name for path in paths & texts.keys() for tool in read_tools(texts[path], path)[0])


def _speaks_of(pattern: syntax.ToolPattern, names: Iterable[str]) -> bool:
    if not pattern.is_wildcard:
        return pattern.text in names
    return any(map(compile_wildcard(pattern.text), names))


class _Names:
    """What the tools of one host are called in policies. A word that only other hosts have a tool for is known as
    well: one policy is for all of them."""

    def __init__(self, target: str) -> None:
        host = host_named(target)
        self.title = host.TITLE
        self.spelled = SPELLED.get(target)
        self.own: dict[str, tuple[str, ...]] = {name: (tool.name,) for name, tool in host.TOOLS.items()}
        self.own |= BESIDE.get(target, {})
        self.words = frozenset(tool.name for each in HOSTS for tool in host_named(each).TOOLS.values())

    def may_be_called(self, pattern: syntax.ToolPattern) -> bool:
        head = pattern.text.partition("*")[0] if pattern.is_wildcard else pattern.text
        if any(head.startswith(begin) or (pattern.is_wildcard and begin.startswith(head)) for begin in OPEN):
            return True
        return _speaks_of(pattern, self.words)

    def finding(self, pattern: syntax.ToolPattern, severity: Severity) -> Diagnostic:
        message = f"no tool of {self.title} is called `{pattern.text}` in a policy"
        return Diagnostic(RULE, message, pattern.span, severity, self.help(pattern.text), code=CODE)

    def help(self, text: str) -> str:
        """What to write instead, as far as it can be told."""
        if text in self.own:
            return f"its `{text}` is {_either(self.own[text])}"
        if text.lower().startswith("mcp"):
            return self._help_of_server(text)
        nearest = nearest_word(text, [*self.words, *self.own])
        if nearest is None or nearest in self.words:
            return did_you_mean(text, self.words) or ANYTHING
        meant = _either(self.own[nearest])
        return f"did you mean {meant}? That is its `{nearest}`"

    def _help_of_server(self, text: str) -> str:
        """For a tool of an MCP server, in this host's spelling or in that of another. A host that names no servers
        has no tool by such a name either."""
        if self.spelled is None:
            return ANYTHING
        own = _served(text, *self.spelled)
        if own is not None:
            return f"its `{text}` is `{own}`"
        meant = next(filter(None, (_served(text, *spelling) for spelling in SPELLED.values())), None)
        return ANYTHING if meant is None else f"did you mean `{meant}`?"


def _served(text: str, begin: str, between: str) -> str | None:
    """What policies call a tool of a server that is spelled so; None where it cannot be told which is which."""
    if not text.startswith(begin):
        return None
    rest = text.removeprefix(begin)
    if rest == "*":
        return "mcp.*"
    cut = rest.rpartition if between == ":" else rest.partition
    server, _, tool = cut(between)
    is_open = between == "_" and (not server or "_" in tool)  # servers may have a `_` in their own name
    return None if is_open or not server or not tool else f"mcp.{server}.{tool}"


def _either(names: tuple[str, ...]) -> str:
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} or {last}" if most else last
