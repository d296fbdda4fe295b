"""What the other doors can do: frameworks, the MCP gateway and the dialects of the server, for `guard lint --target`.

Coding agents say it in their own modules, beside the words that follow from it. Those here have no such table of
their own, because what they cannot do is written as code of the framework; the tests of each hold the two together.
A point that is missing is one that the door never sees, so rules for it never run there.
"""

from __future__ import annotations

from guardrails.integrations.hosts import HOSTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYTHING = {
    "input": frozenset({"refuse", "change", "stop"}),
    "pre_tool": frozenset({"refuse", "change", "ask", "stop"}),
    "post_tool": frozenset({"change", "replace", "stop"}),
    "output": frozenset({"refuse", "change", "stop"}),
}
CALLS = {"pre_tool": frozenset({"refuse"})}

DOORS: dict[str, tuple[str, Mapping[str, frozenset[str]]]] = {
    "mcp": (
        "the MCP gateway",
        {"pre_tool": EVERYTHING["pre_tool"], "post_tool": EVERYTHING["post_tool"]},
    ),
    "langchain": ("LangChain", EVERYTHING),
    "openai-agents": ("the OpenAI Agents SDK", EVERYTHING),
    "pydantic-ai": ("Pydantic AI", EVERYTHING),
    "claude-agent": ("the Claude Agent SDK", EVERYTHING),
    "adk": ("Google ADK", EVERYTHING),
    "agent-framework": ("Microsoft Agent Framework", EVERYTHING),
    "crewai": ("CrewAI", EVERYTHING),
    "litellm": ("LiteLLM", {**EVERYTHING, "pre_tool": frozenset({"refuse", "change", "stop"})}),
    "authzen": ("an AuthZEN client", {"pre_tool": frozenset({"refuse", "change", "ask", "stop"})}),
    "opa": ("a client of OPA's API that reads `allow`", CALLS),
    "envoy": ("Envoy", CALLS),
}
"""Door -> how it is called in a sentence, and what it can do at which point."""

TARGETS = (*HOSTS, *DOORS)
"""What `guard lint --target` takes: coding agents, and the doors here."""
