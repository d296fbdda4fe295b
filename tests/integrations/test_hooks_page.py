"""The page about coding agents is true: its commands run, its tables name what is there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.integrations.installing import PLANS

PAGE = "grammar/HOOKS.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


def test_its_commands_give_what_it_shows(tmp_path: Path) -> None:
    terminal, ran = Terminal(tmp_path), 0
    tools = terminal.environment["PATH"].partition(":")[0]
    terminal.environment |= {"HOME": str(tmp_path / "home"), "PATH": f"{tools}:/usr/bin:/bin"}
    for name in ("GUARD_STORE", "GUARD_AUDIT", "GUARD_POLICY", "CLAUDE_CONFIG_DIR", "CLAUDE_PROJECT_DIR"):
        terminal.environment.pop(name, None)
    for block in blocks_of(PAGE):
        if block.note.startswith("file: "):
            terminal.write(block)
        for command, output in commands_of(block) if block.kind == "console" else ():
            actual = terminal.run(command)
            assert is_output(actual, output), f"`{command}` gives\n{actual}"
            ran += 1
    assert ran >= 8


def _table(heading: str) -> list[list[str]]:
    part = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not set(row[0]) <= {"-"}]


COLUMNS = {"claude-code": 2, "codex": 3, "gemini": 4, "cursor": 5, "copilot": 6}


@pytest.mark.parametrize("host", HOSTS)
def test_its_table_of_tools_is_that_of_the_hosts(host: str) -> None:
    """Each tool of a host stands in the row of what it is called in policies."""
    rows = {row[0].strip("`"): row[COLUMNS[host]] for row in _table("Tools in the same words")[1:]}
    module = import_module(f"guardrails.integrations.hosts.{HOSTS[host]}")
    for name, tool in module.TOOLS.items():
        assert tool.name in rows, f"{name} is {tool.name}"
        known = rows[tool.name]
        assert known, f"{host}: {name} stands in no row"
        assert (
            name in known
            or "..." in known
            or any(other.name == tool.name and each in known for each, other in module.TOOLS.items())
        ), name
    named = {word for cell in rows.values() for word in re.findall(r"\b[A-Za-z_]{2,}\b", cell)}
    special = {"apply_patch", "web_fetch", "any", "other", "the", "same"}
    assert {word for word in named if "SERVER" not in word and "TOOL" not in word and word != "MCP"} <= {
        *module.TOOLS,
        *special,
    }


def test_its_table_of_files_is_that_of_the_installer() -> None:
    for row in _table("Set up")[1:]:
        files = PLANS[row[0].strip("`")].files
        assert row[1].strip("`") == files["project"]
        assert row[2].strip("`") == (f"~/{files['user']}" if "user" in files else "")


ROWS = {
    "deny a call": ("pre_tool", "refuse"),
    "change arguments": ("pre_tool", "change"),
    "`ask` the person there": ("pre_tool", "ask"),
    "deny an input": ("input", "refuse"),
}


@pytest.mark.parametrize("host", HOSTS)
def test_its_table_of_abilities_is_that_of_the_hosts(host: str) -> None:
    column = COLUMNS[host] - 1
    cells = {row[0]: row[column] for row in _table("What each host can do")[1:]}
    able = host_named(host).ABILITIES
    for name, (point, ability) in ROWS.items():
        assert (cells[name] == "yes") is (ability in able[point]), name
    assert (cells["halt"] == "the run stops") is ("stop" in able["pre_tool"])
    assert (cells["deny an output"] == "written again") is ("retry" in able.get("output", ()))


def test_the_policy_of_the_page_fits_every_host() -> None:
    """The coding pack is written in the same words."""
    import json

    tools = json.loads((ROOT / "policies/coding/tools.json").read_text())["tools"]
    names = {tool["name"]: set(tool["inputSchema"]["properties"]) for tool in tools}
    for host, module in HOSTS.items():
        for tool in import_module(f"guardrails.integrations.hosts.{module}").TOOLS.values():
            if tool.name in names:
                assert set(tool.fields) | set(tool.given) == names[tool.name], (host, tool.name)
