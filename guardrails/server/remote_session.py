"""A session whose policy is in another process: the calls of `guardrails.session.Session`, asked over frames.

Nothing of a session lies on a connection or in the server's memory: each question says who works, for which task and on
whose behalf, so any worker answers it, also one that was started since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.delegation import Grant
from guardrails.enforcement import enforced, name_of
from guardrails.errors import EvaluationError
from guardrails.model import Decision, Outcome
from guardrails.narrowing import allow_list
from guardrails.runtime.binding import record_of
from guardrails.runtime.switch import over
from guardrails.server.decision_read import decision_of
from guardrails.server.remote_parameters import check_call, check_result, check_run, check_text
from guardrails.session import _digests, _new_id, author_of, checked_id
from guardrails.session_parameters import allow_of, check_decision, check_failed, check_usage, grant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from guardrails.runtime.usage import Usage
    from guardrails.server.remote import RemoteGuard
    from guardrails.server.remote_streams import RemoteArgumentStream, RemoteOutputStream

MOST_ESTIMATES = 10_000
"""Reservations of usage whose estimate is remembered until they are settled."""


class RemoteNeeds:
    """What the policy wants to hear of calls; see `guardrails.enforcement.Needs`."""

    remembers = True
    may_block = True

    def __init__(self, guard: RemoteGuard) -> None:
        self._guard = guard

    @property
    def is_told(self) -> bool:
        return bool(self._guard.needs()["is_told"])

    @property
    def is_timed(self) -> bool:
        return bool(self._guard.needs()["is_timed"])


class RemoteSession:
    """One agent's work for one principal. Create it with `RemoteGuard.session`."""

    def __init__(
        self,
        guard: RemoteGuard,
        principal: Mapping[str, Any] | None = None,
        agent: Mapping[str, Any] | None = None,
        id: str | None = None,
        *,
        tools: Iterable[Mapping[str, Any]] | None = None,
        facts: Mapping[str, Any] | None = None,
        task: str | None = None,
        given: Mapping[str, Any] | None = None,
        allow: Iterable[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> None:
        given = None if given is None else record_of(given, "given")
        told = {name: each for name, each in (("task", task), ("given", given)) if each is not None}
        self.guard = guard
        self.id = _new_id() if id is None else checked_id(id)
        self.halted: Decision | None = None
        self.needs = RemoteNeeds(guard)
        self._told: dict[str, Any] = {**record_of(facts, "facts"), **told}
        who = {"principal": record_of(principal, "principal"), "agent": record_of(agent, "agent")}
        self._who = {name: each for name, each in who.items() if each}
        self._live = _digests(tools)
        self._record = {**self._told, "id": self.id}
        self._allow = None if allow is None else allow_list(allow_of(allow))
        self._chain: tuple[dict[str, Any], ...] = ()
        self._estimates: dict[str, dict[str, Any]] = {}

    @property
    def guards(self) -> tuple[RemoteGuard, ...]:
        """Whose policies hold here."""
        return (self.guard,)

    @property
    def ledger(self) -> Any:
        raise EvaluationError("the server keeps what a session used up: ask `guard.limits(session=...)`")

    @property
    def told(self) -> dict[str, Any]:
        """What the host said of the session beside its id: facts, and the task with the values that it takes."""
        return dict(self._told)

    def live_digest(self, tool: str) -> str | None:
        """The digest of the tool that the session was opened with; None where it is not known."""
        return self._live.get(tool) if isinstance(tool, str) else None

    def open(self) -> None:
        """See whether there can be such a session, and tell those who watch. Raises `EvaluationError`."""
        self._do("open")

    def delegate(
        self,
        *,
        agent: Mapping[str, Any] | None = None,
        tools: Iterable[str] | None = None,
        guard: Any = None,
        id: str | None = None,
    ) -> RemoteSession:
        """A session for a sub-agent, which may do what this one may and no more; see `Session.delegate`. Raises
        `EvaluationError`, also for a `guard` of its own: that is for sessions in this process."""
        if guard is not None:
            raise EvaluationError(
                "a sub-agent has a policy of its own only where the session is in this process"
            )
        child = RemoteSession(self.guard, id=id)
        child._told, child._record, child._who = self._told, self._record, self._who
        child._live, child._allow = self._live, self._allow
        link: dict[str, Any] = {"id": child.id}
        link |= {} if agent is None else {"agent": record_of(agent, "agent")}
        link |= {} if tools is None else {"tools": list(Grant(grant_of(tools)).tools)}
        child._chain = (*self._chain, link)
        child.open()
        return child

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
        """The decision on a tool call that is about to run; see `Session.check_call`. Raises `EventError` for what the
        server could not judge as it is."""
        check_call(tool, digest, call_id, approval)
        digest = digest if digest is not None else self.live_digest(tool)
        said: dict[str, Any] = {"call_id": call_id, "hold": hold, "approval": approval}
        if self._is_plain:
            return self._event("call", tool=tool, args=args, tool_digest=digest, **said)
        return self._decide("check_call", tool=tool, args=args, digest=digest, **said)

    def check_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Decision:
        """The decision on what a tool gave back."""
        check_result(tool, call_id, reservation)
        said: dict[str, Any] = {"args": args, "call_id": call_id, "reservation": reservation or None}
        if self._is_plain:
            return self._event("result", {"tool": tool, "result": result}, **said)
        return self._decide("check_result", {"tool": tool, "result": result}, **said)

    def check_input(self, text: str, *, by: str = "user") -> Decision:
        """The decision on a text that goes into the model."""
        author_of(by)
        check_text("text", text)
        if self._is_plain:
            return self._event("input", text=text, by=by)
        return self._decide("check_input", text=text, by=by)

    def check_output(self, text: str) -> Decision:
        """The decision on a text that leaves for a person or another system."""
        check_text("text", text)
        return self._event("output", text=text) if self._is_plain else self._decide("check_output", text=text)

    def stream_output(self) -> RemoteOutputStream:
        """The check of an output that leaves in pieces; see `guardrails.streaming`."""
        from guardrails.server.remote_streams import RemoteOutputStream

        return RemoteOutputStream(self.guard, self._asking("stream_output"))

    def stream_args(self, tool: str) -> RemoteArgumentStream:
        """The arguments of a call while a model writes them; see `guardrails.argument_streaming`."""
        from guardrails.server.remote_streams import RemoteArgumentStream

        check_text("tool", tool)
        return RemoteArgumentStream(self.guard, self._asking("stream_args", tool=tool))

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
        """`check_call` for a running event loop."""
        said: dict[str, Any] = {"digest": digest, "call_id": call_id, "hold": hold, "approval": approval}
        return await _apart(lambda: self.check_call(tool, args, **said))

    async def acheck_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Decision:
        return await _apart(
            lambda: self.check_result(tool, result, args=args, call_id=call_id, reservation=reservation)
        )

    async def acheck_input(self, text: str, *, by: str = "user") -> Decision:
        return await _apart(lambda: self.check_input(text, by=by))

    async def acheck_output(self, text: str) -> Decision:
        return await _apart(lambda: self.check_output(text))

    # --- what became of a call, and what it used -----------------------------------------------

    def settle(self, decision: Decision, usage: Usage | None = None) -> bool:
        """The call ran, and used what `usage` says instead of what was reserved; see `Session.settle`."""
        check_decision(decision)
        used = None if usage is None else _told(usage)
        estimate = self._estimates.pop(decision.reservation, None)
        said = {"usage": used, "estimate": estimate}
        return bool(self._do("settle", reservation=decision.reservation, **said))

    def failed(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        """The call was made and failed: what it used up is given back."""
        self._became("failed", tool, args, decision, call_id)

    def succeeded(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        """The call ran, and there is no result to be checked."""
        self._became("succeeded", tool, args, decision, call_id)

    def release(self, decision: Decision) -> bool:
        """The call was not made: what it would have used up is given back."""
        check_decision(decision)
        return bool(self._do("release", reservation=decision.reservation))

    def report(self, usage: Usage) -> Decision:
        """Charge what a model or tool used, in full."""
        return self._decide("report", usage=_told(usage))

    def reserve(self, usage: Usage, *, hold: float | None = None) -> Decision:
        """Whether budgets have room for what a model call will use at most; held until it is settled."""
        told = _told(usage)
        decision = self._decide("reserve", usage=told, hold=hold)
        if decision.reservation:
            self._estimates[decision.reservation] = told
            if len(self._estimates) > MOST_ESTIMATES:
                del self._estimates[next(iter(self._estimates))]
        return decision

    # --- enforcement ---------------------------------------------------------------------------

    def enforce(self, function: Callable[..., Any], *, tool: str | None = None) -> Callable[..., Any]:
        """`function` as the tool `tool`: checked, run, and its result checked; see `Session.enforce`."""
        return enforced(self, function, name_of(function) if tool is None else tool)

    def tool(self, function: Callable[..., Any] | None = None, *, name: str | None = None) -> Any:
        """`enforce` as a decorator: `@session.tool` or `@session.tool(name="...")`."""
        if function is not None:
            return self.enforce(function, tool=name)
        return lambda plain: self.enforce(plain, tool=name)

    def call(self, tool: str, function: Callable[..., Any], args: dict[str, Any]) -> Any:
        """Run `function` with `args` as the tool `tool`, enforced."""
        check_run(tool, function, args)
        return enforced(self, lambda **given: function(**given), tool)(**args)

    # --- questions -----------------------------------------------------------------------------

    @property
    def _is_plain(self) -> bool:
        """Whether an event says all that there is to say."""
        return not self._chain and self._allow is None

    def _became(
        self, what: str, tool: str, args: Any, decision: Decision | None, call_id: str | None
    ) -> None:
        check_failed(tool, decision, call_id)
        held = decision.reservation if decision is not None else None
        self._do(what, tool=tool, args=args, call_id=call_id, reservation=held or None)

    def _event(self, kind: str, fields: Mapping[str, Any] | None = None, **said: Any) -> Decision:
        """The decision on an event; `fields` are there also where they are null."""
        if self.halted is not None:
            return over(self.id, self.halted)
        event = {"type": kind, "session": self._record, **self._who, **(fields or {}), **_known(said)}
        return self._kept(self.guard.decide(event))

    def _decide(self, what: str, fields: Mapping[str, Any] | None = None, **said: Any) -> Decision:
        if self.halted is not None and what.startswith("check"):
            return over(self.id, self.halted)
        decision = decision_of(self.guard.ask(self._asking(what, fields, **said)))
        self.guard.saw(decision)
        return self._kept(decision)

    def _kept(self, decision: Decision) -> Decision:
        if decision.outcome is Outcome.HALT:
            self.halted = decision
        return decision

    def _do(self, what: str, **said: Any) -> Any:
        return self.guard.ask(self._asking(what, **said)).get("done")

    def _asking(self, what: str, fields: Mapping[str, Any] | None = None, **said: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {"do": what, "session": self._record, **self._who}
        if self._allow is not None:
            asked["allow"] = self._allow
        if self._chain:
            asked["chain"] = list(self._chain)
        return asked | {"with": {**(fields or {}), **_known(said)}}


def _known(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _told(usage: Usage) -> dict[str, Any]:
    """A report of usage as data."""
    check_usage(usage)
    names = ("model", "input_tokens", "cached_tokens", "output_tokens", "tool")
    told = {name: getattr(usage, name) for name in names}
    told["tool_time"] = float(usage.tool_time)
    told["cost"] = None if usage.cost is None else f"{usage.cost[0]} {usage.cost[1]}"
    return _known(told)


async def _apart(check: Callable[[], Decision]) -> Decision:
    from asyncio import to_thread

    return await to_thread(check)
