"""`guard` as its entry point gives it, in a project of its own, with the policy of all these tests."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import pytest

POLICY = """\
policy team

on call run_command {
  allow when shell.programs(args.command) <= {"echo", "ls"} and not shell.background(args.command)
  swap: redact /KEY-[0-9]+/ in args.command
  stop: halt when args.command contains "shred" because "Nothing is shredded."
}
on call read_file { allow when args.path within "/work" }
on call write_file { ask finance within 4h because "Somebody reads it first." }
on call edit_file { ask because "Are you sure?" }
on call delete_file { halt because "Nothing is deleted." }
on call fetch_url { allow when args.url.host == "docs.python.org" }
on call "mcp.shop.*" { few: limit 2 per 1d by session.id; allow }

on result run_command {
  hush: deny when args.command contains "hush" because "That is not for you."
  redact /KEY-[0-9]+/
}
on result read_file { redact /KEY-[0-9]+/ }
on result "mcp.shop.*" { redact /KEY-[0-9]+/ }
on input { deny when text contains "ignore previous" because "No injections."; redact /KEY-[0-9]+/ }
on output { deny when text contains "KEY-" because "No keys." }
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Guard:
    """Runs `guard` in this process, in `folder`."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        (entry,) = entry_points(group="console_scripts", name="guard")
        self._main: Callable[[list[str]], int] = entry.load()
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, stdin: str | bytes = b"") -> Said:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = self._main(list(words))
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)

    def hook(self, host: str, event: Any, *words: str) -> Said:
        """What the hook of a host says to an event."""
        text = event if isinstance(event, str | bytes) else json.dumps(event)
        return self("hook", host, "team.guard", "--root", "/work", *words, stdin=text)
