"""The documentation is true: every example of the language reference and of the README runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from docs.blocks import ROOT, Block, blocks_of
from docs.notation import outcome_of, probe_of, value_of
from docs.readme import Terminal, agrees, commands_of, decision_of, is_output
from docs.tables import with_tables
from reference import decide

from guardrails import Guard, PolicyError, exact, functions, loading
from guardrails.canonical import text as canonical
from guardrails.language import literals, scanner, schema
from guardrails.language.builtins import FUNCTIONS, SPECIAL
from guardrails.language.parser import parse
from guardrails.patterns import syntax as patterns
from guardrails.runtime import engine, operations

README = "README.md"
REFERENCE = "grammar/README.md"


def _examples(kind: str) -> list[Any]:
    found = [block for block in blocks_of(REFERENCE) if block.kind == kind and block.info != "pending"]
    return [pytest.param(block, id=f"line {block.line}") for block in found]


def _above(block: Block, kind: str) -> list[Block]:
    """The blocks of a kind above `block`, in the same section, the nearest last."""
    return [
        other
        for other in blocks_of(REFERENCE)
        if other.kind == kind and other.section == block.section and other.line < block.line
    ]


def _policy(block: Block) -> Block:
    return next(other for other in reversed(_above(block, "guard")) if not other.info)


def _loaded(policy: Block, folder: Path) -> Guard:
    """The guard of a `guard` block, with the tool file and the other files that stand above it."""
    tools = [other.text for other in _above(policy, "json") if other.info == "tools"]
    files = {
        other.info.removeprefix("file "): other.text
        for kind in ("guard", "json")
        for other in _above(policy, kind)
        if other.info.startswith("file ")
    }
    if not files:
        return Guard.from_text(policy.text, tools=tools[-1] if tools else None)
    for name, text in (files | {"policy.guard": policy.text}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return Guard.load(folder / "policy.guard")


@pytest.mark.parametrize("block", _examples("guard"))
def test_a_policy_of_the_reference_loads_or_fails_as_it_says(block: Block, tmp_path: Path) -> None:
    if not block.info.startswith("error:"):
        assert _loaded(block, tmp_path).digest.startswith("sha256:")
        return
    with pytest.raises(PolicyError) as caught:
        _loaded(block, tmp_path)
    message = block.info.removeprefix("error:").strip().strip('"')
    assert message in "; ".join(diagnostic.message for diagnostic in caught.value.diagnostics)


@pytest.mark.parametrize("block", _examples("guard-check"))
def test_events_of_the_reference_are_decided_as_it_says(block: Block, tmp_path: Path) -> None:
    guard = _loaded(_policy(block), tmp_path)
    for number, line in block.lines:
        expected, actual = outcome_of(guard, line)
        assert actual == expected, f"{REFERENCE}:{number}: {line}"


@pytest.mark.parametrize("block", _examples("guard-values"))
def test_expressions_of_the_reference_have_the_values_it_says(block: Block) -> None:
    for number, line in block.lines:
        expected, actual = value_of(line)
        assert actual == expected, f"{REFERENCE}:{number}: {line}"


@pytest.mark.parametrize("block", _examples("guard-values"))
def test_the_plain_evaluator_gives_the_same_values(block: Block) -> None:
    for number, line in block.lines:
        wanted = line.rpartition(" => ")[2].strip()
        if wanted.startswith("refused") or "real_path" in line:  # it checks no types, and looks at no files
            continue
        policy, event = probe_of(line)
        file, _ = parse(policy, "probe.guard")
        assert file is not None
        verdict = decide([file], event, now=functions.time(event.get("time", "2026-11-21T00:00:00Z")))
        found = f"error {verdict.errors[0][1]}" if verdict.errors else str(verdict.outcome == "allow").lower()
        assert found == wanted, f"{REFERENCE}:{number}: {line}"


@pytest.mark.parametrize(
    ("kind", "text"),
    [("duration", "15m"), ("size", "10MB"), ("time", "2026-01-01T00:00:00Z"), ("money", "5 USD")],
)
def test_a_parameter_is_set_from_a_text(kind: str, text: str) -> None:
    policy = f"param p: {kind}\non call a {{ allow when p == p }}\n"
    assert Guard.from_text(policy, params={"p": text}).session().check_call("a", {}).allowed


def test_a_false_example_would_be_noticed() -> None:
    guard = Guard.from_text("on call a { one: deny when args.n > 5; allow }")
    lines = ('call a {"n": 6} => allow', 'call a {"n": 6} => deny by two', "call a {} => deny by one")
    for line in lines:
        expected, actual = outcome_of(guard, line)
        assert actual != expected, line
    for line in ("1 == 2 => true", 'args.n == 1 given {"n": "1"} => false', '1 == "1" => refused "spelling"'):
        wanted, found = value_of(line)
        assert found != wanted, line


# --- nothing is left out -----------------------------------------------------------------------


def test_the_tables_of_the_reference_are_those_of_the_engine() -> None:
    page = (ROOT / REFERENCE).read_text(encoding="utf-8")
    assert page == with_tables(page), "run `python tests/docs/tables.py`"


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() | SPECIAL.keys()))
def test_every_function_has_an_example(name: str) -> None:
    examples = [block.text for block in blocks_of(REFERENCE) if block.kind in ("guard", "guard-values")]
    assert any(re.search(rf"(?<![\w.]){re.escape(name)}\(", text) for text in examples)


def test_every_keyword_of_the_grammar_is_in_the_reference() -> None:
    page = (ROOT / REFERENCE).read_text(encoding="utf-8")
    words = re.findall(r'^[A-Z]+: "([a-z]+)"$', (ROOT / "grammar/guard.lark").read_text(), re.M)
    assert [word for word in words if not re.search(rf"\b{word}\b", page)] == []


def test_the_reserved_words_are_listed() -> None:
    page = (ROOT / REFERENCE).read_text(encoding="utf-8")
    listed = page.split("<!-- reserved -->")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == scanner.RESERVED


def test_the_bounds_are_those_of_the_engine() -> None:
    page = (ROOT / REFERENCE).read_text(encoding="utf-8")
    table = page.split("## Bounds")[1].split("##")[0]
    told = [int(number.replace(",", "")) for number in re.findall(r"\| ([\d,]+)", table)]
    assert told == [
        loading.MAX_FILE,
        schema.MAX_LENGTH,
        scanner.MAX_DEPTH,
        literals.MAX_DIGITS,
        exact.DIGITS,
        patterns.MAX_LENGTH,
        engine.MAX_TEXT,
        operations.MAX_ITEMS,
        engine.MAX_NAME,
        canonical.MAX_SHORT,
        canonical.MAX_LONG,
    ]


# --- the README --------------------------------------------------------------------------------


def test_the_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    terminal, blocks = Terminal(tmp_path), list(blocks_of(README))
    for block in blocks:
        if block.note.startswith("file: "):
            terminal.write(block)
    for block in blocks:
        if block.kind == "console":
            for command, output in commands_of(block):
                actual = terminal.run(command)
                assert is_output(actual, output), f"{README}:{block.line}: $ {command}\n{actual}"
        elif block.note.startswith("decision: "):
            found, shown = decision_of(terminal, block)
            assert agrees(found, shown), f"{README}:{block.line}: {found}"


def test_what_the_readme_shows_is_run() -> None:
    loose = [
        block.line
        for block in blocks_of(README)
        if block.kind not in ("console", "sh", "text") and not block.note
    ]
    assert loose == []


def test_the_exit_codes_of_the_readme_are_those_of_the_command(tmp_path: Path) -> None:
    help = Terminal(tmp_path).run("guard --help")
    table = (ROOT / README).read_text(encoding="utf-8").split("| code | meaning |")[1].split("\n\n")[0]
    codes = re.findall(r"^\| ([\d, ]+) \|", table, re.M)
    told = {int(code) for line in codes for code in line.split(",")}
    assert told == {int(code) for code in re.findall(r"^ +(\d+)  ", help.split("Exit codes:")[1], re.M)}


def test_what_the_readme_names_is_there() -> None:
    page = (ROOT / README).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z]+)", page))
    assert [target for target in sorted(targets) if not re.search(rf"^{target}:", makefile, re.M)] == []
    folders = re.findall(r"^\| `([a-z/]+)/` \|", page, re.M)
    links = [link for link in re.findall(r"\]\(([^)#]+)", page) if "://" not in link]
    assert [name for name in (*folders, *links) if not (ROOT / name).exists()] == []
