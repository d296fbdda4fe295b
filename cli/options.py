"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .check_options import OPTIONS, parameter
from .policies import settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

param_option: Decorator = click.option(
    "--param",
    "params",
    multiple=True,
    metavar=OPTIONS["param"][0],
    help=OPTIONS["param"][1],
)


functions_option: Decorator = click.option(
    "--functions",
    "modules",
    multiple=True,
    metavar=OPTIONS["functions"][0],
    help=OPTIONS["functions"][1],
)


store_option: Decorator = click.option(
    "--store",
    metavar="URL",
    help="The store, such as sqlite:///path or redis://host; else GUARD_STORE, the project's, or this user's own.",
)


def door_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes that goes on deciding for others, in this order: the log, people, prices, the store,
    and what the policy itself needs."""
    for option in (
        functions_option,
        param_option,
        store_option,
        click.option("--prices", metavar="FILE", help="A price table, for budgets of cost."),
        click.option("--reviewers", metavar="FILE", help="Who is in which group; else GUARD_REVIEWERS."),
        click.option("--audit", metavar="URL", help="The audit log; else GUARD_AUDIT."),
    ):
        command = option(command)
    return command


def format_option(*forms: str) -> Decorator:
    """`--format`, with the first of `forms` as what holds without it."""
    kind = click.Choice(forms)
    return click.option(
        "--format", "form", type=kind, default=forms[0], show_default=True, help="The form of the output."
    )


def chosen(params: tuple[str, ...]) -> dict[str, Any]:
    """The values of `--param` options."""
    return settings(dict(map(parameter, params)))
