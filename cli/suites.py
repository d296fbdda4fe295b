"""Test files as the commands read them: one that cannot be read ends the command, and says why."""

from __future__ import annotations

from guardrails.testing.cases import Suite
from guardrails.testing.reading import SuiteError, read_suite

from . import exits
from .problems import Stop, unreadable


def suite_of(file: str) -> Suite:
    """The cases of a file. Stops where it cannot be read, or is no test file."""
    try:
        return read_suite(file)
    except SuiteError as error:
        raise Stop(exits.DATA, error.rendered().rstrip("\n")) from error
    except OSError as error:
        raise unreadable(file, error) from error
