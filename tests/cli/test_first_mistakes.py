"""What somebody who is new here types, and what they are told: the place, the reason, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import Command

REQUEST = ("--store", "redis://127.0.0.1:1")


def test_the_version_is_an_option_too(guard: Command) -> None:
    assert guard("--version").out == guard("version").out != ""


@pytest.mark.parametrize("group", ["approvals", "audit", "tools"])
def test_a_group_without_a_command_shows_what_there_is(guard: Command, group: str) -> None:
    told = guard(group)
    assert (told.code, told.out) == (64, "")
    assert told.err.startswith(f"Usage: guard {group}")
    assert "error" not in told.err


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (("install",), "one of `claude-code`, `codex`, `gemini`, `cursor`, `copilot`"),
        (("completion",), "one of `bash`, `zsh`, `fish`"),
        (("approvals", "judge", "abcd"), "one of `upheld`, `wrong`"),
    ],
)
def test_what_can_be_chosen_stands_on_one_line(guard: Command, words: tuple[str, ...], choices: str) -> None:
    first, _, rest = guard(*words).err.partition("\n")
    assert choices in first
    assert rest.startswith("  = help: ")


def test_an_option_without_its_value_names_its_command(guard: Command) -> None:
    told = guard("doctor", "--agent").err
    assert told.startswith("error: `guard doctor`: ")
    assert "`guard doctor --help`" in told


@pytest.mark.parametrize("words", [("list",), ("approve", "abcd", "--as", "ana")])
def test_a_store_whose_package_is_missing_is_no_mistake_of_guard(
    guard: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "guardrails.stores.redis", raising=False)
    told = guard("approvals", *words, *REQUEST)
    assert told.code == 74
    assert "guard itself failed" not in told.err
    assert "guard-policy[redis]" in told.err


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_an_empty_name_is_nobody(guard: Command, tmp_path: Path, word: str) -> None:
    """`--as "$WHO"` with nothing in it is not the user of the machine."""
    (tmp_path / "r.yaml").write_text("finance: [ana]\n")
    told = guard("approvals", word, "abcd", "--as", "", "--reviewers", "r.yaml", "--store", "sqlite:s.db")
    assert told.code == 64
    assert "`--as`" in told.err


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('no key')", "RuntimeError: no key"),
        ("def (:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_an_agents_module_that_fails_is_no_mistake_of_guard(
    guard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    name = f"module_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    told = guard("doctor", "--agent", f"{name}:agent")
    assert told.code == 64
    assert f"`{name}:agent` cannot be imported: {said}" in told.err


def test_a_file_is_no_module(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "some_app.py").write_text("agent = None\n")
    told = guard("doctor", "--agent", "some_app.py:agent")
    assert told.code == 64
    assert "did you mean `some_app:agent`?" in told.err


def test_a_host_that_was_named_and_is_not_set_up_is_a_problem(
    guard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "CODEX_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "team.guard").write_text("policy t\non call run_command { deny }\n")
    assert guard("install", "gemini", "team.guard", "--write").code == 0
    told = guard("doctor", "gemini", "codex")
    assert told.code == 1
    assert "guard is not set up in it" in told.out.partition("Codex")[2]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--principal", "ana"), "`--principal`"),
        (("--agent", "[1]"), "`--agent`"),
        (("--store", "nope:"), "`nope:` names no store"),
    ],
)
def test_a_hook_that_could_only_refuse_is_not_installed(
    guard: Command, tmp_path: Path, option: tuple[str, str], said: str
) -> None:
    (tmp_path / "team.guard").write_text("policy t\non call run_command { deny }\n")
    told = guard("install", "gemini", "team.guard", "--write", *option)
    assert told.code == 64
    assert said in told.err
    assert not (tmp_path / ".gemini").exists()


def test_a_hook_without_an_event_says_so(guard: Command) -> None:
    told = guard("hook", "claude-code", "p.guard")
    assert told.code == 2
    assert "there is no event on standard input" in told.err


def test_a_hook_without_a_host_says_how_it_is_used(guard: Command) -> None:
    told = guard("hook")
    assert told.code == 2
    assert "no host is named: write `guard hook HOST POLICY`" in told.err
