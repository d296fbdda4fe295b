"""The engine: one event in, one `Decision` out, total and without side effects.

A unit's function says which effects apply, as bits; the verdict is the join of what they ask for, so the
order of statements means nothing (law L1). What could not be evaluated keeps its restrict part and loses
its grant part (law L2). Decisions that hold nothing of the event are put together once and kept.
"""

from __future__ import annotations

from guardrails.model import (
    Applied,
    Approval,
    Decision,
    Failure,
    Obligation,
    Outcome,
    Place,
    Reuse,
    ReuseBound,
    Transform,
    strictest,
)
from guardrails.runtime.failures import failure_of
from guardrails.runtime.operations import described
from guardrails.runtime.program import DECISIONS_KEPT, NO_RULES, Unit, taken_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from guardrails.model import Denial
    from guardrails.runtime.host import Host
    from guardrails.runtime.program import Effect, Program

MAX_TEXT = 16_000_000
"""Characters of an input or output text; a longer one is an error of the event."""

MAX_NAME = 256
"""Characters of a tool's name."""

WITHOUT_TOOL = ("input", "output", "usage")
"""Points whose events may be of no tool."""

UNASKED = ()
"""Stands in a kept refusal, which holds nothing of an event and is renewed before it is handed out."""

NOWHERE = Place("<engine>", 0, 0, 0, 0)


class Subject:
    """Who an event is about: bound records of principal, agent and session, and the host's functions.

    `trace` is the session's past, `started` when it began, and `vault` what stands behind its tokens, where
    somebody keeps them.
    """

    __slots__ = ("agent", "host", "principal", "session", "started", "trace", "vault")

    def __init__(self, principal: Any, agent: Any, session: Any, host: Host) -> None:
        self.principal = principal
        self.agent = agent
        self.session = session
        self.host = host
        self.trace: Any = None
        self.started: int | None = None
        self.vault: Any = None


class Judged:
    """What the statements of a unit say of an event, before anything is counted.

    `mask` holds a bit for every effect that applies, `failed` what could not be evaluated, and `claims` what
    limits, budgets and breakers ask of the store, as `(meter, amount, limits, keys)`.
    """

    __slots__ = ("claims", "event", "failed", "mask", "unit")

    def __init__(self, unit: Unit, fired: Any, event: tuple[Any, ...]) -> None:
        self.unit = unit
        self.event = event
        self.mask, self.failed, self.claims = taken_apart(fired)


class Engine:
    """Decides events by one program. What it is given to keep count of it leaves to `runtime.accounts`: its
    own decisions are those of an event that is within all limits."""

    __slots__ = ("_calls", "_results", "program")

    def __init__(self, program: Program) -> None:
        self.program = program
        self._calls = program.ready("call")
        self._results = program.ready("result")

    def call(self, tool: str, args: Any, subject: Subject, now: int = 0) -> Decision:
        """The decision on a tool call that is about to run."""
        unit = (self._calls.get(tool) if tool.__class__ is str else None) or self._unit("call", tool)
        if unit is None:
            return self._unnamed("call")
        if args.__class__ is not dict:
            return self._malformed(unit, f"the arguments are {described(args)}, expected an object")
        fired = unit.check(args, subject, args, now, tool)
        if fired.__class__ is int:
            ready = unit.decisions.get(fired)
            if ready is not None:
                if ready._denial is None:
                    return ready
                return ready.about((self, unit, (args, subject, args, now, tool)))
        return self._conclude(unit, fired, (args, subject, args, now, tool))

    def result(self, tool: str, args: Any, result: Any, subject: Subject, now: int = 0) -> Decision:
        """The decision on what a tool gave back."""
        unit = (self._results.get(tool) if tool.__class__ is str else None) or self._unit("result", tool)
        if unit is None:
            return self._unnamed("result")
        args = args if args.__class__ is dict else {}
        fired = unit.check(args, subject, result, now, tool)
        return self._decided(unit, fired, (args, subject, result, now, tool))

    def text(self, point: str, text: Any, subject: Subject, now: int = 0) -> Decision:
        """The decision on a text into the model (`input`) or out to a person (`output`)."""
        unit = self.program.unit(point, None)
        if text.__class__ is not str:
            return self._malformed(unit, f"the text is {described(text)}, expected a string")
        if len(text) > MAX_TEXT:
            return self._malformed(unit, f"the text has more than {MAX_TEXT:,} characters")
        return self._decided(unit, unit.check({}, subject, text, now, None), ({}, subject, text, now, None))

    def quickly(self, tool: Any, args: Any, subject: Subject, now: int) -> tuple[Unit, Decision, Any] | None:
        """`(unit, decision, claims)` of a call that nothing is wrong with, where the decision is at hand;
        None where there is more to it. A call that is denied anyway claims nothing."""
        unit = self._calls.get(tool) if tool.__class__ is str else None
        if unit is None or not unit.plain or args.__class__ is not dict:
            return None
        answer = unit.check(args, subject, args, now, tool)
        claims = None
        if answer.__class__ is not int:
            if len(answer) != 3 or answer[1] is not None:
                return None
            answer, _, claims = answer
        decision = unit.decisions.get(answer)
        if decision is None or decision._denial is None:
            return None if decision is None else (unit, decision, claims)
        if decision.outcome is Outcome.ASK and claims:
            return None
        return unit, decision.about((self, unit, (args, subject, args, now, tool))), None

    def judge(
        self, point: str, tool: Any, args: Any, payload: Any, subject: Subject, now: int
    ) -> Judged | Decision:
        """What the statements say of an event; a decision at once when it is malformed. A call or a result without a tool
        is one: no rule would be asked about it. A text is judged as one of no tool."""
        if tool is not None:
            unit = self._unit(point, tool)
        else:
            unit = self.program.unit(point, None) if point in WITHOUT_TOOL else None
        if unit is None:
            return self._unnamed(point)
        if point == "call" and args.__class__ is not dict:
            return self._malformed(unit, f"the arguments are {described(args)}, expected an object")
        if point in ("input", "output"):
            if payload.__class__ is not str or len(payload) > MAX_TEXT:
                return self.text(point, payload, subject, now)
            if tool is not None:
                return self.judge(point, None, args, payload, subject, now)
        args = args if args.__class__ is dict else {}
        event = (args, subject, payload, now, tool)
        return Judged(unit, unit.check(*event), event)

    def conclude(self, judged: Judged, bits: int = 0, failed: Any = None) -> Decision:
        """The decision on what was judged; `bits` are effects, and `failed` errors, that came to it since."""
        mask, both = judged.mask | bits, [*(judged.failed or ()), *(failed or ())]
        return self._decided(judged.unit, (mask, both) if both else mask, judged.event)

    def _unit(self, point: str, tool: Any) -> Unit | None:
        """None for what cannot be the name of a tool."""
        if tool.__class__ is not str or not 0 < len(tool) <= MAX_NAME:
            return None
        return self.program.unit(point, tool)

    def _unnamed(self, point: str) -> Decision:
        nothing = Unit(point, "?", NO_RULES)
        return self._malformed(nothing, f"a tool's name is a string of 1 to {MAX_NAME} characters")

    def _decided(self, unit: Unit, fired: Any, event: tuple[Any, ...]) -> Decision:
        ready = unit.decisions.get(fired) if fired.__class__ is int else None
        if ready is None:
            return self._conclude(unit, fired, event)
        return ready.about((self, unit, event)) if ready.needs_explaining else ready

    def _malformed(self, unit: Unit, message: str) -> Decision:
        """An event that no statement could be asked about: denied, with the reason as an error."""
        failure = Failure("event", "type", message, NOWHERE)
        return Decision(Outcome.DENY, self.program.digest, errors=(failure,), denial=(self, unit, None))

    def explain(self, unit: Unit, event: tuple[Any, ...] | None, decision: Decision) -> Denial:
        """The denial contract of one of this engine's refusals."""
        from guardrails.runtime.denial import explained

        return explained(self, unit, event, decision)

    def _conclude(self, unit: Unit, fired: Any, event: tuple[Any, ...]) -> Decision:
        """Put a decision together, and keep it when nothing of the event is in it."""
        mask, failed, _ = taken_apart(fired)
        failed = failed or ()
        draft = Draft(self.program, unit, mask, failed)
        payload, transforms = draft.transform(event)
        outcome = draft.outcome()
        decision = Decision(
            outcome,
            self.program.digest,
            tuple(draft.applied()),
            tuple(draft.failures),
            transforms,
            tuple(draft.obligations()),
            tuple(draft.approvals()),
            tuple(draft.shadow()),
            payload,
            None if outcome is Outcome.ALLOW else (self, unit, event),
        )
        decision.labels = draft.labels()
        if not failed and not draft.changes and len(unit.decisions) < DECISIONS_KEPT:
            unit.decisions[mask] = decision if outcome is Outcome.ALLOW else decision.about(UNASKED)
        return decision


class Draft:
    """A decision in the making: which effects hold, and which of them only by an error."""

    def __init__(
        self, program: Program, unit: Unit, mask: int, failed: Iterable[tuple[int, Exception]]
    ) -> None:
        self.program = program
        self.unit = unit
        self.failures: list[Failure] = []
        self.broken = False
        self.kept: set[int] = set()
        self.holding = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
        for owner, error in failed:
            self._note(owner, error)
        holding = {*self.holding, *self.kept}
        self.effects = [(bit, unit.effects[bit]) for bit in sorted(holding)]
        self.changes = [effect for _, effect in self.effects if effect.change and not effect.shadow]

    def _note(self, index: int, error: Exception) -> None:
        """An error of a rule; under `~index` it is in the `when` of a requirement that was judged all the same."""
        judged, index = index < 0, ~index if index < 0 else index
        owner = self.unit.owners[index]
        self.failures.append(failure_of(error, owner.name, owner.place))
        if judged:
            self.kept |= set(owner.effects) & set(self.holding)
            return
        self.kept |= {bit for bit in owner.effects if not self._only_grants(self.unit.effects[bit])}

    def _only_grants(self, effect: Effect) -> bool:
        return effect.grants and not effect.restricts

    def outcome(self) -> Outcome:
        """The join of all restrict parts; the default where nothing grants."""
        active = [(bit, effect) for bit, effect in self.effects if not effect.shadow]
        outcomes = [effect.outcome for _, effect in active if effect.outcome is not None]
        if self.broken:
            outcomes.append(Outcome.DENY)
        if not any(effect.grants and bit not in self.kept for bit, effect in active):
            outcomes.append(self._default())
        return strictest(outcomes)

    def _default(self) -> Outcome:
        declared = self.program.defaults.get(self.unit.point)
        if declared:
            return strictest(effect.outcome for effect in declared if effect.outcome)
        return Outcome.DENY if self.unit.point == "call" else Outcome.ALLOW

    def applied(self) -> Iterable[Applied]:
        return (self._listed(bit, effect) for bit, effect in self.effects if not effect.shadow)

    def shadow(self) -> Iterable[Applied]:
        return (self._listed(bit, effect) for bit, effect in self.effects if effect.shadow)

    def _listed(self, bit: int, effect: Effect) -> Applied:
        return effect.applied.by_error() if bit in self.kept else effect.applied

    def obligations(self) -> Iterable[Obligation]:
        for _, effect in self.effects:
            if effect.duty and not effect.shadow:
                kind, details = effect.duty
                yield Obligation(kind, effect.applied.name, details)

    def labels(self) -> tuple[str, ...]:
        """What comes in was given, as a whole or in part; by an error nothing that vouches for it."""
        marked = [(bit, effect) for bit, effect in self.effects if effect.mark and not effect.shadow]
        if not marked:
            return ()
        from guardrails.runtime.marks import restricting

        given = {
            label
            for bit, effect in marked
            for label in (restricting(effect.mark[0]) if bit in self.kept else effect.mark[0])
        }
        return tuple(sorted(given))

    def approvals(self) -> Iterable[Approval]:
        for _, effect in self.effects:
            if effect.ask and not effect.shadow:
                reviewers, quorum, within, otherwise, *far = effect.ask
                seconds = None if within is None else within / 1_000_000
                reuse = _reuse(*far[0]) if far else None
                yield Approval(reviewers, quorum, seconds, otherwise, effect.applied.name, reuse)

    def transform(self, event: tuple[Any, ...]) -> tuple[Any, tuple[Transform, ...]]:
        """The changed payload (None without a change) and what was changed. A transform that cannot be
        applied withholds the payload and denies: nothing unfiltered goes on."""
        if not self.changes:
            return None, ()
        from guardrails.runtime.changes import changed, listed

        try:
            return changed(self.unit, self.changes, event, self.failures), listed(self.changes)
        except Exception as error:
            self.broken = True
            first = self.changes[0].applied
            self.failures.append(failure_of(error, first.name, first.place))
            return None, listed(self.changes)


def _reuse(calls: int, bounds: tuple[tuple[str, str, str, str, str], ...]) -> Reuse:
    return Reuse(calls, tuple([ReuseBound(*bound) for bound in bounds]))
