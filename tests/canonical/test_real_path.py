"""`real_path`: what symbolic links do to a path, in a temporary directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardrails.canonical.path import parse_path, real_path
from guardrails.errors import Ambiguous

pytestmark = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    root = tmp_path.resolve()
    (root / "work" / "sub").mkdir(parents=True)
    (root / "secret").mkdir()
    (root / "secret" / "key").write_text("x")
    (root / "work" / "file").write_text("x")
    return root


def link(home: Path, name: str, target: str) -> None:
    (home / "work" / name).symlink_to(target)


def test_plain_files_stay(home: Path) -> None:
    assert real_path("file", f"{home}/work").text == f"{home}/work/file"
    assert real_path(f"{home}/work/./sub/../file").text == f"{home}/work/file"


def test_a_link_leads_out(home: Path) -> None:
    link(home, "out", "../secret")
    path = real_path("out/key", f"{home}/work")
    assert path.text == f"{home}/secret/key"
    assert not path.within(parse_path(f"{home}/work"))
    assert parse_path("out/key", f"{home}/work").within(parse_path(f"{home}/work"))


def test_new_files_and_directories(home: Path) -> None:
    assert real_path("new", f"{home}/work").text == f"{home}/work/new"
    assert real_path("a/b/new", f"{home}/work").text == f"{home}/work/a/b/new"


def test_a_dangling_link_leads_to_where_the_file_would_appear(home: Path) -> None:
    link(home, "later", "../secret/new")
    assert real_path("later", f"{home}/work").text == f"{home}/secret/new"


def test_a_step_up_behind_a_link(home: Path) -> None:
    link(home, "out", "../secret")
    with pytest.raises(Ambiguous, match="different files"):
        real_path("out/../file", f"{home}/work")


def test_a_loop(home: Path) -> None:
    link(home, "one", "two")
    link(home, "two", "one")
    with pytest.raises(Ambiguous, match="cannot be resolved"):
        real_path("one/x", f"{home}/work")


def test_a_file_as_a_directory(home: Path) -> None:
    with pytest.raises(Ambiguous, match="cannot be resolved"):
        real_path("file/x", f"{home}/work")


@pytest.mark.parametrize("text", ["~/x", "$HOME", "a\\b", "C:\\x"])
def test_what_is_refused_before_looking(home: Path, text: str) -> None:
    with pytest.raises(Ambiguous):
        real_path(text, f"{home}/work")


def test_a_relative_path_needs_a_base() -> None:
    with pytest.raises(Ambiguous, match="give an absolute path or a base"):
        real_path("x")
