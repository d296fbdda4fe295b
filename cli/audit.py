"""`guard audit`: read, check and care for an audit log; a group of commands, each imported when it runs."""

from __future__ import annotations

import click

from .groups import Lazy

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


class Audit(Lazy):
    """The commands of `guard audit`."""

    table = COMMANDS
    called = "audit "


@click.command("audit", cls=Audit)
def command() -> None:
    """Read, check and care for an audit log."""
