"""Asking: a decision that asks becomes an open request, or is answered by the lease of an earlier one (L10).

Takes the decision, and the accounts to make it anew with; gives the decision that holds, as steps that want
something of the store (see `runtime.accounts`). A lease is used in this order, so that a crash in between
leaves the strict side: the call is judged anew, what it uses up is charged, and then the lease is consumed; who
finds it consumed by somebody else gives back what was charged.

A document `approving/...` says which request a call has, so that the same call asked again finds it. It is
claimed before the request is written; a request that is missing there is written by whoever notices.
"""

from __future__ import annotations

from dataclasses import replace
from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.approvals.digests import digest_of
from guardrails.approvals.dossiers import dossier_of, needs_of, shown_payload, subject_of, terms_of
from guardrails.approvals.flooding import MOST, too_many
from guardrails.approvals.request import DAY, WAITING, Request, Subject, lasting_of
from guardrails.approvals.verdicts import (
    approved_in_vain,
    granted,
    opened,
    refused,
    unaskable,
    unasked,
    waiting,
)
from guardrails.approvals.writing import read, written
from guardrails.errors import EvaluationError, Unavailable
from guardrails.model import Decision, Outcome
from guardrails.stores.documents import Changed, Document

if TYPE_CHECKING:
    from collections.abc import Generator

    from guardrails.runtime.accounts import Accounts, Event, Steps

KEEP = 30 * DAY
"""How long a request is kept after all is over, for whoever looks back."""

MAX_RACES = 64

REQUESTS = "approval/"
CALLS = "approving/"


class Lease:
    """An approval on its way into a decision: it covers what asks for nothing more than was approved."""

    __slots__ = ("covered", "terms")

    def __init__(self, request: Request) -> None:
        self.terms = frozenset(need.terms for need in request.needs)
        self.covered = False

    def covers(self, decision: Decision) -> bool:
        self.covered = terms_of(decision) <= self.terms
        return self.covered


class Asking:
    """One call that asks. `named` is the id of an approval that the caller says it has."""

    __slots__ = ("_accounts", "_event", "_key", "_named", "_now", "_subject")

    def __init__(self, accounts: Accounts, event: Event, tool_digest: str, named: str | None) -> None:
        self._accounts = accounts
        self._event = event
        self._named = named
        self._now = event.now
        self._subject = subject_of(accounts, event, tool_digest)
        subject = self._subject
        self._key = CALLS + digest_of([subject.policy_name, subject.session, subject.tool, subject.digest])

    def settled(self, decision: Decision) -> Steps:
        """The decision that holds. Raises `Unavailable` without the store."""
        for _ in range(MAX_RACES):
            pointer, document = yield from self._found()
            request = read(document.text) if document is not None else None
            if request is not None and document is not None:
                answer = yield from self._by(request, document, decision)
                if answer is not None:
                    return answer
                if (yield from self._moved(document)):
                    continue
            if self._named is not None:
                return refused(decision, self._named, f"there is no approval `{self._named}`")
            answer = yield from self._opened(decision, pointer, request)
            if answer is not None:
                return answer
        raise Unavailable("the request for approval changed too often")

    def foreseen(self, decision: Decision, *, asks: bool) -> Steps:
        """The decision as far as it is known: that of a lease which is left for the call itself to use."""
        for _ in range(MAX_RACES):
            pointer, document = yield from self._found()
            request = read(document.text) if document is not None else None
            if request is not None and not self._misfit(request, decision):
                state = request.state_at(self._now)
                if state in WAITING:
                    return waiting(decision, request.id)
                if state == "approved":
                    return granted(decision, request.id)
                if request.holds(self._now):
                    return refused(decision, request.id, _denied(request))
            elif request is not None and document is not None and asks:
                yield from self._void(request, document, self._misfit(request, decision))
            answer = (yield from self._opened(decision, pointer, request)) if asks else decision
            if answer is not None:
                return answer
        raise Unavailable("the request for approval changed too often")

    # --- finding -------------------------------------------------------------------------------

    def _found(self) -> Generator[Any, Any, tuple[Document | None, Document | None]]:
        """What says which request this call has, and that request."""
        if self._named is not None:
            return None, (yield from self._read(REQUESTS + self._named))
        pointer = yield from self._read(self._key)
        if pointer is None:
            return None, None
        return pointer, (yield from self._read(REQUESTS + pointer.text))

    def _read(self, key: str) -> Generator[Any, Any, Document | None]:
        found: Document | None = yield ("read", (key,), {"now": self._now})
        return found

    def _swap(self, key: str, text: str, version: int, keep: int) -> Generator[Any, Any, Document | Changed]:
        answer: Document | Changed = yield (
            "swap", (key, text), {"version": version, "keep": keep, "now": self._now}
        )  # fmt: skip
        return answer

    def _moved(self, document: Document) -> Generator[Any, Any, bool]:
        """Whether somebody changed the request meanwhile."""
        now = yield from self._read(document.key)
        return now is None or now.version != document.version

    # --- what a request says of this call ------------------------------------------------------

    def _by(self, request: Request, document: Document, decision: Decision) -> Steps | Any:
        """The decision by an earlier request; None where a new one is needed, or this one has changed."""
        state, misfit = request.state_at(self._now), self._misfit(request, decision)
        if misfit:
            if self._named is not None:
                return refused(decision, request.id, f"approval `{request.id}` does not count: {misfit}")
            yield from self._void(request, document, misfit)
            return None
        if state in WAITING:
            return waiting(decision, request.id)
        if state == "approved":
            return (yield from self._used(request, document, decision))
        if state == "consumed" and self._is_mine(request):
            return (yield from self._granted(request, decision))
        if state == "denied" and (self._named is not None or request.holds(self._now)):
            return refused(decision, request.id, _denied(request))
        if self._named is not None:
            return refused(
                decision, request.id, f"approval `{request.id}` does not count: it is {_over(state)}"
            )
        return None

    def _misfit(self, request: Request, decision: Decision) -> str:
        """Why a request has nothing to say of this call; empty when it has."""
        asked, mine = request.subject, self._subject
        if request.kind != "ask":
            return "it is a review"
        if asked.session != mine.session:
            return "it is of another session"
        if (asked.tool, asked.digest) != (mine.tool, mine.digest):
            return "it is for another call"
        if asked.tool_digest != mine.tool_digest:
            return "the tool has changed"
        if asked.policy != mine.policy:
            return "the policy has changed"
        if (asked.principal, asked.agent) != (mine.principal, mine.agent):
            return "somebody else asks"
        return "" if Lease(request).covers(decision) else "something else is asked for now"

    def _void(self, request: Request, document: Document, why: str) -> Generator[Any, Any, None]:
        """An open request, or an unused lease, that can never count again."""
        if request.state in ("open", "approved"):
            text = written(request.closed("void", self._now, why))
            yield from self._swap(document.key, text, document.version, KEEP)

    def _is_mine(self, request: Request) -> bool:
        """Whether this very call, repeated by its id, consumed it."""
        return self._event.request is not None and any(
            call == self._event.request for _, call in request.uses
        )

    # --- using a lease -------------------------------------------------------------------------

    def _used(self, request: Request, document: Document, decision: Decision) -> Steps | Any:
        """The decision by a lease that was consumed for it; None when somebody else was faster."""
        answer = yield from self._granted(request, decision)
        if answer.outcome is not Outcome.ALLOW or answer.consent is None:
            return answer
        uses = (*request.uses, (self._now, self._event.request or ""))
        following = replace(request, state="consumed", uses=uses, ended=self._now)
        try:
            swapped = yield from self._swap(document.key, written(following), document.version, KEEP)
        except Unavailable:
            yield from self._given_back(answer)
            raise
        if isinstance(swapped, Document):
            return answer
        now = yield from self._read(document.key)
        if now is None or not self._is_mine(read(now.text)):  # else it is the same call, and the same charge
            yield from self._given_back(answer)
        return None

    def _granted(self, request: Request, decision: Decision) -> Steps:
        """The call, judged anew and charged as if nobody had to be asked. Where it is refused all the same, the
        lease stays, and the decision says which one it is."""
        lease = self._event.lease = Lease(request)
        try:
            answer = yield from self._accounts.decide(self._event)
        finally:
            self._event.lease = None
        if answer.outcome is Outcome.ASK and lease.covered:
            return granted(answer, request.id)
        return answer if answer.outcome < Outcome.DENY else approved_in_vain(answer, request.id)

    def _given_back(self, answer: Decision) -> Generator[Any, Any, None]:
        """Without the store it stays charged, which is the strict side."""
        if answer.reservation:
            try:
                yield ("release", (answer.reservation,), {"now": self._now})
            except Unavailable:
                return

    # --- a new request -------------------------------------------------------------------------

    def _opened(self, decision: Decision, pointer: Document | None, request: Request | None) -> Steps | Any:
        """The decision that waits for a new request; None when somebody else was faster."""
        if pointer is not None and request is None:
            # Whoever claimed it did not get to write it.
            return (yield from self._write(pointer.text, decision))
        draft = yield from self._draft(decision)
        full = yield from too_many("asked", self._subject.session, self._now)
        if full is not None:
            why = f"this session has asked for more than {MOST} approvals in an hour"
            return refused(decision, "", why, retry_after=full / 1_000_000)
        id, version = new_id(), 0 if pointer is None else pointer.version
        keep = draft.deadline - self._now + draft.lasting + KEEP
        claimed = yield from self._swap(self._key, id, version, keep)
        return None if isinstance(claimed, Changed) else (yield from self._write(id, decision, draft))

    def _write(self, id: str, decision: Decision, draft: Request | None = None) -> Steps:
        draft = draft or (yield from self._draft(decision))
        request = replace(draft, id=id)
        yield from self._swap(REQUESTS + id, written(request), 0, keep_of(request, self._now))
        return opened(decision, id)

    def _draft(self, decision: Decision) -> Generator[Any, Any, Request]:
        shown = shown_payload(self._accounts, self._event, decision)
        needs = needs_of(decision, self._accounts, self._event, shown)
        dossier = yield from dossier_of(self._accounts, self._event, decision)
        subject: Subject = replace(self._subject, args=shown)
        draft = Request("", "ask", subject, needs, self._now, dossier, audited=is_audited(self._accounts))
        return replace(draft, lasting=lasting_of(needs))


def is_audited(accounts: Accounts) -> bool:
    """Whether the policy says `audit`, so that an answer counts only where it is written down."""
    return accounts.engine.program.head.get("audit") is not None


def keep_of(request: Request, now: int) -> int:
    return request.deadline - now + request.lasting + KEEP


def new_id() -> str:
    """An id that nobody can guess."""
    return urandom(16).hex()


def _denied(request: Request) -> str:
    who = next((answer.by for answer in request.answers if answer.verdict == "deny"), "somebody")
    return f"{who} denied it" + (f" because {request.why}".rstrip(".") if request.why else "")


def _over(state: str) -> str:
    return {"expired": "expired", "consumed": "used already", "denied": "denied"}.get(state, state)


def asked(accounts: Accounts, event: Event, decision: Decision, tool_digest: str, named: str | None) -> Steps:
    """The decision on a call that asks. What cannot be asked cannot be approved: it is denied."""
    if decision.outcome is not Outcome.ASK or not accounts.session:
        return decision
    try:
        return (yield from Asking(accounts, event, tool_digest, named).settled(decision))
    except Unavailable as error:
        return unasked(decision, error)
    except EvaluationError as error:
        return unaskable(decision, error)


def foreseen(
    accounts: Accounts, event: Event, decision: Decision, tool_digest: str, *, asks: bool = False
) -> Steps:
    """What a call that asks would come out as: allowed, where a lease is there for it. No lease is used, and no
    request opened unless `asks`."""
    if not accounts.session:
        return decision
    try:
        return (yield from Asking(accounts, event, tool_digest, None).foreseen(decision, asks=asks))
    except Unavailable as error:
        return unasked(decision, error)
    except EvaluationError as error:
        return unaskable(decision, error)
