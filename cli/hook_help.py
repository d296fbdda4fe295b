"""`guard hook --help` and its completion. The command itself never comes here: see `hook`."""

from __future__ import annotations

import click

from guardrails.integrations.hosts import HOSTS

from .hook import hook
from .hook_options import OPTIONS, REPEATED

HELP = """Answer a coding agent that is about to do something.

The host's event stands on standard input, its answer goes to standard output; `guard install` writes the
configuration that runs this. Whatever fails is answered by what the host takes for a refusal, so the exit code is
the host's, and not one of those of other commands. Without a POLICY, GUARD_POLICY names it.

\b
  guard hook claude-code team.guard < event.json
"""


def _run(host: str, paths: tuple[str, ...], **options: str | tuple[str, ...] | None) -> int:
    """Only for who calls the click command directly: the same words, the same path."""
    words: list[str] = []
    for name, value in options.items():
        texts = value if isinstance(value, tuple) else () if value is None else (value,)
        words += [word for text in texts for word in (f"--{name}", text)]
    return hook([host, *paths, *words])


command = click.Command(
    "hook",
    callback=_run,
    params=[
        click.Argument(["host"], type=click.Choice(list(HOSTS))),
        click.Argument(["paths"], nargs=-1, type=click.Path(), metavar="[POLICY]..."),
        *(
            click.Option([f"--{name}"], metavar=metavar, help=text, multiple=name in REPEATED)
            for name, (metavar, text) in OPTIONS.items()
        ),
    ],
    help=HELP,
)
