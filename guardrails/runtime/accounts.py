"""Accounts: an event that its statements let through, against what it may use up.

Takes what was judged, asks the store for all of it at once, gives the decision. The idea: a decision is a
generator that yields what it wants of the store, so that one piece of code serves stores that block and
stores that are awaited; only whoever drives it differs.

    judged -> (reserve | refused | shut | somebody was faster: judge again) -> Decision

An event that is denied anyway asks for nothing. One that needs approval is asked about but charges nothing:
it is charged when it is approved and judged again.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, Unavailable
from guardrails.model import Decision, Denial, Obligation, Outcome
from guardrails.runtime.refusals import refusal
from guardrails.stores.breakers import Shut
from guardrails.stores.demands import Granted, Refused
from guardrails.stores.sessions import Moved, Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any, Protocol, TypeAlias

    from guardrails.runtime.engine import Engine, Judged, Subject
    from guardrails.runtime.meters import Fuse, Meter
    from guardrails.runtime.revealing import Tokens
    from guardrails.runtime.trace import Trace
    from guardrails.stores.breakers import Gate
    from guardrails.stores.demands import Demand

    Request: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]
    Steps: TypeAlias = Generator[Request, Any, Decision]

    class Lease(Protocol):
        def covers(self, decision: Decision) -> bool: ...

    class Hold(Protocol):
        name: str

        def marks(self, demands: Sequence[Demand]) -> list[Demand]: ...


MAX_RACES = 64
"""How often a decision is made anew because something else happened in the session meanwhile."""

KEEP = 30 * 86_400_000_000
"""Microseconds that a session's past is kept after its last event."""


class Wanted:
    """What one event wants of the store: demands and gates, and which meter each of them comes from."""

    __slots__ = ("demands", "failed", "fuses", "gates", "meters")

    def __init__(self) -> None:
        self.demands: list[Demand] = []
        self.meters: list[Meter] = []
        self.gates: list[Gate] = []
        self.fuses: list[Fuse] = []
        self.failed: list[tuple[int, Exception]] = []

    def __bool__(self) -> bool:
        return bool(self.demands or self.gates)

    def add(self, judged: Judged, claim: Any, session: str) -> None:
        """Take in a claim; one that cannot be counted is an error of its statement."""
        meter = judged.unit.meters[claim[0]]
        try:
            if meter.is_fuse:
                self.gates.append(meter.gate(claim))
                self.fuses.append(meter)
                return
            demands = meter.demands(claim, session)
        except EvaluationError as error:
            self.failed.append((owner_of(judged, meter), error))
            return
        self.demands += demands
        self.meters += [meter] * len(demands)

    def order(self) -> None:
        """By counter, so that it means nothing in which order the policy asks (law L1)."""
        if len(self.demands) > 1:
            both = sorted(zip(self.demands, self.meters, strict=True), key=lambda pair: pair[0].counter)
            self.demands, self.meters = [d for d, _ in both], [m for _, m in both]
        if len(self.gates) > 1:
            pairs = sorted(zip(self.gates, self.fuses, strict=True), key=lambda pair: pair[0].key)
            self.gates, self.fuses = [g for g, _ in pairs], [f for _, f in pairs]


def owner_of(judged: Judged, meter: Meter | Fuse) -> int:
    """The statement of a unit that a meter belongs to."""
    return next(i for i, owner in enumerate(judged.unit.owners) if meter.bit in owner.effects)


def wanted_by(judged: Judged, session: str, *, shadow: bool = False) -> Wanted:
    """What the claims of statements in force (or of those in shadow) want."""
    wanted = Wanted()
    for claim in judged.claims or ():
        if judged.unit.meters[claim[0]].shadow == shadow:
            wanted.add(judged, claim, session)
    wanted.order()
    return wanted


def counted(judged: Judged, session: str) -> Wanted:
    """What the claims in force want. What cannot be counted, in shadow or not, is an error of what was judged."""
    wanted = wanted_by(judged, session)
    failed = wanted.failed
    if any(judged.unit.meters[claim[0]].shadow for claim in judged.claims or ()):
        failed = [*failed, *wanted_by(judged, session, shadow=True).failed]
    if failed:
        judged.failed = [*(judged.failed or ()), *failed]
    return wanted


class Crowded:
    """What limits refused before it could be asked about: the decision that `asks`, and the demands that do not fit."""

    __slots__ = ("asks", "demands")

    def __init__(self, asks: Decision, demands: list[Demand]) -> None:
        self.asks = asks
        self.demands = demands


class Event:
    """One event on its way through the accounts.

    `request` is its idempotency key, `ttl` how many microseconds a reservation lasts (None: until it is
    settled), `note` what the session's past is told of it when it is let through. With a `lease` that covers
    what it asks for, an event that asks is charged like one that is allowed; it is up to the caller to use it.
    The charge is then `hold`, where the caller wants it told apart. `crowded` is what was refused last for want
    of room alone.
    """

    __slots__ = (
        "args", "crowded", "hold", "lease", "note", "now", "payload", "point", "request", "tool", "ttl",
    )  # fmt: skip

    def __init__(
        self, point: str, tool: str | None, args: Any, payload: Any, now: int, *, note: str | None = None,
        request: str | None = None, ttl: int | None = None,
    ) -> None:  # fmt: skip
        self.point = point
        self.tool = tool
        self.args = args
        self.payload = payload
        self.now = now
        self.note = note
        self.request = request
        self.ttl = ttl
        self.lease: Lease | None = None
        self.hold: Hold | None = None
        self.crowded: Crowded | None = None

    def booked(self, plain: Decision, demands: list[Demand]) -> tuple[list[Demand], str | None]:
        """What is charged for the event, and the name under which nothing is charged twice: that of the very call
        which people approved, where they let it through."""
        hold = self.hold
        if hold is None or plain.outcome is not Outcome.ASK:
            return demands, self.request
        return [*demands, *hold.marks(demands)], hold.name


class Accounts:
    """The accounts of one session by one program. `recent` holds its last events as this process saw them, for
    whoever is asked about the next; None where the policy asks nobody."""

    __slots__ = (
        "engine",
        "recent",
        "session",
        "state",
        "subject",
        "tokens",
        "uses_age",
        "uses_origin",
        "uses_trace",
    )

    def __init__(self, engine: Engine, subject: Subject, session: str, state: Any = None) -> None:
        self.engine = engine
        self.subject = subject
        self.session = session
        self.state = state
        self.uses_trace = engine.program.head["uses_trace"]
        self.uses_age = engine.program.head["uses_age"]
        self.uses_origin = engine.program.head["uses_origin"]
        self.tokens = self._tokens() if engine.program.head["uses_tokens"] else None
        self.recent: list[tuple[str, str, str, int]] | None = [] if engine.program.head["asked"] else None

    def _tokens(self) -> Tokens:
        from guardrails.runtime.revealing import Tokens

        return Tokens(self.subject, self.session, self.engine.program.head["reveals"], KEEP)

    def quickly(self, tool: Any, args: Any, now: int, store: Any) -> Decision | None:
        """The decision on a call that is allowed and fits, in one go; None where there is more to it."""
        if self.uses_trace or self.uses_age or self.tokens is not None:
            return None
        ready = self.engine.quickly(tool, args, self.subject, now)
        if ready is None:
            return None
        unit, decision, claims = ready
        if not claims:
            return decision
        demands: list[Demand] = []
        try:
            for claim in claims:
                demands += unit.meters[claim[0]].demands(claim, self.session)
            answer = store.reserve(demands, now=now, ttl=None)
        except (EvaluationError, Unavailable):
            return None
        return decision.holding(answer.reservation) if answer.__class__ is Granted else None

    def decide(self, event: Event) -> Steps:
        """The decision on an event, made anew as often as the session's past changes under it."""
        for _ in range(MAX_RACES):
            try:
                if self.uses_age and self.subject.started is None:
                    yield from self._look_up_start(event.now)
                after = (yield from self._catch_up(event.now)) if self.uses_trace else None
                if self.tokens is not None:
                    yield from self.tokens.catch_up(event.now)
            except Unavailable as error:
                return unrecorded(self.engine, error)
            args, payload = self._revealed(event)
            judged = self._judged(event, args, payload)
            if isinstance(judged, Decision):
                return judged
            decision = yield from self._settled(judged, event, after)
            if decision is not None:
                return self._finished(event, payload, decision)
        busy = Unavailable("the session's past changed too often while the event was decided")
        return unrecorded(self.engine, busy)

    def _revealed(self, event: Event) -> tuple[Any, Any]:
        """Arguments and payload as they are judged: with tokens turned back where the policy reveals them."""
        if self.tokens is None or event.point != "call":
            return event.args, event.payload
        args = self.tokens.revealed(event.tool, event.args)
        return args, args

    def _judged(self, event: Event, args: Any, payload: Any) -> Judged | Decision:
        if self.uses_origin:
            from guardrails.runtime.provenance import begin

            begin()
        return self.engine.judge(event.point, event.tool, args, payload, self.subject, event.now)

    def _finished(self, event: Event, payload: Any, decision: Decision) -> Decision:
        if self.uses_origin:
            from guardrails.runtime.provenance import findings

            decision = decision.resting_on(tuple(findings()))
        if self.tokens is None:
            return decision
        return self.tokens.finished(event.point, event.payload, payload, decision)

    def look(self, event: Event) -> Steps:
        """What the decision would be, as far as it can be known: nothing is charged, noted or let through."""
        try:
            if self.uses_age and self.subject.started is None:
                yield from self._look_up_start(event.now)
            if self.uses_trace:
                yield from self._catch_up(event.now)
            if self.tokens is not None:
                yield from self.tokens.catch_up(event.now)
        except Unavailable as error:
            return unrecorded(self.engine, error)
        args, payload = self._revealed(event)
        judged = self._judged(event, args, payload)
        if isinstance(judged, Decision):
            return self._finished(event, payload, judged)
        wanted = counted(judged, self.session)
        plain = self.engine.conclude(judged)
        if plain.outcome < Outcome.DENY:
            plain = yield from self._looked(judged, wanted, event, plain)
        return self._finished(event, payload, plain)

    def _settled(
        self, judged: Judged, event: Event, after: int | None
    ) -> Generator[Request, Any, Decision | None]:
        """The decision, or None when the past has moved on and the event must be judged again."""
        event.crowded = None
        wanted = counted(judged, self.session)
        plain = self.engine.conclude(judged)
        if self.tokens is not None:
            try:
                if not (yield from self.tokens.save(event.now)):
                    return None
            except Unavailable as error:
                return unrecorded(self.engine, error)
        if plain.outcome >= Outcome.DENY:
            return (yield from self._refused(event, after, judged, plain))
        if plain.outcome is Outcome.ASK and not (event.lease and event.lease.covers(plain)):
            return (yield from self._looked(judged, wanted, event, plain))
        note = self._note(event, after, judged)
        if not wanted and note is None:
            return (yield from self._shadowed(judged, event, plain))
        demands, request = event.booked(plain, wanted.demands)
        try:
            answer = yield (
                "reserve",
                (demands,),
                {"now": event.now, "ttl": event.ttl, "request": request, "gates": wanted.gates, "note": note},
            )
        except Unavailable as error:
            return self._without_store(judged, wanted, event, error)
        if isinstance(answer, Moved):
            return None
        if not isinstance(answer, Granted):
            return (yield from self._full(judged, wanted, event, answer))
        plain = yield from self._shadowed(judged, event, plain)
        return plain.holding(answer.reservation if wanted else "", warnings_of(judged, wanted, answer))

    def _refused(
        self, event: Event, after: int | None, judged: Judged, plain: Decision
    ) -> Generator[Request, Any, Decision]:
        """What is denied did not happen, but for a result: its call ran, whoever may see what it gave."""
        if event.point == "result" and after is not None and event.note is not None:
            text = self._marked(event.note, judged, held=True)
            try:
                yield ("remember", (Note(self.session, text, KEEP),), {"now": event.now})
            except Unavailable as error:
                return unrecorded(self.engine, error)
        return plain

    def _note(self, event: Event, after: int | None, judged: Judged) -> Note | None:
        if after is None or event.note is None:
            return None
        return Note(self.session, self._marked(event.note, judged), KEEP, after)

    def _marked(self, note: str, judged: Judged, *, held: bool = False) -> str:
        """The note, with what the statements say of where its event comes from."""
        if not self.uses_origin or judged.unit.point not in ("result", "input"):
            return note
        from guardrails.runtime.marks import marks_of
        from guardrails.runtime.notes import marked

        return marked(note, marks_of(judged), held=held)

    def _looked(
        self, judged: Judged, wanted: Wanted, event: Event, plain: Decision
    ) -> Generator[Request, Any, Decision]:
        """Whether a call that needs approval would fit now; nothing is charged for it yet."""
        try:
            full = yield from self._what_is_full(wanted, event)
        except Unavailable as error:
            return self._without_store(judged, wanted, event, error)
        if not full:
            return plain
        if all(isinstance(each, Refused) for each in full):
            event.crowded = Crowded(plain, [wanted.demands[each.index] for each in full])
        return refusal(self.engine, judged, wanted, full[0], full)

    def _full(
        self, judged: Judged, wanted: Wanted, event: Event, answer: Refused | Shut
    ) -> Generator[Request, Any, Decision]:
        """A refusal names all that is full, not only what the store came to first."""
        full: list[Refused | Shut] = []
        if len(wanted.demands) + len(wanted.gates) > 1:
            try:
                full = yield from self._what_is_full(wanted, event)
            except Unavailable:
                full = []
        return refusal(self.engine, judged, wanted, answer, full)

    def _what_is_full(self, wanted: Wanted, event: Event) -> Generator[Request, Any, list[Refused | Shut]]:
        fills = (yield ("fill", (wanted.demands,), {"now": event.now})) if wanted.demands else ()
        gauges = (yield ("gauges", (wanted.gates,), {"now": event.now})) if wanted.gates else ()
        full: list[Refused | Shut] = [
            Shut(index, gauge.retry_after) for index, gauge in enumerate(gauges) if gauge.state == "open"
        ]
        used = tuple([each.used for each in fills])
        for index, (demand, fill) in enumerate(zip(wanted.demands, fills, strict=True)):
            is_over = fill.used + demand.amount > demand.limit or (demand.left and fill.used >= demand.limit)
            if is_over and not (
                demand.member is not None and (yield from self._is_member(demand, event.now))
            ):
                full.append(Refused(index, None, used))
        return full

    def _is_member(self, demand: Demand, now: int) -> Generator[Request, Any, bool]:
        """Whether a value is one of those that a full counter holds already, which costs nothing."""
        answer = yield ("reserve", ([demand],), {"now": now, "ttl": 1})
        if not isinstance(answer, Granted):
            return False
        yield ("release", (answer.reservation,), {"now": now})
        return True

    def _shadowed(self, judged: Judged, event: Event, plain: Decision) -> Generator[Request, Any, Decision]:
        """Limits in shadow count on their own, one by one, and only say what they would have done."""
        if not any(judged.unit.meters[claim[0]].shadow for claim in judged.claims or ()):
            return plain
        bits = 0
        for claim in judged.claims:
            meter = judged.unit.meters[claim[0]]
            if not meter.shadow or meter.is_fuse:
                continue
            one = Wanted()
            one.add(judged, claim, self.session)
            if one.failed:
                continue  # it is among the errors already
            try:
                answer = yield ("reserve", (one.demands,), {"now": event.now, "ttl": None})
            except Unavailable as error:
                answer = error
            bits |= 0 if isinstance(answer, Granted) else 1 << meter.bit
        return self.engine.conclude(judged, bits) if bits else plain

    # --- the session's past --------------------------------------------------------------------

    def _catch_up(self, now: int) -> Generator[Request, Any, int]:
        """Read what happened in the session since the last look; gives the number of the last event."""
        trace = self._trace()
        after = trace.last
        try:
            past = yield ("recall", (self.session,), {"after": after, "now": now})
        except Unavailable:
            self.subject.trace = None
            raise
        if past.last < after:  # it expired or was forgotten, and began anew
            trace = self._new_trace()
            past = yield ("recall", (self.session,), {"after": 0, "now": now})
        trace.take(past)
        self.subject.trace = trace
        return int(past.last)

    def _trace(self) -> Trace:
        """What is known of the past; anew where it is not known by this very policy where values came from."""
        known: Trace | None = self.subject.trace
        if known is None:
            return self._new_trace()
        origins = known.origins
        if self.uses_origin and (origins is None or origins.policy != self.engine.program.digest):
            return self._new_trace()
        return known

    def _new_trace(self) -> Trace:
        from guardrails.runtime.trace import Trace

        if not self.uses_origin:
            return Trace()
        from guardrails.runtime.provenance import Provenance

        program = self.engine.program
        return Trace(Provenance(program.digest, self.subject.principal, program.head["constants"]))

    def _look_up_start(self, now: int) -> Generator[Request, Any, None]:
        """When the session began: whoever asks first writes it down."""
        log = f"{self.session}\x1fstart"
        answer = yield ("remember", (Note(log, str(now), KEEP, 0),), {"now": now})
        if not isinstance(answer, Moved):
            self.subject.started = now
            return
        past = yield ("recall", (log,), {"after": 0, "now": now})
        self.subject.started = int(past.texts[0]) if past.texts else now

    # --- without the store ---------------------------------------------------------------------

    def _without_store(self, judged: Judged, wanted: Wanted, event: Event, error: Exception) -> Decision:
        """The store did not answer: denied, unless every limit may be kept by this process alone."""
        if self.state is not None and not wanted.gates and not self.uses_trace:
            kept = self.state.local.reserve(wanted, event)
            if kept is not None:
                if not isinstance(kept, Granted):
                    return refusal(self.engine, judged, wanted, kept)
                owed = tuple([
                    Obligation("degraded", judged.unit.effects[meter.bit].applied.name, (("reason", str(error)),))
                    for meter in dict.fromkeys(wanted.meters)
                ])  # fmt: skip
                return self.engine.conclude(judged).holding("", owed)
        asked: list[Meter | Fuse] = [*wanted.meters, *wanted.fuses]
        owners = {owner_of(judged, meter) for meter in asked}
        if not owners:
            return unrecorded(self.engine, error)
        return self.engine.conclude(judged, failed=[(owner, error) for owner in sorted(owners)])


def unrecorded(engine: Engine, error: Exception) -> Decision:
    """An event that could not be written into the session's past, on which later rules may depend."""
    from guardrails.runtime.engine import NOWHERE
    from guardrails.runtime.failures import failure_of

    failure = failure_of(error, "session", NOWHERE)
    message = f"the session's past could not be kept: {error}"
    denial = Denial("retry_after", f"{message}. Try again later.", retry_after=1.0)
    return Decision(Outcome.DENY, engine.program.digest, errors=(failure,), denial=lambda _: denial)


def warnings_of(judged: Judged, wanted: Wanted, answer: Granted) -> tuple[Obligation, ...]:
    """A `warn` for every level of a budget that this event reached or passed."""
    found: list[Obligation] = []
    for meter, demand, fill in zip(wanted.meters, wanted.demands, answer.fills, strict=False):
        for level in meter.warn_at:
            mark = level * demand.limit
            if fill - demand.amount < mark <= fill:
                details = (
                    ("level", f"{(level * 100).normalize():f}%"),
                    ("used", str(fill)),
                    ("limit", str(demand.limit)),
                )
                found.append(Obligation("warn", judged.unit.effects[meter.bit].applied.name, details))
    return tuple(found)


# --- who drives the steps ----------------------------------------------------------------------


def driven(steps: Generator[Request, Any, Any], store: Any) -> Any:
    """Run the steps on a store that blocks."""
    try:
        operation, positional, named = next(steps)
        while True:
            try:
                answer = getattr(store, operation)(*positional, **named)
            except Unavailable as error:
                operation, positional, named = steps.throw(error)
            else:
                operation, positional, named = steps.send(answer)
    except StopIteration as end:
        return end.value


async def awaited(steps: Generator[Request, Any, Any], store: Any) -> Any:
    """Run the steps on a store that is awaited."""
    try:
        operation, positional, named = next(steps)
        while True:
            try:
                answer = await getattr(store, operation)(*positional, **named)
            except Unavailable as error:
                operation, positional, named = steps.throw(error)
            else:
                operation, positional, named = steps.send(answer)
    except StopIteration as end:
        return end.value


def charged_in_full(demands: Sequence[Demand]) -> list[Demand]:
    """The same charges without a limit: what was used was used."""
    from guardrails.stores.demands import MOST_UNITS, Demand, amount_of

    return [
        Demand(d.key, d.amount, amount_of(MOST_UNITS, d.decimals), d.window, d.decimals, member=d.member, was=d.was)
        for d in demands
    ]  # fmt: skip
