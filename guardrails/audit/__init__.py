"""The audit log: what every decision was, written down before anyone acts on it (law L9).

Takes drafts of records, gives them back to whoever asks, and can prove that nobody changed, removed or added
one. Nothing here is imported before somebody names a log.

    guard = Guard.load("support.guard", audit="file:///var/log/guard")
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.audit.log import AuditLog

__all__ = ["open_log"]


def open_log(url: str, *, key: bytes | str | None = None) -> AuditLog:
    """The log at a URL: `file:///folder`, `sqlite:///file.db` or `postgresql://host/database`.

    `key` is its secret, of 16 bytes or more; without it `GUARD_AUDIT_KEY` holds it, or the key file that
    the URL names (see `guardrails.audit.keys`). Raises `AuditError` for a URL, key or log that cannot be used.
    """
    from guardrails.audit.log import AuditLog

    return AuditLog.open(url, key=key)
