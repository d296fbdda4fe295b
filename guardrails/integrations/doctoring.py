"""The doctor: is a denied call blocked on this machine, and what does no hook see.

Takes a project; gives findings about every coding agent that is set up there or for the user. The one idea: the
command that the host would run is run as the host runs it, with what the host would write to it; what comes back
is judged by what the host was seen to do with such a reply.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from guardrails.integrations.hosts import host_named
from guardrails.integrations.installing import PLANS, InstallError, closed, command_of, is_ours, place
from guardrails.integrations.recorded import CALLS, canary, is_refusal
from guardrails.integrations.servers import servers_of
from guardrails.integrations.settings_files import read_settings

PROVED = {"claude-code": "2.1.329", "codex": "0.169.0", "gemini": "0.61.0"}
"""Host -> the oldest version that the hooks were tried with for real."""

PROGRAMS = {
    "claude-code": "claude",
    "codex": "codex",
    "gemini": "gemini",
    "cursor": "cursor-agent",
    "copilot": "copilot",
}

UNSEEN = {
    "claude-code": "files that are named with `@` in a prompt are read without a hook",
    "codex": "what a program does that was started and is written to later (`write_stdin`) is judged at its start only",
    "gemini": "files that are named with `@` in a prompt are read without a hook",
    "cursor": "completions of the editor (Tab) have hooks of their own, which guard does not set",
    "copilot": "results and texts cannot be changed, so what they may not hold ends the session",
}

SECONDS = 20


class Finding(NamedTuple):
    """`level` is `ok`, `note`, `warning` or `problem`; `help` says what to do about it."""

    host: str
    level: str
    text: str
    help: str = ""


class Hook(NamedTuple):
    """A hook of a host's configuration: where it stands, for which event, what it matches, and itself."""

    path: str
    event: str
    matcher: str
    entry: dict[str, Any]

    @property
    def line(self) -> str:
        return command_of(self.entry)


def examined(project: str, hosts: list[str]) -> list[Finding]:
    """All findings; of a host that is not set up there are none."""
    found: list[Finding] = []
    everything: dict[str, list[Hook]] = {}
    for host in hosts:
        try:
            everything[host] = list(hooks_of(host, project))
        except InstallError as error:
            found.append(Finding(host, "problem", str(error), "the host may pass over all hooks in it"))
            everything[host] = []
    for host in hosts:
        ours = [hook for hook in everything[host] if is_ours(hook.entry, host)]
        if ours:
            found += _findings(host, ours, project)
    return found + list(_across(everything))


def _findings(host: str, ours: list[Hook], project: str) -> Iterator[Finding]:
    yield from _proof(host, ours, project)
    yield from _gaps(host, ours)
    yield from _doubles(host, ours)
    yield from _switched_off(host, project)
    yield from _trust(host, ours)
    yield from _version(host)
    yield from _servers(host, ours, project)
    yield Finding(host, "note", UNSEEN[host])


# --- what is set up ----------------------------------------------------------------------------


def files_of(host: str, project: str) -> list[str]:
    """The files in which a host looks for hooks, that guard knows of."""
    files = [place(host, scope, project) for scope in PLANS[host].files]
    if host == "claude-code":
        files.append(os.path.join(project, ".claude/settings.local.json"))
    if host == "copilot":
        folder = os.path.join(project, ".github/hooks")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        files = [os.path.join(folder, name) for name in names if name.endswith(".json")]
    return list(dict.fromkeys(files))


def hooks_of(host: str, project: str) -> Iterator[Hook]:
    """The hooks of a host. Raises `InstallError` for a file that cannot be read."""
    for path in files_of(host, project):
        hooks = read_settings(path).get("hooks", {})
        for event, entries in hooks.items() if isinstance(hooks, dict) else ():
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, dict):
                    continue
                matcher = str(entry.get("matcher", ""))
                inner = entry.get("hooks")
                for hook in inner if isinstance(inner, list) else [entry]:
                    if isinstance(hook, dict):
                        yield Hook(path, event, matcher, hook)


# --- the proof ---------------------------------------------------------------------------------


def _proof(host: str, ours: list[Hook], project: str) -> Iterator[Finding]:
    calls = [hook for hook in ours if hook.event == CALLS[host]]
    if not calls:
        yield Finding(host, "problem", "no hook runs before a call", f"`guard install {host} POLICY --write`")
    for hook in {hook.line: hook for hook in calls}.values():
        if not is_written(host, hook):
            yield Finding(
                host,
                "problem",
                f"`{hook.path}`: the hook is more than guard, or another guard, so it is not run here: {hook.line}",
                f"`guard install {host} POLICY --write` writes one that can be tried",
            )
            continue
        yield _tried(host, hook, project)
        yield _tried_with_nonsense(host, hook, project)
        if not _is_closed(host, hook):
            yield Finding(
                host, "problem", f"`{hook.path}`: the call runs when guard is missing or crashes",
                f"`guard install {host} POLICY --write` writes a hook that is closed then",
            )  # fmt: skip


def is_written(host: str, hook: Hook) -> bool:
    """Whether a hook runs this guard and nothing else: a checkout of somebody else's may hold any command."""
    plain = hook.line.split(" || ")[0]
    words = shlex.split(plain)
    if shlex.join(words) != plain:
        return False
    entry = PLANS[host].entry(hook.event, closed(words, hook.event))
    wrapped = command_of(entry.get("hooks", [entry])[0])
    own = {os.path.realpath(path) for path in (sys.argv[0], shutil.which("guard"), beside()) if path}
    is_own = os.path.realpath(shutil.which(words[0]) or words[0]) in own or not os.path.exists(words[0])
    return is_own and hook.line in (plain, wrapped)


def beside() -> str:
    """The `guard` of this Python."""
    return os.path.join(os.path.dirname(sys.executable), "guard")


def _tried(host: str, hook: Hook, project: str) -> Finding:
    out, err, code = _run(hook.line, canary(host, project), project)
    said = " ".join((out + err).split())[:300]
    if not is_refusal(host, out, err, code):
        return Finding(host, "problem", f"a denied call RUNS: the hook ended with {code} and said `{said}`",
                       f"look at `{hook.path}`, and at what this says: {hook.line}")  # fmt: skip
    if "The canary of `guard doctor` is denied" not in out + err:
        return Finding(host, "problem", f"every call is blocked, because nothing can be decided: {said}",
                       f"run `guard hook {host}` by hand, with GUARD_DEBUG=1")  # fmt: skip
    return Finding(host, "ok", f"a denied call is blocked ({hook.path})")


def _tried_with_nonsense(host: str, hook: Hook, project: str) -> Finding:
    out, err, code = _run(hook.line, "{", project)
    if is_refusal(host, out, err, code):
        return Finding(host, "ok", "an event that cannot be read is blocked")
    return Finding(host, "problem", "an event that cannot be read is let through", f"look at `{hook.path}`")


def _run(line: str, text: str, project: str) -> tuple[str, str, int]:
    """What the host would see: the command runs in a shell, in the project."""
    environment = {**os.environ, "CLAUDE_PROJECT_DIR": project, "GEMINI_PROJECT_DIR": project}
    try:
        done = subprocess.run(
            line, shell=True, cwd=project, env=environment, input=text, capture_output=True, text=True,
            timeout=SECONDS, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"it took longer than {SECONDS} s", 124
    return done.stdout, done.stderr, done.returncode


def _is_closed(host: str, hook: Hook) -> bool:
    """Whether a program that is missing or crashes is a refusal."""
    if hook.entry.get("onFailure") == "block" or hook.entry.get("failClosed") is True:
        return True
    missing = hook.line.replace(hook.line.split()[0], os.path.join(os.sep, "nowhere", "guard"), 1)
    out, err, code = _run(missing, "{}", os.curdir)
    return sys.platform != "win32" and is_refusal(host, out, err, code)


# --- gaps --------------------------------------------------------------------------------------


def _gaps(host: str, ours: list[Hook]) -> Iterator[Finding]:
    for event in PLANS[host].events:
        hooks = [hook for hook in ours if hook.event == event]
        if not hooks and event != CALLS[host]:
            yield Finding(host, "warning", f"nothing is checked at `{event}`",
                          f"`guard install {host} POLICY --write` sets all hooks")  # fmt: skip
        narrow = [hook for hook in hooks if hook.matcher not in ("", "*", ".*")]
        if hooks and len(narrow) == len(hooks):
            seen = ", ".join(f"`{hook.matcher}`" for hook in narrow)
            yield Finding(host, "problem", f"at `{event}` only {seen} is seen, and all other tools are not",
                          "set the matcher to `*`")  # fmt: skip


def _doubles(host: str, ours: list[Hook]) -> Iterator[Finding]:
    for event in dict.fromkeys(hook.event for hook in ours):
        paths = [hook.path for hook in ours if hook.event == event]
        if len(paths) > 1:
            yield Finding(
                host, "warning", f"guard runs {len(paths)} times at `{event}`: {', '.join(dict.fromkeys(paths))}",
                f"take one out with `guard install {host} --remove --write`, or with --user",
            )  # fmt: skip


def _across(everything: dict[str, list[Hook]]) -> Iterator[Finding]:
    """Cursor runs the hooks of Claude Code's files too."""
    both = [host for host in ("cursor", "claude-code") if _has_ours(everything.get(host, []), host)]
    if len(both) == 2:
        yield Finding("cursor", "warning", "Cursor also runs the hooks of Claude Code, so guard decides twice there",
                      "charges and audit records are not doubled where the call has an id; to be sure, turn "
                      "third-party hooks off in Cursor")  # fmt: skip


def _has_ours(hooks: list[Hook], host: str) -> bool:
    return any(is_ours(hook.entry, host) for hook in hooks)


def _switched_off(host: str, project: str) -> Iterator[Finding]:
    for path in files_of(host, project):
        settings = read_settings(path)
        nested = settings.get("hooksConfig")
        if settings.get("disableAllHooks") is True:
            yield Finding(
                host, "problem", f"`{path}` turns all hooks off (`disableAllHooks`)", "take that out"
            )
        if isinstance(nested, dict) and nested.get("enabled") is False:
            yield Finding(
                host, "problem", f"`{path}` turns hooks off (`hooksConfig.enabled`)", "take that out"
            )
    if host == "codex" and _codex_settings().get("features", {}).get("hooks") is False:
        yield Finding(host, "problem", "`config.toml` turns hooks off (`features.hooks`)", "take that out")


def _trust(host: str, ours: list[Hook]) -> Iterator[Finding]:
    """Codex passes over hooks that were not trusted as they are."""
    if host != "codex":
        return
    state = _codex_settings().get("hooks", {}).get("state", {})
    for path in dict.fromkeys(hook.path for hook in ours):
        real = os.path.realpath(path)
        if not any(name.startswith((path, real)) for name in state):
            yield Finding(host, "problem", f"Codex has not been told to trust the hooks of `{path}`, so it runs none",
                          "start `codex` in the project, and trust them under /hooks")  # fmt: skip


def _codex_settings() -> dict[str, Any]:
    import tomllib

    home = os.environ.get("CODEX_HOME") or os.path.expanduser("~/.codex")
    try:
        with open(os.path.join(home, "config.toml"), "rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):
        return {}


def _version(host: str) -> Iterator[Finding]:
    program = shutil.which(PROGRAMS[host])
    if program is None:
        yield Finding(
            host, "note", f"`{PROGRAMS[host]}` is not on the search path, so its version is not known"
        )
        return
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        yield Finding(host, "warning", f"`{program} --version` does not answer")
        return
    found = re.search(r"\d+(?:\.\d+)+", done.stdout)
    oldest = PROVED.get(host)
    if found and oldest and _numbers(found[0]) < _numbers(oldest):
        yield Finding(host, "warning", f"version {found[0]} is older than {oldest}, with which the hooks were tried",
                      f"update {host_named(host).TITLE}")  # fmt: skip
    elif found:
        yield Finding(host, "ok", f"version {found[0]}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _servers(host: str, ours: list[Hook], project: str) -> Iterator[Finding]:
    matchers = [hook.matcher for hook in ours if hook.event == CALLS[host]]
    is_seen = any(matcher in ("", "*", ".*") for matcher in matchers)
    for name, path in servers_of(host, project):
        if is_seen:
            yield Finding(
                host, "note", f"MCP server `{name}`: its tools are `mcp.{name}.*` in policies ({path})"
            )
        else:
            yield Finding(host, "problem", f"MCP server `{name}`: no hook sees its tools ({path})",
                          "set the matcher to `*`")  # fmt: skip


def as_json(findings: list[Finding]) -> str:
    """Findings for machines."""
    return json.dumps([finding._asdict() for finding in findings], indent=2)
