"""`guard resume`: lift a halt."""

from __future__ import annotations

import click

from guardrails.strict_json import write_json

from . import exits
from .halt import halts_in, scope_argument, scopes_of
from .options import format_option, store_option
from .stores import asked, opened, shared_store, shown


@click.command("resume")
@scope_argument
@store_option
@format_option("text", "json")
def command(scope: str, store: str | None, form: str) -> int:
    """Let what was halted go on.

    SCOPE is written as for `guard halt`; `all` lifts the halt of everything, and no other. Without a halt of that
    scope the exit code is 1.
    """
    url = shared_store(store)
    state = opened(url)
    lifted = asked(lambda: state.resume(scope))
    left = halts_in(url)
    if form == "json":
        still = [halt.scope for halt in left]
        click.echo(write_json({"store": shown(url), "scope": scope, "resumed": lifted, "halted": still}))
    else:
        found = f"resumed `{scope}`" if lifted else f"there is no halt of `{scope}` in {shown(url)}"
        click.echo(found + (f"; still halted: {scopes_of(left)}" if left else ""))
    return exits.ALLOW if lifted else exits.FINDINGS
