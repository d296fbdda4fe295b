"""Reviews: what a policy lets through now and has looked at later.

Takes a decision that owes reviews, puts each into the store beside the requests. Nothing waits for it: what
cannot be queued (no store, too many in an hour) is still owed by the decision, which names those that are.
A sample is drawn by session: all that a statement samples of one session is looked at, or none of it.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from guardrails.approvals.asking import REQUESTS, is_audited, keep_of, new_id
from guardrails.approvals.dossiers import dossier_of, shown_payload, subject_of
from guardrails.approvals.flooding import too_many
from guardrails.approvals.request import Dossier, Need, Request
from guardrails.approvals.writing import MOST_SHOWN, written
from guardrails.errors import EvaluationError, TooLarge
from guardrails.model import Consent, Outcome

if TYPE_CHECKING:
    from collections.abc import Generator

    from guardrails.model import Decision, Obligation
    from guardrails.runtime.accounts import Accounts, Event, Steps


def is_sampled(session: str, statement: str, share: str | None) -> bool:
    """Whether the reviews of a statement are looked at in this session; `share` such as `5%`, None for all."""
    if share is None:
        return True
    from decimal import Decimal

    drawn = int.from_bytes(sha256(f"{session}\x1f{statement}".encode("utf-8", "surrogatepass")).digest()[:8])
    return drawn < int(Decimal(share.removesuffix("%")) / 100 * 2**64)


def reviewed(accounts: Accounts, event: Event, decision: Decision) -> Steps:
    """The decision, with its reviews queued."""
    if decision.outcome is Outcome.ASK:
        return decision  # it is looked at before
    queued: list[str] = []
    fresh_ids: list[str] = []
    for duty in decision.obligations:
        details = dict(duty.details)
        if duty.kind != "review" or not is_sampled(accounts.session, duty.statement, details.get("sample")):
            continue
        try:
            id, is_new = yield from _queued(accounts, event, decision, duty)
        except EvaluationError:
            continue
        queued += [id] if id else []
        fresh_ids += [id] if is_new else []
    if not queued:
        return decision
    fresh = decision.about(decision._denial)
    fresh.reservation, before = decision.reservation, decision.consent or Consent()
    opened = (*before.opened, *fresh_ids)
    fresh.consent = Consent(before.request, before.approval, tuple(queued), opened)
    return fresh


def _queued(
    accounts: Accounts, event: Event, decision: Decision, duty: Obligation
) -> Generator[Any, Any, tuple[str, bool]]:
    """The id of the review, and whether it is new; empty for one too many. A call that is repeated by its id is
    reviewed once."""
    id = new_id() if event.request is None else _id_of(event.request, duty.statement)
    if event.request is not None and (yield ("read", (REQUESTS + id,), {"now": event.now})) is not None:
        return id, False
    if (yield from too_many("reviewed", accounts.session, event.now)) is not None:
        return "", False
    request = replace((yield from _draft(accounts, event, decision, duty)), id=id)
    keep = keep_of(request, event.now)
    yield ("swap", (REQUESTS + id, written(request)), {"version": 0, "keep": keep, "now": event.now})
    return id, True


def _id_of(request: str, statement: str) -> str:
    return sha256(f"review\x1f{request}\x1f{statement}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _draft(
    accounts: Accounts, event: Event, decision: Decision, duty: Obligation
) -> Generator[Any, Any, Request]:
    details = dict(duty.details)
    reason = next((applied for applied in decision.applied if applied.name == duty.statement), None)
    need = Need(
        duty.statement,
        str(reason.place) if reason else "",
        tuple(details.get("by") or ()),
        within=details.get("within"),
        because=reason.message if reason else None,
    )
    subject = replace(_subject(accounts, event), args=_shown(accounts, event, decision))
    dossier: Dossier = yield from dossier_of(accounts, event, decision)
    outcome = "ask" if decision.approval else str(decision.outcome)  # what the policy alone says
    return Request(
        "", "review", subject, (need,), event.now, dossier, outcome=outcome, audited=is_audited(accounts)
    )


def _subject(accounts: Accounts, event: Event) -> Any:
    """The subject; of what cannot be compared there is no digest, and none is needed to look at it."""
    try:
        return subject_of(accounts, event, "")
    except EvaluationError:
        blank = type(event)(event.point, event.tool, {}, None, event.now)
        return subject_of(accounts, blank, "")


def _shown(accounts: Accounts, event: Event, decision: Decision) -> Any:
    """As much as people can read of it."""
    try:
        return shown_payload(accounts, event, decision)
    except TooLarge:
        payload = decision.payload if decision.transforms else event.payload
        return f"{payload[: MOST_SHOWN // 2]}…" if isinstance(payload, str) else "<too large to be shown>"
