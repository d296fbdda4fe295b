"""The observer: what telemetry does at the beginning and at the end of a check.

It stands twice among a guard's observers. `Outer` is the first of all, so its time is what the caller waits;
`Inner` is the last, so what passes between the two is the time of the others: the audit log's.
"""

from __future__ import annotations

from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from time import perf_counter

from guardrails.observing import Observer
from guardrails.runtime.usage import Usage
from guardrails.telemetry.timing import AUDIT, Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from guardrails.model import Decision
    from guardrails.observing import Check
    from guardrails.session import Session
    from guardrails.telemetry.telemetry import Telemetry


class Under:
    """A check that is under way: its stopwatch, its span, and the turns of `Inner`."""

    __slots__ = ("inside", "left", "span", "watch")

    def __init__(self, watch: Stopwatch, span: Any) -> None:
        self.watch = watch
        self.span = span
        self.inside = self.left = 0.0

    def stop(self, *, others: bool) -> None:
        """Stop the watch; the time of other observers, where there are any, is told apart."""
        self.watch.stop()
        if others and self.left:
            begun = self.watch.begun
            spent = self.inside - begun + (begun + self.watch.total - self.left)
            self.watch.parts[AUDIT] = self.watch.parts.get(AUDIT, 0.0) + spent


class Outer(Observer):
    """Hears of every check first and last. Whatever goes wrong in here is counted, and decides nothing."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.inner = Inner(self)

    def begun(self, check: Check) -> None:
        span = None
        try:
            self._telemetry.attend(check.guard)
            span = self._telemetry.begin(check)
        except Exception as error:
            self._telemetry.failed(error)
        check.notes[self] = Under(Stopwatch(), span)

    def ended(self, check: Check, decision: Decision) -> Decision:
        under = check.notes[self]
        under.stop(others=len(check.observers) > 2)
        try:
            self._telemetry.finish(check, decision, under)
        except Exception as error:
            self._telemetry.failed(error)
        return decision

    def broke(self, check: Check, error: BaseException) -> None:
        under = check.notes[self]
        under.stop(others=False)
        try:
            self._telemetry.abandon(under, error)
        except Exception as mistake:
            self._telemetry.failed(mistake)

    def became(self, check: Check, what: str, decision: Decision | None) -> None:
        """A call that is settled with what it used."""
        try:
            if isinstance(check.payload, Usage):
                self._telemetry.recorder.used(check, check.payload)
        except Exception as error:
            self._telemetry.failed(error)

    def around(self, session: Session, tool: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The tool's function, timed and in a span of its own."""

        @wraps(function)
        def run(*positional: Any, **named: Any) -> Any:
            running = Run(self._telemetry, session, tool)
            try:
                result = function(*positional, **named)
            except BaseException as error:
                running.end(error)
                raise
            if isawaitable(result):
                return running.later(result)
            running.end(None)
            return result

        @wraps(function)
        async def run_later(*positional: Any, **named: Any) -> Any:
            return await run(*positional, **named)

        return run_later if iscoroutinefunction(function) else run


class Inner(Observer):
    """Notes when its turn comes."""

    def __init__(self, outer: Outer) -> None:
        self._outer = outer

    def begun(self, check: Check) -> None:
        check.notes[self._outer].inside = perf_counter()

    def ended(self, check: Check, decision: Decision) -> Decision:
        check.notes[self._outer].left = perf_counter()
        return decision


class Run:
    """One run of an enforced tool."""

    def __init__(self, telemetry: Telemetry, session: Session, tool: str) -> None:
        self._telemetry = telemetry
        self._guard = session.guard
        self._tool = tool
        self._span = None
        try:
            self._span = telemetry.begin_tool(session, tool)
        except Exception as error:
            telemetry.failed(error)
        self._begun = perf_counter()

    async def later(self, result: Awaitable[Any]) -> Any:
        try:
            value = await result
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)
        return value

    def end(self, error: BaseException | None) -> None:
        seconds = perf_counter() - self._begun
        try:
            self._telemetry.recorder.ran(self._guard, self._tool, seconds, error)
            self._telemetry.finish_tool(self._span, error)
        except Exception as mistake:
            self._telemetry.failed(mistake)
