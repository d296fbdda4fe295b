"""Logs for tests: one of each home, and the PostgreSQL that tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from audit_logs import KEY
from command_line import Command
from postgres_program import Postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    named = os.environ.get("GUARD_TEST_POSTGRES")
    if named:
        yield named
        return
    server = Postgres()
    yield server.url
    server.remove()


@pytest.fixture(autouse=True)
def audit_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No log of these tests depends on what the surroundings say."""
    monkeypatch.setenv("GUARD_AUDIT_KEY", KEY)
    monkeypatch.delenv("GUARD_AUDIT", raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`guard`, in this process."""
    return Command(monkeypatch, capsys)


@pytest.fixture(params=["file", "sqlite", "postgresql"])
def audit_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A log of its own in each home."""
    if request.param == "file":
        return f"file://{tmp_path}/log"
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/log.db"
    base = request.getfixturevalue("postgres_url")
    return f"{base}?log={quote(str(tmp_path), safe='')}"
