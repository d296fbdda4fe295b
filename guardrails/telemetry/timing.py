"""Timing: which part of a check took how long.

Takes calls of stores and detectors while a check runs, gives seconds for each phase. The one idea: a check
opens a stopwatch in its context (its thread or task), and whatever is timed inside adds to the innermost one;
what is left over is the engine's own time.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Token
    from typing import Any, TypeVar

    Answer = TypeVar("Answer")

ENGINE, DETECTORS, STORE, AUDIT = "engine", "detectors", "store", "audit"
PHASES = (ENGINE, DETECTORS, STORE, AUDIT)


class Stopwatch:
    """The seconds of one check: `parts` by phase, `total` once it stopped."""

    __slots__ = ("_before", "begun", "parts", "total")

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.total = 0.0
        self._before: Token[Stopwatch | None] = _RUNNING.set(self)
        self.begun = perf_counter()

    def stop(self) -> None:
        self.total = perf_counter() - self.begun
        _RUNNING.reset(self._before)

    @property
    def engine(self) -> float:
        """What no other phase took."""
        return max(self.total - sum(self.parts.values()), 0.0)


_RUNNING: ContextVar[Stopwatch | None] = ContextVar("guard_stopwatch", default=None)


def add(phase: str, seconds: float) -> None:
    """Add to a phase of the check that runs here, if one does."""
    running = _RUNNING.get()
    if running is not None:
        running.parts[phase] = running.parts.get(phase, 0.0) + seconds


def timed(phase: str, work: Callable[..., Answer], *positional: Any, **named: Any) -> Answer:
    """Do the work, and add its time to the phase, however it ends."""
    begun = perf_counter()
    try:
        return work(*positional, **named)
    finally:
        add(phase, perf_counter() - begun)


async def timed_later(phase: str, work: Awaitable[Answer]) -> Answer:
    """The same for work that is awaited."""
    begun = perf_counter()
    try:
        return await work
    finally:
        add(phase, perf_counter() - begun)


class TimedStore:
    """A store whose every operation is timed."""

    def __init__(self, store: Any) -> None:
        self._timed = store

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._timed, name)
        if not callable(operation):
            return operation

        def asked(*positional: Any, **named: Any) -> Any:
            return timed(STORE, operation, *positional, **named)

        setattr(self, name, asked)
        return asked


class TimedAsyncStore:
    """A store whose every operation is awaited, and timed."""

    def __init__(self, store: Any) -> None:
        self._timed = store

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._timed, name)
        if not callable(operation):
            return operation

        def asked(*positional: Any, **named: Any) -> Any:
            return timed_later(STORE, operation(*positional, **named))

        setattr(self, name, asked)
        return asked
