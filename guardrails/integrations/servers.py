"""The MCP servers that a host is configured with: whose tools an agent can call besides the host's own.

Takes a host and a project, gives `(name, file)` of every server in the files that guard knows of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from guardrails.integrations.installing import InstallError
from guardrails.integrations.settings_files import read_settings

FILES = {
    "claude-code": (".mcp.json", "~/.claude.json"),
    "codex": (".codex/config.toml", "~/.codex/config.toml"),
    "gemini": (".gemini/settings.json", "~/.gemini/settings.json"),
    "cursor": (".cursor/mcp.json", "~/.cursor/mcp.json"),
    "copilot": (".vscode/mcp.json", "~/.copilot/mcp-config.json"),
}
"""Host -> files with servers, from the project's folder or the user's home."""

KEYS = ("mcpServers", "mcp_servers", "servers")


def servers_of(host: str, project: str) -> Iterator[tuple[str, str]]:
    """The name and file of every server; a file that cannot be read has none."""
    for name in FILES[host]:
        path = os.path.expanduser(name) if name.startswith("~") else os.path.join(project, name)
        settings = _settings(path)
        for key in KEYS:
            servers = settings.get(key)
            for server in servers if isinstance(servers, dict) else ():
                yield server, path


def _settings(path: str) -> dict[str, Any]:
    if not path.endswith(".toml"):
        try:
            return read_settings(path)
        except InstallError:
            return {}
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):
        return {}
