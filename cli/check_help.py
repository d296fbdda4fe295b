"""`guard check --help` and its completion. The command itself never comes here: see `check`."""

from __future__ import annotations

import click

from .check import check
from .check_options import CHOICES, OPTIONS, REPEATED
from .exits import OUTCOMES

HELP = """Decide what a policy says about one event, or about each event of a stream.

The event is given by options, or as one JSON object on standard input; every JSON value may be `@file`.
Several policy files hold together, as one policy. --principal, --agent, --session and --time also fill in
what an event on standard input or in a stream does not say itself.

Limits, budgets and sessions are counted in --store, else in GUARD_STORE, in the project's `[tool.guard] store`, or
in a file of this user's own; `--store memory:` keeps nothing. A decision that holds something names its
reservation; events of type `outcome` and `usage` say what became of it.

\b
  guard check policy.guard --call issue_refund --args '{"amount": 40}' --principal @ana.json
  guard check policy.guard < event.json
  guard check policy.guard --events calls.jsonl > decisions.jsonl
  guard check policy.guard --store sqlite:guard.db --session s1 < event.json
"""


def _option(name: str, metavar: str, text: str) -> click.Option:
    kind = click.Choice(CHOICES[name]) if name in CHOICES else click.STRING
    shown = None if name in CHOICES else metavar
    return click.Option([f"--{name}"], type=kind, metavar=shown, help=text, multiple=name in REPEATED)


def _run(paths: tuple[str, ...], **options: str | tuple[str, ...] | None) -> int:
    """Only for who calls the click command directly: the same words, the same path."""
    words: list[str] = []
    for name, value in options.items():
        texts = value if isinstance(value, tuple) else () if value is None else (value,)
        words += [word for text in texts for word in (f"--{name.replace('_', '-')}", text)]
    return check([*words, "--", *paths])


command = click.Command(
    "check",
    callback=_run,
    params=[
        click.Argument(["paths"], nargs=-1, type=click.Path(), metavar="POLICY..."),
        *(_option(name, metavar, text) for name, (metavar, text) in OPTIONS.items()),
    ],
    help=HELP,
    epilog="Exit codes: "
    + ", ".join(f"{code} {name}" for name, code in OUTCOMES.items())
    + "; see `guard --help`.",
)
