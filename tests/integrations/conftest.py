"""The fixture of these tests; what it gives is in `hook_runs`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hook_runs import POLICY, Guard


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Guard:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("GUARD_STORE", "GUARD_DEBUG", "GUARD_AUDIT", "GUARD_POLICY", "CODEX_HOME", "CLAUDE_CONFIG_DIR",
                 "GEMINI_CLI_HOME", "CLAUDE_PROJECT_DIR", "GEMINI_PROJECT_DIR", "CURSOR_PROJECT_DIR"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "team.guard").write_text(POLICY)
    return Guard(tmp_path, monkeypatch, capsys)
