"""The page about testing is true: its files are written, its commands run, its tables hold every key."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails.testing.fixtures import FIXTURES
from guardrails.testing.reading_steps import STEPS
from guardrails.testing.reading_wants import EXPECTED
from guardrails.testing.shapes import Problems
from guardrails.testing.yaml_tree import parse_yaml

PAGE = "grammar/TESTING.md"
OWN = (
    "A test file", "`guard test`", "In pytest", "Generated cases", "Properties", "Labelled sets", "Detectors",
    "Baselines",
)  # fmt: skip


def test_its_commands_give_what_it_shows(tmp_path: Path) -> None:
    terminal, ran = Terminal(tmp_path), 0
    terminal.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the page names its own
    for block in blocks_of(PAGE):
        if block.section not in OWN:
            continue
        if block.note.startswith("file: "):
            terminal.write(block)
        for command, output in commands_of(block) if block.kind == "console" else ():
            actual = terminal.run(command)
            assert is_output(actual, output), f"`{command}` gives\n{actual}"
            ran += 1
    assert ran >= 13


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("Events and steps", list(STEPS)),
        ("What can be expected", [*EXPECTED]),
        ("Fixtures", ["policy", *FIXTURES]),
    ],
)
def test_its_tables_name_every_key(section: str, names: list[str]) -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8").split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    named = set(
        re.findall(r"`([a-z_]+)", "".join(line for line in text.splitlines() if line.startswith("|")))
    )
    assert set(names) - named == set()


def test_its_stubs_are_stubs() -> None:
    (block,) = [each for each in blocks_of(PAGE) if each.section == "Fixtures" and each.kind == "yaml"]
    root, _ = parse_yaml(block.text, "x")
    assert root is not None
    problems, (_, stubs) = Problems(), root.pairs[0]
    found = FIXTURES["functions"](problems, stubs)
    assert problems.found == []
    assert [stub.result for stub in found.values()] == ["decimal", "bool"]


@pytest.mark.parametrize(
    ("command", "sections"), [("eval", ("Labelled sets",)), ("test", ("`guard test`", "Coverage", "Mutants"))]
)
def test_it_describes_every_option(command: str, sections: tuple[str, ...]) -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    told = "".join(page.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0] for name in sections)
    options = import_module(f"guardrails.cli.{command}").command.params
    names = {name for each in options for name in each.opts if name.startswith("--")}
    assert names - set(re.findall(r"--[a-z-]+", told)) == set()
