"""Leases: whether what people said of one call says anything of another.

Takes a request and the call that is about to run; gives why the request has nothing to say of it, or that it has.
Most requests are for the very arguments they show; one that is good for more calls is for those that the same
statements ask about, in the same session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guardrails.approvals.dossiers import asked_by, terms_of
from guardrails.approvals.request import Request, Subject

if TYPE_CHECKING:
    from guardrails.approvals.reusing import Amounts
    from guardrails.model import Decision

TOOL_CHANGED: Final = "the tool has changed"
POLICY_CHANGED: Final = "the policy has changed"

OTHER_CALL: Final = "it is for another call"

FOREVER: Final = (TOOL_CHANGED, POLICY_CHANGED)
"""What makes an approval void for all calls that it was good for."""


class Lease:
    """An approval on its way into a decision: it covers what asks for nothing more than was approved. One that
    is good for more calls covers just what asked for it, because what it is good up to depends on all of it."""

    __slots__ = ("_request", "covered")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.covered = False

    def covers(self, decision: Decision) -> bool:
        terms = [need.terms for need in self._request.needs]
        if self._request.reuse is None:
            self.covered = terms_of(decision) <= frozenset(terms)
        else:
            self.covered = asked_by(decision) == terms
        return self.covered


class Bearer:
    """A call that asks: who makes it, and what it comes to where an approval could be good for more calls (None:
    it is asked about `alone`, which says why)."""

    __slots__ = ("alone", "amounts", "subject")

    def __init__(self, subject: Subject, amounts: Amounts | None, alone: str = "") -> None:
        self.subject = subject
        self.amounts = amounts
        self.alone = alone

    def misfit(self, request: Request, decision: Decision) -> str:
        """Why a request has nothing to say of this call; empty when it has."""
        asked, mine = request.subject, self.subject
        if request.kind != "ask":
            return "it is a review"
        if asked.session != mine.session:
            return "it is of another session"
        if asked.tool != mine.tool or (request.reuse is None and asked.digest != mine.digest):
            return OTHER_CALL
        if asked.tool_digest != mine.tool_digest:
            return TOOL_CHANGED
        if asked.policy != mine.policy:
            return POLICY_CHANGED
        if (asked.principal, asked.agent) != (mine.principal, mine.agent):
            return "somebody else asks"
        if not Lease(request).covers(decision):
            return "something else is asked for now"
        if request.reuse is None or self.amounts is not None:
            return ""
        return f"it is not good for this call: {self.alone}"


def is_void(request: Request, misfit: str) -> bool:
    """Whether a request that says nothing of a call can be of no use to any other either."""
    if request.state not in ("open", "approved") or misfit == OTHER_CALL:
        return False
    return request.reuse is None or misfit in FOREVER
