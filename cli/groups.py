"""Groups of commands: each command is imported when it runs, so that a start costs what it needs.

Takes a table of commands, gives a click group that finds them by their module.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar

import click
from click.shell_completion import CompletionItem

from guardrails.diagnostics import did_you_mean

from .problems import usage


class Lazy(click.Group):
    """Commands by name: the module here that holds each, as `command`, and what a list says of it.

    `called` is what stands before the names on a command line; empty for the program's own commands.
    """

    table: ClassVar[Mapping[str, tuple[str, str]]] = {}
    called: ClassVar[str] = ""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(f".{self.table[cmd_name][0]}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=text)
            for name, (_, text) in self.table.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in self.table:
            near = did_you_mean(args[0], self.table)
            path = f"guard {self.called}".rstrip()
            advice = near or f"`{path} --help` lists {'them' if self.called else 'the commands'}"
            raise usage(f"there is no command `{self.called}{args[0]}`", advice)
        return super().resolve_command(ctx, args)
