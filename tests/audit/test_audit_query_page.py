"""The page about looking into a log is true: its program runs, its commands work and print what it says."""

from __future__ import annotations

import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from docs.blocks import ROOT, Block, blocks_of

PAGE = "grammar/AUDIT_QUERIES.md"
FOLDER = "/var/log/guard"


def _commands(block: Block) -> list[tuple[list[str], str]]:
    """Each command of a block with what it prints, as far as the page says."""
    found: list[tuple[list[str], str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ guard "):
            found.append((shlex.split(line)[2:], ""))
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def test_the_examples_of_the_page_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GUARD_AUDIT", raising=False)
    (entry,) = entry_points(group="console_scripts", name="guard")
    main = entry.load()
    names: dict[str, object] = {}
    printed, commands = "", 0
    for block in blocks_of(PAGE):
        if block.note.startswith("file: "):
            (tmp_path / block.note.removeprefix("file: ")).write_text(block.text)
        elif block.kind == "python":
            text = block.text.replace(FOLDER, f"{tmp_path}/log")
            exec(compile("\n" * block.line + text, str(ROOT / PAGE), "exec"), names)
            printed = capsys.readouterr().out
        elif block.kind == "text":
            assert printed == block.text, f"{PAGE}:{block.line}"
        elif block.kind == "console":
            for given, said in _commands(block):
                words = [word.replace(FOLDER, f"{tmp_path}/log") for word in given]
                assert main(words) == 0, f"{PAGE}:{block.line}: {words}"
                out = capsys.readouterr().out
                assert out == said if said else (out or "-o" in words), f"{PAGE}:{block.line}: {words}"
                commands += 1
    assert commands > 10
