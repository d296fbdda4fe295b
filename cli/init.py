"""`guard init`: a policy to start from, with its tools, its tests and events to try it on."""

from __future__ import annotations

import os
from pathlib import Path

import click

from . import exits
from .problems import unreadable, usage
from .starter import FILES, NEXT


@click.command("init")
@click.argument("folder", default=".", metavar="[DIR]", type=click.Path())
def command(folder: str) -> int:
    """Write a commented starter policy, its tools, tests and example events into DIR (here, without one).

    Nothing is ever overwritten: when one of the files exists, none is written.
    """
    base = Path(folder)
    taken = [name for name in FILES if os.path.lexists(base / name)]
    if taken:
        raise usage(
            f"`{base / taken[0]}` exists already, and nothing is overwritten",
            "name another folder: `guard init DIR`",
        )
    try:
        base.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            _create(base / name, text)
    except OSError as error:
        raise unreadable(error.filename or folder, error) from error
    click.echo(NEXT.format(place="" if folder == "." else f"cd {folder}\n  "), nl=False)
    return exits.ALLOW


def _create(path: Path, text: str) -> None:
    """Write a new file; one that appeared in the meantime is an error."""
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    click.echo(f"wrote {path}")
