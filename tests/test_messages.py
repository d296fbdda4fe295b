"""What the checker says, by example: `tests/spec/check/*.md`.

A ```json tools block gives the tools of the ```guard blocks after it. `#! text` on a line says that one
diagnostic begins on that line and that its message contains the text; `#! 13-24 text` says its columns too.
Every diagnostic must be expected, and every expectation met.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from guardrails.loading import load

SPEC = Path(__file__).parent / "spec" / "check"
FENCE = re.compile(r"^```(json tools|guard)\n(.*?)^```$", re.M | re.S)
EXPECTED = re.compile(r"#! (?:(\d+)-(\d+) )?(.+?)\s*$")


class Expectation(NamedTuple):
    line: int
    columns: tuple[int, int] | None
    message: str


def blocks() -> list[object]:
    found: list[object] = []
    for file in sorted(SPEC.glob("*.md")):
        tools, text = None, file.read_text()
        for match in FENCE.finditer(text):
            if match[1] == "json tools":
                tools = match[2]
                continue
            name = f"{file.stem}:{text[: match.start()].count(chr(10)) + 2}"
            found.append(pytest.param(tools, match[2], id=name))
    return found


def expectations(text: str) -> list[Expectation]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for part in line.split("#! ")[1:]:
            match = EXPECTED.search("#! " + part)
            assert match
            columns = (int(match[1]), int(match[2])) if match[1] else None
            found.append(Expectation(number, columns, match[3]))
    return found


@pytest.mark.parametrize(("tools", "text"), blocks())
def test_messages(tools: str | None, text: str) -> None:
    diagnostics = load(["spec.guard"], read={"spec.guard": text}.__getitem__, tools=tools).diagnostics
    left = list(diagnostics)
    unmet = []
    for expected in expectations(text):
        met = next((d for d in left if d.span.line == expected.line and expected.message in d.message), None)
        if met is None:
            unmet.append(expected)
            continue
        left.remove(met)
        if expected.columns:
            assert (met.span.column, met.span.end_column) == expected.columns, (expected, met.span)
    assert not unmet, [str(d.span) + " " + d.message for d in left]
    assert not left, [f"{d.span.line}:{d.span.column}-{d.span.end_column} {d.message}" for d in left]
