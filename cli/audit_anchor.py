"""`guard audit anchor`: the head of a log, written down in a second place."""

from __future__ import annotations

import click

from guardrails.audit.errors import AuditError
from guardrails.strict_json import write_json

from . import exits
from .audit_filters import audit_option, named_log, url_of
from .problems import Stop


@click.command("anchor")
@audit_option
@click.option(
    "--to", "targets", multiple=True, metavar="PLACE",
    help="A file to add a line to, `command:CMD`, or an https:// URL; may be repeated. Standard output without it.",
)  # fmt: skip
def command(audit: str | None, targets: tuple[str, ...]) -> int:
    """Write the head of a log down in a second place.

    What `guard audit verify --anchor` then holds the log to: nobody can cut it below this head, or write it anew,
    without being found. The place should be one that whoever can change the log cannot change.
    """
    from guardrails.audit.anchors import write_anchor
    from guardrails.audit.log import home_at

    try:
        home = home_at(url_of(named_log(audit)))
        try:
            checkpoint = home.linker.signed(home.head())
        finally:
            home.close()
        for target in targets:
            write_anchor(target, checkpoint)
            click.echo(f"anchored {checkpoint['size']:,} records in {target}")
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error
    if not targets:
        click.echo(write_json(checkpoint))
    return exits.ALLOW
