"""Installing: the configuration of each host, with guard's hooks in it.

Takes a host, a scope and the words of the command; gives the file and its new content. The one idea: guard's
entries are known by their command, so they can be put in, replaced and taken out, and everything else stays.

Where a host runs a tool whose hook failed, the command is wrapped for the shell, so that a program that is missing,
crashes or is killed is a refusal too; a host's own switch for that is set besides.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from guardrails.errors import GuardError

SECONDS = 15
"""How long a host waits for a hook; longer than the hook itself takes (see `--timeout` of `guard hook`)."""

SAYS = "guard did not answer, so this is blocked; run `guard doctor`"

Settings = dict[str, Any]


class InstallError(GuardError):
    """A host's configuration cannot be changed."""


class Plan(NamedTuple):
    """How a host is configured: where per scope (from the project's folder, or the user's home), for which
    events, and what an entry for an event and a command looks like."""

    files: dict[str, str]
    events: tuple[str, ...]
    entry: Callable[[str, str], Settings]
    nested: bool
    head: Settings
    notes: tuple[str, ...]


def closed(words: Sequence[str], event: str) -> str:
    """The shell's line for a command, closed when the command fails."""
    line = shlex.join(words)
    if event in ("Stop", "SubagentStop", "AfterAgent"):  # a refusal there sends the model back, for ever
        said = shlex.quote('{"continue": false, "stopReason": "' + SAYS + '"}')
        return f"{line} || echo {said}"
    return f"{line} || {{ [ $? -eq 2 ] || echo {shlex.quote(SAYS)} >&2; exit 2; }}"


def _claude(event: str, command: str) -> Settings:
    hook = {"type": "command", "command": command, "timeout": SECONDS, "onFailure": "block"}
    return {"matcher": "*", "hooks": [hook]} if "Tool" in event else {"hooks": [hook]}


def _codex(event: str, command: str) -> Settings:
    hook = {"type": "command", "command": command, "timeout": SECONDS}
    return {"matcher": "*", "hooks": [hook]} if "Tool" in event else {"hooks": [hook]}


def _gemini(event: str, command: str) -> Settings:
    hook = {"type": "command", "name": "guard", "command": command, "timeout": SECONDS * 1000}
    return {"matcher": "*", "hooks": [hook]}


def _cursor(event: str, command: str) -> Settings:
    return {"command": command, "timeout": SECONDS, "failClosed": True}


def _copilot(event: str, command: str) -> Settings:
    said = shlex.quote('{"permissionDecision": "deny", "permissionDecisionReason": "' + SAYS + '"}')
    plain = command.split(" || ")[0]
    return {"type": "command", "bash": f"{plain} || echo {said}", "timeoutSec": SECONDS}


PLANS = {
    "claude-code": Plan(
        {"project": ".claude/settings.json", "user": ".claude/settings.json"},
        ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Stop"),
        _claude,
        nested=True,
        head={},
        notes=("Who may edit this file can take the hooks out; managed settings are out of their reach.",),
    ),
    "codex": Plan(
        {"project": ".codex/hooks.json", "user": ".codex/hooks.json"},
        ("UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"),
        _codex,
        nested=True,
        head={},
        notes=(
            "Codex passes over hooks that you have not trusted: start it once and review them with /hooks.",
            "Codex has no fail-closed switch: a hook that it has to kill after its time lets the call through.",
        ),
    ),
    "gemini": Plan(
        {"project": ".gemini/settings.json", "user": ".gemini/settings.json"},
        ("BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent"),
        _gemini,
        nested=True,
        head={},
        notes=(
            "Gemini CLI has no fail-closed switch: a hook that it has to kill after its time lets the call through.",
        ),
    ),
    "cursor": Plan(
        {"project": ".cursor/hooks.json", "user": ".cursor/hooks.json"},
        (
            "beforeSubmitPrompt",
            "preToolUse",
            "postToolUse",
            "postToolUseFailure",
            "afterAgentResponse",
        ),
        _cursor,
        nested=False,
        head={"version": 1},
        notes=("Cursor also runs the hooks of Claude Code's settings: keep guard in one of the two.",),
    ),
    "copilot": Plan(
        {"project": ".github/hooks/guard.json"},
        ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure"),
        _copilot,
        nested=False,
        head={"version": 1},
        notes=(
            "Copilot passes over a hook that fails or takes too long, and has no switch for that.",
            "Copilot listens to hooks before a tool only: what a result or text may not hold ends the session.",
        ),
    ),
}


def place(host: str, scope: str, project: str) -> str:
    """The file of a host's configuration. Raises `InstallError` for a scope that it does not have."""
    files = PLANS[host].files
    if scope not in files:
        raise InstallError(f"`{host}` has no hooks of a {scope}; use `--{next(iter(files))}`")
    if scope == "project":
        return os.path.join(project, files[scope])
    home, folder = os.path.expanduser("~"), files[scope]
    for name, start in (("CLAUDE_CONFIG_DIR", ".claude/"), ("CODEX_HOME", ".codex/")):
        if folder.startswith(start) and os.environ.get(name):
            return os.path.join(os.environ[name], folder.removeprefix(start))
    return os.path.join(os.environ.get("GEMINI_CLI_HOME") or home if host == "gemini" else home, folder)


def command_words(guard: str, host: str, more: Iterable[str]) -> list[str]:
    """The words of the hook's command."""
    return [guard, "hook", host, *more]


def installed(settings: Settings, host: str, words: Sequence[str]) -> Settings:
    """The settings with guard's hooks, and everything else as it was. Raises `InstallError`."""
    plan = PLANS[host]
    found = {**plan.head, **removed(settings, host)}
    hooks = dict(found.get("hooks", {}))
    for event in plan.events:
        hooks[event] = [*hooks.get(event, []), plan.entry(event, closed(words, event))]
    return {**found, "hooks": hooks}


def removed(settings: Settings, host: str) -> Settings:
    """The settings without guard's hooks. Raises `InstallError` where they are not what they should be."""
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict):
        raise InstallError("`hooks` is no object, so nothing can be added to it")
    left: Settings = {}
    for event, entries in hooks.items():
        if not isinstance(entries, list):
            left[event] = entries
            continue
        kept = [rest for entry in entries if (rest := _without(entry, host)) is not None]
        if kept or not entries:
            left[event] = kept
    bare = {name: value for name, value in settings.items() if name != "hooks"}
    if not left and not (bare.keys() - PLANS[host].head.keys()):
        return {}
    return {name: left if name == "hooks" else settings[name] for name in settings if name != "hooks" or left}


def _without(entry: Any, host: str) -> Any:
    """An entry without guard's commands; None where nothing is left of it."""
    if not isinstance(entry, dict):
        return entry
    inner = entry.get("hooks")
    if isinstance(inner, list):
        kept = [hook for hook in inner if not is_ours(hook, host)]
        return entry if len(kept) == len(inner) else {**entry, "hooks": kept} if kept else None
    return None if is_ours(entry, host) else entry


def is_ours(hook: Any, host: str) -> bool:
    """Whether a hook runs `guard hook` for this host."""
    return host in hosts_of(command_of(hook))


def command_of(hook: Any) -> str:
    """The command line of a hook; empty where it has none."""
    if not isinstance(hook, dict):
        return ""
    line = hook.get("command", hook.get("bash", ""))
    args = hook.get("args")
    if isinstance(line, str) and isinstance(args, list) and all(isinstance(word, str) for word in args):
        return shlex.join([line, *args])
    return line if isinstance(line, str) else ""


def hosts_of(line: str) -> set[str]:
    """The hosts for which a command line runs `guard hook`."""
    try:
        words = shlex.split(line)
    except ValueError:
        return set()
    return {
        words[number + 2]
        for number, word in enumerate(words[:-2])
        if os.path.basename(word).removesuffix(".exe") == "guard" and words[number + 1] == "hook"
    }
