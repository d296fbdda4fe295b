"""`guard audit repair`: what a crash left half written is cut off, and a record says so."""

from __future__ import annotations

import click

from guardrails.audit.errors import AuditError

from . import exits
from .audit_filters import audit_option, named_log, url_of
from .problems import Stop, usage


@click.command("repair")
@audit_option
@click.option("--cut", is_flag=True, help="Also move whole damaged records at the end of the log aside.")
def command(audit: str | None, *, cut: bool) -> int:
    """Cut off what a crash left half written.

    A last line that was never finished is taken away; the next writer would do the same. With `--cut` everything
    from the first damaged record of the last segment on is moved to a file beside it. A record says how many bytes
    that were. Exit code 1: there is damage that is not repaired.
    """
    from guardrails.audit.files import FileHome
    from guardrails.audit.log import opened_home
    from guardrails.audit.repairing import cut_off

    from .audit_verify import told, verified

    url = url_of(named_log(audit))
    try:
        home, _ = opened_home(url)
        if not isinstance(home, FileHome):
            raise usage("only a log in files is repaired", "databases recover by themselves")
        problem = _settled(home)
        report = verified(url, (), None, None)
        if report.damage is not None and cut:
            aside = cut_off(home, report.damage)
            click.echo(f"moved from record {report.damage.seq} on to {aside}")
            report = verified(url, (), None, None)
        home.close()
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error
    click.echo(told(report))
    if report.damage is not None and not cut:
        click.echo(f"not repaired: {problem}" if problem else "not repaired")
    return exits.ALLOW if report.is_sound else exits.FINDINGS


def _settled(home: object) -> str:
    """Let the log take away a torn line; gives what it says when there is more to it."""
    from guardrails.audit.files import FileHome

    assert isinstance(home, FileHome)
    try:
        home.head()
    except AuditError as error:
        return str(error)
    return ""
