"""Which audit log the answers of people go to: `--audit`, else GUARD_AUDIT, else none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from guardrails.approvals.chronicle import Chronicle
from guardrails.audit.errors import AuditError
from guardrails.runtime.ports import Clock

from . import exits
from .problems import Stop

audit_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--audit",
    metavar="LOG",
    help="The audit log that answers are written to before they count: a URL; else GUARD_AUDIT.",
)


def chronicle_of(audit: str | None, clock: Clock) -> Chronicle | None:
    """What writes to the log that somebody named; None where nobody did. Stops for one that cannot be used."""
    named = audit if audit is not None else os.environ.get("GUARD_AUDIT")
    if not named:
        return None
    from guardrails.audit import open_log

    try:
        return Chronicle(open_log(named), clock)
    except AuditError as error:
        raise Stop(exits.IO, f"error: {error}") from error
