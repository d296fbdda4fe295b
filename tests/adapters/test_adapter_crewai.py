"""The adapter for CrewAI. CrewAI needs other versions of what the project's own environment has, so its cases run in an
environment of their own: `make peers` makes it, or GUARD_TEST_CREWAI names a Python that has CrewAI and this project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("crewai_cases.py")


def python() -> str:
    named = os.environ.get("GUARD_TEST_CREWAI") or str(ROOT / ".peers/crewai/bin/python")
    if not Path(named).exists():
        why = "no CrewAI here: `make peers` installs it, or GUARD_TEST_CREWAI names a Python that has it"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return named


def test_all_cases_pass() -> None:
    """In one process, because to import CrewAI takes longer than any of them."""
    names = [
        line.partition("(")[0].removeprefix("def ")
        for line in CASES.read_text(encoding="utf-8").splitlines()
        if line.startswith("def test_")
    ]
    found = subprocess.run([python(), str(CASES)], capture_output=True, text=True, timeout=300)
    missing = [name for name in names if f"passed {name}\n" not in found.stdout]
    assert names
    assert not missing, f"{missing}\n{found.stdout[-6000:]}\n{found.stderr[-3000:]}"
