"""Asking: a decision that asks becomes an open request, or is answered by the lease of an earlier one (L10).

Takes the decision, and the accounts to make it anew with; gives the decision that holds, as steps that want
something of the store (see `runtime.accounts`). A lease is used in this order, so that a crash in between
leaves the strict side: the call is judged anew, what it uses up is charged, and then a use of the lease is taken;
who finds that others took the last one gives back what was charged.

A document `approving/...` says which request a call has, so that the same call asked again finds it; where the policy
lets an approval be good for more calls, `approving-more/...` says which request all of them have. It is
claimed before the request is written; a request that is missing there is written by whoever notices.
"""

from __future__ import annotations

from dataclasses import replace
from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.approvals.digests import digest_of
from guardrails.approvals.dossiers import asked_by, dossier_of, needs_of, shown_payload, subject_of
from guardrails.approvals.flooding import MOST, too_many
from guardrails.approvals.holds import Hold
from guardrails.approvals.leases import Bearer, Lease, is_void
from guardrails.approvals.request import DAY, WAITING, Request, Subject, lasting_of
from guardrails.approvals.reusing import Alone, amounts_of, is_spent, lacking, use_of
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

    from guardrails.runtime.accounts import Accounts, Crowded, Event, Steps

KEEP = 30 * DAY
"""How long a request is kept after all is over, for whoever looks back."""

MAX_RACES = 64

REQUESTS = "approval/"
CALLS = "approving/"
SHARED = "approving-more/"
BY_ID = "approved-call/"

LET_THROUGH = ("approved", "consumed", "expired")
"""States in which a call that was let through, and is repeated by its id, has the answer that it had."""


class Asking:
    """One call that asks. `named` is the id of an approval that the caller says it has."""

    __slots__ = (
        "_accounts", "_alone", "_bearer", "_event", "_hold", "_key", "_named", "_now", "_shared", "_use",
    )  # fmt: skip

    def __init__(
        self, accounts: Accounts, event: Event, decision: Decision, tool_digest: str, named: str | None
    ) -> None:
        self._accounts = accounts
        self._event = event
        self._named = named
        self._now = event.now
        subject = subject_of(accounts, event, tool_digest)
        head = [subject.policy_name, subject.session, subject.tool]
        self._key = CALLS + digest_of([*head, subject.digest])
        self._use = use_of(event.request, subject.digest)
        self._hold = None if event.request is None else Hold(event.request, subject)
        amounts, self._alone = None, ""
        try:
            amounts = amounts_of(decision, accounts, event)
        except Alone as why:
            self._alone = str(why)
        self._bearer = Bearer(subject, amounts, self._alone)
        self._shared = ""
        if amounts is not None:
            self._shared = SHARED + digest_of(
                [*head, subject.principal, subject.agent, repr(asked_by(decision))]
            )

    @property
    def _subject(self) -> Subject:
        return self._bearer.subject

    def settled(self, decision: Decision) -> Steps:
        """The decision that holds. Raises `Unavailable` without the store."""
        for _ in range(MAX_RACES):
            answer = yield from self._settled_once(decision)
            if answer is not None:
                return answer
        raise Unavailable("the request for approval changed too often")

    def _settled_once(self, decision: Decision) -> Steps | Any:
        """The decision, or None where something has changed meanwhile."""
        found = yield from self._found()
        self._alone = self._bearer.alone
        for document in found.documents:
            request = read(document.text)
            answer = yield from self._by(request, document, decision)
            if answer is not None:
                return answer
            if (yield from self._moved(document)):
                return None
        if self._named is not None:
            return refused(decision, self._named, f"there is no approval `{self._named}`")
        return (yield from self._opened(decision, found))

    def again(self, crowded: Crowded) -> Steps | Any:
        """The decision that the call had when people let it through, where nothing but what is held for it since is in
        its way; None where it is another one, or over. Raises `Unavailable` without the store."""
        for _ in range(MAX_RACES):
            if self._hold is None or not (yield from self._hold.explains(crowded.demands, self._now)):
                return None
            found = yield from self._found()
            for document in found.documents:
                request = read(document.text)
                if self._bearer.misfit(request, crowded.asks):
                    continue
                if request.state_at(self._now) in LET_THROUGH and self._is_mine(request):
                    return (yield from self._granted(request, crowded.asks))
                if request.state_at(self._now) == "approved" and not self._lacking(request):
                    # It is charged, and whoever did that has not got to use the lease.
                    answer = yield from self._used(request, document, crowded.asks)
                    if answer is not None:
                        return answer
                    break
            else:
                return None
        raise Unavailable("the request for approval changed too often")

    def foreseen(self, decision: Decision, *, asks: bool) -> Steps:
        """The decision as far as it is known: that of a lease which is left for the call itself to use."""
        for _ in range(MAX_RACES):
            found = yield from self._found()
            self._alone = self._bearer.alone
            for document in found.documents:
                request = read(document.text)
                answer = self._foreseen_by(request, decision)
                if answer is not None:
                    return answer
                if asks:
                    yield from self._void(request, document, self._bearer.misfit(request, decision))
            answer = (yield from self._opened(decision, found)) if asks else decision
            if answer is not None:
                return answer
        raise Unavailable("the request for approval changed too often")

    def _foreseen_by(self, request: Request, decision: Decision) -> Decision | None:
        if self._bearer.misfit(request, decision):
            return None
        state = request.state_at(self._now)
        if state in WAITING:
            return waiting(decision, request.id)
        if state == "approved":
            self._alone = self._lacking(request)
            return None if self._alone else granted(decision, request.id)
        return refused(decision, request.id, _denied(request)) if request.holds(self._now) else None

    # --- finding -------------------------------------------------------------------------------

    def _found(self) -> Generator[Any, Any, Found]:
        """The requests that may speak of this call: first that which let it through before, if it is repeated by
        its id; then that for just such a call; then that for more of them."""
        if self._named is not None:
            named = yield from self._read(REQUESTS + self._named)
            return Found({}, [named] if named is not None else [])
        pointers: dict[str, Document | None] = {}
        documents: list[Document] = []
        by_id = BY_ID + self._use if self._use else ""
        for key in filter(None, (by_id, self._key, self._shared)):
            pointer = pointers[key] = yield from self._read(key)
            if pointer is not None and all(pointer.text != d.key.removeprefix(REQUESTS) for d in documents):
                document = yield from self._read(REQUESTS + pointer.text)
                documents += [] if document is None else [document]
        return Found(pointers, documents)

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
        misfit, state = self._bearer.misfit(request, decision), request.state_at(self._now)
        if misfit:
            yield from self._void(request, document, misfit)
            return self._uncounted(request, decision, misfit)
        if state in WAITING:
            return waiting(decision, request.id)
        if state in LET_THROUGH and self._is_mine(request):
            return (yield from self._granted(request, decision))
        if state == "approved":
            lacking = self._lacking(request)
            if not lacking:
                return (yield from self._used(request, document, decision))
            self._alone = lacking
            return self._uncounted(request, decision, lacking)
        if state == "denied" and (self._named is not None or request.holds(self._now)):
            return refused(decision, request.id, _denied(request))
        return self._uncounted(request, decision, f"it is {_over(state)}")

    def _uncounted(self, request: Request, decision: Decision, why: str) -> Decision | None:
        """The refusal of an approval that was named; one that was only found says nothing."""
        if self._named is None:
            return None
        return refused(decision, request.id, f"approval `{request.id}` does not count: {why}")

    def _lacking(self, request: Request) -> str:
        """Why an approval has no room for this call; empty when it has."""
        amounts = self._bearer.amounts
        return lacking(request, amounts) if request.reuse and amounts is not None else ""

    def _void(self, request: Request, document: Document, why: str) -> Generator[Any, Any, None]:
        """An open request, or an unused lease, that can never count again."""
        if why and self._named is None and is_void(request, why):
            text = written(request.closed("void", self._now, why))
            yield from self._swap(document.key, text, document.version, KEEP)

    def _is_mine(self, request: Request) -> bool:
        """Whether this very call, repeated by its id, was let through by it."""
        mine = self._event.request if request.reuse is None else self._use
        return bool(mine) and any(call == mine for _, call, *_ in request.uses)

    # --- using a lease -------------------------------------------------------------------------

    def _used(self, request: Request, document: Document, decision: Decision) -> Steps | Any:
        """The decision by a lease that was used for it; None when others were faster and nothing is left."""
        answer = yield from self._granted(request, decision)
        if answer.outcome is not Outcome.ALLOW or answer.consent is None:
            return answer
        try:
            yield from self._remembered(request)
            took = yield from self._took(request, document, decision)
        except EvaluationError:
            yield from self._given_back(answer)
            raise
        if took is None:  # it is the same call, and the same charge
            return None
        if not took:
            yield from self._given_back(answer)
        return answer if took else None

    def _remembered(self, request: Request) -> Generator[Any, Any, None]:
        """Write down which request lets this call through, before it does: whatever is asked or used up later, the
        call has this answer when it is repeated by its id."""
        if self._use:
            pointer = yield from self._read(BY_ID + self._use)
            keep = KEEP + max(0, request.until - self._now)
            yield from self._swap(BY_ID + self._use, request.id, _version(pointer), keep)

    def _took(
        self, request: Request, document: Document, decision: Decision
    ) -> Generator[Any, Any, bool | None]:
        """Whether a use of the lease is ours now; None where this very call took it already."""
        for _ in range(MAX_RACES):
            following = self._with_use(request)
            keep = KEEP + max(0, following.until - self._now)
            swapped = yield from self._swap(document.key, written(following), document.version, keep)
            if isinstance(swapped, Document):
                return True
            now = yield from self._read(document.key)
            if now is None:
                return False
            document, request = now, read(now.text)
            if self._is_mine(request):
                return None
            if request.state_at(self._now) != "approved" or self._bearer.misfit(request, decision):
                return False
            if self._lacking(request):
                return False
        return False

    def _with_use(self, request: Request) -> Request:
        """The request with this call among its uses; consumed with the last of them."""
        if request.reuse is None:
            uses: tuple[Any, ...] = (*request.uses, (self._now, self._event.request or ""))
            return replace(request, state="consumed", uses=uses, ended=self._now)
        use = (self._now, self._use, *(self._bearer.amounts or ()))
        following = replace(request, uses=(*request.uses, use))
        return replace(following, state="consumed", ended=self._now) if is_spent(following) else following

    def _granted(self, request: Request, decision: Decision) -> Steps:
        """The call, judged anew and charged as if nobody had to be asked. Where it is refused all the same, the
        lease stays, and the decision says which one it is."""
        lease = self._event.lease = Lease(request)
        self._event.hold = self._hold
        try:
            answer = yield from self._accounts.decide(self._event)
        finally:
            self._event.lease = self._event.hold = None
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

    def _opened(self, decision: Decision, found: Found) -> Steps | Any:
        """The decision that waits for a new request; None when somebody else was faster."""
        key = self._key if self._alone or not self._shared else self._shared
        pointer = found.pointers[key]
        if pointer is not None and all(d.key != REQUESTS + pointer.text for d in found.documents):
            # Whoever claimed it did not get to write it.
            return (yield from self._write(pointer.text, decision))
        draft = yield from self._draft(decision)
        full = yield from too_many("asked", self._subject.session, self._now)
        if full is not None:
            why = f"this session has asked for more than {MOST} approvals in an hour"
            return refused(decision, "", why, retry_after=full / 1_000_000)
        id, keep = new_id(), draft.deadline - self._now + draft.lasting + KEEP
        claimed = yield from self._swap(key, id, _version(pointer), keep)
        if isinstance(claimed, Changed):
            return None
        if key == self._shared:
            # So that this call still finds it when somebody approves of no more than this call.
            yield from self._swap(self._key, id, _version(found.pointers[self._key]), keep)
        return (yield from self._write(id, decision, draft))

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
        audited = is_audited(self._accounts)
        draft = Request("", "ask", subject, needs, self._now, dossier, audited=audited, alone=self._alone)
        return replace(draft, lasting=lasting_of(needs))


class Found:
    """What the store has on a call: `pointers` say which requests it has, by their keys, and `documents` are
    those requests."""

    __slots__ = ("documents", "pointers")

    def __init__(self, pointers: dict[str, Document | None], documents: list[Document]) -> None:
        self.pointers = pointers
        self.documents = documents


def _version(document: Document | None) -> int:
    return 0 if document is None else document.version


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
        return (yield from Asking(accounts, event, decision, tool_digest, named).settled(decision))
    except Unavailable as error:
        return unasked(decision, error)
    except EvaluationError as error:
        return unaskable(decision, error)


def told_again(
    accounts: Accounts, event: Event, decision: Decision, tool_digest: str, named: str | None
) -> Steps:
    """The decision on a call that limits refuse before anybody is asked. It is the one that the call had, where people
    let it through, it comes again by its id, and what it was charged then is held and fills them."""
    crowded = event.crowded
    if crowded is None or not accounts.session:
        return decision
    try:
        answer = yield from Asking(accounts, event, crowded.asks, tool_digest, named).again(crowded)
    except (EvaluationError, Unavailable):
        return decision
    return decision if answer is None or answer.outcome is not Outcome.ALLOW else answer


def foreseen(
    accounts: Accounts, event: Event, decision: Decision, tool_digest: str, *, asks: bool = False
) -> Steps:
    """What a call that asks would come out as: allowed, where a lease is there for it. No lease is used, and no
    request opened unless `asks`."""
    if not accounts.session:
        return decision
    try:
        return (yield from Asking(accounts, event, decision, tool_digest, None).foreseen(decision, asks=asks))
    except Unavailable as error:
        return unasked(decision, error)
    except EvaluationError as error:
        return unaskable(decision, error)
