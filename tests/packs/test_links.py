"""Paths of the coding pack where there really are files: what leads out of the workspace is outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from mistakes import policy_of

from guardrails import Guard


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with a file, a link that leads out of it, and a link that leads back in."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.txt").write_text("a", encoding="utf-8")
    (inside / "out").symlink_to(outside)
    (inside / "back").symlink_to(inside / "a.txt")
    (inside / "key").symlink_to(inside / ".env")
    return inside


@pytest.mark.parametrize(
    ("path", "outcome"),
    [("a.txt", "allow"), ("back", "allow"), ("out/a.txt", "deny"), ("out", "deny"), ("key", "deny")],
)
def test_links_are_followed(workspace: Path, path: str, outcome: str) -> None:
    guard = Guard.load(policy_of("coding"), params={"workspace": str(workspace)})
    assert guard.session().check_call("read_file", {"path": path}).outcome.value == outcome


def test_a_workspace_that_is_a_link_itself(workspace: Path) -> None:
    link = workspace.parent / "link"
    link.symlink_to(workspace)
    guard = Guard.load(policy_of("coding"), params={"workspace": str(link)})
    session = guard.session()
    paths = ("a.txt", f"{workspace}/a.txt", "out/a.txt")
    found = [session.check_call("read_file", {"path": path}) for path in paths]
    assert [decision.outcome.value for decision in found] == ["allow", "allow", "deny"]
