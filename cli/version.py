"""`guard version`."""

from __future__ import annotations

import json
import platform

import click

from guardrails.version import VERSION


@click.command("version")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people, or as JSON."
)
def command(form: str) -> None:
    """Show the version of guard, and of the Python that runs it."""
    if form == "json":
        click.echo(json.dumps({"guard": VERSION, "python": platform.python_version()}))
    else:
        click.echo(line())


def line() -> str:
    """The versions, for people."""
    return f"guard {VERSION} (Python {platform.python_version()})"
