"""`guard key`: a key for `guard serve`, and its entry in the file of keys."""

from __future__ import annotations

import os

import click

from guardrails.server.keys import ABOUT, ROLES, Keys, KeysError, new_key
from guardrails.strict_json import read_json, write_json

from . import exits
from .problems import Stop, unreadable, usage

ROLES_IN_WORDS = "; ".join(f"{role}: {about}" for role, about in ABOUT.items())


@click.command("key")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(tuple(ROLES)), default="agent", show_default=True, help=ROLES_IN_WORDS
)
@click.option("--agent", metavar="ID", help="The only agent that a key of role agent speaks for.")
@click.option(
    "--file", "path", default="keys.json", show_default=True, metavar="FILE", help="The file of keys."
)
@click.option("--remove", is_flag=True, help="Take the key of this name out of the file instead.")
def command(name: str, role: str, agent: str | None, path: str, *, remove: bool) -> int:
    """Make a key for `guard serve --keys FILE`, and print it: the file keeps a digest of it only.

    \b
      guard key support-bot --agent support-bot
      guard key ana --role operator

    A server that runs reads the file again on SIGHUP.
    """
    entries = _entries(path)
    left = [entry for entry in entries if entry["name"] != name]
    if remove:
        if len(left) == len(entries):
            raise usage(f"`{path}` has no key `{name}`")
        _write(path, left)
        return exits.ALLOW
    if len(left) < len(entries):
        raise usage(f"`{path}` has a key `{name}` already", "take it out with `--remove` first")
    if agent is not None and role != "agent":
        raise usage("`--agent` is for keys of the role agent")
    key, entry = new_key(name, role, agent)
    _write(path, [*entries, entry])
    click.echo(key)
    return exits.ALLOW


def _entries(path: str) -> list[dict[str, str]]:
    if not os.path.exists(path):
        return []
    try:
        Keys.read(path)
        with open(path, encoding="utf-8") as file:
            found: list[dict[str, str]] = read_json(file.read())["keys"]
    except KeysError as error:
        raise Stop(exits.DATA, f"error: {error}") from error
    return found


def _write(path: str, entries: list[dict[str, str]]) -> None:
    """In one piece, and for this user only."""
    lines = ",\n".join(f"  {write_json(entry)}" for entry in entries)
    beside = f"{path}.new"
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(f'{{"keys": [\n{lines}\n]}}\n')
        os.replace(beside, path)
    except OSError as error:
        raise unreadable(path, error) from error
