"""The command line under test: `guard` as its entry point gives it, run in this process."""

from __future__ import annotations

import io
import json
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import pytest

POLICY = """\
policy support

param max_refund: decimal = 500

type principal {
  customers: set<string>
}

on call issue_refund {
  own_customer: require args.customer_id in principal.customers because "Only your own customers."
  threshold args.amount {
    up to 100: allow
    up to max_refund: ask finance within 4h
    above: deny because "Too much."
  }
}

on call stop {
  halt
}

on call "mail.*" {
  allow when args.to == "a@acme.com"
}

on call later {
  allow when now >= time("2026-01-01T00:00:00Z")
}

on result get_order {
  allow
  drop fields card
}

on output {
  redact /[0-9]{16}/
  deny when text contains "secret"
}
"""

ANA = '{"customers": ["c1"]}'


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """Runs `guard` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        (entry,) = entry_points(group="console_scripts", name="guard")
        self._main = entry.load()
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str | Path, stdin: str | bytes = b"") -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = self._main([str(word) for word in words])
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)

    def printed(self) -> str:
        """What was written before the command ended in another way than with a code."""
        return self._capsys.readouterr().out

    def refund(self, amount: float, *words: str, customer: str = "c1") -> Result:
        args = json.dumps({"customer_id": customer, "amount": amount})
        return self("check", "p.guard", "--call", "issue_refund", "--args", args, "--principal", ANA, *words)


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("GUARD_STORE", raising=False)
    monkeypatch.delenv("GUARD_DEBUG", raising=False)
    (tmp_path / "p.guard").write_text(POLICY)
    return Command(monkeypatch, capsys)
