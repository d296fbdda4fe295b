"""`Telemetry`: what guards do, for OpenTelemetry and Prometheus.

    telemetry = Telemetry(tracer_provider=..., meter_provider=..., logger_provider=...)
    guard = Guard.load("support.guard", telemetry=telemetry)

One `Telemetry` can watch several guards. Each provider that is left out is not used; without any of them there
are still the numbers, for `prometheus()`.
"""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary, ref

from guardrails.errors import EvaluationError, Unavailable
from guardrails.telemetry import catalogue as of
from guardrails.telemetry.numbers import Numbers
from guardrails.telemetry.observer import Inner, Outer
from guardrails.telemetry.recording import Recorder
from guardrails.telemetry.standing import Standing
from guardrails.telemetry.timing import TimedAsyncStore, TimedStore, timed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from guardrails.guard import Guard
    from guardrails.model import Decision
    from guardrails.observing import Check
    from guardrails.session import Session
    from guardrails.state import State
    from guardrails.telemetry.alarms import Alarm, Sensitivity
    from guardrails.telemetry.observer import Under
    from guardrails.telemetry.spans import Current

CONVENTIONS = ("stable", "draft")
IDENTITIES = ("hashed", "plain")


class Telemetry:
    """Spans, numbers and events of the guards that it watches. Thread-safe.

    `conventions`: `draft` adds the attributes and the event that OpenTelemetry has drafted for guardrails.
    `identities`: principals are exported as keyed hashes (`hashed`, by the guard's key), or as they are
    (`plain`). `provider` is the `gen_ai.provider.name` of reports of usage. `sensitivity` is that of
    behavioural alarms, and `on_alarm` is called with each of them.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        conventions: str = "stable",
        identities: str = "hashed",
        provider: str = "unknown",
        sensitivity: Sensitivity | None = None,
        on_alarm: Callable[[Alarm], None] | None = None,
    ) -> None:
        _check("conventions", conventions, CONVENTIONS)
        _check("identities", identities, IDENTITIES)
        self.numbers = Numbers()
        self.recorder = Recorder(
            self.numbers, sensitivity, provider=provider, hashed=identities == "hashed"
        )  # fmt: skip
        self._draft = conventions == "draft"
        self._on_alarm = on_alarm
        self._observer = Outer(self)
        self._lock = Lock()
        self._timed: WeakKeyDictionary[Guard, State | None] = WeakKeyDictionary()
        self._spans = self._events = None
        if tracer_provider is not None:
            self._spans = self._traced(tracer_provider)
        if meter_provider is not None:
            from guardrails.telemetry.otel import export

            export(self.numbers, meter_provider)
        if logger_provider is not None:
            from guardrails.telemetry.otel import Events

            self._events = Events(logger_provider)

    def _traced(self, provider: TracerProvider) -> Any:
        from guardrails.telemetry.otel import SCOPE
        from guardrails.telemetry.spans import Spans
        from guardrails.version import VERSION

        return Spans(provider.get_tracer(SCOPE, VERSION), self.recorder, draft=self._draft)

    def watch(self, guard: Guard) -> None:
        """Watch the sessions that this guard opens from now on. Watching twice is the same as once."""
        with self._lock:
            if self._observer in guard.observers:
                return
            guard.observers = (self._observer, *guard.observers, self._observer.inner)
            guard.host.timed = _time_detectors
            Standing(ref(guard)).join(self.numbers)

    def _surround(self, guard: Guard) -> None:
        """Move the inner turns behind whoever came later; the next check is told in that order."""
        with self._lock:
            others = [each for each in guard.observers if not isinstance(each, Inner)]
            inners = [each for each in guard.observers if isinstance(each, Inner)]
            guard.observers = (*others, *inners)

    def prometheus(self) -> str:
        """All numbers, in the text form that Prometheus reads; `exposition.CONTENT_TYPE` goes with it."""
        from guardrails.telemetry.exposition import exposition

        return exposition(self.numbers)

    # --- what the observer asks for ------------------------------------------------------------

    def attend(self, guard: Guard) -> None:
        """See to it that the store of a guard is timed, once it has one, and that the others who watch it stand
        between the two turns of the observer."""
        state = guard._state
        if self._timed.get(guard) is not state:
            self._timed[guard] = _time_store(state)
        if not isinstance(guard.observers[-1], Inner):
            self._surround(guard)

    def begin(self, check: Check) -> Current | None:
        return None if self._spans is None else self._spans.begin(check)

    def finish(self, check: Check, decision: Decision, under: Under) -> None:
        """Take in a check that ended; its span ends last, so that events belong to it."""
        try:
            for alarm in self.recorder.checked(check, decision, under.watch):
                self._alarmed(alarm)
            if self._draft and self._events is not None:
                from guardrails.telemetry.spans import draft_of

                self._events.emit("gen_ai.guardrail.result", draft_of(check, decision), is_warning=False)
        finally:
            if under.span is not None and self._spans is not None:
                self._spans.finish(under.span, check, decision)

    def abandon(self, under: Under, error: BaseException) -> None:
        if under.span is not None:
            under.span.fail(error, self.recorder.error(error))

    def begin_tool(self, session: Session, tool: str) -> Current | None:
        return None if self._spans is None else self._spans.begin_tool(session, tool)

    def finish_tool(self, span: Current | None, error: BaseException | None) -> None:
        if span is None:
            return
        if error is None:
            span.leave()
        else:
            span.fail(error, self.recorder.error(error))

    def _alarmed(self, alarm: Alarm) -> None:
        if self._events is not None:
            self._events.emit("guard.alarm", attributes_of(alarm), is_warning=alarm.state == "raised")
        if self._on_alarm is not None:
            self._on_alarm(alarm)

    def failed(self, error: Exception) -> None:
        """Something went wrong in here: counted, so that it can be seen."""
        self.numbers.add(of.PROBLEMS, (self.recorder.error(error),))


def attributes_of(alarm: Alarm) -> dict[str, Any]:
    """An alarm as the attributes of an event."""
    found = {
        "guard.alarm": alarm.kind, "guard.alarm.state": alarm.state, "gen_ai.agent.id": alarm.agent,
        "guard.alarm.score": alarm.score, "guard.alarm.before": alarm.before, "guard.alarm.now": alarm.now,
        "guard.alarm.tools": alarm.tools,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in ("", ())}


def _time_store(state: State | None) -> State | None:
    """Put a watch around a store. Gives the state that is timed now; None where its store cannot be opened yet."""
    if state is None:
        return None
    try:
        if not isinstance(state.store, TimedStore):
            awaited = state.awaited
            state._store = TimedStore(state.store)
            if awaited is not None:
                state._awaited = TimedAsyncStore(awaited)
    except (EvaluationError, Unavailable):
        return None
    return state


def _time_detectors(work: Callable[..., Any], *positional: Any) -> Any:
    return timed("detectors", work, *positional)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EvaluationError(f"`{name}` is {' or '.join(f'`{each}`' for each in known)}, not `{value}`")
