"""`guard test --generate`: cases for what no case tests yet, at the end of the test files.

What is written there stays as it is; only cases are added. A policy is given by its test file, or by itself
where it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from guardrails.errors import PolicyError
from guardrails.testing.cases import Suite
from guardrails.testing.generating import empty_suite, ends_in_cases, written
from guardrails.testing.reading import SUFFIX

from . import exits
from .files import SUFFIX as POLICY
from .files import write_text
from .problems import Stop, usage
from .suites import suite_of


def generate(paths: Sequence[str]) -> int:
    """Add cases to these test files, and write test files for these policies."""
    total = 0
    for path in paths:
        suite = _suite(path)
        if not ends_in_cases(suite.text):
            raise usage(
                f"cases cannot be added to `{suite.file}`", "make `cases:`, with an item a line, its last key"
            )
        text, count = _written(suite)
        if count:
            write_text(suite.file, text)
        added = f"{count} case{'' if count == 1 else 's'} added"
        click.echo(f"{suite.file}: {added}{', to be reviewed' if count else ''}")
        total += count
    if total:
        click.echo("each records what the policy decides today; where that is right, take `# review me` away")
    return exits.ALLOW


def _suite(path: str) -> Suite:
    """The test file at a path, or that of a policy."""
    file = path.removesuffix(POLICY) + SUFFIX if path.endswith(POLICY) else path
    if file != path and not Path(file).exists():
        return empty_suite(path)
    return suite_of(file)


def _written(suite: Suite) -> tuple[str, int]:
    try:
        return written(suite)
    except PolicyError as error:
        raise Stop(exits.POLICY, str(error).rstrip("\n")) from error
