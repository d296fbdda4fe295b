"""Delegation: a session for a sub-agent, which may do what its parent may and no more.

Takes an event of the child, gives the meet of three verdicts: what the child was granted, its own policy,
and its parent's policy in the parent's session. The idea: the parent is simply asked as for an event of its
own, so its limits, its past and its halts hold without being copied, at any depth of a chain.

    own policy, looked at -> parent, in full -> own policy, in full

Nothing is charged before everyone but the last would let the event through, and if the last is not let
through after all, because somebody else was faster, what the parent charged is given back. The parent's
policy sees the parent's principal, agent and session; the child's own policy sees the child's.

A policy of its own counts under its own name: give it another name than the parent's, where both share a store.
"""

from __future__ import annotations

from contextlib import suppress

from guardrails.errors import EvaluationError, Unavailable
from guardrails.meets import BETWEEN, joined
from guardrails.model import Applied, Decision, Denial, Outcome, Place
from guardrails.runtime.accounts import unrecorded
from guardrails.runtime.denial import replaced
from guardrails.runtime.switch import halted, over, stopping
from guardrails.session import Session, _new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.ledger import Ledger
    from guardrails.meets import Fits
    from guardrails.runtime.usage import Usage

MOST_DEPTH = 32
"""Delegations in a row: agents that only ever make agents are stopped."""

NOWHERE = Place("<engine>", 0, 0, 0, 0)


def delegated(
    parent: Session,
    *,
    agent: Mapping[str, Any] | None,
    tools: Iterable[str] | None,
    guard: Guard | None,
    id: str | None,
    kind: type[Delegate] | None = None,
) -> Delegate:
    """A child of `parent`, as that kind of session. Raises `EvaluationError` for tools that name nothing, or
    too long a chain."""
    if isinstance(parent, Delegate) and parent.depth >= MOST_DEPTH:
        raise EvaluationError(f"a session is delegated at most {MOST_DEPTH} times in a row")
    if kind is None and guard is not None and guard.observers:
        return guard.observers[0].below(parent, agent=agent, tools=tools, guard=guard, id=id)
    child = (kind or Delegate)(parent, agent=agent, id=id)
    if tools is not None:
        child.grant = Grant(tools)
    if guard is not None and guard not in parent.guards:
        child.own = Session(guard, principal=child._principal, agent=child._agent, id=child.id)
    return child


class Grant:
    """The tools that a child may call, by name or pattern."""

    def __init__(self, tools: Iterable[str]) -> None:
        from guardrails.patterns import compile_wildcard

        self.tools = () if isinstance(tools, str) else tuple(tools)
        if isinstance(tools, str) or not all(isinstance(tool, str) and tool for tool in self.tools):
            raise EvaluationError('`tools` is a list of names or patterns, such as `["search", "docs.*"]`')
        self._tests = [compile_wildcard(tool) for tool in self.tools]

    def names(self, tool: Any) -> bool:
        return isinstance(tool, str) and any(test(tool) for test in self._tests)


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


class Delegate(Session):
    """The session of a sub-agent. Create it with `Session.delegate`; it is used like any session.

    `halt session:ID` and `halt agent:ID` of the child stop it and its own children; what stops its parent
    stops it as well. A call id belongs to the child: two children may use the same one.
    """

    def __init__(self, parent: Session, *, agent: Mapping[str, Any] | None, id: str | None) -> None:
        self.parent = parent
        self.guard = parent.guard
        self.depth: int = parent.depth + 1 if isinstance(parent, Delegate) else 1
        self.id = id or _new_id()
        self.halted = None
        self._principal = parent._principal
        self._agent = parent._agent if agent is None else dict(agent)
        self.grant: Grant | None = None
        self.own: Session | None = None
        name = None if agent is None else agent.get("id")
        self._scopes = frozenset(
            {f"session:{self.id}", *([f"agent:{name}"] if isinstance(name, str) else ())}
        )

    @property
    def guards(self) -> tuple[Guard, ...]:
        return (*(self.own.guards if self.own else ()), *self.parent.guards)

    @property
    def root(self) -> Session:
        """The session that this one belongs to in the end."""
        return self.parent.root if isinstance(self.parent, Delegate) else self.parent

    @property
    def ledger(self) -> Ledger:
        """The ledger of the session that this one belongs to in the end."""
        return self.parent.ledger

    @property
    def told(self) -> dict[str, Any]:
        return self.parent.told

    def live_digest(self, tool: str) -> str | None:
        return self.parent.live_digest(tool)

    # --- checks --------------------------------------------------------------------------------

    def check_call(
        self,
        tool: str,
        args: Any,
        *,
        digest: str | None = None,
        call_id: str | None = None,
        hold: float | None = None,
        approval: str | None = None,
    ) -> Decision:
        return self.decided(
            Asked("call", tool, args, args, digest=digest, call_id=call_id, hold=hold, approval=approval)
        )

    def check_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Decision:
        return self.decided(Asked("result", tool, args, result, call_id=call_id, reservation=reservation))

    def _text(self, point: str, text: str, by: str | None = None, inherited: Iterable[str] = ()) -> Decision:
        return self.decided(Asked(point, None, {}, text))

    async def acheck_call(
        self,
        tool: str,
        args: Any,
        *,
        digest: str | None = None,
        call_id: str | None = None,
        hold: float | None = None,
        approval: str | None = None,
    ) -> Decision:
        return await self._apart(
            lambda: self.check_call(tool, args, digest=digest, call_id=call_id, hold=hold, approval=approval)
        )

    async def _apart(self, check: Callable[[], Decision]) -> Decision:
        if not any(_may_block(guard) for guard in self.guards):
            return check()
        from asyncio import to_thread

        return await to_thread(check)

    def decided(self, asked: Asked) -> Decision:
        """The meet of all verdicts, charged when it is an allow."""
        if self.halted is not None:
            return over(self.id, self.halted)
        mine, above = self._mine(asked), self._above(asked)
        if mine is None:
            return self._kept(in_full(self.parent, above))
        theirs = in_full(self.parent, above) if mine.allowed else without_charge(self.parent, above)
        payload = mine.payload
        if self.own is not None and mine.outcome is Outcome.ASK and asked.point == "call":
            mine = people_asked(self.own, asked, mine)
        if mine.transforms and theirs.transforms and mine.payload is not None:
            theirs, payload = self._changed_further(above, mine, theirs)
        if self.own is not None:
            mine = self._charged(self.own, mine, theirs, asked)
        return self._joined(mine, theirs, payload if mine.transforms else theirs.payload, asked)

    def looked(self, asked: Asked) -> Decision:
        """What the verdict would be; nothing is charged or noted."""
        if self.halted is not None:
            return over(self.id, self.halted)
        mine, above = self._mine(asked), self._above(asked)
        theirs = look(self.parent, above)
        return self._kept(theirs) if mine is None else self._joined(mine, theirs, mine.payload, asked)

    def _mine(self, asked: Asked) -> Decision | None:
        """What the child alone may not do, or its own policy says; None where it has nothing to say."""
        refused = self._stopped()
        if refused is not None:
            return refused
        if self.grant is not None and asked.tool is not None and not self.grant.names(asked.tool):
            refused = not_granted(self, asked)
            return refused if self.own is None else left_by(self.own, self._down(asked), refused)
        return None if self.own is None else look(self.own, self._down(asked))

    def _stopped(self) -> Decision | None:
        """The denial of a child that was halted by its name, in any store of the chain."""
        for guard in self.parent.guards:
            if not guard.is_stateful:
                continue
            now = guard.clock.now()
            try:
                found = stopping(guard.state.switch.halts(now), self._scopes, None)
            except Unavailable as error:
                return unrecorded(guard.engine, error)
            if found is not None:
                return halted(found, guard.digest)
        return None

    def _charged(self, own: Session, mine: Decision, theirs: Decision, asked: Asked) -> Decision:
        """The own policy's decision, charged where everyone lets the event through."""
        if not (mine.allowed and theirs.allowed):
            if asked.point == "result":
                without_charge(own, self._down(asked))
            return mine
        if not keeps_count(own):
            return mine
        down = self._down(asked)
        if asked.point == "input":
            down.inherited = context_of(self.parent)
        charged = in_full(own, down)
        if not charged.allowed:
            give_back(self.parent, theirs)
        return charged

    def _changed_further(self, above: Asked, mine: Decision, theirs: Decision) -> tuple[Decision, Any]:
        """The parent's changes on what the child's own leave (law L3). Where they cannot be made, the event is
        refused, and what was charged for it is given back."""
        further = changed(self.parent, above, mine.payload)
        if further.outcome <= theirs.outcome:
            return theirs, further.payload if further.transforms else mine.payload
        give_back(self.parent, theirs)
        return further, None

    def _kept(self, decision: Decision) -> Decision:
        if decision.outcome is Outcome.HALT:
            self.halted = decision
        return decision

    def _joined(self, mine: Decision, theirs: Decision, payload: Any, asked: Asked) -> Decision:
        """The meet; arguments that one side offers instead are only offered when the other agrees."""

        def fits(changes: Mapping[str, Any]) -> bool:
            return self.looked(asked.with_changes(changes)).allowed

        return self._kept(self._met(mine, theirs, payload, fits if asked.point == "call" else None))

    def _met(
        self, mine: Decision, theirs: Decision, payload: Any = None, fits: Fits | None = None
    ) -> Decision:
        """The meet, which knows of whom it is one."""
        both = joined(mine, theirs, payload, fits)
        both.parts = (*parts_of(self, mine), *parts_of(self.root, theirs))
        return both

    # --- names ---------------------------------------------------------------------------------

    def _above(self, asked: Asked) -> Asked:
        return asked.of(self._call_id(asked.call_id), self._parts(asked.reservation)[1])

    def _down(self, asked: Asked) -> Asked:
        return asked.of(asked.call_id, self._parts(asked.reservation)[0])

    def _call_id(self, call_id: str | None) -> str | None:
        """How the parent knows a call: two children may use the same name."""
        return None if call_id is None else f"{self.id}/{call_id}"

    def _parts(self, reservation: str) -> tuple[str, str]:
        """What the own policy and what the parent hold of a reservation."""
        if self.own is None:
            return "", reservation
        mine, _, theirs = reservation.partition(BETWEEN)
        return mine, theirs

    def _halves(self, decision: Decision) -> tuple[Decision, Decision]:
        mine, theirs = self._parts(decision.reservation)
        return decision.holding(mine), decision.holding(theirs)

    # --- what became of a call, and what it used -----------------------------------------------

    def settle(self, decision: Decision, usage: Usage | None = None) -> bool:
        mine, theirs = self._halves(decision)
        settled = self.parent.settle(theirs, usage)
        if self.own is not None and keeps_count(self.own):
            settled = self.own.settle(mine, usage) or settled
        return settled

    def release(self, decision: Decision) -> bool:
        mine, theirs = self._halves(decision)
        released = self.parent.release(theirs)
        if self.own is not None and keeps_count(self.own):
            released = self.own.release(mine) or released
        return released

    def failed(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        mine, theirs = (None, None) if decision is None else self._halves(decision)
        try:
            self.parent.failed(tool, args, decision=theirs, call_id=self._call_id(call_id))
        finally:
            if self.own is not None and keeps_count(self.own):
                self.own.failed(tool, args, decision=mine, call_id=call_id)

    def report(self, usage: Usage) -> Decision:
        theirs = self.parent.report(usage)
        if self.own is None or not keeps_count(self.own):
            return theirs
        return self._met(self.own.report(usage), theirs)

    def reserve(self, usage: Usage, *, hold: float | None = None) -> Decision:
        refused = over(self.id, self.halted) if self.halted is not None else self._stopped()
        if refused is not None:
            return refused
        if self.own is None or not keeps_count(self.own):
            theirs = self.parent.reserve(usage, hold=hold)
            return (
                theirs
                if self.own is None
                else self._met(Decision(Outcome.ALLOW, self.own.guard.digest), theirs)
            )
        mine = self.own.reserve(usage, hold=hold)
        if not mine.allowed:
            return mine
        theirs = self.parent.reserve(usage, hold=hold)
        if not theirs.allowed:
            self.own.release(mine)
            mine = mine.holding("")
        return self._met(mine, theirs)


# --- asking a session, whichever it is ---------------------------------------------------------


def in_full(session: Session, asked: Asked) -> Decision:
    """The decision, with all that it charges and notes."""
    if isinstance(session, Delegate):
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
    if isinstance(session, Delegate):
        own = context_of(session.own) if session.own is not None else frozenset()
        return own | context_of(session.parent)
    trace = session.ledger.subject.trace if keeps_count(session) else None
    return frozenset() if trace is None or trace.origins is None else trace.origins.labels


def look(session: Session, asked: Asked) -> Decision:
    """What the decision would be; nothing is charged or noted. A rule that halts does halt."""
    if isinstance(session, Delegate):
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
    if isinstance(session, Delegate):
        if session.own is not None:
            withhold(session.own, session._down(asked))
        withhold(session.parent, session._above(asked))
    elif keeps_count(session):
        session.ledger.withheld(
            asked.tool, asked.args, asked.payload, call_id=asked.call_id, reservation=asked.reservation
        )


def changed(session: Session, asked: Asked, payload: Any) -> Decision:
    """What a session's rules, which judged the event as it was, make of a payload that was changed already."""
    if not isinstance(session, Delegate):
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


def _may_block(guard: Guard) -> bool:
    return bool(guard.host.functions) or (guard.is_stateful and not guard.state.url.startswith("memory:"))


def not_granted(child: Delegate, asked: Asked) -> Decision:
    """The denial of a tool that a delegation leaves out."""
    assert child.grant is not None
    tool = asked.tool
    granted = ", ".join(f"`{name}`" for name in child.grant.tools) or "no tool"
    message = f"`{tool}` was not delegated to this agent, which may call {granted}"
    applied = Applied(
        "delegation", Outcome.DENY, policy="guard", label="delegation", message=message, place=NOWHERE
    )
    denial = Denial("never", f"the {asked.point} of `{tool}` is denied: {message}. Do not retry.")
    return Decision(Outcome.DENY, child.guard.digest, (applied,), denial=lambda _: denial)
