"""`guard audit`: read, check and care for an audit log; a group of commands, each imported when it runs."""

from __future__ import annotations

from importlib import import_module

import click

from guardrails.diagnostics import did_you_mean

from .problems import usage

COMMANDS = {
    "verify": ("audit_verify", "Check that nothing was changed, removed or added."),
    "prove": ("audit_prove", "Prove that one record is in the log."),
    "anchor": ("audit_anchor", "Write the head of the log down in a second place."),
    "erase": ("audit_erase", "Destroy the key of a person's records."),
    "repair": ("audit_repair", "Cut off what a crash left half written."),
    "tail": ("audit_tail", "Show the newest records, and follow them."),
    "query": ("audit_query", "Find records."),
    "show": ("audit_show", "Show one decision, a session or a trace as a time line."),
    "export": ("audit_export", "Write records for other systems."),
}
"""Command -> the module here that holds it, as `command`, and what the list of commands says of it."""


class Audit(click.Group):
    """Finds commands by their module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{COMMANDS[cmd_name][0]}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in COMMANDS:
            near = did_you_mean(args[0], COMMANDS)
            raise usage(f"there is no command `audit {args[0]}`", near or "`guard audit --help` lists them")
        return super().resolve_command(ctx, args)


@click.command("audit", cls=Audit)
def command() -> None:
    """Read, check and care for an audit log."""
