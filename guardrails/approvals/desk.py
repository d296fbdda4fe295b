"""The desk: where people's answers come in, for hosts and for the command line.

Takes a store, a clock and who is in which group; gives requests, and takes answers to them. Every answer is one
compare-and-set of the request's document, so of two people who answer at once neither is lost, and nobody
answers what is closed. Who `by` is has to be known by then: the host, or the login of the machine, says so.

    desk = guard.approvals
    for request in desk.list():
        print(request.id, request.tool, request.subject.args)
    desk.approve(request.id, by="ana", reason="a known customer")
"""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, Any

from guardrails.approvals.answering import Rejected, answered, noted_as_shown
from guardrails.approvals.asking import REQUESTS, keep_of
from guardrails.approvals.batches import Batch, batched
from guardrails.approvals.groups import Groups
from guardrails.approvals.report import Habits, habits_of
from guardrails.approvals.request import STATES, WAITING, Answer, Request
from guardrails.approvals.writing import read, written
from guardrails.errors import EvaluationError, Unavailable
from guardrails.parameters import doing, flag, listed, misfit, seconds, shown, text_if_any
from guardrails.stores.documents import MOST_KEY, MOST_SCANNED, Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from guardrails.approvals.chronicle import Chronicle
    from guardrails.runtime.ports import Clock
    from guardrails.stores.port import Store

MAX_RACES = 64

FEWEST_LETTERS = 4
"""Letters of an id that are enough to name a request, where no other begins with them."""

KINDS = ("ask", "review")

IDS = "a list of the ids of requests"

CHRONICLE, DIARY = ("answer", "seen"), "what writes answers to an audit log"

STORE = ("read", "scan", "swap")
"""Methods of a store that requests are kept in."""

QUICK = 10.0
"""Seconds in which nobody reads a request."""


class Approvals:
    """The requests of a store. `policy` is name and digest of the policy in force, where one is at hand: what
    was asked under an earlier one can no longer be approved. `asked` is whom that policy asks, as
    `(place, how many, names)`. `chronicle` writes to the audit log what people do; without one the answers to
    requests of a policy that says `audit` do not count. Raises `EvaluationError` for what is none of these."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        groups: Groups | None = None,
        policy: tuple[str, str] | None = None,
        asked: Iterable[tuple[str, int, tuple[str, ...]]] = (),
        chronicle: Chronicle | None = None,
    ) -> None:
        self._store = doing("store", store, STORE, "a store, such as `guard.state.store`")
        self._clock = _ticking(clock)
        self._policy = _policy(policy)
        self._asked = listed("asked", asked, "whom the policy asks, as `(place, how many, names)`")
        self._chronicle = chronicle if chronicle is None else doing("chronicle", chronicle, CHRONICLE, DIARY)
        self.groups = Groups() if groups is None else _groups(groups)

    # --- looking -------------------------------------------------------------------------------

    def list(self, *states: str, session: str | None = None, kind: str | None = None) -> tuple[Request, ...]:
        """Requests in one of these states (those that wait for an answer, where none is named), the oldest first.
        `kind` is `ask` or `review`. Raises `StoreUnavailable`, and `EvaluationError` for a state or kind that is none."""
        for state in states:
            if state not in (*STATES, "any"):
                raise EvaluationError(f"there is no state `{state}`: use one of {', '.join(STATES)} or any")
        text_if_any("session", session, "the id of a session, a text")
        _check_kind(kind)
        now = self._clock.now()
        wanted = states or WAITING
        found = [
            request
            for request in self._all(now)
            if ("any" in wanted or self.state_of(request) in wanted)
            and session in (None, request.subject.session)
            and kind in (None, request.kind)
        ]
        return tuple(sorted(found, key=lambda request: (request.created, request.id)))

    def state_of(self, request: Request) -> str:
        """`pending`, `escalated`, `approved`, `consumed`, `denied`, `expired`, `void`, `upheld` or `wrong`."""
        if not isinstance(request, Request):
            raise misfit("request", request, "a `Request`, such as `get` gives for an id")
        state = request.state_at(self._clock.now())
        return "void" if state in (*WAITING, "approved") and self._is_outdated(request) else state

    def get(self, id: str) -> Request:
        """The request of this id, or of the only one that begins so. Raises `Rejected` for none."""
        return self._request(id)[1]

    def show(self, id: str, *, by: str | None = None) -> Request:
        """`get`; with `by` it is kept that this person was shown it, which an approval should not do without."""
        if by is None:
            return self.get(id)
        _check_by(by)
        return self._changed(id, lambda request, now: noted_as_shown(request, by, now))

    def watch(
        self, *, interval: float = 1.0, kind: str | None = None, wait: Callable[[float], None] = sleep
    ) -> Iterator[Request]:
        """Every request that waits, and each one again whenever anything happened to it, without an end."""
        _check_kind(kind)
        _check_waiting(interval, wait)
        return self._watched(interval, kind, wait)

    def _watched(self, interval: float, kind: str | None, wait: Callable[[float], None]) -> Iterator[Request]:
        known: dict[str, tuple[str, int, int]] = {}
        while True:
            there = self.list("any", kind=kind)
            known = {request.id: known[request.id] for request in there if request.id in known}
            for request in there:
                mark = self.state_of(request), len(request.answers), len(request.uses)
                is_new = request.id not in known
                if known.get(request.id) != mark and not (is_new and mark[0] not in WAITING):
                    yield request
                known[request.id] = mark
            wait(interval)

    def wait(self, id: str, *, interval: float = 1.0, wait: Callable[[float], None] = sleep) -> Request:
        """The request, once it no longer waits: it was answered, or ran out."""
        _check_waiting(interval, wait)
        while self.state_of(request := self.get(id)) in WAITING:
            wait(interval)
        return request

    # --- answering -----------------------------------------------------------------------------

    def approve(
        self,
        id: str,
        *,
        by: str,
        reason: str = "",
        seconds: float | None = None,
        once: bool = False,
        together: int = 1,
    ) -> Request:
        """Approve of a request. The approval can be used for as long as people had to give it, or for `seconds`
        if that is less; with `once` it is good for the call that the request shows, even where the policy lets
        it be good for more. Raises `Rejected` where the answer does not count, and says why; `EvaluationError` for
        `seconds` that are no time."""
        lasting = None if seconds is None else _lasting(seconds)
        return self._answer(id, "approve", by, reason, lasting=lasting, once=once, together=together)

    def deny(self, id: str, *, by: str, reason: str = "", once: bool = False, together: int = 1) -> Request:
        """Deny a request, or take back an approval of which something is left. All calls that an approval would
        have been good for stay denied in their session for as long as people had to decide; with `once` only
        the call that the request shows."""
        return self._answer(id, "deny", by, reason, once=once, together=together)

    def judge(self, id: str, verdict: str, *, by: str, reason: str = "") -> Request:
        """Answer a review: what happened was right (`upheld`) or `wrong`."""
        return self._answer(id, verdict, by, reason)

    def answer_all(
        self, ids: Iterable[str], verdict: str, *, by: str, reason: str = ""
    ) -> dict[str, Request | Rejected]:
        """The same answer to many requests; what came of each. Raises `EvaluationError` before any of them is answered
        for what is no list of ids."""
        if isinstance(ids, str):
            raise EvaluationError("`answer_all` takes a list of ids; one of them is for `approve` or `deny`")
        wanted = tuple(dict.fromkeys(map(_named, listed("ids", ids, IDS))))
        found: dict[str, Request | Rejected] = {}
        for id in wanted:
            try:
                found[id] = self._answer(id, verdict, by, reason, together=len(wanted))
            except Rejected as error:
                found[id] = error
        return found

    def batches(self, *, kind: str = "ask") -> tuple[Batch, ...]:
        """Waiting requests that are alike: the same tool, asked for by the same statements."""
        return batched(self.list(kind=kind))

    def report(self, *, quick: float = QUICK) -> tuple[Habits, ...]:
        """How people decide: how many answers each gave, and how many unread or within `quick` seconds."""
        if quick.__class__ not in (int, float) or not 0 <= quick < 1e12:
            raise misfit("quick", quick, "a number of seconds from 0")
        return habits_of(self._all(self._clock.now()), int(quick * 1_000_000))

    def problems(self) -> tuple[str, ...]:
        """Statements of the policy that nobody, or too few people, can answer, as far as is known: their requests
        could only run out."""
        told = (self.groups.lacking(names, quorum) for _, quorum, names in self._asked)
        return tuple([f"{place}: {why}" for (place, *_), why in zip(self._asked, told, strict=True) if why])

    # --- inside --------------------------------------------------------------------------------

    def _answer(
        self,
        id: str,
        verdict: str,
        by: str,
        reason: str,
        *,
        lasting: int | None = None,
        once: bool = False,
        together: int = 1,
    ) -> Request:
        _check_by(by)
        if not isinstance(reason, str):
            raise EvaluationError("the `reason` is a text")
        flag("once", once)
        if together.__class__ is not int or together < 1:
            raise misfit("together", together, "how many are answered together, from 1")

        def change(request: Request, now: int) -> Request:
            if self._is_outdated(request) and verdict == "approve":
                raise Rejected(f"request {request.id} is void: the policy has changed since it was asked")
            answer = Answer(by, verdict, now, reason, together=together)
            return answered(request, answer, self.groups, lasting=lasting, once=once)

        return self._changed(id, change)

    def _changed(self, id: str, change: Callable[[Request, int], Request]) -> Request:
        for _ in range(MAX_RACES):
            document, request = self._request(id)
            now = self._clock.now()
            document, request = self._seen(document, request, now)
            following = change(request, now)
            if following == request or self._put(document, request, following, now):
                return following
        raise Unavailable(f"request {id} changed too often while it was answered")

    def _put(self, document: Document, request: Request, following: Request, now: int) -> bool:
        """Write a request as it is now; an answer goes to the audit log first (law L9). False: somebody else was
        faster."""
        answer = following.answers[-1] if len(following.answers) > len(request.answers) else None
        if answer is not None:
            self._tell(following, answer)
        try:
            done = self._swapped(document, following, now)
        except Unavailable as error:
            self._take_back(following, answer, error)
            raise
        if not done:
            self._take_back(following, answer, "somebody else changed the request first")
        return done

    def _swapped(self, document: Document, following: Request, now: int) -> bool:
        keep = max(1, keep_of(following, now))
        put: Any = self._store.swap(
            document.key, written(following), version=document.version, keep=keep, now=now
        )
        return isinstance(put, Document)

    def _tell(self, following: Request, answer: Answer) -> None:
        if self._chronicle is not None:
            self._chronicle.answer(following, answer)
        elif following.audited:
            raise Rejected(
                "the answer does not count: the policy says `audit`, and no audit log is named; name it with "
                "`audit=`, `--audit` or GUARD_AUDIT"
            )

    def _take_back(self, following: Request, answer: Answer | None, why: object) -> None:
        if self._chronicle is not None and answer is not None:
            self._chronicle.in_vain(following, answer, why)

    def _seen(self, document: Document, request: Request, now: int) -> tuple[Document, Request]:
        """A request whose time went on or ran out, with that written to the audit log, once."""
        following = self._chronicle.seen(request, now) if self._chronicle is not None else None
        if following is None or not self._swapped(document, following, now):
            return document, request
        return self._store.read(document.key, now=now) or document, following

    def _request(self, id: str) -> tuple[Document, Request]:
        now = self._clock.now()
        if not isinstance(id, str):
            raise Rejected(_unnamed(id))
        if not 0 < len(id) < MOST_KEY // 4:
            raise Rejected("a request is named by its id")
        document = self._store.read(REQUESTS + id, now=now)
        if document is None and len(id) >= FEWEST_LETTERS:
            few = self._store.scan(REQUESTS + id, now=now, most=2)
            if len(few) > 1:
                raise Rejected(f"more than one request begins with `{id}`: give more of the id")
            document = few[0] if few else None
        if document is None:
            raise Rejected(f"there is no request `{id}` (any more)")
        return document, read(document.text)

    def _all(self, now: int) -> Iterator[Request]:
        after = ""
        while True:
            page = self._store.scan(REQUESTS, now=now, after=after)
            yield from (self._seen(document, read(document.text), now)[1] for document in page)
            if len(page) < MOST_SCANNED:
                return
            after = page[-1].key

    def _is_outdated(self, request: Request) -> bool:
        if self._policy is None or request.kind != "ask":
            return False
        name, digest = self._policy
        return request.subject.policy_name == name and request.subject.policy != digest


def _ticking(clock: Any) -> Clock:
    wanted = "an object whose `now()` gives microseconds since 1970"
    found: Clock = doing("clock", clock, ("now",), wanted)
    if hasattr(clock, "year"):  # a moment has a `now` as well
        raise misfit("clock", clock, wanted)
    return found


def _groups(given: Any) -> Groups:
    if not isinstance(given, Groups):
        raise misfit("groups", given, 'groups, such as `Groups({"finance": ["ana", "bob"]})`')
    return given


def _policy(given: Any) -> tuple[str, str] | None:
    if given is not None and (given.__class__ is not tuple or [type(each) for each in given] != [str, str]):
        raise misfit("policy", given, "the name and the digest of a policy")
    policy: tuple[str, str] | None = given
    return policy


def _check_kind(kind: Any) -> None:
    """Of a kind that does not exist there would seem to be no requests."""
    if kind is not None and kind not in KINDS:
        told = f"`{kind}`" if isinstance(kind, str) else shown(kind)
        raise EvaluationError(f"`kind` is `ask` or `review`, and not {told}")


def _check_waiting(interval: Any, wait: Any) -> None:
    seconds("interval", interval)
    if not callable(wait):
        raise misfit("wait", wait, "a function that waits for so many seconds")


def _check_by(by: Any) -> None:
    if not isinstance(by, str) or not by.strip():
        raise Rejected(f"an answer needs the name of who gives it: `by` is a text, and not {shown(by)}")


def _named(id: Any) -> Any:
    """What names a request, or is told to name none."""
    if id.__class__.__hash__ is None:
        raise misfit("ids", id, IDS)
    return id


def _unnamed(given: object) -> str:
    if given is None:  # `decision.request` where nothing could be kept
        return (
            "there is no request: a call that asks needs a session with a store: `Guard.load(..., store=...)`"
        )
    advice = ": give its `id`" if isinstance(given, Request) else ""
    return f"a request is named by its id, and not by `{type(given).__name__}`{advice}"


def _lasting(seconds: float) -> int:
    """In microseconds. Raises `EvaluationError` for what is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e12:
        raise EvaluationError(f"`seconds` is a number above 0, not `{seconds}`")
    return int(seconds * 1_000_000)


def moment_of(text: str) -> float:
    """Seconds from a duration such as `2h`. Raises `EvaluationError`."""
    from guardrails.language.literals import LiteralError, duration

    if not isinstance(text, str):
        raise EvaluationError(f"{shown(text)} is no time: write one such as `30m` or `2h`")
    try:
        found = duration(text) / 1_000_000
    except (LiteralError, KeyError):
        found = 0
    if found <= 0:
        raise EvaluationError(f"`{text}` is no time: write one such as `30m` or `2h`")
    return float(found)
