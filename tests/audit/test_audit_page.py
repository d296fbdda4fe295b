"""The page about the audit log is true: its policies load, its programs and commands run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from docs.blocks import ROOT, blocks_of

from guardrails import Guard
from guardrails.audit.log import OPTIONS, AuditLog

PAGE = "grammar/AUDIT.md"
POLICY = "policy support\naudit durable\non call refund { allow when args.amount <= 50 }\n"


def _blocks(kind: str) -> list[Any]:
    return [pytest.param(block, id=f"line {block.line}") for block in blocks_of(PAGE) if block.kind == kind]


def _here(text: str, folder: Path) -> str:
    return text.replace("/var/log/guard", f"{folder}/log").replace("/mnt/other/", f"{folder}/")


@pytest.mark.parametrize("block", _blocks("guard"))
def test_policies_load(block: Any, tmp_path: Path) -> None:
    assert Guard.from_text(block.text, audit=f"file://{tmp_path}/log").engine.program.head["audit"]


@pytest.mark.parametrize("block", _blocks("python"))
def test_programs_run(block: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "support.guard").write_text(POLICY)
    names: dict[str, Any] = {"Guard": Guard}
    exec(_here(block.text, tmp_path), names)
    guard = names.get("guard")
    if guard is not None:
        assert guard.session().check_call("refund", {"amount": 1}).allowed
        guard.audit.close()
    assert list((tmp_path / "log").glob("*.jsonl"))


def test_commands_run(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"file://{tmp_path}/log?anchor={tmp_path}/anchors.jsonl"
    monkeypatch.setenv("GUARD_AUDIT", url)
    log = AuditLog.open(url)
    guard = Guard.from_text(POLICY, audit=log)
    for amount in range(20):
        guard.session(principal={"id": "ana"}).check_call("refund", {"amount": amount})
    log.close()
    (tmp_path / "public.key").write_text((tmp_path / "log" / "public.key").read_text())
    commands = [
        line[2:] for block in blocks_of(PAGE) if block.kind == "console" for line in block.text.splitlines()
    ]
    assert len(commands) >= 4
    for command in commands:
        words = shlex.split(_here(command, tmp_path))
        target = words[words.index(">") + 1] if ">" in words else None
        result = run(*words[1 : words.index(">") if target else None])
        assert result.code == 0, (command, result)
        if target:
            (tmp_path / target).write_text(result.out)


def test_every_option_of_a_url_is_told() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z]+)=", text))
    assert set(OPTIONS) <= told | {"anchor"}


def test_the_bounds_are_those_of_the_code() -> None:
    from guardrails.audit import checkpoints, files, journal

    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert f"{journal.MOST:,} records ({journal.MOST_BYTES >> 20} MB)" in text
    assert f"last {journal.PAUSE * 1000:.0f} ms" in text
    assert f"({files.ROTATE >> 20} MiB)" in text
    assert f"Every {checkpoints.EVERY:,} records" in text
