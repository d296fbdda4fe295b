"""The recorder: an observer of a guard that writes every check down before its decision is told (law L9).

Takes checks and what became of calls, gives decisions: the same ones, or a denial where the record could not be
written. How strict it is says the policy: `audit durable` waits for the disk, `audit buffered` does not.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from guardrails.audit.calls import Calls
from guardrails.audit.circumstances import circumstances_of
from guardrails.audit.content import content_of, facts_of_usage, told_of_parts
from guardrails.audit.drafts import Draft
from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.ids import new_id
from guardrails.audit.record import as_json
from guardrails.audit.requests import requests_of
from guardrails.audit.sketching import PARTS, agent_of, is_plain, name_of, sketched, standing_of, subject_of
from guardrails.audit.tracing import trace_of
from guardrails.errors import Unavailable
from guardrails.meets import BETWEEN
from guardrails.model import Applied, Decision, Denial, Outcome, Place
from guardrails.observing import Observer
from guardrails.runtime.clock import SystemClock
from guardrails.runtime.repeats import Repeats, digest_of, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from guardrails.audit.content import Content
    from guardrails.audit.log import AuditLog
    from guardrails.guard import Guard
    from guardrails.observing import Check
    from guardrails.session import Session

    Mark = tuple[Any, ...]

DEFAULT = ("durable", "spill")
"""Mode of a policy that does not say one, and what happens when the log cannot be written: a second log is used
where there is one."""

_STATUS = {"released": "not run"}
_NOWHERE = Place("<audit>", 0, 0, 0, 0)


class Recorder(Observer):
    """Writes to one log for one guard."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self._calls = Calls()
        self._repeats = Repeats()

    # --- checks --------------------------------------------------------------------------------

    def ended(self, check: Check, decision: Decision) -> Decision:
        decision, drafts, mark = self._drafted(check, decision)
        mode, otherwise = mode_for(check.guards)
        try:
            for draft in drafts:
                self.log.record(draft, durable=mode == "durable", spills=otherwise == "spill")
        except AuditUnavailable as error:
            return refused(check, decision, error)
        if mark is not None:
            self._keep_mark(mark, decision)
        return decision

    async def ended_later(self, check: Check, decision: Decision) -> Decision:
        mode, otherwise = mode_for(check.guards)
        if mode != "durable":
            return await self._ended_soon(check, decision)
        decision, drafts, mark = self._drafted(check, decision)
        try:
            for draft in drafts:
                await self.log.record_later(draft, spills=otherwise == "spill")
        except AuditUnavailable as error:
            from asyncio import to_thread

            return await to_thread(refused, check, decision, error)
        except BaseException:  # the task was cancelled
            self._untold(check, decision)
            raise
        if mark is not None:
            self._keep_mark(mark, decision)
        return decision

    async def _ended_soon(self, check: Check, decision: Decision) -> Decision:
        if not self.log.journal.is_full:
            return self.ended(check, decision)
        from asyncio import to_thread  # where it waits for room

        return await to_thread(self.ended, check, decision)

    def _drafted(self, check: Check, decision: Decision) -> tuple[Decision, Iterable[Draft], Mark | None]:
        """The decision under its name, the drafts that are to be written of it (none where all of it was written
        before), and what it is known by when it is told again."""
        decision = decision.known_as(new_id())
        draft = self._draft(check, decision)
        mark = None if check.call_id is None else self._mark(check, decision, draft)
        if mark is not None and (first := self._repeats.first(mark)) is not None:
            return self._again(check, decision.known_as(first), draft), (), None
        if decision.consent is None or not decision.consent.opened:
            return decision, (draft,), mark
        return decision, _with_requests(check, decision, draft), mark

    def _keep_mark(self, mark: Mark, decision: Decision) -> None:
        if self.log.journal.error is None:
            self._repeats.keep(mark, decision.id)

    def _untold(self, check: Check, decision: Decision) -> None:
        """Nobody is left who could run the call: what was charged for it goes back, without keeping the loop."""
        if not decision.reservation or decision.outcome is not Outcome.ALLOW:
            return
        from asyncio import get_running_loop

        try:
            get_running_loop().run_in_executor(None, self._release, check, decision)
        except RuntimeError:  # the loop is at its end
            self._release(check, decision)

    def _release(self, check: Check, decision: Decision) -> None:
        _give_back(check.guards, decision.reservation)
        check.reservation = decision.reservation
        self.became(check, "released", decision)

    def _mark(self, check: Check, decision: Decision, draft: Draft) -> Mark | None:
        """What makes an event the same as one that this log holds already; None where it has to be written. While
        the log cannot be written nothing passes for written."""
        content, consent = draft.content, decision.consent
        at = check.session, check.call_id, check.point, check.tool
        if content is None or not all(isinstance(name, str) for name in at):
            return None
        if self.log.journal.error is not None or (consent is not None and consent.opened):
            return None
        digest = digest_of(content.original, content.body, content.withheld, draft.beside, as_json(draft.who))
        who = draft.subject, draft.fields["agent"], check.halted
        return None if digest is None else (*at, *who, digest, verdict_of(decision))

    def _again(self, check: Check, decision: Decision, draft: Draft) -> Decision:
        """The decision on what was recorded before: its outcome names the first record."""
        if check.point == "call" and draft.content is not None:
            self._calls.keep(check, draft.content.original, decision)
        return decision

    def _draft(self, check: Check, decision: Decision) -> Draft:
        if check.point not in PARTS:
            return self._usage(check, decision)
        content = content_of(check, decision)
        if check.point == "call":
            self._calls.keep(check, content.original, decision)
        if not is_plain(check, decision, content):
            return self._in_full(check, decision, content)
        sketch = sketched(check, decision, content, standing_of(check, self))
        if check.point == "result":
            sketch.kind, sketch.status = "outcome", "ok"
            sketch.ref, sketch.reservation = self._calls.intent_of(check)
        return sketch

    def _in_full(self, check: Check, decision: Decision, content: Content) -> Draft:
        """The draft of a check that is out of the ordinary."""
        fields, kind = self._fields(check, decision.id), "intent"
        fields["latency_us"] = (perf_counter_ns() - check.began) // 1000
        if check.above:
            fields["parts"] = told_of_parts(check, decision)
        if check.point == "result":
            fields["status"], kind = "ok", "outcome"
            fields["ref"], fields["reservation"] = self._calls.intent_of(check)
        if check.streamed:
            fields["status"], kind = "streamed", "outcome" if check.streamed == "end" else kind
        return Draft(
            kind, fields, subject_of(check.principal, check.session), check.principal, decision, content,
            PARTS[check.point], circumstances_of(check, decision, content),
        )  # fmt: skip

    def _usage(self, check: Check, decision: Decision) -> Draft:
        fields = self._fields(check, decision.id)
        fields["facts"] = facts_of_usage(check.payload) | (
            {"reserved": True} if check.point == "reserve" else {}
        )
        return Draft(
            "usage", fields, subject=subject_of(check.principal, check.session), who=check.principal,
            decision=decision, beside=circumstances_of(check, decision),
        )  # fmt: skip

    def _fields(self, check: Check, id: str) -> dict[str, Any]:
        trace, span = trace_of(check.session, id)
        clock, time = check.guard.clock, check.time
        if time is None and clock.__class__ is not SystemClock:
            time = clock.now()
        fields: dict[str, Any] = {
            "id": id, "trace": trace, "span": span, "session": check.session, "point": check.point,
            "tool": name_of(check.tool), "call_id": check.call_id, "agent": agent_of(check),
            "clock": time,
        }  # fmt: skip
        if check.above:
            fields["answers_to"] = list(check.above)
        return fields

    # --- what became of calls ------------------------------------------------------------------

    def became(self, check: Check, what: str, decision: Decision | None) -> None:
        fields = self._fields(check, new_id())
        fields["point"] = "call"
        fields["status"] = _STATUS.get(what, what)
        known, fields["reservation"] = self._calls.intent_of(check)
        fields["ref"] = (decision.id if decision is not None else "") or known
        if check.payload is not None:
            fields["facts"] = facts_of_usage(check.payload)
        self._keep(check.guards, Draft("outcome", fields, subject=subject_of(check.principal, check.session)))

    def opened(self, session: Session) -> None:
        trace, span = trace_of(session.id, "")
        fields: dict[str, Any] = {
            "id": new_id(), "trace": trace, "span": span, "session": session.id,
            "agent": name_of(session._agent.get("id")), "policy": session.guard.digest,
        }  # fmt: skip
        if above := getattr(session, "above", ()):
            fields["answers_to"] = list(above)
        principal = session._principal
        self._keep(
            session.guards, Draft("opened", fields, subject=subject_of(principal, session.id), who=principal)
        )

    def is_twin_of(self, other: Observer) -> bool:
        """One record in a log is enough, however many guards write to it."""
        return isinstance(other, Recorder) and (
            other.log is self.log or other.log.home.linker.log == self.log.home.linker.log
        )

    def switched(self, guard: Guard, facts: Mapping[str, Any]) -> None:
        self.log.append("halt", dict(facts), policy=guard.digest)

    def _keep(self, guards: tuple[Guard, ...], draft: Draft) -> None:
        """What has happened already is written like the decisions are, and held where that fails."""
        mode, otherwise = mode_for(guards)
        if mode == "durable":
            try:
                self.log.record(draft, durable=True, spills=otherwise == "spill")
                return
            except AuditUnavailable:
                pass  # kept below, and written when the log is back
        with suppress(AuditUnavailable):
            # Counted by the journal, and told in a record once it can be: the next decision is refused anyway.
            self.log.keep(draft)


def _with_requests(check: Check, decision: Decision, draft: Draft) -> Iterator[Draft]:
    yield draft
    yield from requests_of(check, decision, draft.fields)


class Unlogged(Observer):
    """Stands where a policy asks for an audit log and nobody named one: nothing is let through (law L2)."""

    def ended(self, check: Check, decision: Decision) -> Decision:
        why = "the policy says `audit`, and no audit log is named: give `audit=`, `--audit` or GUARD_AUDIT"
        return refused(check, decision, AuditUnavailable(why))


def mode_of(guard: Guard) -> tuple[str, str]:
    """`(durable | buffered, deny | spill)` of the policy in force."""
    mode: tuple[str, str] | None = guard.engine.program.head.get("audit")
    return mode or DEFAULT


def mode_for(guards: tuple[Guard, ...]) -> tuple[str, str]:
    """The strictest of what the policies in force say: of a sub-agent's, and of all that it answers to."""
    if len(guards) == 1:
        return mode_of(guards[0])
    said = [mode for guard in guards if (mode := guard.engine.program.head.get("audit"))]
    if not said:
        return DEFAULT
    modes, otherwise = zip(*said, strict=True)
    return "durable" if "durable" in modes else "buffered", "deny" if "deny" in otherwise else "spill"


def refused(check: Check, decision: Decision, error: AuditUnavailable) -> Decision:
    """The denial of what could not be written down; what was charged for it is given back."""
    if decision.reservation and decision.outcome is Outcome.ALLOW:
        _give_back(check.guards, decision.reservation)
    if decision.outcome >= Outcome.DENY:
        return decision
    message = f"the decision could not be written to the audit log: {error}"
    applied = Applied("audit", Outcome.DENY, policy="guard", label="audit", message=message, place=_NOWHERE)
    denial = Denial("retry_after", f"{message}. Try again later.", retry_after=1.0)
    stopped = Decision(
        Outcome.DENY, decision.policy, (*decision.applied, applied), decision.errors, decision.transforms,
        decision.obligations, denial=lambda _: denial,
    )  # fmt: skip
    return stopped.known_as(decision.id)


def _give_back(guards: tuple[Guard, ...], reservation: str) -> None:
    """What was charged goes back to where it was: a sub-agent's reservation is one of each policy."""
    for guard, held in zip(guards, reservation.split(BETWEEN), strict=False):
        if held:
            with suppress(Unavailable):
                guard.state.store.release(held, now=guard.clock.now())
