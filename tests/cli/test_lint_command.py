"""`guard lint`: which files it takes, in which form it answers, and what it fixes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from command_line import Command

BAD = "policy bad\non call x { allow when args.a = 1 }\n"


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_lint_reports_in_every_form(guard: Command, tmp_path: Path, form: str) -> None:
    (tmp_path / "bad.guard").write_text(BAD)
    result = guard("lint", "bad.guard", "--format", form)
    assert result.code == 1
    assert "bad.guard" in result.out
    if form in {"json", "sarif"}:
        json.loads(result.out)


def test_lint_walks_folders(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "deep" / ".hidden").mkdir(parents=True)
    (tmp_path / "deep" / "bad.guard").write_text(BAD)
    (tmp_path / "deep" / ".hidden" / "worse.guard").write_text("oops")
    result = guard("lint", ".")
    assert result.code == 1
    assert f"deep{os.sep}bad.guard:2:" in result.out
    assert "worse" not in result.out


def test_a_file_that_another_one_uses_is_judged_there(guard: Command, tmp_path: Path) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "a_part.guard").write_text(
        'param top: int\non call x { deny when args.n > top because "No." }\n'
    )
    (folder / "main.guard").write_text('policy team\nuse "a_part.guard" with top = 3\n')
    assert "unset-param" not in guard("lint", "team").out
    assert "unset-param" in guard("lint", "team/a_part.guard").out
    assert "unset-param" not in guard("lint", "team/a_part.guard", "--param", "top=3").out


def test_lint_fixes_what_is_safe(guard: Command, tmp_path: Path) -> None:
    path = tmp_path / "old.guard"
    path.write_text(
        'policy a\non call x {\n  deny because "Nobody may call it."  # guard: ignore[unreachable-statement] once\n}\n'
    )
    found = guard("lint", "old.guard")
    assert (found.code, "unused-suppression" in found.out) == (1, True)
    assert "1 can be fixed with `--fix`" in found.out
    fixed = guard("lint", "old.guard", "--fix")
    assert (fixed.code, fixed.err) == (0, "fixed old.guard\n")
    assert "guard: ignore" not in path.read_text()


def test_explain_a_rule(guard: Command) -> None:
    listed = guard("explain")
    assert listed.code == 0
    assert "unused-suppression" in listed.out.splitlines()
    page = guard("explain", "unused-suppression")
    assert page.code == 0
    assert page.out.startswith("# unused-suppression (")
    assert "did you mean `unused-suppression`?" in guard("explain", "unused-supression").err


def test_lint_needs_something_to_lint(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "a file or folder to lint is needed" in guard("lint").err
    assert "there is no `*.guard` file under `empty`" in guard("lint", "empty").err
    assert guard("lint", "p.gard").err.endswith("did you mean `p.guard`?\n")


def test_a_circle_of_files_is_reported_beside_others(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "a.guard").write_text('policy a\nuse "b.guard"\n')
    (tmp_path / "b.guard").write_text('policy b\nuse "a.guard"\n')
    assert "cyclic-use" in guard("lint", ".").out


def test_files_can_be_linted_together(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "a.guard").write_text("policy a\nlet top = 3\n")
    (tmp_path / "b.guard").write_text('on call x { allow; deny when args.n > top because "No." }\n')
    assert "top" in guard("lint", "a.guard", "b.guard").out
    assert "error" not in guard("lint", "--together", "a.guard", "b.guard").out


HOSTED = """\
import guardrails

@guardrails.function
def credit(customer: str) -> int:
    return 100 if customer == "c1" else 0
"""


def test_functions_of_the_host_come_from_a_module(
    guard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "our_functions.py").write_text(HOSTED)
    (tmp_path / "f.guard").write_text("policy f\non call pay { allow when args.n <= credit(args.c) }\n")
    words = ["f.guard", "--call", "pay", "--args", '{"n": 5, "c": "c1"}']
    assert guard("check", *words).code == 66
    assert guard("check", *words, "--functions", "our_functions").code == 0
    assert guard("explain", "--decision", *words, "--functions", "our_functions").code == 0
    assert "credit" not in guard("lint", "f.guard", "--functions", "our_functions").out
    assert not list((tmp_path / "cache").glob("*.program"))
    missing = guard("check", *words, "--functions", "their_functions")
    assert missing.code == 64
    assert "the module `their_functions` cannot be imported" in missing.err
