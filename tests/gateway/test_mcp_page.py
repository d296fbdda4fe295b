"""The page about the gateway is true: its example runs, its table names every method."""

from __future__ import annotations

import json
import re
from pathlib import Path

from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails.gateway.configuration import places_of
from guardrails.gateway.eras import ASKED
from guardrails.gateway.exchange import METHODS

PAGE = "grammar/MCP.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


def test_its_commands_give_what_it_shows(tmp_path: Path) -> None:
    terminal, ran = Terminal(tmp_path), 0
    terminal.environment |= {"HOME": str(tmp_path)}
    for name in ("GUARD_STORE", "GUARD_AUDIT", "GUARD_POLICY"):
        terminal.environment.pop(name, None)
    for block in blocks_of(PAGE):
        if block.note.startswith("file: "):
            terminal.write(block)
        for command, output in commands_of(block) if block.kind == "console" else ():
            actual = terminal.run(command)
            assert is_output(actual, output), f"`{command}` gives\n{actual}"
            ran += 1
    assert ran >= 3


def test_its_policies_load(tmp_path: Path) -> None:
    from guardrails import Guard

    policies = [block for block in blocks_of(PAGE) if block.kind == "guard"]
    assert len(policies) >= 2
    for block in policies:
        Guard.from_text(block.text, store="memory:")


def test_its_configuration_can_be_read() -> None:
    (block,) = [block for block in blocks_of(PAGE) if block.kind == "json"]
    assert [place.name for place in places_of(json.loads(block.text), {})] == ["shop"]


def test_its_table_names_every_method_that_passes() -> None:
    part = TEXT.split("## What is checked\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z]+(?:/[A-Za-z_/]+)?)`", part))
    assert set(METHODS) | set(ASKED) <= named
