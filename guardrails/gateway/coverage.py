"""Coverage: which MCP servers of a configuration go through the gateway, and which go around it.

Takes the entry of a client's configuration, or a whole file; says for each server whether its command is `guard mcp`,
which servers stand behind that, and under which policies. Tools of a server that goes around are not checked here;
a host's hooks may still see their calls.
"""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from guardrails.gateway.configuration import ConfigurationError, read_places
from guardrails.integrations.servers import KEYS
from guardrails.integrations.settings_files import read_settings

VALUED = (
    "--agent", "--allow-host", "--allow-origin", "--as", "--audit", "--client-ca", "--config", "--functions", "--keys",
    "--listen", "--name", "--param", "--present", "--prices", "--principal", "--reviewers", "--session", "--store",
    "--timeout", "--tls-cert", "--tls-key",
)  # fmt: skip
"""Options of `guard mcp` that take a value."""


class Covered(NamedTuple):
    """A server of a configuration. `through`: it is a gateway; then `behind` are the servers behind it, `policies`
    those that hold, and `trouble` says why it would not start (empty where it would)."""

    name: str
    path: str
    through: bool
    behind: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    trouble: str = ""


def covered(path: str) -> Iterator[Covered]:
    """Every server of a configuration file. Raises `InstallError` for a file that cannot be read."""
    settings = _settings(path)
    for key in KEYS:
        servers = settings.get(key)
        for name, entry in servers.items() if isinstance(servers, dict) else ():
            yield coverage_of(name, entry, path)


def coverage_of(name: str, entry: Any, path: str = "") -> Covered:
    """Whether one entry of a configuration is a gateway, and what it stands in front of."""
    words = _words(entry)
    start = _start(words)
    if start is None or words[start : start + 1] == ["pins"]:
        return Covered(name, path, through=False)
    return _gateway(Covered(name, path, through=True), words[start:], _folder(entry, path))


def _settings(path: str) -> dict[str, Any]:
    if not path.endswith(".toml"):
        return read_settings(path)
    import tomllib

    with open(path, "rb") as file:
        return tomllib.load(file)


def _words(entry: Any) -> list[str]:
    """The command line of an entry; empty for a server that is reached by address."""
    if not isinstance(entry, dict) or not isinstance(entry.get("command"), str):
        return []
    args = entry.get("args")
    more = [each for each in args if isinstance(each, str)] if isinstance(args, list) else []
    return [*([entry["command"]] if args is not None else _split(entry["command"])), *more]


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _start(words: Sequence[str]) -> int | None:
    """Where the words after `guard mcp` begin; also behind a launcher (`uvx`, `python -m`)."""
    for index, (one, other) in enumerate(itertools.pairwise(words)):
        program = os.path.basename(one).removesuffix(".exe")
        if program in ("guard", "guardrails.cli") and other == "mcp":
            return index + 2
        if one == "--":
            return None
    return None


def _folder(entry: dict[str, Any], path: str) -> str:
    named = entry.get("cwd")
    return named if isinstance(named, str) else os.path.dirname(os.path.abspath(path)) if path else os.curdir


def _gateway(found: Covered, words: Sequence[str], folder: str) -> Covered:
    options, policies, server = _taken(words)
    behind: tuple[str, ...] = (options.get("--name", "server"),) if server else ()
    trouble = "" if policies else "it names no policy"
    if "--config" in options:
        try:
            behind = tuple(
                place.name for place in read_places(os.path.join(folder, options["--config"]), os.environ)
            )
        except ConfigurationError as error:
            trouble = trouble or str(error)
    elif not server:
        trouble = trouble or "it names no server"
    missing = [each for each in policies if not os.path.exists(os.path.join(folder, each))]
    trouble = trouble or (f"its policy `{missing[0]}` is not there" if missing else "")
    return found._replace(behind=behind, policies=tuple(policies), trouble=trouble)


def _taken(words: Sequence[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Options, policies and the server's own command line."""
    at = list(words).index("--") if "--" in words else len(words)
    options: dict[str, str] = {}
    policies: list[str] = []
    left = iter(words[:at])
    for word in left:
        name, equals, value = word.partition("=")
        if name in VALUED:
            options[name] = value if equals else next(left, "")
        elif not word.startswith("-"):
            policies.append(word)
    return options, policies, list(words[at + 1 :])
