"""Observing: who is told of every check, and of what became of calls.

Takes a guard with observers, gives sessions that tell them. The one idea: a guard without observers opens plain
sessions, which know nothing of this and pay nothing for it; one with observers opens sessions that stand around
the plain ones. An observer may make a decision stricter (the audit log, when it cannot write), never looser.

Observers are asked from the outside in before a check, and from the inside out after it, so the first one sees
what all the others did, and how long they took. A check inside a check (of a sub-agent's parent) is part of the
outer one: each observer hears of it once.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from time import perf_counter_ns

from guardrails.delegation import Delegate, delegated
from guardrails.errors import EventError
from guardrails.model import Decision
from guardrails.runtime.events import session_of, time_of
from guardrails.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.runtime.usage import Usage
    from guardrails.streaming import OutputStream


NOTHING: Mapping[str, Any] = {}

SAID = {"call": ("hold", "tool_digest"), "input": ("by",)}
"""What an event says that decides beside its payload."""


class Check:
    """One event on its way to a decision: who asked what.

    `payload` is what is judged: the arguments of a call, a result, a text, or a report of usage. `halted` says
    that the session was stopped before, so that the policy is not asked. `streamed` is `begin` or `end` of an
    output that leaves in pieces; at its end `payload` is what did leave, as it did. `notes` is for
    observers to keep something between the beginning and the end of a check, under their own object, and `lasting`
    to keep something for all checks of a session; None where an event came as data.

    `about` is what the host said of the session beside its id, `said` what it said of the event beside the rest:
    `hold`, `tool_digest` and `by`, as events name them. `time` is the time that decides, in microseconds, where
    the event or its caller named one.

    Of a sub-agent's event `above` are the ids of the sessions that it answers to, the nearest first, and `guards`
    those of all of them; `observers` are everyone who watches any of these.

    `began` is when it began, in nanoseconds of a clock that only runs forwards.
    """

    __slots__ = (
        "about", "above", "agent", "args", "began", "call_id", "guard", "guards", "halted", "lasting", "notes",
        "observers", "payload", "point", "principal", "reservation", "said", "session", "streamed", "time", "tool",
    )  # fmt: skip

    def __init__(
        self,
        guard: Guard,
        who: tuple[str, Any, Any],
        point: str,
        tool: Any,
        args: Any,
        payload: Any,
        call_id: str | None = None,
        reservation: str = "",
    ) -> None:
        self.guard = guard
        self.guards: tuple[Guard, ...] = (guard,)
        self.observers = guard.observers
        self.above: tuple[str, ...] = ()
        self.session, self.principal, self.agent = who
        self.point = point
        self.tool = tool
        self.args = args
        self.payload = payload
        self.call_id = call_id
        self.reservation = reservation
        self.halted = False
        self.streamed = ""
        self.about: Mapping[str, Any] = NOTHING
        self.said: Mapping[str, Any] = NOTHING
        self.time: int | None = None
        self.notes: dict[Observer, Any] = {}
        self.lasting: dict[Observer, Any] | None = None
        self.began = perf_counter_ns()


class Observer:
    """Somebody who is told of checks. What is not overridden does nothing.

    `ended_later` is for checks that are awaited. `became` tells what became of a call: settled, failed or
    released; `check` then holds its tool, arguments and ids as far as they were told, and the decision on it.
    """

    def opened(self, session: Session) -> None: ...

    def begun(self, check: Check) -> None: ...

    def ended(self, check: Check, decision: Decision) -> Decision:
        """The decision that is given out: this one, or a stricter one."""
        return decision

    async def ended_later(self, check: Check, decision: Decision) -> Decision:
        return self.ended(check, decision)

    def broke(self, check: Check, error: BaseException) -> None:
        """The check ended with an exception, and without a decision."""

    def became(self, check: Check, what: str, decision: Decision | None) -> None: ...

    def switched(self, guard: Guard, facts: Mapping[str, Any]) -> None:
        """Somebody halted or resumed: `{"halt" | "resume": scope, ...}`."""

    def around(self, session: Session, tool: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A tool's function that is about to be enforced, or one around it with the same signature."""
        return function

    def below(self, parent: Session, **more: Any) -> ObservedDelegate:
        """The session of a sub-agent that is watched although its parent is not."""
        return watched(parent, **more)

    def is_twin_of(self, other: Observer) -> bool:
        """Whether the other one does the same with what it is told, so that one of them is enough."""
        return self is other


_ACTIVE: ContextVar[tuple[Observer, ...]] = ContextVar("guard_observers", default=())


def observed(check: Check, decide: Callable[[], Decision]) -> Decision:
    """The decision, with everyone told who does not stand around it already. Whoever heard of the begin hears
    of the end, also when something in between fails."""
    active = _ACTIVE.get()
    fresh = _fresh(check.observers, active) if active else check.observers
    if not fresh:
        return decide()
    token = _ACTIVE.set((*active, *fresh) if active else fresh)
    try:
        return _by_one(fresh[0], check, decide) if len(fresh) == 1 else _by_all(fresh, check, decide)
    finally:
        _ACTIVE.reset(token)


def _by_one(observer: Observer, check: Check, decide: Callable[[], Decision]) -> Decision:
    """What most guards need, and the whole cost of an audit log stands on."""
    observer.begun(check)
    try:
        decision = decide()
    except BaseException as error:
        observer.broke(check, error)
        raise
    return observer.ended(check, decision)


def _by_all(fresh: tuple[Observer, ...], check: Check, decide: Callable[[], Decision]) -> Decision:
    waiting: list[Observer] = []
    try:
        _begin(fresh, check, waiting)
        decision = decide()
        while waiting:
            decision = waiting.pop().ended(check, decision)
        return decision
    except BaseException as error:
        _break(waiting, check, error)
        raise


async def observed_later(check: Check, decide: Callable[[], Decision | Awaitable[Decision]]) -> Decision:
    """The same for a check that is awaited; what is decided without waiting for anything need not be."""
    active = _ACTIVE.get()
    fresh = _fresh(check.observers, active) if active else check.observers
    if not fresh:
        return await _decided(decide)
    token, waiting = _ACTIVE.set((*active, *fresh)), list[Observer]()
    try:
        _begin(fresh, check, waiting)
        decision = decide()
        if not isinstance(decision, Decision):
            decision = await decision
        while waiting:
            decision = await waiting.pop().ended_later(check, decision)
        return decision
    except BaseException as error:
        _break(waiting, check, error)
        raise
    finally:
        _ACTIVE.reset(token)


async def _decided(decide: Callable[[], Decision | Awaitable[Decision]]) -> Decision:
    decision = decide()
    return decision if isinstance(decision, Decision) else await decision


def _fresh(observers: tuple[Observer, ...], active: tuple[Observer, ...]) -> tuple[Observer, ...]:
    """Who does not stand around the check already."""
    return tuple(each for each in observers if each not in active)


def _begin(fresh: tuple[Observer, ...], check: Check, waiting: list[Observer]) -> None:
    for observer in fresh:
        observer.begun(check)
        waiting.append(observer)


def _break(waiting: list[Observer], check: Check, error: BaseException) -> None:
    while waiting:
        waiting.pop().broke(check, error)


def observed_event(
    guard: Guard, event: dict[str, Any], decide: Callable[[], Decision], now: int | None = None
) -> Decision:
    """The decision on an event as data; see `Guard.decide`."""
    session = session_of(event)
    who = (session.get("id") or "", event.get("principal") or {}, event.get("agent") or {})
    kind = event["type"]
    known: dict[str, Any] = {"call_id": event.get("call_id"), "reservation": event.get("reservation") or ""}
    if kind == "outcome":
        check = Check(guard, who, "outcome", event.get("tool"), event.get("args"), None, **known)
        check.time = _time_of(event, now)
        decision = decide()
        _tell(check, str(event.get("outcome")), decision)
        return decision
    payload: Any = event
    if kind == "usage":
        from guardrails.reporting import usage_of

        payload = usage_of(event)
    elif kind in ("input", "output"):
        payload = event["text"]
    elif kind in ("call", "result"):
        payload = event["args" if kind == "call" else "result"]
    check = Check(guard, who, kind, event.get("tool"), event.get("args"), payload, **known)
    check.time = _time_of(event, now)
    check.about = {name: value for name, value in session.items() if name != "id"}
    check.said = {name: event[name] for name in SAID.get(kind, ()) if event.get(name) is not None}
    return observed(check, decide)


def _time_of(event: dict[str, Any], now: int | None) -> int | None:
    try:
        at = time_of(event)
    except EventError:  # whoever decides the event says so
        return now
    return now if at is None else at


def _tell(check: Check, what: str, decision: Decision | None) -> None:
    """What became of a call, for everyone who does not hear of it from further out."""
    active = _ACTIVE.get()
    for observer in check.observers:
        if observer not in active:
            observer.became(check, what, decision)


class Observing(Session):
    """The checks of a session, with its guard's observers around them."""

    def __init__(self, *of: Any, **more: Any) -> None:
        super().__init__(*of, **more)
        self._lasting: dict[Observer, Any] = {}

    @property
    def _is_quick(self) -> bool:
        """Whether calls are decided without anything that may block."""
        return False

    def _check(
        self,
        point: str,
        tool: Any,
        args: Any,
        payload: Any,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Check:
        who = (self.id, self._principal, self._agent)
        check = Check(self.guard, who, point, tool, args, payload, call_id, reservation)
        check.halted = self.halted is not None
        check.about = self.told
        check.lasting = self._lasting
        return check

    def _check_call(self, tool: str, args: Any, call_id: str | None, settings: Mapping[str, Any]) -> Check:
        check = self._check("call", tool, args, args, call_id)
        digest, hold = self.live_digest(tool), None
        if settings:
            digest, hold = settings.get("digest") or digest, settings.get("hold")
        if digest is not None or hold is not None:
            said = {"hold": hold, "tool_digest": digest}
            check.said = {name: each for name, each in said.items() if each is not None}
        return check

    def check_call(
        self,
        tool: str,
        args: Any,
        *,
        call_id: str | None = None,
        **settings: Any,
    ) -> Decision:
        check = self._check_call(tool, args, call_id, settings)
        return observed(check, partial(super().check_call, tool, args, call_id=call_id, **settings))

    async def acheck_call(
        self,
        tool: str,
        args: Any,
        *,
        call_id: str | None = None,
        **settings: Any,
    ) -> Decision:
        check = self._check_call(tool, args, call_id, settings)
        decide = super().check_call if self._is_quick else super().acheck_call
        return await observed_later(check, partial(decide, tool, args, call_id=call_id, **settings))

    def check_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
        **settings: Any,
    ) -> Decision:
        known: dict[str, Any] = {"call_id": call_id, "reservation": reservation}
        check = self._check("result", tool, args, result, **known)
        return observed(
            check, lambda: super(Observing, self).check_result(tool, result, args=args, **known, **settings)
        )

    async def acheck_result(
        self,
        tool: str,
        result: Any,
        *,
        args: Any = None,
        call_id: str | None = None,
        reservation: str = "",
        **settings: Any,
    ) -> Decision:
        known: dict[str, Any] = {"call_id": call_id, "reservation": reservation}
        check = self._check("result", tool, args, result, **known)
        return await observed_later(
            check, lambda: super(Observing, self).acheck_result(tool, result, args=args, **known, **settings)
        )

    def check_input(self, text: str, **settings: Any) -> Decision:
        check = self._check("input", None, {}, text)
        check.said = settings
        return observed(check, lambda: super(Observing, self).check_input(text, **settings))

    async def acheck_input(self, text: str, **settings: Any) -> Decision:
        check = self._check("input", None, {}, text)
        check.said = settings
        return await observed_later(check, lambda: super(Observing, self).acheck_input(text, **settings))

    def check_output(self, text: str, **settings: Any) -> Decision:
        check = self._check("output", None, {}, text)
        return observed(check, lambda: super(Observing, self).check_output(text, **settings))

    async def acheck_output(self, text: str, **settings: Any) -> Decision:
        check = self._check("output", None, {}, text)
        return await observed_later(check, lambda: super(Observing, self).acheck_output(text, **settings))

    def report(self, usage: Usage) -> Decision:
        check = self._check("usage", _tool_of(usage), {}, usage)
        return observed(check, lambda: super(Observing, self).report(usage))

    def reserve(self, usage: Usage, *, hold: float | None = None) -> Decision:
        check = self._check("reserve", _tool_of(usage), {}, usage)
        return observed(check, lambda: super(Observing, self).reserve(usage, hold=hold))

    # --- what became of calls ------------------------------------------------------------------

    def settle(self, decision: Decision, usage: Usage | None = None) -> bool:
        check = self._check("outcome", None, {}, usage, reservation=_held_by(decision))
        return bool(
            self._became(check, "settled", decision, lambda: super(Observing, self).settle(decision, usage))
        )

    def failed(
        self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
    ) -> None:
        from guardrails.session_parameters import check_failed

        check_failed(tool, decision, call_id)
        check = self._check("outcome", tool, args, None, call_id, _held_by(decision))
        told: dict[str, Any] = {"decision": decision, "call_id": call_id}
        keeps = any(guard.is_stateful for guard in self.guards)
        work = (lambda: super(Observing, self).failed(tool, args, **told)) if keeps else (lambda: None)
        self._became(check, "failed", decision, work)

    def release(self, decision: Decision) -> bool:
        check = self._check("outcome", None, {}, None, reservation=_held_by(decision))
        return bool(
            self._became(check, "released", decision, lambda: super(Observing, self).release(decision))
        )

    def _became(self, check: Check, what: str, decision: Decision | None, work: Callable[[], Any]) -> Any:
        active = _ACTIVE.get()
        token = _ACTIVE.set((*active, *check.observers))
        try:
            done = work()
        finally:
            _ACTIVE.reset(token)
        _tell(check, what, decision)
        return done

    # --- others that come of it ----------------------------------------------------------------

    def delegate(
        self,
        *,
        agent: Mapping[str, Any] | None = None,
        tools: Iterable[str] | None = None,
        guard: Guard | None = None,
        id: str | None = None,
    ) -> Session:
        return watched(self, agent=agent, tools=tools, guard=guard, id=id)

    def stream_output(self) -> OutputStream:
        from guardrails.observed_streams import ObservedStream

        return ObservedStream(self)

    def enforce(self, function: Callable[..., Any], *, tool: str | None = None) -> Callable[..., Any]:
        from guardrails.enforcement import name_of

        name = name_of(function) if tool is None else tool
        for observer in reversed(self.guard.observers):
            function = observer.around(self, name, function)
        return super().enforce(function, tool=name)


def _held_by(decision: Any) -> str:
    """The name of what a decision holds. What is no decision is refused by the session, with words for it."""
    return decision.reservation if isinstance(decision, Decision) else ""


def _tool_of(usage: Any) -> Any:
    """The tool that a usage is of; what is no usage is refused likewise."""
    return getattr(usage, "tool", None)


class ObservedSession(Observing):
    """A session of a guard with observers."""

    @property
    def _is_quick(self) -> bool:
        return self._ledger is None and not self.guard.host.functions


class ObservedDelegate(Observing, Delegate):
    """The session of a sub-agent, below one with observers. Whoever watches its own policy hears of it as well."""

    def _check(
        self,
        point: str,
        tool: Any,
        args: Any,
        payload: Any,
        call_id: str | None = None,
        reservation: str = "",
    ) -> Check:
        check = super()._check(point, tool, args, payload, call_id, reservation)
        check.guards = self.guards
        check.observers = self.watchers()
        check.above = self.above
        return check

    @property
    def above(self) -> tuple[str, ...]:
        """The sessions that this one answers to, the nearest first."""
        return tuple(_above(self))

    def watchers(self) -> tuple[Observer, ...]:
        """Everyone who watches a policy that holds here, once."""
        found = list(self.guard.observers)
        for guard in self.guards:
            found += [each for each in guard.observers if not any(each.is_twin_of(other) for other in found)]
        return tuple(found)


def watched(parent: Session, **more: Any) -> ObservedDelegate:
    """A session below another one, of which everyone is told who watches a policy that holds there."""
    child = delegated(parent, kind=ObservedDelegate, **more)
    assert isinstance(child, ObservedDelegate)
    for observer in child.watchers():
        observer.opened(child)
    return child


def _above(session: Delegate) -> Iterator[str]:
    """The sessions that a sub-agent's answers to."""
    parent = session.parent
    while isinstance(parent, Delegate):
        yield parent.id
        parent = parent.parent
    yield parent.id


def opened(guard: Guard, **more: Any) -> ObservedSession:
    """A session of a guard with observers, who are told of it."""
    session = ObservedSession(guard, **more)
    for observer in guard.observers:
        observer.opened(session)
    return session
