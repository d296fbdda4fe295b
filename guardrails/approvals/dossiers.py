"""Dossiers: what a person needs to decide, gathered when somebody is asked.

Takes a decision that asks and the accounts that made it, gives the needs, the subject and the circumstances.
People are shown the arguments as the policy changes them, with tokens left as they are (law L3).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from guardrails.approvals.digests import digest_of
from guardrails.approvals.request import Dossier, Far, Need, Subject
from guardrails.approvals.writing import showable
from guardrails.errors import Unavailable
from guardrails.model import Decision, Outcome
from guardrails.runtime.accounts import wanted_by
from guardrails.runtime.denial import _value_at

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from guardrails.model import Approval, Reuse
    from guardrails.runtime.accounts import Accounts, Event

LAST_EVENTS = 20
"""Events of the session that people are shown."""

MOST_ORIGINS = 20

DEFAULT = "default"
"""The name of what asks where no statement does: the policy's default."""


def needs_of(decision: Decision, accounts: Accounts, event: Event, args: Any) -> tuple[Need, ...]:
    """What it takes to let this through; at least one need."""
    unit = accounts.engine.program.unit(event.point, event.tool)
    found = []
    for approval in decision.approvals:
        reason = next((a for a in decision.reasons if a.name == approval.statement), None)
        bounds = [bound for e in unit.effects if e.applied.name == approval.statement for bound in e.bounds]
        statement, reviewers, quorum, within, otherwise, far = _terms(approval)
        place, because = (str(reason.place), reason.message) if reason else ("", None)
        shown = tuple(dict.fromkeys(_bounds(bounds, args)))
        found.append(Need(statement, place, reviewers, quorum, within, otherwise, because, shown, far))
    return tuple(found) or (Need(DEFAULT, ""),)


def terms_of(decision: Decision) -> frozenset[tuple[object, ...]]:
    """What a decision asks for, to be held against the needs that were met."""
    return frozenset(map(_terms, decision.approvals)) or frozenset([Need(DEFAULT, "").terms])


def asked_by(decision: Decision) -> list[tuple[object, ...]]:
    """The terms of all that asks, in order."""
    return list(map(_terms, decision.approvals))


def _terms(approval: Approval) -> tuple[Any, ...]:
    within = None if approval.within is None else round(approval.within * 1_000_000)
    far = None if approval.reuse is None else _far(approval.reuse)
    return (approval.statement, approval.reviewers, approval.quorum, within, approval.otherwise, far)


def _far(reuse: Reuse) -> Far:
    return reuse.calls, tuple([(bound.amount, bound.per, bound.most, bound.unit) for bound in reuse.bounds])


def _bounds(bounds: Any, args: Any) -> Iterator[tuple[str, str, str]]:
    for path, bound in bounds:
        value = _value_at(args, path)
        if value is not None:
            yield ".".join(("args", *path)), str(value), str(bound)


def subject_of(accounts: Accounts, event: Event, tool_digest: str) -> Subject:
    """The event that is asked about. Its digest is of the arguments as the agent gave them. Raises
    `EvaluationError` for arguments that nobody could compare."""
    head, subject = accounts.engine.program.head, accounts.subject
    return Subject(
        event.point,
        event.tool,
        None,
        accounts.session,
        digest_of(event.payload, subject.host.key),
        tool_digest or head["pinned"].get(event.tool, ""),
        accounts.engine.program.digest,
        str(head["name"]),
        _id_of(subject.principal),
        _id_of(subject.agent),
    )


def _id_of(record: Any) -> str | None:
    name = record.get("id") if hasattr(record, "get") else None
    return None if name is None else str(name)


def shown_payload(accounts: Accounts, event: Event, decision: Decision) -> Any:
    """The arguments, result or text as people may see it. Raises `TooLarge`."""
    tokens = accounts.tokens
    if tokens is not None and event.point == "call":
        revealed = tokens.revealed(event.tool, event.args)
        if revealed != event.args:
            return showable(_unrevealed(accounts, event, revealed))
    return showable(decision.payload if decision.transforms else event.payload)


def _unrevealed(accounts: Accounts, event: Event, revealed: Any) -> Any:
    """What the policy, which judged the values behind the tokens, makes of the arguments with tokens in them."""
    judged = accounts.engine.judge("call", event.tool, revealed, revealed, accounts.subject, event.now)
    if isinstance(judged, Decision):
        raise Unavailable("the arguments cannot be shown without what their tokens stand for")
    args, subject, _, now, tool = judged.event
    judged.event = (args, subject, event.args, now, tool)
    again = accounts.engine.conclude(judged)
    if again.outcome >= Outcome.DENY:
        raise Unavailable("the arguments cannot be shown without what their tokens stand for")
    return again.payload if again.transforms else event.args


def dossier_of(accounts: Accounts, event: Event, decision: Decision) -> Generator[Any, Any, Dossier]:
    """The circumstances. Raises `Unavailable` without the store."""
    events = yield from _events(accounts, event)
    fills = yield from _fills(accounts, event)
    hints = accounts.engine.program.head.get("hints") or {}
    return Dossier(events, fills, tuple(_origins(decision)), tuple(hints.get(event.tool, ())))


def _events(accounts: Accounts, event: Event) -> Generator[Any, Any, tuple[tuple[str, str, str, int], ...]]:
    """The session's last events: of its whole past where the policy has it kept, else as this process saw them."""
    from guardrails.runtime.notes import read_header

    trace = accounts.subject.trace
    if not accounts.uses_trace or trace is None:
        return tuple(accounts.recent or ())
    after = max(0, trace.last - LAST_EVENTS)
    past = yield ("recall", (accounts.session,), {"after": after, "now": event.now})
    headers = [read_header(text)[0] for text in past.texts[-LAST_EVENTS:]]
    words = {True: "ok", False: "failed", None: ""}
    return tuple([(h.point, h.tool or "", words[h.ok], h.at) for h in headers])


def _fills(accounts: Accounts, event: Event) -> Generator[Any, Any, tuple[tuple[str, str, str], ...]]:
    """How full the limits are that this event counts on: name, used, limit."""
    args, payload = accounts._revealed(event)
    judged = accounts.engine.judge(event.point, event.tool, args, payload, accounts.subject, event.now)
    if isinstance(judged, Decision):
        return ()
    wanted = wanted_by(judged, accounts.session)
    if not wanted.demands:
        return ()
    fills = yield ("fill", (wanted.demands,), {"now": event.now})
    names = [judged.unit.effects[meter.bit].applied.name for meter in wanted.meters]
    rows = zip(names, wanted.demands, fills, strict=True)
    return tuple([(name, _digits(fill.used), _digits(demand.limit)) for name, demand, fill in rows])


def _digits(number: Any) -> str:
    """A number as people write it: no exponent, no zeros that say nothing."""
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _origins(decision: Decision) -> Iterator[tuple[str, str]]:
    """Where values came from, as far as the policy asked for it."""
    for finding in decision.origins[:MOST_ORIGINS]:
        labels = sorted(
            {label for part in finding.parts for source in part.sources for label in source.labels}
        )
        answer = {True: "yes", False: "no", None: "unknown"}[finding.answer]
        yield (
            str(finding.what or "context"),
            f"{finding.test}: {answer}" + (f" (came with {', '.join(labels)})" if labels else ""),
        )
