"""`guard test`: run the tests of policies, the `*.test.yaml` files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import sleep
from typing import Any

import click

from guardrails.testing.files import MALFORMED, UNLOADABLE, Choice, reports_of
from guardrails.testing.reading import SUFFIX, suite_files
from guardrails.testing.reporting import RENDERINGS, Report, counts_of, render_text

from . import exits
from .files import SUFFIX as POLICY
from .measuring import Measures, measure_options
from .options import format_option
from .problems import unreadable, usage
from .terminal import is_colored

LOOK = 0.5
"""Seconds between two looks at files that are watched."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run, and how it is shown."""

    files: tuple[str, ...]
    choice: Choice
    form: str
    jobs: int

    def run(self) -> int:
        """Run it and show it; gives the exit code."""
        reports = list(_with_progress(self))
        if not any(report.results or report.error for report in reports):
            raise usage(f"no case fits `--filter {self.choice.words}`", "it looks at files, names and tags")
        render = RENDERINGS.get(self.form) or partial(render_text, color=is_colored(sys.stdout))
        click.echo(render(reports), nl=False, color=True)
        return code_of(reports)


@click.command("test")
@click.argument("paths", nargs=-1, metavar="PATHS...", type=click.Path())
@click.option(
    "--filter", "words", default="", metavar="TEXT", help="Only cases with this in their name, file or tags."
)
@format_option("text", "json", "junit", "tap")
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes to run files in."
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first case that fails.")
@click.option("--watch", is_flag=True, help="Run again whenever a test file or a policy changes.")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=lambda ctx, _, asked: _schema(ctx, asked),
    help="Print the JSON Schema of test files.",
)  # fmt: skip
@click.option("--generate", is_flag=True, help="Write cases for what no case tests yet, to be reviewed.")
@measure_options
def command(
    paths: tuple[str, ...],
    words: str,
    form: str,
    jobs: int,
    *,
    fail_fast: bool,
    watch: bool,
    generate: bool,
    **options: Any,
) -> int:
    """Run the tests of policies: files, or all `*.test.yaml` under folders (without any: here). For a policy
    that is the test file beside it.

    Exits with 1 when a case fails, with 65 when a test file is malformed, and with 66 when a policy does not load.
    """
    if generate:
        from .generating import generate as generate_cases

        return generate_cases(_files(paths or (".",)))
    paths = tuple(map(_tests_of, paths)) or (".",)
    files = _files(paths)
    choice = Choice(words, fail_fast=fail_fast, color=is_colored(sys.stdout))
    plan = Plan(files, choice, form, jobs)
    measures = Measures(files, choice, form, jobs, options)
    if measures.is_asked:
        code = exits.ALLOW if options["mutate"] else plan.run()
        return code or measures.run()
    return watched(plan, lambda: _files(paths)) if watch else plan.run()


def _schema(context: click.Context, asked: object) -> None:
    """Print the schema, and do nothing else."""
    if asked:
        from importlib.resources import files

        click.echo(files("guardrails.testing").joinpath("schema.json").read_text(encoding="utf-8"), nl=False)
        context.exit()


def _tests_of(path: str) -> str:
    """A policy is tested by the test file beside it."""
    if not path.endswith(POLICY):
        return path
    tests = path.removesuffix(POLICY) + SUFFIX
    if os.path.exists(path) and not os.path.exists(tests):
        raise usage(
            f"`{path}` has no tests: there is no `{tests}`", f"`guard test {path} --generate` writes some"
        )
    return tests if os.path.exists(path) else path


def _files(paths: Sequence[str]) -> tuple[str, ...]:
    try:
        found = suite_files(paths)
    except OSError as error:
        raise unreadable(error.filename, error) from error
    if not found:
        raise usage(
            f"there is no `*{SUFFIX}` file here",
            "`guard test POLICY.guard --generate` writes one for a policy",
        )
    return tuple(found)


def code_of(reports: Sequence[Report]) -> int:
    """The exit code: what cannot be run weighs more than what fails."""
    kinds = {report.kind for report in reports}
    if UNLOADABLE in kinds:
        return exits.POLICY
    if MALFORMED in kinds:
        return exits.DATA
    if any(report.error for report in reports):
        return exits.IO
    return exits.FINDINGS if any(report.is_bad for report in reports) else exits.ALLOW


def _with_progress(plan: Plan) -> Sequence[Report]:
    """The reports; a terminal is told meanwhile how far it is."""
    found: list[Report] = []
    shows = sys.stderr.isatty()
    for report in reports_of(plan.files, plan.choice, jobs=plan.jobs):
        found.append(report)
        if shows:
            counts = counts_of(found)
            text = (
                f"{len(found)}/{len(plan.files)} files, {counts['passed']} passed, {counts['failed']} failed"
            )
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
    if shows:
        sys.stderr.write("\r\x1b[K")
    return found


# --- watching ----------------------------------------------------------------------------------


def watched(plan: Plan, files: Callable[[], tuple[str, ...]], *, rounds: int | None = None) -> int:
    """Run now and after every change, until somebody stops it (or `rounds` are over)."""
    from dataclasses import replace

    code, seen, done = exits.ALLOW, None, 0
    while rounds is None or done < rounds:
        now = _stamps(plan.files)
        if now != seen:
            seen, done = now, done + 1
            if sys.stdout.isatty():
                click.clear()
            code = plan.run()
            continue
        sleep(LOOK)
        plan = replace(plan, files=files())
    return code


def _stamps(files: Sequence[str]) -> dict[str, int]:
    """When the files beside tests were last changed: a policy may use any of them."""
    folders = {os.path.dirname(file) or "." for file in files}
    names = {entry.path for folder in folders for entry in os.scandir(folder) if entry.is_file()}
    stamps = {}
    for name in sorted(names | set(files)):
        try:
            stamps[name] = os.stat(name).st_mtime_ns
        except OSError:
            stamps[name] = 0
    return stamps
