"""`guard audit erase`: a person is forgotten, and the log still verifies."""

from __future__ import annotations

import sys

import click

from guardrails.audit.errors import AuditError

from . import exits
from .audit_filters import audit_option, named_log, url_of
from .problems import Stop, usage


@click.command("erase")
@click.option(
    "--subject", required=True, metavar="ID", help="The id of the principal; `session:ID` without one."
)
@audit_option
@click.option("--yes", is_flag=True, help="Do not ask: there is no way back.")
def command(subject: str, audit: str | None, *, yes: bool) -> int:
    """Destroy the key of a person's records.

    Everything that was sealed for them can no longer be opened by anyone, here and in every copy of the log, and
    their pseudonym leads to nobody. The log stays as it is and verifies. Copies of the key files have to be
    destroyed as well. Exit code 1: the log knows no such person.
    """
    from guardrails.audit.erasing import erase
    from guardrails.audit.log import home_at

    url = url_of(named_log(audit))
    if not yes and not (
        sys.stdin.isatty() and click.confirm(f"destroy the key of `{subject}` for good?", err=True)
    ):
        raise usage("nothing was erased, because nobody confirmed it", "give `--yes`")
    try:
        home = home_at(url)
        try:
            handle = erase(home, subject)
        finally:
            home.close()
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error
    if handle is None:
        click.echo(f"the log knows no `{subject}`, or they were erased before")
        return exits.FINDINGS
    click.echo(f"erased `{subject}`, who was {handle} in the log")
    return exits.ALLOW
