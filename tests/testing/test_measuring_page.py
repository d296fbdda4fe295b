"""The sections on coverage, mutants and replay are true: their commands are run, and their tables name every
option and operator that there is."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails.language.parser import parse
from guardrails.testing.coverage import KINDS
from guardrails.testing.mutation_operators import mutants_of

PAGE = "grammar/TESTING.md"
OWN = ("Coverage", "Mutants", "Replay")


def section(name: str) -> str:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    return text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def test_its_commands_give_what_it_shows(tmp_path: Path) -> None:
    terminal, ran = Terminal(tmp_path), 0
    for block in blocks_of(PAGE):
        if block.note.startswith("file: "):
            terminal.write(block)
        if block.section not in OWN or block.kind != "console":
            continue
        for command, output in commands_of(block):
            actual = terminal.run(command)
            assert is_output(actual, output), f"`{command}` gives\n{actual}"
            ran += 1
    assert ran >= 4


def test_every_option_is_described() -> None:
    measures = {o for p in import_module("guardrails.cli.test").command.params for o in p.opts}
    told = section("Coverage") + section("Mutants")
    new = {
        o for o in measures if o.startswith(("--coverage", "--mutate", "--write", "--seed", "--fail-under"))
    }
    assert new - set(re.findall(r"--[a-z-]+", told)) == set()


def test_every_kind_of_goal_and_every_operator_is_described() -> None:
    kinds = section("Coverage")
    assert [kind for kind in KINDS if f"| {kind} |" not in kinds] == []
    operators = set()
    for path in sorted((ROOT / "policies").glob("*/*.guard")):
        file, _ = parse(path.read_text(encoding="utf-8"), str(path))
        assert file is not None
        operators |= {mutant.operator for mutant in mutants_of(file)}
    table = "\n".join(line for line in section("Mutants").splitlines() if line.startswith("| "))
    words = {operator: operator.split()[0] for operator in operators}
    assert [o for o, first in words.items() if first not in table or o.split()[-1] not in table] == []
