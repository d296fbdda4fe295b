"""The pages about adapters are true: their examples run as they stand, against the real frameworks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output

sys.path.append(str(ROOT / "tests/integrations"))

PAGES = [
    "grammar/ADAPTERS.md",
    *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("grammar/adapters/*.md")),
]
PEERS = {"grammar/adapters/crewai.md": ROOT / ".peers/crewai/bin"}


@contextmanager
def fake_claude(page: str, terminal: Terminal) -> Iterator[None]:
    """A model on this machine for the page that needs one."""
    if not page.endswith("claude-agent-sdk.md"):
        yield
        return
    from fake_models import Messages

    model = Messages([("Bash", {"command": "cat incident.txt"}), "It was INC-7."])
    terminal.environment |= {
        "ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "none", "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    try:
        yield
    finally:
        model.close()


QUICK = [pytest.param(page, marks=pytest.mark.soak if page in PEERS else ()) for page in PAGES]
"""CrewAI takes half a minute to begin; its cases run in any case."""


@pytest.mark.parametrize("page", QUICK)
def test_its_commands_give_what_it_shows(page: str, tmp_path: Path) -> None:
    terminal, ran = Terminal(tmp_path), 0
    terminal.environment |= {"HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    if page in PEERS:
        if not PEERS[page].exists() and os.environ.get("CI") != "true":
            pytest.skip("`make peers` puts CrewAI beside this")
        terminal.environment["PATH"] = f"{PEERS[page]}{os.pathsep}{terminal.environment['PATH']}"
    with fake_claude(page, terminal):
        for block in blocks_of(page):
            if block.note.startswith("file: "):
                terminal.write(block)
            for command, output in commands_of(block) if block.kind == "console" else ():
                actual = terminal.run(command)
                assert is_output(actual, output), f"`{command}` gives\n{actual}"
                ran += 1
    assert ran


def test_every_adapter_has_a_page_and_an_extra() -> None:
    import tomllib

    overview = (ROOT / "grammar/ADAPTERS.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in PAGES[1:]:
        assert f"(adapters/{Path(page).name})" in overview
        text = (ROOT / page).read_text(encoding="utf-8")
        extra = text.split("guard-policy[")[1].split("]")[0]
        assert extra in project["optional-dependencies"]
        assert f"`guard-policy[{extra}]`" in overview
