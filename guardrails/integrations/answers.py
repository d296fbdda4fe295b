"""Answers of people at a host: what a framework resumes with, as an answer to a request for approval.

Takes the value that the host's own pause was answered with, gives an `Answer`. An answer counts only with the name of
who gives it, because a policy asks somebody: the value says it (`by`), or whoever built the adapter (`reviewer`).
Without a name, the host is taken to say: look again, somebody may have answered elsewhere.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

YES = frozenset({"approve", "approved", "accept", "accepted", "yes", "allow"})
NO = frozenset({"reject", "rejected", "deny", "denied", "decline", "declined", "cancel", "no"})
VERDICTS = ("approve", "approved", "confirmed", "type", "decision", "action", "answer")
"""Fields in which hosts say what a person decided."""


class Answer:
    """`approves` is True, False, or None where nothing was decided; `by` is who says so, empty for nobody."""

    __slots__ = ("approves", "by", "reason")

    def __init__(self, approves: bool | None, by: str = "", reason: str = "") -> None:  # noqa: FBT001 - a value
        self.approves = approves
        self.by = by
        self.reason = reason


def answer_of(value: Any, reviewer: str = "") -> Answer:
    """The answer in a value; what is not understood decides nothing."""
    if not isinstance(value, dict):
        return Answer(_verdict(value), reviewer)
    said = next((value[name] for name in VERDICTS if name in value), None)
    by, reason = value.get("by"), value.get("reason") or value.get("message")
    return Answer(
        _verdict(said),
        by if isinstance(by, str) and by.strip() else reviewer,
        reason if isinstance(reason, str) else "",
    )


def _verdict(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in YES else False if word in NO else None
