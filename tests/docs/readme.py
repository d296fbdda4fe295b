"""A page as a session at a terminal: its files are written, its commands run, their output compared.

`<!-- file: NAME -->` above a block writes it to a file; lines after `$ ` in a `console` block are run in the
folder of those files. `...` in an expected line stands for anything on that line.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parser_tables import with_tables

from docs.blocks import Block

LIMIT = 60
"""Seconds for one command."""


class Terminal:
    """A folder, and commands that run in it with this interpreter's `python` and `guard`."""

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        self.folder = folder
        tools = str(Path(sys.executable).parent)
        # A test runner may set COLUMNS, and a table would be as wide as it says.
        self.environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {
            "PATH": tools + os.pathsep + os.environ["PATH"],
            "GUARD_CACHE": with_tables(cache or folder / "cache"),
            "XDG_STATE_HOME": str(folder / "state"),
            "NO_COLOR": "1",
        }

    def run(self, command: str) -> str:
        """Everything that the command writes."""
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=self.environment, timeout=LIMIT, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return done.stdout

    def write(self, block: Block) -> None:
        (self.folder / block.note.removeprefix("file: ")).write_text(block.text, encoding="utf-8")


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a console block, with the output that it should have."""
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def is_output(actual: str, expected: str) -> bool:
    pattern = re.escape(expected.strip()).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, actual.strip()) is not None


def agrees(actual: Any, expected: Any) -> bool:
    """Whether a JSON value is as a page shows it; a string with `...` stands for any that fits."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return list(actual) == list(expected) and all(agrees(actual[name], expected[name]) for name in actual)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(actual) == len(expected) and all(map(agrees, actual, expected))
    if isinstance(expected, str) and isinstance(actual, str):
        return is_output(actual, expected)
    return bool(actual == expected)


def decision_of(terminal: Terminal, block: Block) -> tuple[Any, Any]:
    """The decision that `<!-- decision: POLICY EVENT -->` speaks of: as it is, and as the page shows it."""
    policy, event = block.note.removeprefix("decision: ").split()
    actual = terminal.run(f"guard check {policy} --format json < {event}")
    return json.loads(actual), json.loads(block.text)
