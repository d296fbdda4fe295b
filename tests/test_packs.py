"""Every pack in `policies/` loads without a finding, decides its examples as it says, and has a true README.

A pack is a folder with `NAME.guard`, `tools.json`, `NAME.test.yaml`, `events.jsonl` and `README.md`. The tests hold
events and the outcome, labels, payload and kinds of errors of their decisions; the stream holds the same events.
"""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

from guardrails import Guard
from guardrails.language.formatter import format_text
from guardrails.language.schema import read_tools
from guardrails.loading import load
from guardrails.testing import read_suite, run_suite
from guardrails.testing.cases import Suite
from guardrails.testing.reporting import Report, render_text
from guardrails.testing.running import maker_of

POLICIES = ROOT / "policies"
PACKS = sorted(path.parent.name for path in POLICIES.glob("*/*.guard") if path.stem == path.parent.name)

MIN_EXAMPLES = 40


def _policy(pack: str) -> Path:
    return POLICIES / pack / f"{pack}.guard"


def _lines(pack: str, file: str) -> list[dict[str, Any]]:
    text = (POLICIES / pack / file).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@cache
def _suite(pack: str) -> Suite:
    return read_suite(str(POLICIES / pack / f"{pack}.test.yaml"))


def _wanted(pack: str) -> list[dict[str, Any]]:
    """What the cases of a pack expect of each event that is decided."""
    steps = [step for case in _suite(pack).cases for step in case.steps]
    found = [{want.aspect: want.value for want in step.wants} for step in steps]
    return [{"applied": ()} | wants for wants in found if "outcome" in wants]


def test_the_packs_that_are_promised_are_there() -> None:
    assert set(PACKS) >= {"support", "coding", "database", "banking", "assistant", "purchasing"}


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
    results = run_suite(_suite(pack))
    assert [result.status for result in results] == ["passed"] * len(_suite(pack).cases), render_text(
        [Report(pack, tuple(results))]
    )


@pytest.mark.parametrize("pack", PACKS)
def test_the_stream_holds_the_same_events(pack: str) -> None:
    streamed = {event.pop("call_id"): event for event in _lines(pack, "events.jsonl")}
    tested = {case.name: dict(case.steps[0].value) for case in _suite(pack).cases}
    for event in [*tested.values(), *streamed.values()]:
        event.pop("session", None)
    assert {name: _plain(event) for name, event in tested.items() if name in streamed} == {
        name: _plain(event) for name, event in streamed.items()
    }


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    """An event with the arguments that it leaves out."""
    return {"args": {}} | event if event["type"] == "call" else event


@pytest.mark.parametrize("pack", PACKS)
def test_examples_are_of_every_kind(pack: str) -> None:
    expected = _wanted(pack)
    events = [step.value for case in _suite(pack).cases for step in case.steps if step.wants]
    assert len(events) >= MIN_EXAMPLES
    assert {event["type"] for event in events if isinstance(event, dict)} >= {"call", "result"}
    assert {wants["outcome"] for wants in expected} >= {"allow", "ask", "deny"}
    assert any("payload" in wants for wants in expected)


@pytest.mark.parametrize("pack", PACKS)
def test_every_statement_with_a_label_is_exercised(pack: str) -> None:
    checked = load([str(_policy(pack))]).checked
    assert checked is not None
    labels = {rule.statement.label for rule in checked.rules if rule.statement.label}
    assert labels - _exercised(pack) == set()


def _exercised(pack: str) -> set[str]:
    """The labels that some step expects: of what applies, owes something, or would apply."""
    wants = [want for case in _suite(pack).cases for step in case.steps for want in step.wants]
    return {label for want in wants if want.aspect in ("applied", "shadow", "by") for label in want.value}


@pytest.mark.parametrize("pack", PACKS)
def test_no_argument_can_be_left_out_to_loosen(pack: str) -> None:
    """Law L2 on the packs: an example call without one of its tool's required arguments is never decided
    more loosely."""
    make = maker_of(_suite(pack))
    tools = read_tools((POLICIES / pack / "tools.json").read_text(encoding="utf-8"), "tools.json")[0]
    required = {tool.name: tool.schema.get("required", []) for tool in tools}
    for event in _lines(pack, "events.jsonl"):
        for name in required.get(event.get("tool"), []) if event["type"] == "call" else []:
            args = {key: value for key, value in event["args"].items() if key != name}
            without, whole = make().decide(event | {"args": args}), make().decide(event)
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
