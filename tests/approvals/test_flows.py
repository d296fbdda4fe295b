"""Flows: a call waits in one process, is approved from another, and goes on in a third."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from approving import guard_of
from parser_tables import with_tables

HERE = Path(__file__).parent


def run(folder: Path, *words: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(HERE), "GUARD_CACHE": with_tables(folder / "cache")}
    done = subprocess.run(
        [sys.executable, str(HERE / "flow_process.py"), *words],
        capture_output=True, text=True, check=True, env=environment, timeout=120,
    )  # fmt: skip
    return done.stdout.split()


def test_a_call_goes_on_in_another_process_once_it_is_approved(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/s.db"
    outcome, request = run(tmp_path, url, "ask")
    assert outcome == "ask"
    assert run(tmp_path, url, "ask") == ["ask", request]
    guard_of(url).approvals.approve(request, by="ana")
    assert run(tmp_path, url, "resume", request) == ["allow", request]
    assert run(tmp_path, url, "resume", request)[0] == "deny"


def test_a_call_that_was_denied_stays_so_in_another_process(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/s.db"
    _, request = run(tmp_path, url, "ask")
    guard_of(url).approvals.deny(request, by="ana")
    assert run(tmp_path, url, "ask")[0] == "deny"
