"""Markdown in, its fenced blocks out, each with its section and line.

The one idea: the info string after the fence says what a block is (`guard`, `guard-check`, ...), so the
page reads as a page and runs as a test, and no second copy of an example exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^(`{3,})(.*)$")
_NOTE = re.compile(r"^<!-- (.*) -->$")
_HEADING = re.compile(r"^(#{1,6}) +(.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `kind` is the first word of its info string, `info` the rest of it; `note` is what a
    comment on the line above it says."""

    kind: str
    info: str
    text: str
    section: str
    line: int
    note: str = ""

    @property
    def lines(self) -> list[tuple[int, str]]:
        """The lines that say something, with their line numbers in the page."""
        numbered = enumerate(self.text.splitlines(), self.line + 1)
        return [(number, line) for number, line in numbered if line.strip() and not line.startswith("#")]


def blocks_of(page: str) -> Iterator[Block]:
    """All fenced blocks of a page of this repository."""
    section, note = "", ""
    lines = enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1)
    for number, line in lines:
        if fence := _FENCE.match(line):
            kind, _, info = fence[2].strip().partition(" ")
            body = [inner for _, inner in takewhile(lambda each: each[1].strip() != fence[1], lines)]
            yield Block(kind, info.strip(), "\n".join(body) + "\n", section, number, note)
        heading, comment = _HEADING.match(line), _NOTE.match(line)
        section = heading[2] if heading else section
        note = comment[1] if comment else ""
