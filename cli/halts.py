"""`guard halts`: what is halted, by whom, why, and until when."""

from __future__ import annotations

import click

from guardrails.listings import halt_as_json
from guardrails.strict_json import write_json

from . import exits
from .halt import halt_in_words, halts_in
from .options import format_option, store_option
from .stores import shared_store, shown


@click.command("halts")
@store_option
@format_option("text", "json")
def command(store: str | None, form: str) -> int:
    """List the halts in force in the store."""
    url = shared_store(store)
    found = halts_in(url)
    if form == "json":
        click.echo(write_json({"store": shown(url), "halts": [halt_as_json(halt) for halt in found]}))
    else:
        click.echo("\n".join(map(halt_in_words, found)) or f"nothing is halted in {shown(url)}")
    return exits.ALLOW
