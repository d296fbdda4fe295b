"""A chain of sessions: each answers to the next, and one event is put to all of them.

Takes a session, a sub-agent's or not, and an event; gives the decision, looked at only or charged in full. The idea:
whoever asks need not know how long the chain is. A call or a reservation goes by another name at each link, and
only the link knows which.
"""

from __future__ import annotations

from contextlib import suppress

from guardrails.errors import Unavailable
from guardrails.meets import BETWEEN, joined
from guardrails.model import Decision, Outcome
from guardrails.runtime.denial import replaced
from guardrails.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.meets import Fits


class Asked:
    """One event, as everyone in a chain is asked about it."""

    __slots__ = (
        "approval", "args", "call_id", "digest", "hold", "inherited", "payload", "point", "reservation", "tool",
    )  # fmt: skip

    def __init__(
        self, point: str, tool: Any, args: Any, payload: Any, *, digest: str | None = None,
        call_id: str | None = None, hold: float | None = None, reservation: str = "", approval: str | None = None,
    ) -> None:  # fmt: skip
        self.point = point
        self.tool = tool
        self.args = args
        self.payload = payload
        self.digest = digest
        self.call_id = call_id
        self.hold = hold
        self.reservation = reservation
        self.approval = approval
        self.inherited: frozenset[str] = frozenset()

    def of(self, call_id: str | None, reservation: str) -> Asked:
        """The same event under another name."""
        return Asked(
            self.point, self.tool, self.args, self.payload,
            digest=self.digest, call_id=call_id, hold=self.hold, reservation=reservation, approval=self.approval,
        )  # fmt: skip

    def with_changes(self, changes: Mapping[str, Any]) -> Asked:
        """The same call with other arguments, given as `{"args.amount": 100}`."""
        args = self.args
        for path, value in changes.items():
            args = replaced(args, tuple(path.split(".")[1:]), value)
        return Asked("call", self.tool, args, args, digest=self.digest)


class Link(Session):
    """A session that answers to another, its parent, and perhaps to a policy of its own."""

    parent: Session
    own: Session | None

    def decided(self, asked: Asked) -> Decision:
        """The decision of the whole chain, charged when it is an allow."""
        raise NotImplementedError

    def looked(self, asked: Asked) -> Decision:
        """What the decision would be; nothing is charged or noted."""
        raise NotImplementedError

    @property
    def guards(self) -> tuple[Guard, ...]:
        return (*(self.own.guards if self.own else ()), *self.parent.guards)

    @property
    def root(self) -> Session:
        """The session that this one belongs to in the end."""
        return self.parent.root if isinstance(self.parent, Link) else self.parent

    def _met(
        self, mine: Decision, theirs: Decision, payload: Any = None, fits: Fits | None = None
    ) -> Decision:
        """The meet, which knows of whom it is one."""
        both = joined(mine, theirs, payload, fits)
        both.parts = (*parts_of(self, mine), *parts_of(self.root, theirs))
        return both

    # --- names ---------------------------------------------------------------------------------

    def _above(self, asked: Asked) -> Asked:
        """The event as the parent knows it."""
        return asked.of(self._call_id(asked.call_id), self._parts(asked.reservation)[1])

    def _down(self, asked: Asked) -> Asked:
        """The event as the own policy knows it."""
        return asked.of(asked.call_id, self._parts(asked.reservation)[0])

    def _call_id(self, call_id: str | None) -> str | None:
        """How the parent knows a call: two children may use the same name, whatever is in theirs."""
        return None if call_id is None else f"{len(self.id)},{self.id}/{call_id}"

    def _parts(self, reservation: str) -> tuple[str, str]:
        """What the own policy and what the parent hold of a reservation."""
        if self.own is None:
            return "", reservation
        mine, _, theirs = reservation.partition(BETWEEN)
        return mine, theirs

    def _halves(self, decision: Decision) -> tuple[Decision, Decision]:
        mine, theirs = self._parts(decision.reservation)
        return decision.holding(mine), decision.holding(theirs)


# --- asking a session, whichever it is ---------------------------------------------------------


def in_full(session: Session, asked: Asked) -> Decision:
    """The decision, with all that it charges and notes."""
    if isinstance(session, Link):
        return session.decided(asked)
    if asked.point == "call":
        return session.check_call(
            asked.tool,
            asked.args,
            digest=asked.digest,
            call_id=asked.call_id,
            hold=asked.hold,
            approval=asked.approval,
        )
    if asked.point == "result":
        return session.check_result(
            asked.tool, asked.payload, args=asked.args, call_id=asked.call_id, reservation=asked.reservation
        )
    by = "agent" if asked.point == "input" else None  # whoever delegates writes what its sub-agent is told
    return session._text(asked.point, asked.payload, by, asked.inherited)


def context_of(session: Session) -> frozenset[str]:
    """The labels of all that came into a session, by the policies of everyone that it answers to."""
    if isinstance(session, Link):
        own = context_of(session.own) if session.own is not None else frozenset()
        return own | context_of(session.parent)
    trace = session.ledger.subject.trace if keeps_count(session) else None
    return frozenset() if trace is None or trace.origins is None else trace.origins.labels


def look(session: Session, asked: Asked) -> Decision:
    """What the decision would be; nothing is charged or noted. A rule that halts does halt."""
    if isinstance(session, Link):
        return session.looked(asked)
    refused = session._before(asked.tool if asked.point == "call" else None, asked.digest, asked.args)
    if refused is not None:
        return refused
    if session._ledger is None:
        return in_full(session, asked)
    decision = session._ledger.look(
        asked.point, asked.tool, asked.args, asked.payload, digest=asked.digest or ""
    )
    return decision if decision.outcome is not Outcome.HALT else session._halt(decision)


def people_asked(session: Session, asked: Asked, decision: Decision) -> Decision:
    """What asks, with a request that waits for people."""
    if session._ledger is None:
        return decision
    return session._ledger.look(
        asked.point, asked.tool, asked.args, asked.payload, digest=asked.digest or "", asks=True
    )


def without_charge(session: Session, asked: Asked) -> Decision:
    """The verdict on an event that somebody else refuses; of a result, that its call ran is still noted."""
    if asked.point == "result":
        withhold(session, asked)
    return look(session, asked)


def withhold(session: Session, asked: Asked) -> None:
    if isinstance(session, Link):
        if session.own is not None:
            withhold(session.own, session._down(asked))
        withhold(session.parent, session._above(asked))
    elif keeps_count(session):
        session.ledger.withheld(
            asked.tool, asked.args, asked.payload, call_id=asked.call_id, reservation=asked.reservation
        )


def changed(session: Session, asked: Asked, payload: Any) -> Decision:
    """What a session's rules, which judged the event as it was, make of a payload that was changed already."""
    if not isinstance(session, Link):
        return _changed(session, asked, payload)
    mine = None if session.own is None else changed(session.own, asked, payload)
    left = mine.payload if mine is not None and mine.transforms else payload
    theirs = changed(session.parent, asked, left)
    return (
        theirs if mine is None else session._met(mine, theirs, theirs.payload if theirs.transforms else left)
    )


def _changed(session: Session, asked: Asked, payload: Any) -> Decision:
    engine, subject, now = session._engine, session._subject, session.guard.clock.now()
    judged = engine.judge(asked.point, asked.tool, asked.args, asked.payload, subject, now)
    if isinstance(judged, Decision):
        return judged
    args, subject, _, now, tool = judged.event
    judged.event = (args, subject, payload, now, tool)
    return engine.conclude(judged)


def parts_of(session: Session, decision: Decision) -> tuple[tuple[str, Decision], ...]:
    """Who took part in a decision of a session: those that it was met from, else the session alone."""
    return decision.parts or ((session.id, decision),)


def left_by(session: Session, asked: Asked, refused: Decision) -> Decision:
    """A refusal that came before a session's policy was asked, with the changes that this policy makes: what it
    takes out is not to be seen in what is refused either (law L3)."""
    session._before()
    seen = _changed(session, asked, asked.payload)
    fresh = Decision(
        refused.outcome, refused.policy, refused.applied, seen.errors, seen.transforms, payload=seen.payload,
        denial=refused._denial,
    )  # fmt: skip
    fresh.parts = (*parts_of(session, refused), *parts_of(session, seen))
    return fresh


def give_back(session: Session, decision: Decision) -> None:
    """What was charged for an event that is refused after all. Without the store it stays charged."""
    if decision.reservation:
        with suppress(Unavailable):
            session.release(decision)


def keeps_count(session: Session) -> bool:
    return any(guard.is_stateful for guard in session.guards)
