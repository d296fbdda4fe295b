"""An adapter whose framework is not there, or too old, says which one it needs and how to get it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADAPTERS = {
    "adk": ("adk", "google.adk"),
    "agent_framework": ("agent-framework", "agent_framework"),
    "agent_hooks": ("agent-framework", "agent_hooks"),
    "claude_agent": ("claude-agent", "claude_agent_sdk"),
    "crewai": ("crewai", "crewai"),
    "langchain": ("langchain", "langchain"),
    "litellm": ("litellm", "litellm"),
    "openai_agents": ("openai-agents", "agents"),
    "pydantic_ai": ("pydantic-ai", "pydantic_ai"),
}
"""Adapter -> its extra, and the module that it cannot do without."""

PROGRAM = """\
import sys
for name in sys.argv[1:]:
    adapter, module = name.split("=")
    sys.modules[module] = None
    try:
        __import__(f"guardrails.integrations.{adapter}")
    except ImportError as error:
        print(f"{adapter}: {error}")
"""


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    words = [f"{adapter}={module}" for adapter, (_, module) in ADAPTERS.items()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_it_says_which_version_it_needs_and_what_is_there(adapter: str, told: dict[str, str]) -> None:
    extra = ADAPTERS[adapter][0]
    assert told[adapter].endswith(f"pip install 'guard-policy[{extra}]'")
    for requirement in PROJECT["optional-dependencies"][extra]:
        name = requirement.partition(">")[0]
        assert requirement in told[adapter]
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "not installed"
        assert f"{name} is {installed}" in told[adapter]
