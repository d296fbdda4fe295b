"""Every pack in `policies/` loads without a finding, decides its examples as it says, and has a true README.

A pack is a folder with `NAME.guard`, `tools.json`, `events.jsonl`, `expected.jsonl` and `README.md`. The two
example files go line by line: an event, and the outcome, labels, payload and kinds of errors of its decision.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails import Guard
from guardrails.language.formatter import format_text
from guardrails.language.schema import read_tools
from guardrails.loading import load
from guardrails.model import Decision

POLICIES = ROOT / "policies"
PACKS = sorted(path.parent.name for path in POLICIES.glob("*/*.guard") if path.stem == path.parent.name)

MIN_EXAMPLES = 40


def _policy(pack: str) -> Path:
    return POLICIES / pack / f"{pack}.guard"


def _lines(pack: str, file: str) -> list[dict[str, Any]]:
    text = (POLICIES / pack / file).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _summary(call_id: str, decision: Decision) -> dict[str, Any]:
    """A decision as a line of `expected.jsonl`."""
    labels = sorted({applied.label for applied in decision.applied if applied.label})
    found: dict[str, Any] = {"call_id": call_id, "outcome": decision.outcome.value, "labels": labels}
    if decision.transforms:
        found["payload"] = decision.payload
    if decision.errors:
        found["errors"] = sorted({error.kind for error in decision.errors})
    return found


def test_the_packs_that_are_promised_are_there() -> None:
    assert set(PACKS) >= {"support", "coding", "database", "banking", "assistant"}


@pytest.mark.parametrize("pack", PACKS)
def test_loads_without_a_finding(pack: str, tmp_path: Path) -> None:
    terminal = Terminal(POLICIES / pack, tmp_path)
    assert load([str(_policy(pack))]).diagnostics == ()
    assert terminal.run(f"guard lint {pack}.guard").strip() == "no findings"


@pytest.mark.parametrize("pack", PACKS)
def test_is_formatted(pack: str) -> None:
    text = _policy(pack).read_text(encoding="utf-8")
    assert format_text(text, str(_policy(pack)))[0] == text


@pytest.mark.parametrize("pack", PACKS)
def test_tools_are_pinned(pack: str) -> None:
    text = (POLICIES / pack / "tools.json").read_text(encoding="utf-8")
    tools, problems = read_tools(text, "tools.json")
    assert problems == []
    assert all("digest" in tool for tool in json.loads(text)["tools"])
    assert all(tool.description and tool.read_only is not None for tool in tools)


@pytest.mark.parametrize("pack", PACKS)
def test_examples_decide_as_expected(pack: str) -> None:
    guard = Guard.load(_policy(pack))
    events, expected = _lines(pack, "events.jsonl"), _lines(pack, "expected.jsonl")
    found = [_summary(event["call_id"], guard.decide(event)) for event in events]
    assert found == expected


@pytest.mark.parametrize("pack", PACKS)
def test_examples_are_of_every_kind(pack: str) -> None:
    events, expected = _lines(pack, "events.jsonl"), _lines(pack, "expected.jsonl")
    assert len(events) >= MIN_EXAMPLES
    assert len({event["call_id"] for event in events}) == len(events)
    assert {event["type"] for event in events} >= {"call", "result"}
    assert {line["outcome"] for line in expected} >= {"allow", "ask", "deny"}
    assert any("payload" in line for line in expected)


@pytest.mark.parametrize("pack", PACKS)
def test_every_statement_with_a_label_is_exercised(pack: str) -> None:
    checked = load([str(_policy(pack))]).checked
    assert checked is not None
    labels = {rule.statement.label for rule in checked.rules if rule.statement.label}
    assert labels - {label for line in _lines(pack, "expected.jsonl") for label in line["labels"]} == set()


@pytest.mark.parametrize("pack", PACKS)
def test_no_argument_can_be_left_out_to_loosen(pack: str) -> None:
    """Law L2 on the packs: an example call without one of its tool's required arguments is never decided
    more loosely."""
    guard = Guard.load(_policy(pack))
    tools = read_tools((POLICIES / pack / "tools.json").read_text(encoding="utf-8"), "tools.json")[0]
    required = {tool.name: tool.schema.get("required", []) for tool in tools}
    for event in _lines(pack, "events.jsonl"):
        for name in required.get(event.get("tool"), []) if event["type"] == "call" else []:
            args = {key: value for key, value in event["args"].items() if key != name}
            without, whole = guard.decide(event | {"args": args}), guard.decide(event)
            assert whole.outcome <= without.outcome, (event, name)


@pytest.mark.parametrize("pack", PACKS)
def test_readme_is_true(pack: str, tmp_path: Path) -> None:
    folder = tmp_path / pack
    shutil.copytree(POLICIES / pack, folder)
    terminal, ran = Terminal(folder), 0
    for block in blocks_of(f"policies/{pack}/README.md"):
        if block.note.startswith("file: "):
            terminal.write(block)
            assert Guard.load(folder / block.note.removeprefix("file: ")).diagnostics == ()
        for command, output in commands_of(block) if block.kind == "console" else ():
            actual = terminal.run(command)
            assert is_output(actual, output), f"`{command}` gives\n{actual}"
            ran += 1
        if block.kind == "python":
            _run(block.text, folder)
            ran += 1
    assert ran >= 2, "a README shows how its pack is used"


def _run(code: str, folder: Path) -> None:
    """A Python example, in the folder of its pack."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(code, "README.md", "exec"), {"Guard": Guard})
    finally:
        os.chdir(before)
