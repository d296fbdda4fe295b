"""Flooding: an agent that asks for ever more only teaches people to approve unread.

Takes a session and the time, answers whether it asks once too often. The times of the last hour are a document,
so that they are counted exactly, whichever process the session is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.approvals.digests import digest_of
from guardrails.approvals.request import HOUR
from guardrails.errors import Unavailable
from guardrails.stores.documents import Document

if TYPE_CHECKING:
    from collections.abc import Generator

MOST = 100
"""New requests, or new reviews, of one session in an hour."""

MAX_RACES = 64


def too_many(what: str, session: str, now: int) -> Generator[Any, Any, int | None]:
    """How many microseconds the session has to wait; None where it need not, and this one is counted. Raises
    `Unavailable` without the store."""
    key = f"flood/{what}/{digest_of(session)}"
    for _ in range(MAX_RACES):
        known: Document | None = yield ("read", (key,), {"now": now})
        times = [int(word) for word in known.text.split()] if known is not None else []
        recent = [time for time in times if time > now - HOUR]
        if len(recent) >= MOST:
            return max(1, recent[0] + HOUR - now)
        text, version = " ".join(map(str, [*recent, now])), 0 if known is None else known.version
        answer = yield ("swap", (key, text), {"version": version, "keep": HOUR, "now": now})
        if isinstance(answer, Document):
            return None
    raise Unavailable("too many requests for approval are made at once")
