"""Which servers of a configuration go through the gateway."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gateway_process import SCRIPT

from guardrails.gateway.coverage import VALUED, coverage_of, covered


def entry(*words: str, **more: Any) -> dict[str, Any]:
    return {"command": words[0], "args": list(words[1:]), **more}


@pytest.mark.parametrize(
    ("found", "through", "behind"),
    [
        (entry("guard", "mcp", "p.guard", "--name", "git", "--", "uvx", "mcp-server-git"), True, ("git",)),
        (entry("/opt/bin/guard", "mcp", "p.guard", "--store=memory:", "--", "x"), True, ("server",)),
        (entry("uvx", "--from", "guard-policy", "guard", "mcp", "p.guard", "--", "x"), True, ("server",)),
        (entry("python", "-m", "guardrails.cli", "mcp", "p.guard", "--", "x"), True, ("server",)),
        ({"command": "guard mcp p.guard -- x"}, True, ("server",)),
        (entry("guard", "mcp", "p.guard", "--config", "all.json"), True, ("a", "b")),
        (entry("uvx", "mcp-server-git"), False, ()),
        (entry("other", "--", "guard", "mcp", "p.guard", "--", "x"), False, ()),
        (entry("guard", "serve", "p.guard"), False, ()),
        (entry("guard", "mcp", "pins", "list"), False, ()),
        ({"url": "https://guard/mcp"}, False, ()),
        ({"command": "guard mcp 'p.guard"}, False, ()),
        ("nonsense", False, ()),
    ],
)
def test_a_gateway_is_known(found: Any, through: bool, behind: tuple[str, ...], tmp_path: Path) -> None:  # noqa: FBT001
    (tmp_path / "p.guard").write_text("policy p\n")
    (tmp_path / "all.json").write_text('{"mcpServers": {"a": {"command": "x"}, "b": {"url": "https://b"}}}')
    seen = coverage_of("name", found, str(tmp_path / "mcp.json"))
    assert (seen.through, seen.behind, seen.trouble) == (through, behind, "")
    assert seen.policies == (("p.guard",) if through else ())


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        (("guard", "mcp", "--", "x"), "names no policy"),
        (("guard", "mcp", "p.guard"), "names no server"),
        (("guard", "mcp", "gone.guard", "--", "x"), "`gone.guard` is not there"),
        (("guard", "mcp", "p.guard", "--config", "gone.json"), "cannot be read"),
    ],
)
def test_a_gateway_that_would_not_start_says_why(
    words: tuple[str, ...], trouble: str, tmp_path: Path
) -> None:
    (tmp_path / "p.guard").write_text("policy p\n")
    seen = coverage_of("name", entry(*words, cwd=str(tmp_path)))
    assert seen.through
    assert trouble in seen.trouble


def test_all_servers_of_a_file_are_listed(tmp_path: Path) -> None:
    path = tmp_path / ".mcp.json"
    servers = {"in": entry("guard", "mcp", "p.guard", "--", "x"), "around": entry("x")}
    path.write_text(json.dumps({"mcpServers": servers}))
    assert [(each.name, each.through, each.path) for each in covered(str(path))] == [
        ("in", True, str(path)), ("around", False, str(path)),
    ]  # fmt: skip


def test_it_knows_the_options_of_the_command() -> None:
    shown = subprocess.run(
        [SCRIPT, "mcp", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    valued = re.findall(r"^  (--[a-z-]+) [A-Z]", shown, re.MULTILINE)
    assert sorted(valued) == sorted(VALUED)
