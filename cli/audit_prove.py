"""`guard audit prove`: a proof that one record is in a log, for who may not see the others."""

from __future__ import annotations

import click

from guardrails.audit.errors import AuditError
from guardrails.strict_json import write_json

from . import exits
from .audit_filters import audit_option, named_log, url_of
from .problems import Stop


@click.command("prove")
@click.argument("record", metavar="SEQ|ID")
@audit_option
def command(record: str, audit: str | None) -> int:
    """Prove that a record is in a log.

    The proof is JSON on standard output: the record, the hashes beside its way to the root of the log, and a signed
    checkpoint. `guard audit verify --proof FILE --public-key FILE` checks it without the log.
    """
    from guardrails.audit.log import home_at
    from guardrails.audit.proving import prove

    try:
        home = home_at(url_of(named_log(audit)))
        try:
            click.echo(write_json(prove(home, record)))
        finally:
            home.close()
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error
    return exits.ALLOW
