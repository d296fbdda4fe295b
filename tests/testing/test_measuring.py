"""`guard test --coverage` and `--mutate`: what they print and write, and the exit codes."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

CASES = """policy: p.guard
cases:
  - name: small
    call: pay
    args: {n: 3}
    expect: {outcome: allow, applied: [small]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.guard").write_text(
        "policy p\non call pay {\n  small: allow when args.n <= 10\n}\n", "utf-8"
    )
    (tmp_path / "p.test.yaml").write_text(CASES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_CACHE", "off")
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    command = import_module("guardrails.cli.test").command
    result = CliRunner().invoke(command, words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_coverage_is_shown_after_the_results() -> None:
    code, text = run("--coverage")
    assert code == 0
    assert "1 passed" in text
    assert "p.guard: 50.0% (2 of 4)" in text
    assert "no test has not `args.n <= 10`" in text


def test_coverage_of_some_cases() -> None:
    assert "p.guard: 50.0%" in run("--coverage", "--filter", "small")[1]


@pytest.mark.parametrize(("least", "code"), [("50", 0), ("50.1", 1)])
def test_fail_under(least: str, code: int) -> None:
    assert run("--coverage", "--fail-under", least)[0] == code


def test_reports_are_written(folder: Path) -> None:
    code, _ = run("--coverage-html", "c.html", "--coverage-lcov", "c.lcov", "--coverage-xml", "c.xml")
    assert code == 0
    beginnings = {"c.html": "<!doctype html>", "c.lcov": "TN:\nSF:", "c.xml": "<?xml"}
    assert {
        name: (folder / name).read_text("utf-8").startswith(head) for name, head in beginnings.items()
    } == dict.fromkeys(beginnings, True)


def test_mutants_and_the_cases_that_notice_them(folder: Path) -> None:
    code, text = run("--mutate", "--fail-under", "100")
    assert code == 1
    assert "survived: boundary shift, line 3" in text
    assert run("--mutate", "--write")[0] == 0
    assert (folder / "p.test.yaml").read_text("utf-8").startswith(CASES)
    assert "review me" in (folder / "p.test.yaml").read_text("utf-8")
    assert run()[0] == 0
    assert run("--mutate", "--fail-under", "100")[0] == 0


def test_mutants_as_json() -> None:
    data = json.loads(run("--mutate", "--format", "json")[1])
    assert {each["fate"] for each in data["policies"][0]["mutants"]} == {"killed", "survived"}


@pytest.mark.parametrize("words", [("--write",), ("--fail-under", "5")])
def test_options_that_would_do_nothing(words: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match="goes with"):
        run(*words)


def test_tests_that_fail_cannot_judge(folder: Path) -> None:
    (folder / "p.test.yaml").write_text(CASES.replace("allow,", "deny,"), encoding="utf-8")
    assert run("--coverage")[0] == 1
    with pytest.raises(Exception, match="fails without any mutant"):
        run("--mutate")
