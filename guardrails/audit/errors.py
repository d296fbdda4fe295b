"""What can go wrong with an audit log."""

from __future__ import annotations

from guardrails.errors import GuardError, Unavailable


class AuditError(GuardError):
    """A log, a key or a request for it that cannot be used."""


class AuditUnavailable(AuditError, Unavailable):
    """A record could not be written: whoever waits for it is denied."""


def needs_extra(name: str, package: str) -> AuditError:
    """The error where a package is missing."""
    return AuditError(f"this needs the package `{package}`: install `guard-policy[{name}]`")
