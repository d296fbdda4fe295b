"""Naming: what tools, prompts and resources are called toward clients, toward servers and in policies.

One server keeps its own names. Of several servers, a tool or prompt is `SERVER__NAME` to clients, and a resource
`mcp+SERVER:URI`. In policies a tool is `mcp.SERVER.TOOL`, or what the pattern of `--as` makes of it, and so are the
methods that bring text from a server without being tools: `mcp.SERVER.resources/read`. What a *server* asks of the
client is `server.NAME.sampling` and the like, so that `on call "mcp.*"` does not allow it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from guardrails.errors import GuardError
from guardrails.gateway.eras import ASKED

PATTERN = "mcp.{server}.{tool}"
BETWEEN = "__"
MOST_NAME = 200

INSTRUCTIONS = "instructions"

METHODS = (
    INSTRUCTIONS, "completion/complete", "notifications/message", "notifications/progress", "prompts/get", "prompts/list",
    "resources/list", "resources/read", "resources/subscribe", "resources/templates/list", "tools/list",
)  # fmt: skip
"""Methods that policies see as tools. No server has a tool of such a name."""

_SERVER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]|_(?!_))*", re.ASCII)
_APART = re.compile(r"\{server\}(?:[./:]|__)|(?:[./:]|__)\{server\}$")


class NamingError(GuardError):
    """Servers cannot be told apart by these names."""


class Naming:
    """The names of some servers. Raises `NamingError` for a pattern or names that do not tell them apart."""

    def __init__(self, servers: Sequence[str], pattern: str = PATTERN) -> None:
        self._several = len(servers) > 1
        self._pattern = pattern
        self._schemes = {_scheme(name): name for name in servers}
        self._servers = tuple(servers)
        self._check(servers)

    def _check(self, servers: Sequence[str]) -> None:
        for name in servers:
            if not _SERVER.fullmatch(name) or len(name) > 64 or name.endswith("_"):
                raise NamingError(
                    f"`{name}` is no name for a server: use letters, digits, `-` and single `_`, at most 64"
                )
        if len(self._schemes) < len(servers):
            raise NamingError("two servers have names that differ in case, `_` and `-` only")
        left = self._pattern.replace("{tool}", "").replace("{server}", "")
        if "{tool}" not in self._pattern or "{" in left or "}" in left:
            raise NamingError("`--as` is a pattern with `{tool}`, such as `{server}.{tool}`")
        if self._several and not _APART.search(self._pattern):
            raise NamingError(
                "with several servers `--as` needs `{server}` set apart by `.`, `/`, `:` or `__`, so that their "
                "tools differ"
            )

    # --- in policies ---------------------------------------------------------------------------

    def in_policy(self, server: str, tool: str) -> str:
        """What policies call a tool, or one of METHODS."""
        return self._pattern.replace("{server}", server, 1).replace("{tool}", tool, 1)

    def asked_by(self, server: str, method: str) -> str:
        """What policies call something that a server asks of the client."""
        return f"server.{server}.{ASKED[method]}"

    # --- toward clients ------------------------------------------------------------------------

    def outward(self, server: str, name: str) -> str:
        """What clients call a tool or prompt."""
        return f"{server}{BETWEEN}{name}" if self._several else name

    def inward(self, name: Any) -> tuple[str, str] | None:
        """Server and own name of what a client names; None for nothing."""
        if name.__class__ is not str or not 0 < len(name) <= MOST_NAME + 66:
            return None
        if not self._several:
            return self._servers[0], name
        server, mark, own = name.partition(BETWEEN)
        return (server, own) if mark and own and server in self._servers else None

    def uri_outward(self, server: str, uri: Any) -> Any:
        return f"{_scheme(server)}:{uri}" if self._several and uri.__class__ is str else uri

    def uri_inward(self, uri: Any) -> tuple[str, str] | None:
        if uri.__class__ is not str or not uri:
            return None
        if not self._several:
            return self._servers[0], uri
        scheme, mark, own = uri.partition(":")
        server = self._schemes.get(scheme.lower())
        return (server, own) if mark and own and server is not None else None

    def is_tool(self, server: str, name: Any) -> bool:
        """Whether a server's tool may be called so: printable, not too long, and not the name of anything else."""
        if name.__class__ is not str or not 0 < len(name) <= MOST_NAME or not name.isprintable():
            return False
        return name not in METHODS and not self.in_policy(server, name).startswith("server.")


def _scheme(server: str) -> str:
    return "mcp+" + server.lower().replace("_", "-")
