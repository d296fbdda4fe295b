"""What `guard test` measures of tests: `--coverage` what they use of a policy, `--mutate` what they notice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from guardrails.errors import PolicyError
from guardrails.testing.cases import Suite
from guardrails.testing.files import Choice

from . import exits
from .files import write_text
from .problems import Stop, usage
from .suites import suite_of

REPORTS = {"coverage_html": "html", "coverage_lcov": "lcov", "coverage_xml": "cobertura"}

_OPTIONS = (
    click.option("--coverage", is_flag=True, help="Show what of the policies no case tests."),
    click.option("--coverage-html", metavar="FILE", help="Write the coverage as a page."),
    click.option("--coverage-lcov", metavar="FILE", help="Write the coverage in the form of lcov."),
    click.option("--coverage-xml", metavar="FILE", help="Write the coverage in the form of Cobertura."),
    click.option("--mutate", is_flag=True, help="Make small mistakes in the policies; show what no case notices."),
    click.option("--write", is_flag=True, help="With --mutate: add cases that would have noticed, to be reviewed."),
    click.option("--seed", type=int, default=0, show_default=True, help="With --mutate: of what is made up."),
    click.option(
        "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 below this score."
    ),
)  # fmt: skip


def measure_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of this module, for `guard test`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Measures:
    """What is asked for: the files, which of their cases, and the options of this module."""

    files: tuple[str, ...]
    choice: Choice
    form: str
    jobs: int
    options: Mapping[str, Any]

    @property
    def coverage(self) -> bool:
        return bool(self.options["coverage"] or any(self.options[name] for name in REPORTS))

    @property
    def is_asked(self) -> bool:
        """Whether anything is to be measured. Stops at options that would do nothing."""
        if self.options["write"] and not self.options["mutate"]:
            raise usage("`--write` goes with `--mutate`")
        asked = self.coverage or bool(self.options["mutate"])
        if self.options["fail_under"] is not None and not asked:
            raise usage("`--fail-under` goes with `--coverage` or `--mutate`")
        return asked

    def run(self) -> int:
        """Measure and report; gives the exit code, 1 when a score is too low."""
        groups = _grouped([suite_of(file) for file in self.files])
        least = self.options["fail_under"] or 0.0
        try:
            scores = self._covered(groups) if self.coverage else []
            scores += self._mutated(groups) if self.options["mutate"] else []
        except PolicyError as error:
            raise Stop(exits.POLICY, str(error).rstrip("\n")) from error
        return exits.FINDINGS if any(score < least for score in scores) else exits.ALLOW

    # --- coverage ------------------------------------------------------------------------------

    def _covered(self, groups: Sequence[Sequence[Suite]]) -> list[float]:
        from guardrails.testing.coverage import merged
        from guardrails.testing.coverage_reports import REPORTS as FORMS
        from guardrails.testing.coverage_suites import coverages_of

        found = coverages_of(groups, self.choice.has)
        if self.options["coverage"]:
            # A report for programs stays what it is; people read this one beside it.
            click.echo("".join(map(FORMS["text"], found)), nl=False, err=self.form != "text")
        whole = merged(found)
        for name, form in REPORTS.items():
            if self.options[name]:
                write_text(self.options[name], FORMS[form](whole))
        return [coverage.percent for coverage in found]

    # --- mutants -------------------------------------------------------------------------------

    def _mutated(self, groups: Sequence[Sequence[Suite]]) -> list[float]:
        from guardrails.testing.mutation import Settings, score_of
        from guardrails.testing.mutation_bench import Broken
        from guardrails.testing.mutation_reports import json_report, text_report

        settings = Settings(self.jobs, self.options["seed"])
        try:
            scores = [score_of(suites, settings, _progress()) for suites in groups]
        except Broken as error:
            raise Stop(exits.FINDINGS, f"error: {error}") from error
        click.echo(
            json_report(scores) if self.form == "json" else "\n".join(map(text_report, scores)), nl=False
        )
        if self.options["write"]:
            for score, suites in zip(scores, groups, strict=True):
                self._write(score, suites[0])
        return [score.percent for score in scores]

    def _write(self, score: Any, suite: Suite) -> None:
        from guardrails.testing.generating import ends_in_cases
        from guardrails.testing.mutation_reports import with_cases

        if not ends_in_cases(suite.text):
            raise usage(
                f"cases cannot be added to `{suite.file}`", "make `cases:`, with an item a line, its last key"
            )
        text, count = with_cases(score, suite)
        if count:
            write_text(suite.file, text)
        click.echo(f"{suite.file}: {count} cases added{', to be reviewed' if count else ''}", err=True)


def _grouped(suites: Sequence[Suite]) -> list[list[Suite]]:
    from guardrails.testing.mutation import by_policy

    return by_policy(suites)


def _progress() -> Callable[[int, int], None] | None:
    """A bar on standard error, when that is a terminal."""
    if not sys.stderr.isatty():
        return None
    from .check_events import BAR

    def show(done: int, total: int) -> None:
        full = BAR * done // total
        end = "\r\x1b[K" if done == total else ""
        sys.stderr.write(f"\r[{'#' * full}{'.' * (BAR - full)}] {done}/{total} mutants{end}")
        sys.stderr.flush()

    return show
