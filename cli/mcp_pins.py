"""`guard mcp pins`: what the tools of MCP servers were when they were first seen, and what changed since."""

from __future__ import annotations

import click

from guardrails.gateway.pins import PinError, Pins
from guardrails.runtime.clock import SystemClock

from . import exits
from .options import store_option
from .problems import Stop
from .stores import asked, opened, shared_store


def _pins(store: str | None) -> Pins:
    return Pins(opened(shared_store(store)).store, SystemClock())


@click.group("pins")
def command() -> None:
    """Show the tools that `guard mcp` has seen, and accept changes.

    \b
      guard mcp pins list
      guard mcp pins accept git
      guard mcp pins accept git git_commit git_add
    """


@command.command("list")
@store_option
def listed(store: str | None) -> int:
    """List servers and their tools; a tool that changed says so, and is denied until that is accepted."""
    pins = _pins(store)
    found = asked(lambda: sorted(pins.all(), key=lambda each: (each.server, each.where)))
    for each in found:
        click.echo(f"{each.server} ({each.where})")
        for name in sorted(each.tools):
            click.echo(
                f"  {'changed' if name in each.changed else 'pinned':<8} {name}  {each.tools[name][:19]}"
            )
    if not found:
        click.echo("no server was seen yet")
    return exits.FINDINGS if any(each.changed for each in found) else exits.ALLOW


@command.command("accept")
@click.argument("server")
@click.argument("tools", nargs=-1)
@store_option
def accepted(server: str, tools: tuple[str, ...], store: str | None) -> int:
    """Pin tools of SERVER as they are now: TOOLS, or all that changed."""
    pins = _pins(store)
    try:
        taken = asked(lambda: pins.accept(server, tools))
    except PinError as error:
        raise Stop(exits.FINDINGS, f"error: {error}") from error
    click.echo(f"pinned as they are now: {', '.join(taken)}")
    return exits.ALLOW
