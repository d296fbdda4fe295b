"""`guard doctor`: proves that the coding agents of this machine are blocked, and says where they are not."""

from __future__ import annotations

import os

import click

from guardrails.integrations.doctoring import Finding, as_json, examined
from guardrails.integrations.hosts import HOSTS, host_named

from . import exits
from .options import format_option

MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "problem": "PROBLEM"}


@click.command("doctor")
@click.argument("hosts", nargs=-1, type=click.Choice(list(HOSTS)), metavar="[HOST]...")
@format_option("text", "json")
def command(hosts: tuple[str, ...], form: str) -> int:
    """Prove that coding agents are blocked on this machine.

    For every host that guard is installed in, for this project or for the user, the hook's own command is run with a
    recorded call that no policy allows. It also finds hooks that fail open, run twice, are not trusted or turned
    off, old versions, and tools and MCP servers that no hook sees.

    Exits with 1 when there is a problem, or when no host is set up.
    """
    findings = examined(os.getcwd(), list(hosts) or list(HOSTS))
    if form == "json":
        click.echo(as_json(findings))
    else:
        _write(findings)
    is_sound = findings and not any(finding.level == "problem" for finding in findings)
    return exits.ALLOW if is_sound else exits.FINDINGS


def _write(findings: list[Finding]) -> None:
    for host in dict.fromkeys(finding.host for finding in findings):
        click.echo(host_named(host).TITLE)
        for finding in findings:
            if finding.host == host:
                click.echo(f"  {MARKS[finding.level]}  {finding.text}")
                if finding.help:
                    click.echo(f"           help: {finding.help}")
    if not findings:
        click.echo("no coding agent is set up here; `guard install HOST POLICY --write` does that")
