"""The page about approvals is true: its files are written, its commands run, its tables name what is there."""

from __future__ import annotations

import re
from pathlib import Path

from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails.approvals import flooding, request, writing
from guardrails.approvals.asking import KEEP
from guardrails.approvals.desk import Approvals

PAGE = "grammar/APPROVALS.md"


def test_its_commands_give_what_it_shows(tmp_path: Path) -> None:
    terminal, ran = Terminal(tmp_path), 0
    terminal.environment.pop("GUARD_STORE", None)
    terminal.environment.pop("GUARD_REVIEWERS", None)
    for block in blocks_of(PAGE):
        if block.note.startswith("file: "):
            terminal.write(block)
        for command, output in commands_of(block) if block.kind == "console" else ():
            actual = terminal.run(command)
            assert is_output(actual, output), f"`{command}` gives\n{actual}"
            ran += 1
    assert ran >= 12


def test_its_table_names_all_of_the_desk() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    table = text.split("| `guard.approvals` |")[1].split("\n\n")[0]
    public = {name for name in vars(Approvals) if not name.startswith("_")}
    assert public - set(re.findall(r"(\w+)\(", table)) == set()


def test_its_states_and_bounds_are_those_of_the_engine() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("States are"))
    assert set(re.findall(r"`(\w+)`", line)) == set(request.STATES)
    assert f"larger than {writing.MOST_SHOWN:,} characters" in text
    assert f"A session can open {flooding.MOST} requests in an" in text
    assert request.LONGEST == 7 * request.DAY
    assert "waits for seven days" in text
    assert f"until {KEEP // request.DAY} days after" in text
