"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .check_options import parameter
from .policies import settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

param_option: Decorator = click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter of the policy; may be repeated.",
)


functions_option: Decorator = click.option(
    "--functions",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="Import a Python module that registers functions of the host; may be repeated.",
)


store_option: Decorator = click.option(
    "--store",
    metavar="URL",
    help="The store, such as sqlite:///path or redis://host; else GUARD_STORE, the project's, or this user's own.",
)


def format_option(*forms: str) -> Decorator:
    """`--format`, with the first of `forms` as what holds without it."""
    kind = click.Choice(forms)
    return click.option(
        "--format", "form", type=kind, default=forms[0], show_default=True, help="The form of the output."
    )


def chosen(params: tuple[str, ...]) -> dict[str, Any]:
    """The values of `--param` options."""
    return settings(dict(map(parameter, params)))
