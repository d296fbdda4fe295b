"""Events decided by one policy, each in its own session and at its own time.

Takes an event and the time it happened at, gives the decision that `Guard.decide` gives, only faster: records
of principals are bound once for as long as they stay the same, and a session is kept open between its events
instead of being read anew from the store.

Reservations have other names than when the recording was made; the name that was written down leads to the
one that the replay made for the same call.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from guardrails.guard import Guard
from guardrails.ledger import NO_LEASE, Ledger
from guardrails.model import Decision, Outcome
from guardrails.outstanding import Reservations
from guardrails.reporting import check_task, in_session, session_for, usage_of
from guardrails.runtime.binding import bind_record
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.engine import Subject
from guardrails.runtime.events import check_event, session_of
from guardrails.runtime.switch import halted
from guardrails.session import Session
from guardrails.state import State
from guardrails.stores.halts import Halt
from guardrails.testing.replay_items import APPROVED, REJECTED, STOPPED, session_name

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from guardrails.approvals.holds import Hold
    from guardrails.runtime.accounts import Event, Steps

MOST_BOUND = 10_000
"""Records of principals and agents that are kept bound."""

MOST_SESSIONS = 2_000
"""Sessions that are kept open; another one is opened anew from the store, which knows all of it."""

MOST_OPEN = 10_000
"""Calls of one session whose outcome is waited for."""

RECORDED = "recorded"
"""The id of every request of a replay."""

BY_SOMEBODY = Halt("all", "a person", "the recording says so", 0)


class Switch:
    """The kill switch of a replay: nobody else shares the store, so what is halted is known at every event."""

    fresh_until = float("inf")
    staleness = 0.0

    def __init__(self) -> None:
        self.known: tuple[Halt, ...] = ()

    def halts(self, now: int) -> tuple[Halt, ...]:
        return self.known

    def is_stale(self) -> bool:
        return False

    def take(self, halts: tuple[Halt, ...]) -> None:
        """Nothing comes from outside."""

    def forget(self) -> None:
        """Nothing is remembered that could be out of date."""


class ReplayState(State):
    """State in memory. Sessions that a rule halted are found by name, however many there are; and which calls
    are open is bounded for each session, so that it does not matter which sessions a process replays."""

    def __init__(self, prices: Any = None) -> None:
        super().__init__("memory:", prices=prices)
        self.halted: dict[str, Halt] = {}
        self.replayed = Switch()
        self.reservations = OpenCalls()

    @property
    def switch(self) -> Any:
        return self.replayed

    def halt(self, scope: str, by: str, why: str, *, now: int, until: int | None) -> None:
        self.halted[scope] = Halt(scope, by, why, now, until)


class OpenCalls(Reservations):
    """Reservations of calls whose outcome is waited for, up to `MOST_OPEN` for each session."""

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str, Reservations] = {}
        self._owners: dict[str, str] = {}

    def keep(self, session: str, call: str, reservation: str, mark: str = "") -> None:
        self._sessions.setdefault(session, Reservations(MOST_OPEN)).keep(session, call, reservation, mark)
        self._owners[reservation] = session

    def take(self, session: str, call: str, mark: Callable[[], str] = str) -> str:
        calls = self._sessions.get(session)
        found = calls.take(session, call, mark) if calls is not None else ""
        self._forget(session, found)
        return found

    def drop(self, reservation: str) -> None:
        session = self._owners.get(reservation)
        if session is not None:
            self._sessions[session].drop(reservation)
            self._forget(session, reservation)

    def _forget(self, session: str, reservation: str) -> None:
        self._owners.pop(reservation, None)
        if session in self._sessions and not self._sessions[session]:
            del self._sessions[session]

    def __bool__(self) -> bool:
        return bool(self._sessions)


class Approved:
    """An approval of whatever the call asks for."""

    def covers(self, decision: Decision) -> bool:
        return True


class Recalled(Ledger):
    """A ledger where people say what the recording says they had said, at each event anew: how long an answer
    held, who gave it and how often they were asked is in the recording already."""

    said: str | None = None

    def _with_people(
        self, event: Event, lease: tuple[str, str | None] = NO_LEASE, decision: Decision | None = None
    ) -> Steps:
        if self.said is None:
            return (yield from super()._with_people(event, lease, decision))
        if decision is None:
            decision = yield from self.accounts.decide(event)
        if event.point != "call":
            return decision
        if self.said == APPROVED:
            hold = self._hold(event, lease)
            if decision.outcome is Outcome.ASK or (yield from self._filled_it(event, hold)):
                event.lease, event.hold = Approved(), hold
                decision = yield from self.accounts.decide(event)
                event.lease = event.hold = None
        return _answered(decision, self.said)

    def _hold(self, event: Event, lease: tuple[str, str | None]) -> Hold | None:
        """What tells the charge of an approved call from those of all others; None where it cannot be repeated."""
        if event.request is None:
            return None
        from guardrails.approvals.dossiers import subject_of
        from guardrails.approvals.holds import Hold

        return Hold(event.request, subject_of(self.accounts, event, lease[0]))

    def _filled_it(self, event: Event, hold: Hold | None) -> Generator[Any, Any, bool]:
        """Whether limits refuse a call for no other reason than that it is told again, and charged already."""
        crowded = event.crowded
        if crowded is None or hold is None:
            return False
        return (yield from hold.explains(crowded.demands, event.now))


class Decider:
    """Decides events by one policy. What it counts it counts in memory, from nothing."""

    def __init__(self, guard: Guard, prices: Any = None) -> None:
        head = guard.engine.program.head
        self.is_stateful = bool(head["stateful"])
        self.reads_time = bool(head["uses_now"])
        self.state = ReplayState(prices)
        source = guard.source
        self.guard = (
            Guard(guard.engine.program, source=source, state=self.state) if self.is_stateful else guard
        )
        self.guard.host = guard.host
        self._kinds = {"principal": head["principal"], "agent": head["agent"]}
        self._bound: dict[tuple[str, bytes], Any] = {}
        self._shapes: set[tuple[Any, ...]] = set()
        self._nothing = Decision(Outcome.ALLOW, guard.digest)
        self._clock = FrozenClock(0)
        self._sessions: dict[str, tuple[bytes, Session]] = {}
        self._reservations: dict[str, dict[str, str]] = {}

    def decide(
        self, event: dict[str, Any], now: int, *, said: str | None = None, reservation: str = ""
    ) -> Decision:
        """The decision on an event. `said` is what people had said to it, one of `replay_items.PEOPLE`, or empty
        when they had said nothing; None where nobody wrote that down. `reservation` is the name that its
        reservation had. Raises `EventError` for a malformed event."""
        kind = self._checked(event)
        if not self.is_stateful:
            if said == STOPPED:
                return halted(BY_SOMEBODY, self.guard.digest)
            return _answered(self._plain(kind, event, now), said)
        return self._counted(kind, event, now, said, reservation)

    def _checked(self, event: dict[str, Any]) -> str:
        """The type of a well-formed event. What makes an event well-formed is the names and classes of its
        fields, and those of a recording are few; so each combination is looked at once."""
        if event.__class__ is not dict or event.get("session").__class__ is dict:
            return check_event(event)
        kind = event.get("type")
        shape = (
            (kind, *event, *[value.__class__ for value in event.values()]) if kind.__class__ is str else ()
        )
        if shape in self._shapes:
            return kind  # type: ignore[return-value]  # a string, as is checked above
        found = check_event(event)
        if len(self._shapes) < MOST_BOUND:
            self._shapes.add(shape)
        return found

    # --- policies that count nothing -----------------------------------------------------------

    def _plain(self, kind: str, event: dict[str, Any], now: int) -> Decision:
        guard = self.guard
        if kind == "usage":
            usage_of(event)
        if kind in ("usage", "outcome"):
            return self._nothing
        session = session_of(event)
        if "task" in session or "given" in session:
            check_task(guard, session)
        subject = Subject(self._record(event, "principal"), self._record(event, "agent"), session, guard.host)
        if kind == "call":
            return guard.call(event["tool"], event["args"], subject, now, event.get("tool_digest"))
        if kind == "result":
            return guard.engine.result(event["tool"], event.get("args"), event["result"], subject, now)
        return guard.engine.text(kind, event["text"], subject, now)

    def _record(self, event: dict[str, Any], where: str) -> Any:
        """A record bound to its declared type; records with the same bytes are the same."""
        value, kind = event.get(where, {}), self._kinds[where]
        if kind is None:
            return bind_record(value, None, where)
        key = (where, marshal.dumps(value, 2))
        found = self._bound.get(key)
        if found is None:
            if len(self._bound) >= MOST_BOUND:
                self._bound.clear()
            found = self._bound[key] = bind_record(value, kind, where)
        return found

    # --- policies that keep count --------------------------------------------------------------

    def _counted(
        self, kind: str, event: dict[str, Any], now: int, said: str | None, reservation: str
    ) -> Decision:
        name = session_name(event)
        self._clock.at = now
        session = self._session(event, name)
        session.ledger.said = said  # type: ignore[attr-defined]  # every session here has such a ledger
        by_rule = self.state.halted.get(f"session:{name}")
        self.state.replayed.known = (BY_SOMEBODY,) if said == STOPPED else (by_rule,) if by_rule else ()
        decision = in_session(session, kind, self._renamed(event, name))
        session.halted = None  # the state knows it, as if the next event came to another process
        if reservation and decision.reservation and name is not None:
            self._remember(name, reservation, decision.reservation)
        return decision

    def is_halted(self, name: str | None) -> bool:
        """Whether a rule halted the session."""
        return f"session:{name}" in self.state.halted

    def _session(self, event: dict[str, Any], name: str | None) -> Session:
        if name is None:
            return self._opened(event)
        who = marshal.dumps((event.get("principal"), event.get("agent"), event["session"]), 2)
        known = self._sessions.get(name)
        if known is not None and known[0] == who:
            return known[1]
        if len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = self._opened(event)
        self._sessions[name] = (who, session)
        return session

    def _opened(self, event: dict[str, Any]) -> Session:
        session = session_for(self.guard, event)
        ledger = session._ledger = Recalled(self.guard, session._subject, session.id, session.ledger)
        ledger.clock = self._clock
        if session_name(event) is None:
            ledger.disown()
        return session

    def _renamed(self, event: dict[str, Any], name: str | None) -> dict[str, Any]:
        """The event with the reservation as it is called here; without it where that is not known."""
        if "reservation" not in event:
            return event
        known = self._reservations.get(name, {}) if name is not None else {}
        here = known.pop(event["reservation"], None)
        if name is not None and not known:
            self._reservations.pop(name, None)
        rest = {field: value for field, value in event.items() if field != "reservation"}
        return rest if here is None else {**rest, "reservation": here}

    def _remember(self, session: str, there: str, here: str) -> None:
        known = self._reservations.setdefault(session, {})
        if len(known) >= MOST_OPEN:
            del known[next(iter(known))]
        known[there] = here


def _answered(decision: Decision, said: str | None) -> Decision:
    """A decision that asks, after what people had said to it."""
    if decision.outcome is not Outcome.ASK or said not in (APPROVED, REJECTED):
        return decision
    from guardrails.approvals.verdicts import granted, refused

    return granted(decision, RECORDED) if said == APPROVED else refused(decision, RECORDED, said)
