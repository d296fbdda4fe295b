"""The syntax by example: the ```guard blocks of `tests/spec/*.md`.

`#! text` on a line says that one problem is told there whose message contains the text, `#! help: text` that
its help does. Every problem must be expected and every expectation met; a block without any must parse.
```guard block stands for the body of a block, so that statements need no frame.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardrails.language.parser import parse

SPEC = Path(__file__).parent / "spec"
FENCE = re.compile(r"^```guard(?: (block))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"#! (help: )?(.+?)(?= #! |$)")


def examples() -> list[object]:
    found: list[object] = []
    for path in sorted(SPEC.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            policy = f"on call x {{\n{match[2]}}}\n" if match[1] else match[2]
            found.append(pytest.param(policy, id=f"{path.stem}:{line}"))
    return found


def expectations(text: str) -> list[tuple[int, str, str]]:
    """Line, text of the message and text of the help of every expected problem, in order."""
    found: list[tuple[int, str, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        for is_help, words in EXPECTED.findall(line):
            if is_help:
                last = found.pop()
                found.append((*last[:2], words.strip()))
            else:
                found.append((number, words.strip(), ""))
    return found


@pytest.mark.parametrize("text", examples())
def test_example(text: str) -> None:
    file, found = parse(text, "policy.guard")
    expected = expectations(text)
    told = [(problem.span.line, problem.message, problem.help) for problem in found]
    assert len(told) == len(expected), told
    for (line, message, help), (at, words, cure) in zip(told, expected, strict=True):
        assert (line, words in message, cure in help) == (at, True, True), (message, help)
    assert (file is None) == bool(expected)
