"""The hosts: what each one says and wants to hear. Each module is imported by the hook of its host only.

A host's module has `NAME`, `TITLE`, `ABILITIES` (point -> what can be done there), `TOOLS` (its name for a tool ->
how a policy calls that), `read` (the host's event -> a `Moment`), `write` (an answer -> the `Reply` it understands) and
`broken` (the reply when nothing is understood).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from guardrails.integrations.contract import Answer, Moment
    from guardrails.integrations.tools import Tool
    from guardrails.integrations.wire import Reply

    class Host(Protocol):
        """The module of a host."""

        NAME: str
        TITLE: str
        ABILITIES: Mapping[str, frozenset[str]]
        TOOLS: Mapping[str, Tool]

        def read(self, event: Mapping[str, Any], root: str) -> Moment: ...

        def write(self, moment: Moment, answer: Answer) -> Reply: ...

        def broken(self, reason: str) -> Reply: ...


HOSTS = {
    "claude-code": "claude_code", "codex": "codex", "gemini": "gemini", "cursor": "cursor", "copilot": "copilot",
}  # fmt: skip
"""Host -> its module here."""


def host_named(name: str) -> Host:
    """The module of a host in HOSTS."""
    from importlib import import_module

    module: Any = import_module(f"guardrails.integrations.hosts.{HOSTS[name]}")
    host: Host = module
    return host
