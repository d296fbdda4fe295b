"""`guard install HOST POLICY`: the host's configuration with guard's hooks in it, shown or written."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

import click

from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.integrations.installing import (
    PLANS,
    InstallError,
    command_words,
    installed,
    place,
    removed,
)
from guardrails.integrations.settings_files import read_settings, text_of, write_settings

from . import exits
from .check_options import parameter
from .hook_options import OPTIONS, REPEATED
from .json_values import option_value
from .policies import functions_of, load_or_stop, settings
from .problems import Stop, usage
from .stores import opened

PASSED = [name for name in OPTIONS if name not in ("root", "timeout")]
"""Options that go into the hook's command as they are."""


def _options(function: click.decorators.FC) -> click.decorators.FC:
    for name in reversed(PASSED):
        metavar, text = OPTIONS[name]
        option = click.option(f"--{name}", metavar=metavar, help=text, multiple=name in REPEATED)
        function = option(function)
    return function


@click.command("install")
@click.argument("host", type=click.Choice(list(HOSTS)))
@click.argument("policies", nargs=-1, type=click.Path(), metavar="[POLICY]...")
@click.option("--write", is_flag=True, help="Write the file, instead of showing it.")
@click.option("--remove", is_flag=True, help="Take guard's hooks out again.")
@click.option(
    "--project", "scope", flag_value="project", default=True, help="For this project (the default)."
)
@click.option("--user", "scope", flag_value="user", help="For all projects of this user.")
@_options
def command(
    host: str,
    policies: tuple[str, ...],
    scope: str,
    *,
    write: bool,
    remove: bool,
    **passed: str | Sequence[str],
) -> int:
    """Put guard's hooks into the configuration of a coding agent, closed for when they fail.

    Without --write the file is only shown, as it would be. What else is in it stays; a copy of the file as it was
    before is kept beside it. Installing again replaces guard's hooks, --remove takes them out.

    \b
      guard install claude-code team.guard
      guard install codex team.guard --user --write
      guard install gemini --remove --write
    """
    if scope not in PLANS[host].files:
        raise usage(f"`{host}` has no hooks of a {scope}", f"use `--{next(iter(PLANS[host].files))}`")
    try:
        path = place(host, scope, os.getcwd())
        before = read_settings(path)
        after = removed(before, host) if remove else _with_hooks(before, host, policies, scope, passed)
        return _show(path, after) if not write else _write(path, before, after, host)
    except InstallError as error:
        raise Stop(exits.IO, f"error: {error}") from error


def _with_hooks(
    before: dict[str, object],
    host: str,
    policies: tuple[str, ...],
    scope: str,
    passed: dict[str, str | Sequence[str]],
) -> dict[str, object]:
    if not policies:
        raise usage("a policy is needed", f"such as `guard install {host} team.guard`")
    params, modules = dict(map(parameter, passed["param"])), list(passed["functions"])
    load_or_stop(policies, settings(params), functions_of(modules))
    _check(passed)
    words = [os.path.abspath(policy) for policy in policies]
    for name in PASSED:
        given = passed[name]
        texts = [given] if isinstance(given, str) else given or []
        words += [word for text in texts for word in (f"--{name}", text)]
    if scope == "project":
        words += ["--root", os.getcwd()]
    return installed(before, host, command_words(_program(), host, words))


def _check(passed: dict[str, str | Sequence[str]]) -> None:
    """Stop for values with which the hook could do nothing but refuse."""
    for name in ("principal", "agent"):
        text = passed[name]
        if isinstance(text, str) and option_value(text, name).__class__ is not dict:
            raise usage(f"`--{name}` is a JSON object", 'such as `{"id": "ana"}`')
    if isinstance(passed["store"], str):
        opened(passed["store"])


def _program() -> str:
    """This program, by its full path: hooks run with whatever search path the host has."""
    own = os.path.abspath(sys.argv[0])
    if os.path.basename(own).removesuffix(".exe") == "guard" and os.access(own, os.X_OK):
        return own
    beside = os.path.join(os.path.dirname(sys.executable), "guard")
    return beside if os.access(beside, os.X_OK) else shutil.which("guard") or "guard"


def _show(path: str, after: dict[str, object]) -> int:
    click.echo(f"# {path}", err=True)
    click.echo(text_of(after), nl=False)
    click.echo("nothing was written; `--write` does", err=True)
    return exits.ALLOW


def _write(path: str, before: dict[str, object], after: dict[str, object], host: str) -> int:
    if after == before:
        click.echo(f"{path}: nothing to change")
        return exits.ALLOW
    copy = write_settings(path, after)
    click.echo(f"{path}: written" + (f"; as it was before: {copy}" if copy else ""))
    if after:
        for note in PLANS[host].notes:
            click.echo(f"note: {note}")
        click.echo(f"`guard doctor` tells whether {host_named(host).TITLE} is blocked now")
    return exits.ALLOW
