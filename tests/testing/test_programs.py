"""`guard test` may take the compiled policy from the cache; what it says is never that of another policy."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from guardrails.errors import PolicyError
from guardrails.testing import programs
from guardrails.testing.files import MALFORMED, UNLOADABLE, Choice, report_of
from guardrails.testing.reading import suite_of
from guardrails.testing.running import run_suite

POLICY = 'policy p\nuse "base.guard"\nparam most: int = 5\non call pay { allow when args.n <= most }\n'
BASE = "policy base\non call pay { top: deny when args.n > 100 }\n"
CASES = "policy: p.guard\ncases:\n  - {name: five, call: pay, args: {n: 5}, expect: allow}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
    for name, text in (("p.guard", POLICY), ("base.guard", BASE), ("p.test.yaml", CASES)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def statuses(folder: Path) -> list[str]:
    report = report_of(str(folder / "p.test.yaml"), Choice())
    return [each.status for each in report.results] or [report.kind]


def count_loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    loaded_of = programs.loaded_of
    monkeypatch.setattr(programs, "loaded_of", lambda source: found.append(source) or loaded_of(source))
    return found


def test_a_policy_is_compiled_once_for_many_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = count_loads(monkeypatch)
    assert [statuses(folder) for _ in range(3)] == [["passed"]] * 3
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "status"),
    [
        ("p.guard", "= 5", "= 4", "failed"),
        ("base.guard", "> 100", "> 1", "failed"),
        ("base.guard", "top:", "other:", "passed"),
        ("p.guard", "allow when", "allow whenever", UNLOADABLE),
    ],
)
def test_a_change_of_any_file_is_noticed(folder: Path, file: str, old: str, new: str, status: str) -> None:
    assert statuses(folder) == ["passed"]
    (folder / file).write_text((folder / file).read_text("utf-8").replace(old, new), encoding="utf-8")
    assert statuses(folder) == [status]


def test_parameters_and_folders_have_programs_of_their_own(folder: Path) -> None:
    assert statuses(folder) == ["passed"]
    cases = CASES.replace("cases:", "params: {most: 3}\ncases:", 1)
    (folder / "p.test.yaml").write_text(cases, encoding="utf-8")
    assert statuses(folder) == ["failed"]


def test_functions_of_a_test_are_never_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = count_loads(monkeypatch)
    (folder / "p.guard").write_text(
        "policy p\non call pay { allow when blocked(args.n) }\n", encoding="utf-8"
    )
    for answer, status in (("true", "passed"), ("false", "failed")):
        stub = f"functions: {{blocked: {{takes: [any], gives: bool, returns: {answer}}}}}\n"
        (folder / "p.test.yaml").write_text(stub + CASES, encoding="utf-8")
        assert statuses(folder) == [status]
    assert len(loads) == 2


def test_a_cache_that_cannot_be_written_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("GUARD_CACHE", str(folder / "file"))
    assert statuses(folder) == ["passed"]


def test_a_policy_that_does_not_load_says_so(folder: Path) -> None:
    (folder / "p.guard").write_text("policy p\non call pay { allow when }\n", encoding="utf-8")
    suite = suite_of(CASES, str(folder / "p.test.yaml"))
    with pytest.raises(PolicyError):
        run_suite(suite)


def test_the_collector_of_garbage_is_left_as_it_was(folder: Path) -> None:
    before = gc.get_threshold()
    assert statuses(folder) == ["passed"]
    (folder / "p.test.yaml").write_text("cases: [", encoding="utf-8")
    assert statuses(folder) == [MALFORMED]
    assert gc.get_threshold() == before
