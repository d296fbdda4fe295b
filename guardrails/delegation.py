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

from guardrails.chain import (
    Asked,
    Link,
    changed,
    context_of,
    give_back,
    in_full,
    keeps_count,
    left_by,
    look,
    people_asked,
    without_charge,
)
from guardrails.errors import EvaluationError, Unavailable
from guardrails.model import Applied, Decision, Denial, Outcome, Place
from guardrails.runtime.accounts import unrecorded
from guardrails.runtime.switch import halted, over, stopping
from guardrails.session import Session, _new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.ledger import Ledger
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
    """The tools that a child may call, by name or pattern. Raises `EvaluationError` for what names none, and for a
    mapping: its values would bound nothing."""

    def __init__(self, tools: Iterable[str]) -> None:
        from guardrails.patterns import compile_wildcard
        from guardrails.session_parameters import grant_of

        self.tools: tuple[str, ...] = grant_of(tools)
        if not all(isinstance(tool, str) and tool for tool in self.tools):
            raise EvaluationError('`tools` is a list of names or patterns, such as `["search", "docs.*"]`')
        self._tests = [compile_wildcard(tool) for tool in self.tools]

    def names(self, tool: Any) -> bool:
        return isinstance(tool, str) and any(test(tool) for test in self._tests)


class Delegate(Link):
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
        if self.own is not None and asked.call_id is not None and _is_full_alone(mine):
            # It may be what this very call was charged when it came before. Where it is not, this is a refusal again;
            # and where the parent refuses now, what was charged then stays.
            mine = in_full(self.own, self._down(asked))
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
            return mine.holding("") if mine.reservation else mine
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


def _may_block(guard: Guard) -> bool:
    return bool(guard.host.functions) or (guard.is_stateful and not guard.state.url.startswith("memory:"))


def _is_full_alone(refused: Decision) -> bool:
    """Whether nothing but limits of which nothing is left refuses a call."""
    if refused.outcome is not Outcome.DENY or refused.errors:
        return False
    reasons = [each for each in refused.applied if each.outcome is Outcome.DENY]
    return bool(reasons) and all(each.effect == "limit" and not each.kept_by_error for each in reasons)


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
