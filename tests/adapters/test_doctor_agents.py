"""`guard doctor --agent`: which tools of an agent in Python are checked, and which are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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


def doctor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "app.py").write_text(APP)
    return subprocess.run([SCRIPT, "doctor", *words], cwd=folder, capture_output=True, text=True, timeout=60)


def test_tools_that_nothing_checks_are_a_problem(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--agent", "app:plain", "--agent", "app:safe", "--format", "json")
    found = {(each["host"], each["level"]) for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found == {("app:plain", "problem"), ("app:safe", "ok")}


def test_an_agent_whose_tools_are_all_checked_is_sound(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--agent", "app:safe")
    assert (done.returncode, "`pay` is checked" in done.stdout) == (0, True)


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


@pytest.mark.parametrize("name", ["app:pay", "json:dumps", "os:environ"])
def test_what_is_no_agent_is_a_problem(tmp_path: Path, name: str) -> None:
    done = doctor(tmp_path, "--agent", name)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "guard itself failed" not in done.stderr
