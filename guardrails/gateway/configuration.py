"""Configuration: which servers stand behind a gateway, from the file that MCP clients use as well.

    {"mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"], "env": {...}, "cwd": "..."},
                    "docs": {"url": "https://mcp.example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}}

`${NAME}` in a value is a variable of the environment, `${NAME:-else}` one that may be missing; any other that is not
set is an error, never an empty text. What is not known here is an error too: a misspelt `headers` must not go
unnoticed. Addresses and headers keep their variables, which the link to the server fills in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from guardrails.diagnostics import did_you_mean
from guardrails.errors import GuardError
from guardrails.gateway.links import Local, Place, Remote
from guardrails.strict_json import read_json

KEYS = ("mcpServers", "servers")
LOCAL = ("command", "args", "env", "cwd", "type")
REMOTE = ("url", "headers", "type", "protocolVersion")
TYPES = {"stdio": LOCAL, "http": REMOTE, "streamable-http": REMOTE, "streamableHttp": REMOTE}

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class ConfigurationError(GuardError):
    """A file of servers cannot be used."""


def read_places(path: str, environment: Mapping[str, str] | None = None) -> tuple[Place, ...]:
    """The servers of a file. Raises `ConfigurationError`."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            data = read_json(file.read())
    except OSError as error:
        raise ConfigurationError(
            f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}"
        ) from None
    except (GuardError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"`{path}` is not valid JSON: {error}") from None
    return places_of(data, os.environ if environment is None else environment, path)


def places_of(
    data: Any, environment: Mapping[str, str], path: str = "the configuration"
) -> tuple[Place, ...]:
    """The servers of such data. Raises `ConfigurationError`."""
    found = [data[key] for key in KEYS if isinstance(data, dict) and key in data]
    if len(found) != 1 or not isinstance(found[0], dict) or not found[0]:
        raise ConfigurationError(f"`{path}` has `mcpServers`: an object with a server by each name")
    return tuple(_place(name, entry, environment, path) for name, entry in found[0].items())


def _place(name: str, entry: Any, environment: Mapping[str, str], path: str) -> Place:
    if not isinstance(entry, dict) or ("command" in entry) == ("url" in entry):
        meant = _meant(entry, ("command", "url")) if isinstance(entry, dict) else ""
        raise ConfigurationError(
            f"`{path}`: the server `{name}` has a `command` or a `url`, and not both{meant}"
        )
    kind = entry.get("type", "stdio" if "command" in entry else "http")
    known = TYPES.get(kind) if isinstance(kind, str) else None
    if known is None or ("command" in known) != ("command" in entry):
        raise ConfigurationError(
            f"`{path}`: the type of `{name}` is `stdio` for a `command`, or `http` for a `url`; the old SSE transport "
            "does not pass"
        )
    unknown = [key for key in entry if key not in known]
    if unknown:
        meant = _meant(unknown[:1], known) or f"; a server has {', '.join(known)}"
        raise ConfigurationError(f"`{path}`: `{unknown[0]}` is not known here, in the server `{name}`{meant}")
    try:
        return _local(name, entry, environment) if "command" in entry else _remote(name, entry)
    except (TypeError, KeyError) as error:
        raise ConfigurationError(f"`{path}`: the server `{name}`: {error.args[0]}") from None


def _meant(written: Iterable[str], known: Iterable[str]) -> str:
    """What somebody who wrote this may have meant, where one of the known words is near."""
    found = (did_you_mean(each, known) for each in written if each not in known)
    return next((f"; {each}" for each in found if each), "")


def _local(name: str, entry: dict[str, Any], environment: Mapping[str, str]) -> Local:
    cwd = entry.get("cwd")
    args = entry.get("args", [])
    if not isinstance(args, list):
        raise TypeError("`args` is a list of texts")
    return Local(
        name,
        _filled("command", entry["command"], environment),
        tuple(_filled("args", each, environment) for each in args),
        _texts("env", entry.get("env", {}), environment),
        None if cwd is None else _filled("cwd", cwd, environment),
    )


def _remote(name: str, entry: dict[str, Any]) -> Remote:
    headers = entry.get("headers", {})
    if not isinstance(headers, dict):
        raise TypeError("`headers` is an object of texts")
    return Remote(
        name,
        _text("url", entry["url"]),
        {each: _text("headers", value) for each, value in headers.items()},
        _text("protocolVersion", entry.get("protocolVersion", "")),
    )


def _texts(key: str, value: Any, environment: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"`{key}` is an object of texts")
    return {name: _filled(key, each, environment) for name, each in value.items()}


def _filled(key: str, value: Any, environment: Mapping[str, str]) -> str:
    """A text with its variables. Raises KeyError for one that is not set."""

    def variable(match: re.Match[str]) -> str:
        found = environment.get(match[1], match[2])
        if found is None:
            raise KeyError(f"`{key}` needs the variable `{match[1]}` of the environment, which is not set")
        return found

    return _VARIABLE.sub(variable, _text(key, value))


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{key}` is a text, or holds texts")
    return value
