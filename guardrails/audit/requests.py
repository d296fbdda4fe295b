"""Requests: what people are asked by a decision, as records of their own beside that of the decision.

Takes a check and its decision, gives one draft of kind `approval` for each request or review that it opened. What
became of them is written by those who answer (see `guardrails.approvals.chronicle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit.drafts import Draft
from guardrails.audit.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from guardrails.model import Decision
    from guardrails.observing import Check

SHARED = ("trace", "span", "session", "point", "tool", "call_id", "agent", "clock")
"""Fields that such a record has in common with that of its decision."""


def requests_of(check: Check, decision: Decision, fields: Mapping[str, Any]) -> Iterator[Draft]:
    """A draft for each request that is new."""
    consent = decision.consent
    reviews = consent.reviews if consent is not None else ()
    id = check.principal.get("id") if isinstance(check.principal, dict) else None
    subject = f"session:{check.session}" if id is None or id == "" else str(id)
    for request in consent.opened if consent is not None else ():
        asks = request not in reviews
        known = {name: fields.get(name) for name in SHARED} | {
            "id": new_id(), "ref": decision.id, "request": request, "policy": decision.policy,
            "statements": _asking(decision) if asks else _reviewing(decision),
            "facts": {"what": "asked", "of": _asked(decision)} if asks else {"what": "to be reviewed"},
        }  # fmt: skip
        yield Draft("approval", known, subject=subject)


def _asking(decision: Decision) -> list[str]:
    return [approval.statement for approval in decision.approvals]


def _reviewing(decision: Decision) -> list[str]:
    return [duty.statement for duty in decision.obligations if duty.kind == "review"]


def _asked(decision: Decision) -> list[str]:
    """Whom each statement asks, in words."""
    found = []
    for approval in decision.approvals:
        who = " or ".join(approval.reviewers) or "anybody"
        found.append(f"{approval.quorum} of {who}" if approval.quorum > 1 else who)
    return found or ["anybody"]
