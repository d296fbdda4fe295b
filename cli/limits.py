"""`guard limits`: how full the limits, budgets and breakers of a policy are."""

from __future__ import annotations

import sys

import click

from guardrails.guard import Guard
from guardrails.listings import limit_as_json
from guardrails.strict_json import write_json

from . import exits
from .check_options import Request, parameter
from .limits_table import table
from .options import format_option, functions_option, param_option, store_option
from .policies import Policy
from .problems import usage
from .stores import asked, opened, shared_store, shown
from .terminal import is_colored, width


@click.command("limits")
@click.argument("paths", nargs=-1, metavar="POLICY...", type=click.Path())
@click.option("--session", metavar="ID", help="What is counted for this session.")
@click.option(
    "--principal", metavar="ID", help="What is counted by this principal, or another value of that name."
)
@store_option
@param_option
@functions_option
@format_option("text", "json")
def command(
    paths: tuple[str, ...],
    session: str | None,
    principal: str | None,
    store: str | None,
    params: tuple[str, ...],
    modules: tuple[str, ...],
    form: str,
) -> int:
    """Show how full the limits, budgets and breakers of a policy are.

    Each line is one counter: what it counts for, how much of it is used, and when there is room again. Those that
    nothing has used yet are shown too. With --session or --principal only what concerns them is.
    """
    if not paths:
        raise usage("a policy file is needed", "such as `guard limits policy.guard`")
    url = shared_store(store)
    guard = _guard(paths, params, modules, url)
    found = asked(lambda: guard.limits(session=session, principal=principal))
    if form == "json":
        states = [limit_as_json(each) for each in found]
        click.echo(write_json({"policy": guard.digest, "store": shown(url), "limits": states}))
    elif found:
        click.echo(table(found, width(sys.stdout), color=is_colored(sys.stdout)), nl=False, color=True)
    else:
        click.echo(
            "the policy limits nothing" if session is principal is None else "nothing is counted for that"
        )
    return exits.ALLOW


def _guard(paths: tuple[str, ...], params: tuple[str, ...], modules: tuple[str, ...], url: str) -> Guard:
    """The guard of a policy with the store at `url`."""
    request = Request()
    request.paths[:] = paths
    request.params.update(map(parameter, params))
    request.modules[:] = modules
    policy = Policy(request)
    guard = policy.guard(opened(url))
    policy.keep()
    return guard
