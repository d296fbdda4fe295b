"""What the exit code of a command over a log means stands where people look for it, and is what it does."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from audit_logs import note
from command_line import Command

from guardrails.audit.log import home_at

README = Path(__file__).parents[2] / "README.md"
ONE = ("`audit verify`", "`audit repair`", "`audit erase`", "`audit show`")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of nine notes, and its only segment."""
    home_at(f"file://{tmp_path}/log").append([note(number=number) for number in range(9)])
    monkeypatch.setenv("GUARD_AUDIT", f"file://{tmp_path}/log")
    (segment,) = (tmp_path / "log").glob("*.jsonl")
    return segment


def row(code: int) -> str:
    """What the table of exit codes in the README says of one."""
    lines = [line for line in README.read_text().splitlines() if line.startswith(f"| {code} |")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("name", ONE)
def test_what_one_means_is_said_of_commands_over_a_log(name: str) -> None:
    meaning = import_module("guardrails.cli.exits").MEANINGS[1]
    assert name in meaning
    assert name in row(1)


def test_the_readme_says_what_the_help_does() -> None:
    meanings = import_module("guardrails.cli.exits").MEANINGS
    for code in (0, 1, 64, 65, 66, 74):
        assert row(code) == f"| {code} | {meanings[code]} |"


def test_a_sound_log_is_0_and_a_damaged_one_1(run: Command, log: Path) -> None:
    assert run("audit", "verify").code == 0
    log.write_bytes(log.read_bytes().replace(b'"number":4', b'"number":5', 1))
    assert run("audit", "verify").code == 1
    assert run("audit", "verify", "--format", "json").code == 1
    assert run("audit", "repair").code == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_wrong_key_and_a_cut_end_are_damage(
    form: str, run: Command, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as other:
        other.setenv("GUARD_AUDIT_KEY", "another key of tests, as long")
        assert run("audit", "verify", "--format", form).code == 1
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert run("audit", "verify", "--format", form).code == 1


def test_who_or_what_is_not_in_the_log_is_1(run: Command, log: Path) -> None:
    assert run("audit", "show", "nothing").code == 1
    assert run("audit", "erase", "--subject", "nobody", "--yes").code == 1


def test_a_log_or_an_anchor_that_cannot_be_read_is_74(run: Command, log: Path, tmp_path: Path) -> None:
    assert run("audit", "verify", "--audit", f"{tmp_path}/nowhere").code == 74
    assert run("audit", "verify", "--anchor", f"{tmp_path}/nowhere").code == 74


def test_a_proof_that_is_malformed_is_65_and_one_that_fails_1(
    run: Command, log: Path, tmp_path: Path
) -> None:
    proof, key = tmp_path / "proof.json", str(log.parent / "public.key")
    proof.write_text("{")
    assert run("audit", "verify", "--proof", str(proof), "--public-key", key).code == 65
    proof.write_text(json.dumps({"index": 3}))
    assert run("audit", "verify", "--proof", str(proof), "--public-key", key).code == 1
    assert run("audit", "verify", "--proof", str(proof)).code == 64
