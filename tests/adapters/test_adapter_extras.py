"""The pages about adapters as a new user has them: an empty project, Guard as a wheel with the extra, and the example."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs.blocks import ROOT, blocks_of
from docs.readme import Terminal, commands_of, is_output
from test_adapter_pages import PAGES, fake_claude

pytestmark = pytest.mark.soak

UV = Path(sys.executable).with_name("uv")


def uv(*words: str) -> None:
    subprocess.run([str(UV), *words], check=True, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", str(folder), str(ROOT))
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.parametrize("page", PAGES[1:])
def test_the_example_works_in_an_empty_project(page: str, wheel: Path, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    extra = text.split("guard-policy[")[1].split("]")[0]
    place, project = tmp_path / "venv", tmp_path / "project"
    project.mkdir()
    uv("venv", "--python", sys.executable, str(place))
    uv("pip", "install", "--python", str(place / "bin/python"), f"guard-policy[{extra}] @ {wheel.as_uri()}")
    terminal = Terminal(project)
    terminal.environment |= {"HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    terminal.environment["PATH"] = f"{place}/bin{os.pathsep}{os.environ['PATH']}"
    with fake_claude(page, terminal):
        for block in blocks_of(page):
            if block.note.startswith("file: "):
                terminal.write(block)
            for command, output in commands_of(block) if block.kind == "console" else ():
                actual = terminal.run(command)
                assert is_output(actual, output), f"`{command}` gives\n{actual}"
