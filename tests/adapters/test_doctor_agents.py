"""`guard doctor --agent`: which tools of an agent in Python are checked, and which are not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Command, guard

__all__ = ["guard"]

SCRIPT = str(Path(sys.executable).with_name("guard"))

APP = """\
from agents import Agent, function_tool
from guardrails import Guard
from guardrails.integrations.openai_agents import guarded

@function_tool
def pay(amount: int) -> str:
    return "ok"

plain = Agent(name="a", tools=[pay])
safe = guarded(plain, Guard.from_text("policy p\\non call pay { allow }").session())
"""


def doctor(folder: Path, *words: str, app: str = "pay = 7") -> subprocess.CompletedProcess[str]:
    (folder / "app.py").write_text(app)
    return subprocess.run([SCRIPT, "doctor", *words], cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[None]:
    """A module of the folder, for the command in this process, which has the framework already."""
    (tmp_path / "app.py").write_text(APP)
    sys.modules.pop("app", None)
    yield
    sys.modules.pop("app", None)


def test_tools_that_nothing_checks_are_a_problem(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--agent", "app:plain", "--agent", "app:safe", "--format", "json", app=APP)
    found = {(each["host"], each["level"]) for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found == {("app:plain", "problem"), ("app:safe", "ok")}


@pytest.mark.usefixtures("app")
def test_an_agent_whose_tools_are_all_checked_is_sound(guard: Command) -> None:
    done = guard("doctor", "--agent", "app:safe")
    assert (done.code, "`pay` is checked" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("app", "MODULE:NAME"),
        ("app:nope", "no attribute"),
        ("nowhere:x", "No module named"),
        ("app:", "MODULE:NAME"),
    ],
)
def test_names_that_mean_nothing_are_told(tmp_path: Path, name: str, said: str) -> None:
    done = doctor(tmp_path, "--agent", name)
    assert (done.returncode, said in done.stderr) == (64, True)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("name", ["app:pay", "json:dumps", "os:environ"])
def test_what_is_no_agent_is_a_problem(guard: Command, name: str) -> None:
    done = guard("doctor", "--agent", name)
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "guard itself failed" not in done.err


SERVERS = """\
{"mcpServers": {
  "shop": {"command": "guard", "args": ["mcp", "shop.guard", "--name", "shop", "--", "python", "shop.py"]},
  "lost": {"command": "guard", "args": ["mcp", "gone.guard", "--", "python", "shop.py"]},
  "open": {"command": "npx", "args": ["-y", "some-server"]},
  "far": {"url": "https://mcp.example"}}}
"""


def test_servers_that_go_around_the_gateway_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "shop.guard").write_text("policy shop")
    (tmp_path / "mcp.json").write_text(SERVERS)
    done = doctor(tmp_path, "--mcp", "mcp.json", "--format", "json")
    found = [(each["level"], each["text"]) for each in json.loads(done.stdout)]
    assert done.returncode == 1
    assert [level for level, _ in found] == ["ok", "problem", "problem", "problem"]
    assert found[0][1] == "`shop` is a gateway before `shop`, under shop.guard"
    assert "`gone.guard` is not there" in found[1][1]
    assert "`far` goes around" in found[3][1]


@pytest.mark.parametrize(("text", "code"), [("{", 1), ("{}", 0)])
def test_configurations_that_say_nothing_are_told(tmp_path: Path, text: str, code: int) -> None:
    (tmp_path / "mcp.json").write_text(text)
    done = doctor(tmp_path, "--mcp", "mcp.json")
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
