"""Installing: everything else stays, twice is once, and out is out."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hook_runs import Guard
from hypothesis import given
from hypothesis import strategies as st

from guardrails.integrations.hosts import HOSTS
from guardrails.integrations.installing import (
    PLANS,
    InstallError,
    closed,
    hosts_of,
    installed,
    place,
    removed,
)
from guardrails.integrations.recorded import CALLS, is_refusal
from guardrails.integrations.settings_files import read_settings

ALL = list(HOSTS)
WORDS = ["/opt/my guard/guard", "hook", "claude-code", "/p/team.guard"]

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
)
hooks = st.fixed_dictionaries(
    {
        "type": st.just("command"),
        "command": st.sampled_from(["lint", "guard check x", "./guard.sh hook codex"]),
    }
)
groups = st.one_of(
    hooks, st.fixed_dictionaries({"matcher": st.text(max_size=4), "hooks": st.lists(hooks, max_size=2)})
)
events = st.sampled_from(["PreToolUse", "Stop", "BeforeTool", "preToolUse", "Other"])
settings_ = st.builds(
    lambda other, found: {**other, "hooks": found} if found is not None else other,
    st.dictionaries(st.sampled_from(["theme", "permissions", "model"]), values, max_size=3),
    st.one_of(st.none(), st.dictionaries(events, st.lists(groups, min_size=1, max_size=2), max_size=3)),
)


def _words(host: str) -> list[str]:
    return [*WORDS[:2], host, *WORDS[3:]]


@given(st.sampled_from(ALL), settings_)
def test_installing_again_changes_nothing(host: str, before: dict[str, Any]) -> None:
    once = installed(before, host, _words(host))
    assert installed(once, host, _words(host)) == once


@given(st.sampled_from(ALL), settings_)
def test_what_others_set_stays(host: str, before: dict[str, Any]) -> None:
    after = installed(before, host, _words(host))
    assert {k: v for k, v in after.items() if k not in ("hooks", "version")} == {
        k: v for k, v in before.items() if k != "hooks"
    }
    for event, entries in before.get("hooks", {}).items():
        assert after["hooks"][event][: len(entries)] == entries


@given(st.sampled_from(ALL), settings_)
def test_taking_out_leaves_what_was_before(host: str, before: dict[str, Any]) -> None:
    head = PLANS[host].head
    after = removed(installed({**head, **before}, host, _words(host)), host)
    was = {**head, **before}
    is_bare = not was.get("hooks") and not (was.keys() - head.keys() - {"hooks"})
    assert after == ({} if is_bare else {k: v for k, v in was.items() if k != "hooks" or v})


@pytest.mark.parametrize("host", ALL)
def test_every_hook_of_a_host_is_known_again(host: str) -> None:
    found = installed({}, host, _words(host))
    assert set(found["hooks"]) == set(PLANS[host].events)
    assert CALLS[host] in found["hooks"]
    assert removed(found, host) == {}
    other = next(name for name in ALL if name != host)
    assert removed(found, other) == found


def test_the_switch_that_closes_is_on() -> None:
    (group,) = installed({}, "claude-code", _words("claude-code"))["hooks"]["PreToolUse"]
    assert group["matcher"] == "*"
    assert group["hooks"][0]["onFailure"] == "block"
    (entry,) = installed({}, "cursor", _words("cursor"))["hooks"]["preToolUse"]
    assert entry["failClosed"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's line is for POSIX shells")
@pytest.mark.parametrize("host", ALL)
@pytest.mark.parametrize("program", ["exit 1", "exit 70", "kill -9 $$", "exit 2"])
def test_a_program_that_fails_is_a_refusal(host: str, program: str, tmp_path: Path) -> None:
    path = tmp_path / "guard"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    for words in ([str(path), "hook", host], [str(tmp_path / "missing"), "hook", host]):
        entry = PLANS[host].entry(CALLS[host], closed(words, CALLS[host]))
        hook = entry.get("hooks", [entry])[0]
        line = hook.get("command") or hook["bash"]
        done = subprocess.run(["sh", "-c", line], input="{}", capture_output=True, text=True)
        if program == "exit 2" and host != "copilot" and "missing" not in words[0]:
            assert done.returncode == 2
            continue
        assert is_refusal(host, done.stdout, done.stderr, done.returncode), (words, done)


@pytest.mark.parametrize("event", ["Stop", "AfterAgent"])
def test_a_program_that_fails_at_the_end_stops_the_agent(event: str) -> None:
    done = subprocess.run(
        ["sh", "-c", closed(["/nowhere/guard"], event)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["continue"] is False


def test_a_command_is_known_by_its_words() -> None:
    assert hosts_of("/usr/bin/guard hook codex p.guard") == {"codex"}
    assert hosts_of(shlex.join(["C:/my programs/guard.exe", "hook", "gemini"])) == {"gemini"}
    assert hosts_of("env X=1 guard hook cursor || exit 2") == {"cursor"}
    assert hosts_of("guard check codex") == set()
    assert hosts_of("echo 'unclosed") == set()


def test_hooks_that_are_no_object_are_left_alone() -> None:
    with pytest.raises(InstallError, match="no object"):
        installed({"hooks": []}, "codex", _words("codex"))


# --- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ALL)
def test_without_write_nothing_is_written(guard: Guard, host: str) -> None:
    said = guard("install", host, "team.guard")
    assert said.code == 0
    assert PLANS[host].events[0] in json.loads(said.out)["hooks"]
    assert not Path(place(host, "project", str(guard.folder))).exists()


@pytest.mark.parametrize("host", ALL)
def test_written_and_taken_out_again(guard: Guard, host: str) -> None:
    path = Path(place(host, "project", str(guard.folder)))
    assert guard("install", host, "team.guard", "--write").code == 0
    first = path.read_text()
    assert "nothing to change" in guard("install", host, "team.guard", "--write").out
    assert path.read_text() == first
    assert guard("install", host, "--remove", "--write").code == 0
    assert not path.exists()


def test_a_copy_of_the_file_as_it_was_is_kept(guard: Guard) -> None:
    path = guard.folder / ".claude/settings.json"
    path.parent.mkdir()
    path.write_text('{"model": "m", "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}')
    path.chmod(0o600)
    before = path.read_text()
    guard("install", "claude-code", "team.guard", "--write")
    guard("install", "claude-code", "team.guard", "--write", "--present", "finance")
    assert path.with_name("settings.json.before-guard").read_text() == before
    assert path.stat().st_mode & 0o777 == 0o600
    after = read_settings(str(path))
    assert after["model"] == "m"
    assert len(after["hooks"]["Stop"]) == 2
    assert "--present finance" in after["hooks"]["PreToolUse"][0]["hooks"][0]["command"]
    guard("install", "claude-code", "--remove", "--write")
    assert read_settings(str(path)) == json.loads(before)


def test_files_that_guard_cannot_read_for_certain_are_left_alone(guard: Guard) -> None:
    path = guard.folder / ".gemini/settings.json"
    path.parent.mkdir()
    for text in ("// a comment\n{}", "[]", '{"a": 1, "a": 2}'):
        path.write_text(text)
        said = guard("install", "gemini", "team.guard", "--write")
        assert said.code == 74
        assert "left alone" in said.err
        assert path.read_text() == text


def test_mistakes_are_told_before_anything_is_written(guard: Guard) -> None:
    (guard.folder / "broken.guard").write_text("on call {")
    for words, told in (
        (["claude-code"], "a policy is needed"),
        (["claude-code", "broken.guard"], "error"),
        (["claude-code", "missing.guard"], "there is no file"),
        (["claude-code", "team.guard", "--param", "x=1"], "x"),
        (["copilot", "team.guard", "--user"], "no hooks of a user"),
    ):
        said = guard("install", *words, "--write")
        assert said.code != 0
        assert told in said.err
    assert not (guard.folder / ".claude").exists()


def test_a_users_hooks_go_where_the_host_looks(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(guard.folder / "codex"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(guard.folder / "claude"))
    guard("install", "codex", "team.guard", "--user", "--write")
    guard("install", "claude-code", "team.guard", "--user", "--write")
    guard("install", "cursor", "team.guard", "--user", "--write")
    assert (guard.folder / "codex/hooks.json").exists()
    assert (guard.folder / "claude/settings.json").exists()
    assert (guard.folder / "home/.cursor/hooks.json").exists()
    assert "--root" not in (guard.folder / "codex/hooks.json").read_text()
