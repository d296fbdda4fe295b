"""`guard lint`: everything that is wrong with policies, or looks wrong."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from guardrails.cache import prepare_parser
from guardrails.diagnostics import Diagnostic, in_order
from guardrails.integrations.doors import TARGETS
from guardrails.lint import apply_fixes, lint_files
from guardrails.renderings import render_github, render_json, render_sarif, render_text
from guardrails.runtime.host import HostFunction

from . import exits
from .files import policy_files, write_text
from .options import chosen, format_option, functions_option, param_option
from .policies import functions_of
from .problems import usage
from .terminal import is_colored

MAX_ROUNDS = 10
"""Rounds of fixing: one fix can make room for another."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, and the texts of all files that were read for it."""

    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """What is linted: policies, each of one or more files, with parameters and functions of the host."""

    policies: tuple[tuple[str, ...], ...]
    params: Mapping[str, Any]
    functions: Mapping[str, HostFunction]
    against: tuple[str, ...] = ()

    def run(self) -> Findings:
        """What is found. A file that another policy uses is judged there, where its parameters and names have
        their meaning, and not on its own."""
        reports = [_Report(files, self._lint(files)) for files in self.policies]
        used = {path for report in reports for path in report.read - report.own}
        kept: list[_Report] = []
        covered: set[str] = set()
        for report in sorted(reports, key=lambda report: report.own <= used):
            if not report.own <= covered:
                kept.append(report)
                covered |= report.read
        found = [diagnostic for report in kept for diagnostic in report.findings.diagnostics]
        texts = {path: text for report in kept for path, text in report.findings.texts.items()}
        return Findings(tuple(in_order(found)), texts)

    def _lint(self, files: tuple[str, ...]) -> Findings:
        report = lint_files(files, params=self.params, functions=self.functions, against=self.against)
        return Findings(report.diagnostics, report.texts)


class _Report:
    """The findings of one policy, the files that were asked for and all that were read, by absolute path."""

    def __init__(self, files: Iterable[str], findings: Findings) -> None:
        self.findings = findings
        self.own = {os.path.abspath(path) for path in files}
        self.read = {os.path.abspath(path) for path in findings.texts} | self.own


@click.command("lint")
@click.argument("paths", nargs=-1, metavar="PATHS...", type=click.Path())
@format_option("text", "json", "sarif", "github")
@click.option("--fix", is_flag=True, help="Apply the fixes that are safe.")
@click.option(
    "--together", is_flag=True, help="Take all files as one policy, as when they are loaded together."
)
@click.option(
    "--against",
    metavar="PATH",
    type=click.Path(exists=True),
    multiple=True,
    help="The policy in force: warn of limits that would lose what they have counted (several files: once each).",
)
@click.option(
    "--target",
    type=click.Choice(list(TARGETS)),
    help="Warn of what this coding agent, framework or gateway cannot do, and of tools that it does not call so.",
)
@param_option
@functions_option
def command(
    paths: tuple[str, ...],
    form: str,
    target: str | None,
    against: tuple[str, ...],
    params: tuple[str, ...],
    modules: tuple[str, ...],
    *,
    fix: bool,
    together: bool,
) -> int:
    """Check policies for errors and for what is likely a mistake; folders are searched for `*.guard`.

    Every file is a policy of its own, but for those that another one uses. Exits with 1 when there is an
    error or a warning.
    """
    # Trees only grow here, so looking for garbage is a tenth of the time for nothing.
    gc.disable()
    prepare_parser()
    if not paths:
        raise usage("a file or folder to lint is needed", "such as `guard lint .`")
    files = tuple(policy_files(paths))
    policies = (files,) if together else tuple((file,) for file in files)
    job = Job(policies, chosen(params), functions_of(modules), against)
    findings = _fixed(job) if fix else job.run()
    if target is not None:
        findings = _at_host(findings, target)
    _show(findings, form, fix=fix)
    serious = any(diagnostic.severity != "info" for diagnostic in findings.diagnostics)
    return exits.FINDINGS if serious else exits.ALLOW


def _at_host(findings: Findings, host: str) -> Findings:
    """The findings, with what a host cannot do, and with tools that it never calls by the policy's name for them."""
    from guardrails.integrations.targets import degraded
    from guardrails.integrations.tool_names import uncalled

    found = (*findings.diagnostics, *degraded(findings.texts, host), *uncalled(findings.texts, host))
    return Findings(tuple(in_order(found)), findings.texts)


def _fixed(job: Job) -> Findings:
    """What is left after the safe fixes were written."""
    findings = job.run()
    changed: set[str] = set()
    for _ in range(MAX_ROUNDS):
        texts = apply_fixes(findings.texts, findings.diagnostics)
        new = {path: text for path, text in texts.items() if text != findings.texts.get(path)}
        if not new:
            break
        for path, text in new.items():
            write_text(path, text)
        changed |= new.keys()
        findings = job.run()
    if changed:
        click.echo(f"fixed {', '.join(sorted(changed))}", err=True)
    return findings


def _show(findings: Findings, form: str, *, fix: bool) -> None:
    found = findings.diagnostics
    if form == "text":
        _show_text(findings, fix=fix)
    elif form == "json":
        click.echo(render_json(found), nl=False)
    elif form == "sarif":
        click.echo(render_sarif(found), nl=False)
    else:
        click.echo(render_github(found), nl=False)


def _show_text(findings: Findings, *, fix: bool) -> None:
    text = render_text(findings.diagnostics, findings.texts, color=is_colored(sys.stdout))
    click.echo(text or "no findings\n", nl=False, color=True)
    fixable = sum(1 for each in findings.diagnostics if each.fix and each.fix.safety == "safe")
    if fixable and not fix:
        click.echo(f"{fixable} can be fixed with `--fix`")
