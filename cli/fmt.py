"""`guard fmt`: policies in their canonical layout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import unified_diff

import click

from guardrails.cache import prepare_parser
from guardrails.diagnostics import Diagnostic
from guardrails.language.formatter import format_text
from guardrails.renderings import render_text

from . import exits
from .files import policy_files, read_text, write_text
from .problems import usage
from .terminal import is_colored


@click.command("fmt")
@click.argument("paths", nargs=-1, metavar="PATHS...", type=click.Path())
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a file would change.")
@click.option("--diff", is_flag=True, help="Change nothing; show what would change.")
def command(paths: tuple[str, ...], *, check: bool, diff: bool) -> int:
    """Format policy files in place; folders are searched for `*.guard`.

    Comments stay where they belong, and a file whose meaning would move is left alone and reported. `-`
    formats standard input to standard output.
    """
    prepare_parser()
    if paths == ("-",):
        return _format_stdin()
    if not paths:
        raise usage("a file or folder to format is needed", "such as `guard fmt .`")
    run = _Run(writes=not (check or diff), shows_diff=diff)
    for path in policy_files(paths):
        run.format(path)
    return run.finish()


def _format_stdin() -> int:
    text = read_text("-")
    formatted, problems = format_text(text, "<stdin>")
    if formatted is None:
        _complain(problems, {"<stdin>": text})
        return exits.FINDINGS
    click.echo(formatted, nl=False)
    return exits.ALLOW


def _complain(problems: list[Diagnostic], texts: dict[str, str]) -> None:
    click.echo(render_text(problems, texts, color=is_colored(sys.stderr)), err=True, nl=False)


class _Run:
    """Formats files one by one and counts."""

    def __init__(self, *, writes: bool, shows_diff: bool) -> None:
        self.writes = writes
        self.shows_diff = shows_diff
        self.changed = self.same = self.failed = 0

    def format(self, path: str) -> None:
        text = read_text(path)
        formatted, problems = format_text(text, path)
        if formatted is None:
            self.failed += 1
            _complain(problems, {path: text})
        elif formatted == text:
            self.same += 1
        else:
            self.changed += 1
            self._change(path, text, formatted)

    def _change(self, path: str, text: str, formatted: str) -> None:
        if self.writes:
            write_text(path, formatted)
        if self.shows_diff:
            click.echo("".join(_diff(path, text, formatted)), nl=False)
        else:
            click.echo(f"{'formatted' if self.writes else 'would format'} {path}")

    def finish(self) -> int:
        """Say what was done; the exit code."""
        words = "formatted" if self.writes else "would change"
        failed = f", {self.failed} cannot be formatted" if self.failed else ""
        click.echo(f"{_files(self.changed)} {words}, {self.same} unchanged{failed}", err=True)
        return exits.FINDINGS if self.failed or (self.changed and not self.writes) else exits.ALLOW


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _diff(path: str, before: str, after: str) -> Iterator[str]:
    return unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), path, path)
