"""The ledger of a session: what it used up, what it did, and what is still held for calls that run.

Takes events of one session, gives decisions that keep count. The accounts decide; here is who asks the store,
who stops it, and which reservation belongs to which call.
"""

from __future__ import annotations

from time import monotonic

from guardrails.approvals.digests import digest_of
from guardrails.errors import EvaluationError, Unavailable
from guardrails.model import Decision, Outcome
from guardrails.runtime.accounts import KEEP, Accounts, Event, awaited, driven, unrecorded, wanted_by
from guardrails.runtime.switch import cause_of, halted, stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.runtime.accounts import Steps
    from guardrails.runtime.engine import Subject
    from guardrails.runtime.ports import Clock
    from guardrails.runtime.usage import Usage
    from guardrails.stores.demands import Demand


NO_LEASE = ("", None)

MOST_RECENT = 20
"""Events of a session that people are shown where the policy keeps no past."""


class Ledger:
    """What one session used up and did. Thread-safe as far as the store is.

    `tracks` is for events as data, whose reports of a call do not come with its decision: every reservation
    is remembered until the call's outcome comes.
    """

    def __init__(self, guard: Guard, subject: Subject, session: str, before: Ledger | None = None) -> None:
        self.guard = guard
        self.clock: Clock = guard.clock
        self.state = guard.state
        self.session = session
        self.subject = subject
        if before is not None:
            subject.trace, subject.started = before.subject.trace, before.subject.started
            subject.vault = before.subject.vault
        self.accounts = Accounts(guard.engine, subject, session, self.state)
        if before is not None and self.accounts.recent is not None:
            self.accounts.recent += before.accounts.recent or []
        self.scopes = _scopes(subject, session)
        self._estimates: dict[str, list[Demand]] = before._estimates if before else {}
        self.tracks: bool = before.tracks if before else False
        self._switch = self.state.switch
        self.may_block = not self.state.url.startswith("memory:")

    def disown(self) -> None:
        """This is an event of no session: what counts by session, or asks its past, cannot be known (law L2)."""
        accounts = self.accounts
        accounts.session, accounts.tokens = "", None
        accounts.uses_trace = accounts.uses_age = accounts.uses_origin = False
        self.subject.trace = self.subject.started = self.subject.vault = None

    # --- decisions -----------------------------------------------------------------------------

    def call(
        self,
        tool: str,
        args: Any,
        *,
        call_id: str | None,
        hold: float | None,
        lease: tuple[str, str | None] = NO_LEASE,
    ) -> Decision:
        """The decision on a call. `lease` is the digest of the live tool, and the approval that is named for it."""
        now = self.clock.now()
        switch = self._switch
        if switch.known or self.state.owed or monotonic() >= switch.fresh_until:
            stopped = self._stopped(now, tool)
            if stopped is not None:
                return stopped
        if call_id is None and hold is None and not self.tracks:
            quick = self.accounts.quickly(tool, args, now, self.state.store)
            if quick is not None:
                if quick.outcome is not Outcome.ASK and not quick.obligations:
                    return quick if self.accounts.recent is None else self._seen("call", tool, quick, now)
                event = self._call_event(tool, args, now, None, None)
                return self._opened(self._driven(self._with_people(event, lease, quick)), event, None)
        event = self._call_event(tool, args, now, call_id, hold)
        return self._opened(self._driven(self._charged(event, lease, call_id)), event, call_id)

    async def acall(
        self,
        tool: str,
        args: Any,
        *,
        call_id: str | None,
        hold: float | None,
        lease: tuple[str, str | None] = NO_LEASE,
    ) -> Decision:
        store = self.state.awaited
        if store is None:
            return self.call(tool, args, call_id=call_id, hold=hold, lease=lease)
        now = self.clock.now()
        switch = self.state.switch
        try:
            if switch.is_stale():
                switch.take(await store.halts(now=now))
        except Unavailable as error:
            return unrecorded(self.guard.engine, error)
        stopped = self._stopped(now, tool)
        if stopped is not None:
            return stopped
        event = self._call_event(tool, args, now, call_id, hold)
        return self._opened(await awaited(self._charged(event, lease, call_id), store), event, call_id)

    def _with_people(
        self, event: Event, lease: tuple[str, str | None] = NO_LEASE, decision: Decision | None = None
    ) -> Steps:
        """The decision on an event, with what people have to do with it (see `guardrails.approvals`)."""
        if decision is None:
            decision = yield from self.accounts.decide(event)
        if decision.outcome is Outcome.ASK and event.point == "call":
            from guardrails.approvals.asking import asked

            decision = yield from asked(self.accounts, event, decision, *lease)
        elif event.crowded is not None and event.request is not None:
            from guardrails.approvals.asking import told_again

            decision = yield from told_again(self.accounts, event, decision, *lease)
        if decision.obligations and any(duty.kind == "review" for duty in decision.obligations):
            from guardrails.approvals.reviewing import reviewed

            decision = yield from reviewed(self.accounts, event, decision)
        return self._seen(event.point, event.tool, decision, event.now)

    def _seen(self, point: str, tool: str | None, decision: Decision, now: int) -> Decision:
        """Keep it in mind for people who are asked later; the policy's own past is in the store."""
        recent = self.accounts.recent
        if recent is not None:
            recent.append((point, tool or "", decision.outcome.value, now))
            del recent[:-MOST_RECENT]
        return decision

    def _call_event(self, tool: str, args: Any, now: int, call_id: str | None, hold: float | None) -> Event:
        note = None
        if self.accounts.uses_trace and args.__class__ is dict and tool.__class__ is str:
            from guardrails.runtime.trace import call_note

            note = call_note(tool, args, now, call_id)
        ttl = None if hold is None else int(hold * 1_000_000)
        request = None if call_id is None else self._name_of(tool, args, call_id)
        return Event("call", tool, args, args, now, note=note, request=request, ttl=ttl)

    def _name_of(self, tool: Any, args: Any, call_id: str) -> str | None:
        """What a call can be repeated by: no other session's, tool's or id's, nor one with other arguments has it.
        What cannot be compared cannot be repeated: None."""
        digest = self._digest(args) if tool.__class__ is str else ""
        if not digest:
            return None
        session = self.session
        return f"{len(session)},{len(tool)}\x1f{session}\x1f{tool}\x1f{call_id}\x1f{digest}"

    def _digest(self, args: Any) -> str:
        """The arguments as they are compared everywhere: by the values of numbers, and names in any order."""
        try:
            return digest_of(args, self.subject.host.key)
        except EvaluationError:
            return ""

    def result(self, tool: str, args: Any, result: Any, *, call_id: str | None, reservation: str) -> Decision:
        now = self.clock.now()
        self._ran(tool, args, call_id, reservation, now)
        stopped = self._stopped(now, tool)
        if stopped is not None:
            return stopped
        note = self._result_note(tool, args, result, now, call_id)
        return self._driven(self._with_people(Event("result", tool, args, result, now, note=note)))

    def _ran(self, tool: str, args: Any, call_id: str | None, reservation: str, now: int) -> None:
        """Settle what was held for a call that gave a result."""
        if reservation:
            self.state.reservations.drop(reservation)
        try:
            held = reservation or self._held(tool, args, call_id)
        except Unavailable:
            return
        if held:
            self._quietly("commit", held, now=now)

    def _result_note(self, tool: str, args: Any, result: Any, now: int, call_id: str | None) -> str | None:
        if not self.accounts.uses_trace:
            return None
        from guardrails.runtime.trace import result_note

        return result_note(tool, args if args.__class__ is dict else {}, result, now, call_id)

    def look(
        self,
        point: str,
        tool: str | None,
        args: Any,
        payload: Any,
        *,
        digest: str = "",
        asks: bool = False,
    ) -> Decision:
        """What the decision on an event would be; nothing is charged or noted for it. With `asks` people are
        asked about a call that needs their approval."""
        now = self.clock.now()
        stopped = self._stopped(now, tool)
        if stopped is not None:
            return stopped
        return self._driven(self._looked(Event(point, tool, args, payload, now), digest, asks=asks))

    def _looked(self, event: Event, digest: str, *, asks: bool) -> Steps:
        decision = yield from self.accounts.look(event)
        if decision.outcome is Outcome.ASK and event.point == "call":
            from guardrails.approvals.asking import foreseen

            decision = yield from foreseen(self.accounts, event, decision, digest, asks=asks)
        return decision

    def withheld(self, tool: str, args: Any, result: Any, *, call_id: str | None, reservation: str) -> None:
        """A call ran, and somebody else refuses its result: it is settled and noted all the same."""
        now = self.clock.now()
        self._ran(tool, args, call_id, reservation, now)
        note = self._result_note(tool, args, result, now, call_id)
        if note is not None:
            from guardrails.runtime.notes import marked
            from guardrails.stores.sessions import Note

            self._quietly("remember", Note(self.session, marked(note, [], held=True), KEEP), now=now)

    def text(self, point: str, text: str, by: str | None = None, inherited: Iterable[str] = ()) -> Decision:
        """The decision on a text; `by` is `agent` for an input that another agent wrote, whose labels, of all
        that it read, are `inherited`."""
        now = self.clock.now()
        stopped = self._stopped(now, None)
        if stopped is not None:
            return stopped
        note = None
        if self.accounts.uses_trace and text.__class__ is str:
            from guardrails.runtime.trace import text_note

            note = text_note(point, text, now, by, inherited)
        return self._driven(self._with_people(Event(point, None, {}, text, now, note=note)))

    def _driven(self, steps: Steps) -> Decision:
        decision: Decision = driven(steps, self.state.store)
        return decision

    def _stopped(self, now: int, tool: str | None) -> Decision | None:
        """The denial of whatever the kill switch stops, or cannot be asked about, or owes what it used."""
        unpaid = self._unpaid() if self.session in self.state.owed else None
        if unpaid is not None:
            return unpaid
        try:
            halts = self.state.switch.halts(now)
        except Unavailable as error:
            return unrecorded(self.guard.engine, error)
        found = stopping(halts, self.scopes, tool) if halts else None
        return None if found is None else halted(found, self.guard.digest)

    def _unpaid(self) -> Decision | None:
        """Charge what was reported while the store was away; a denial while it still is."""
        for usage in self.state.owed.pop(self.session):
            decision = self.report(usage)
        return decision if self.session in self.state.owed else None

    def halt(self, decision: Decision) -> None:
        """A rule halted the session: everyone who shares the store is to know."""
        try:
            self.state.halt(f"session:{self.session}", *cause_of(decision), now=self.clock.now(), until=None)
        except Unavailable:
            return  # this process keeps the session halted in any case

    # --- what became of calls ------------------------------------------------------------------

    def _charged(self, event: Event, lease: tuple[str, str | None], call_id: str | None) -> Steps:
        """The steps to the decision on a call, and to what others have to know of it."""
        steps = self._with_people(event, lease)
        if call_id is None or not self.may_block or event.tool.__class__ is not str or not self._waits(event):
            return steps
        return self._shared(steps, event, call_id)

    def _shared(self, steps: Steps, event: Event, call_id: str) -> Steps:
        """The decision, once all who share the store can find what is charged by it. Where that cannot be written
        down, the outcome of the call could be lost: it is denied, and stays charged."""
        from guardrails.outstanding import Waiting, key_of, until_of, written_down

        decision = yield from steps
        if not decision.reservation:
            return decision
        key = key_of(self.session, event.tool or "", call_id)
        call = Waiting(_mark_of(event, decision), decision.reservation, until_of(event.now, event.ttl))
        try:
            yield from written_down(key, call, event.now)
        except Unavailable as error:
            return unrecorded(self.guard.engine, error)
        return decision

    def _opened(self, decision: Decision, event: Event, call_id: str | None) -> Decision:
        """Remember which reservation a call has, where its outcome is waited for."""
        if decision.reservation and (self.tracks or self._waits(event)):
            key = _call_key(event.tool, event.args, call_id)
            mark = "" if call_id is None else _mark_of(event, decision)
            self.state.reservations.keep(self.session, key, decision.reservation, mark)
        return decision

    def _waits(self, event: Event) -> bool:
        """Whether the outcome of a call has to settle its charge: it is only held, or a breaker waits for it."""
        return event.ttl is not None or self._has_breaker(event.tool)

    def _held(self, tool: str, args: Any, call_id: str | None) -> str:
        """The reservation of a call that is over; empty where none is waited for. Another process may have made it.
        Raises `Unavailable` where only the store could tell."""
        kept = self.state.reservations
        found = ""
        if kept:
            found = kept.take(self.session, _call_key(tool, args, call_id), lambda: self._digest(args))
        if found or call_id is None or not self.may_block or not self._is_metered(tool):
            return found
        from guardrails.outstanding import key_of, told

        steps = told(key_of(self.session, tool, call_id), lambda: self._digest(args), self.clock.now())
        return str(driven(steps, self.state.store))

    def _is_metered(self, tool: Any) -> bool:
        return tool.__class__ is str and bool(self.guard.engine.program.unit("call", tool).meters)

    def _has_breaker(self, tool: str | None) -> bool:
        unit = self.guard.engine.program.unit("call", tool)
        return any(meter.is_fuse for meter in unit.meters)

    def settle(self, decision: Decision, usage: Usage | None) -> bool:
        now = self.clock.now()
        estimate = self._estimates.pop(decision.reservation, None)
        actual = None if usage is None or estimate is None else self._actual(usage, estimate)
        settled = bool(self.state.store.commit(decision.reservation, actual, now=now))
        if usage is not None and estimate is None:
            self.report(usage)
        return settled

    def failed(self, tool: str, args: Any, *, decision: Decision | None, call_id: str | None) -> None:
        now = self.clock.now()
        given = decision.reservation if decision is not None else ""
        if given:
            self.state.reservations.drop(given)
        held = given or self._held(tool, args, call_id)
        if held:
            self.state.store.release(held, now=now, failed=True)
        if self.accounts.uses_trace:
            from guardrails.runtime.trace import outcome_note
            from guardrails.stores.sessions import Note

            note = outcome_note(tool, args, ok=False, at=now, call_id=call_id)
            self.state.store.remember(Note(self.session, note, KEEP), now=now)

    def succeeded(self, tool: str, args: Any, *, call_id: str | None, reservation: str) -> bool:
        """A call ran, and there is no result to be checked."""
        held = reservation or self._held(tool, args, call_id)
        return bool(held) and bool(self.state.store.commit(held, now=self.clock.now()))

    def release(self, decision: Decision) -> bool:
        return bool(self.state.store.release(decision.reservation, now=self.clock.now()))

    def _quietly(self, operation: str, what: Any, *, now: int) -> None:
        """Settle what can be settled: without the store it stays charged, which is the strict side."""
        try:
            getattr(self.state.store, operation)(what, now=now)
        except Unavailable:
            return

    def save_tokens(self) -> None:
        """Write down the tokens that a stream made. Raises `Unavailable` without the store. A value that another
        worker gave a token at the same time has two, and both are turned back."""
        tokens = self.accounts.tokens
        if tokens is not None:
            driven(tokens.save(self.clock.now()), self.state.store)

    # --- usage ---------------------------------------------------------------------------------

    def report(self, usage: Usage) -> Decision:
        from guardrails.runtime.spending import reported

        return reported(self, usage)

    def reserve(self, usage: Usage, *, hold: float | None) -> Decision:
        from guardrails.runtime.spending import record_for

        record, now = record_for(self, usage), self.clock.now()
        stopped = self._stopped(now, usage.tool)
        if stopped is not None:
            return stopped
        event = Event(
            "usage", usage.tool, {}, record, now, ttl=None if hold is None else int(hold * 1_000_000)
        )
        judged = self.guard.engine.judge("usage", usage.tool, {}, record, self.subject, now)
        decision = self._driven(self.accounts.decide(event))
        if decision.reservation and not isinstance(judged, Decision):
            self._estimates[decision.reservation] = wanted_by(judged, self.session).demands
        return decision

    def expect(self, reservation: str, usage: Usage) -> None:
        """Tell anew for which usage a reservation was made, where another process made it."""
        self._estimates[reservation] = self._demands(usage)

    def _actual(self, usage: Usage, estimate: list[Demand]) -> dict[str, Any]:
        """What was used in the end, by the keys that the estimate was reserved on."""
        known = {demand.key for demand in estimate}
        return {demand.key: demand.amount for demand in self._demands(usage) if demand.key in known}

    def _demands(self, usage: Usage) -> list[Demand]:
        """What budgets want of the store for a usage; nothing where it cannot be judged."""
        from guardrails.runtime.spending import record_for

        record = record_for(self, usage)
        judged = self.guard.engine.judge("usage", usage.tool, {}, record, self.subject, self.clock.now())
        return [] if isinstance(judged, Decision) else wanted_by(judged, self.session).demands


def _mark_of(event: Event, decision: Decision) -> str:
    """What tells a call from others with its id; of one that cannot be compared there is nothing but its charge."""
    return decision.reservation if event.request is None else event.request.rpartition("\x1f")[2]


def _call_key(tool: Any, args: Any, call_id: str | None) -> str:
    """How a result finds its call: by the tool and the call's id, else by the tool and equal arguments."""
    if call_id is not None:
        return f"{len(str(tool))},{tool}\x1f{call_id}"
    from guardrails.strict_json import write_json

    try:
        return f"{tool} {write_json(args, by_name=True)}"
    except Exception:
        return f"{tool} ?"  # odd objects of the host, which may do anything when they are looked at


def _scopes(subject: Subject, session: str) -> frozenset[str]:
    """What a halt can name to stop this session."""
    found = {"all", f"session:{session}"}
    for kind, record in (("agent", subject.agent), ("principal", subject.principal)):
        name = record.get("id") if hasattr(record, "get") else None
        if name.__class__ is str:
            found.add(f"{kind}:{name}")
    return frozenset(found)
