"""Coverage: which tools of an agent are checked, and which are not.

Takes an agent as its framework holds it, gives a line for each of its tools. What a framework runs itself, on its
provider's side, no adapter sees; that is told and not passed over.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Covered:
    """A tool of an agent: whether its calls are checked, and why not where they are not."""

    __slots__ = ("is_covered", "tool", "why")

    def __init__(self, tool: str, why_not: str = "") -> None:
        self.tool = tool
        self.is_covered = not why_not
        self.why = why_not

    def __repr__(self) -> str:
        return f"Covered({self.tool!r}, {self.why!r})"


ADAPTERS = {
    "langchain": "langchain", "langgraph": "langchain", "langchain_core": "langchain", "agents": "openai_agents",
    "pydantic_ai": "pydantic_ai", "claude_agent_sdk": "claude_agent", "google": "adk",
    "agent_framework": "agent_framework", "crewai": "crewai",
}  # fmt: skip
"""First part of the name of an agent's module -> guard's adapter for it."""


def covered(agent: Any) -> tuple[Covered, ...]:
    """The tools of an agent. Raises `EvaluationError` for what is not an agent that is known."""
    from importlib import import_module

    for name in _families(agent):
        if name in ADAPTERS:
            adapter = import_module(f"guardrails.integrations.{ADAPTERS[name]}")
            try:
                return tuple(adapter.coverage(agent))
            except (AttributeError, TypeError):
                break  # something else of that framework
    known = ", ".join(sorted(set(ADAPTERS.values())))
    raise EvaluationError(f"`{type(agent).__name__}` is no agent that guard knows; it knows those of {known}")


def _families(agent: Any) -> Iterator[str]:
    for kind in type(agent).__mro__:
        yield kind.__module__.partition(".")[0]
