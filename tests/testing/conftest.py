"""The command line, run in this process and in the folder that the test is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from guardrails.cli import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`guard` with these words."""

    def run(*words: str) -> Ran:
        code = main(words)
        return Ran(code, *capsys.readouterr())

    return run
