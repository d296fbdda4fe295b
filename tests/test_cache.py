"""The cache of compiled programs: the same decisions, and nothing that others could have put there."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails import cache
from guardrails.cache import CacheError, load_program, location, save_program
from guardrails.guard import Guard
from guardrails.loading import load
from guardrails.runtime.program import Program

POLICY = 'policy p\nuse tools "t.json"\non call pay { allow when args.n < 5 }\non call "x.*" { allow }\n'
TOOLS = '[{"name": "pay", "inputSchema": {"type": "object", "properties": {"n": {"type": "number"}}}}]'
PATHS = ["p.guard"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
    Path("p.guard").write_text(POLICY)
    Path("t.json").write_text(TOOLS)
    return tmp_path


def save(params: dict[str, object] | None = None) -> Path:
    loaded = load(PATHS, params=params)
    assert loaded.program is not None
    where = save_program(PATHS, params or {}, loaded.program, loaded.sources.texts)
    assert where is not None
    return Path(where)


def outcome(program: Program, tool: str, args: dict[str, object]) -> str:
    decision = Guard(program).decide({"type": "call", "tool": tool, "args": args})
    return decision.outcome.value


def cached() -> Program:
    program = load_program(PATHS, {})
    assert program is not None
    return program


def test_a_cached_program_decides_the_same(folder: Path) -> None:
    loaded = load(PATHS)
    assert loaded.program is not None
    save()
    program = cached()
    assert program.digest == loaded.program.digest
    for tool, args in (("pay", {"n": 1}), ("pay", {"n": 9}), ("pay", {}), ("x.y", {}), ("other", {})):
        fresh = Guard(loaded.program).decide({"type": "call", "tool": tool, "args": args})
        assert Guard(program).decide({"type": "call", "tool": tool, "args": args}) == fresh


def test_nothing_is_compiled_for_a_tool_that_is_named(folder: Path) -> None:
    save()
    program = cached()
    Path("p.guard").unlink()
    assert outcome(program, "pay", {"n": 1}) == "allow"
    assert outcome(program, "unknown", {}) == "deny"


def test_what_is_counted_is_in_the_cache(folder: Path) -> None:
    Path("p.guard").write_text(
        "policy p\non call pay { allow\n few: limit 1 per 1d }\non session { spent: budget tokens 5 }\n"
    )
    save()
    guard = Guard(cached())
    Path("p.guard").unlink()
    call = {"type": "call", "tool": "pay", "args": {}, "session": "s"}
    usage = {"type": "usage", "input_tokens": 5, "session": "s"}
    assert [guard.decide(event).outcome.value for event in (call, call, usage)] == ["allow", "deny", "deny"]
    assert [state.name for state in guard.limits()] == ["p.few", "p.spent"]


def test_a_policy_that_changed_meanwhile_is_not_mixed_in(folder: Path) -> None:
    save()
    program = cached()
    Path("p.guard").write_text(POLICY + "default call allow\n")
    with pytest.raises(CacheError, match="changed while it was in use"):
        outcome(program, "x.y", {})


@pytest.mark.parametrize("file", ["p.guard", "t.json"])
def test_any_changed_source_makes_it_stale(folder: Path, file: str) -> None:
    save()
    path = Path(file)
    path.write_text(path.read_text() + "\n")
    assert load_program(PATHS, {}) is None
    path.unlink()
    assert load_program(PATHS, {}) is None


def test_parameters_folders_and_paths_are_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = location(PATHS, {})
    assert (
        len({here, location(PATHS, {"a": 1}), location(PATHS, {"a": "1"}), location([*PATHS, "q"], {})}) == 4
    )
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder / "sub")
    assert location(PATHS, {}) != here


def test_another_engine_does_not_believe_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save()
    monkeypatch.setattr(cache, "VERSION", "9.9")
    assert load_program(PATHS, {}) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"junk", marshal.dumps((1, 2)), marshal.dumps("text"), marshal.dumps((1, 2, 3, 4))],
)
def test_a_broken_file_is_as_good_as_none(folder: Path, data: bytes) -> None:
    save().write_bytes(data)
    assert load_program(PATHS, {}) is None


def test_a_cut_file_is_as_good_as_none(folder: Path) -> None:
    where = save()
    whole = where.read_bytes()
    for size in range(0, len(whole) - 1, 97):
        where.write_bytes(whole[:size])
        assert load_program(PATHS, {}) is None


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
class TestTrust:
    def test_only_the_user_can_read_and_write(self, folder: Path) -> None:
        where = save()
        assert where.stat().st_mode & 0o777 == 0o600
        assert where.parent.stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_a_file_that_others_can_write_is_refused(self, folder: Path, mode: int) -> None:
        save().chmod(mode)
        assert load_program(PATHS, {}) is None

    @pytest.mark.parametrize("mode", [0o770, 0o707])
    def test_a_folder_that_others_can_write_is_refused(self, folder: Path, mode: int) -> None:
        where = save()
        where.parent.chmod(mode)
        assert load_program(PATHS, {}) is None
        with pytest.raises(CacheError, match="can be written by others"):
            save()

    def test_the_file_of_another_user_is_refused(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save()
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
        assert load_program(PATHS, {}) is None

    def test_a_folder_in_its_place_is_refused(self, folder: Path) -> None:
        where = save()
        where.unlink()
        where.mkdir()
        assert load_program(PATHS, {}) is None


def test_no_half_written_file_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(CacheError, match="no space left"):
        save()
    assert list((folder / "cache").iterdir()) == []


def test_old_programs_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_PROGRAMS", 3)
    for number in range(6):
        Path("p.guard").write_text("policy p\nparam n: int\n")
        save({"n": number})
    assert len(list((folder / "cache").iterdir())) == 3


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert cache.folder() == "/home/ana/.cache/guard"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/ana")
    assert cache.folder() == "/var/ana/guard"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == "/home/ana/.cache/guard"
    monkeypatch.setenv("GUARD_CACHE", "off")
    assert cache.folder() is None
    assert location(PATHS, {}) is None
    assert load_program(PATHS, {}) is None


def test_the_parser_takes_its_tables_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.language import parser

    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "c"))
    cache.prepare_parser()
    kept = list((tmp_path / "c").glob("*.tables"))
    assert len(kept) == 1
    code = (
        "from guardrails import cache\nfrom guardrails.language import parser\ncache.prepare_parser()\n"
        "assert parser._prepared\n"
        "print(parser.parse('policy a\\non call x { allow }', 'p')[1], parser.parse('policy a\\nalow', 'p')[1] != [])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["[]", "True"]
    assert parser.parse("policy a\non call x { allow }", "p")[1] == []


def test_tables_that_others_could_have_written_are_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "c"))
    cache.prepare_parser()
    (kept,) = (tmp_path / "c").glob("*.tables")
    kept.write_bytes(b"not tables at all")
    kept.chmod(0o666)
    code = (
        "from guardrails import cache\nfrom guardrails.language import parser\n"
        "cache.prepare_parser()\nprint(parser._prepared)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_tables_that_were_cut_short_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.language import parser

    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "c"))
    cache.prepare_parser()
    (kept,) = (tmp_path / "c").glob("*.tables")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:1000])
    cache.prepare_parser()
    assert len(kept.read_bytes()) > 1000
    assert parser.parse("policy a\non call x { allow }", "p")[1] == []
