"""Recording: guards that decide like others and take note of what of their policy was used.

`Recorder.load` stands for `guardrails.loading.load`, and `Recorder.guard` makes of a guard of that program one
that records; tests that are run with it leave everything that coverage needs in the recorder. A question that
a denial asks of its own policy (would less be allowed?) is no test, and is not recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock, local
from typing import TYPE_CHECKING, Any, TypeAlias

from guardrails.guard import Guard
from guardrails.language.checked import Checked, Lowered, Rule
from guardrails.language.compiler import Compiler
from guardrails.loading import Loaded, load
from guardrails.runtime.engine import Engine, Judged
from guardrails.runtime.host import Host
from guardrails.runtime.program import Program, Unit, taken_apart
from guardrails.testing.coverage_conditions import BEGIN, END, LEAF, Decider, Key, probed

if TYPE_CHECKING:
    from guardrails.model import Decision, Denial, Place

Spot: TypeAlias = tuple[str, int, int]
"""Where a statement or a row begins: file, line, column."""

Vector: TypeAlias = tuple[tuple[bool | None, ...], bool]
"""What the leaves of a decision were (None: not asked), and what came out."""


class Recorder:
    """What was seen of one policy. Thread-safe.

    `judged` counts how often a statement was asked about, `fired` how often it or a row of it applied,
    `erred` how often it could not be evaluated; `claimed` and `refused` count for limits, budgets and
    breakers; `vectors` holds every different run of a decision; `points` the tools that were asked about.
    """

    def __init__(self) -> None:
        self.judged: Counter[Spot] = Counter()
        self.fired: Counter[Spot] = Counter()
        self.erred: Counter[Spot] = Counter()
        self.claimed: Counter[Spot] = Counter()
        self.refused: Counter[Spot] = Counter()
        self.vectors: dict[Key, Counter[Vector]] = {}
        self.deciders: dict[tuple[str | None, int, int], Decider] = {}
        self.loaded: Loaded | None = None
        self._lock = Lock()
        self._own = local()

    # --- the two hooks -------------------------------------------------------------------------

    def load(self, *arguments: Any, **named: Any) -> Loaded:
        """As `guardrails.loading.load`, with a program that is recorded."""
        loaded = load(*arguments, **named)
        if loaded.program is None or loaded.checked is None:
            return loaded
        self.loaded = loaded
        program = _Recorded(loaded.program.head, self, _Compiler(loaded.checked, self))
        return replace(loaded, program=program)

    def guard(self, guard: Guard) -> Guard:
        """The same guard, with what it needs to be recorded; its program is one of `load`."""
        return _Guard(guard, self)

    # --- what is seen --------------------------------------------------------------------------

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing that this thread does meanwhile is recorded."""
        before, self._own.is_paused = self.is_paused, True
        try:
            yield
        finally:
            self._own.is_paused = before

    @property
    def is_paused(self) -> bool:
        return bool(getattr(self._own, "is_paused", False))

    def checked(self, unit: Unit, answer: Any) -> None:
        """A unit was asked about an event, and answered with bits and failures."""
        mask, failed, _ = taken_apart(answer)
        broken = {index if index >= 0 else ~index for index, _ in failed or ()}
        with self._lock:
            for index, owner in enumerate(unit.owners):
                spot = spot_of(owner.place)
                if index in broken:
                    self.erred[spot] += 1
                    continue
                self.judged[spot] += 1
                holding = [unit.effects[bit] for bit in owner.effects if mask >> bit & 1]
                spots = {spot_of(effect.applied.place) for effect in holding}
                self.fired.update(spots | {spot} if holding else ())

    def concluded(self, judged: Judged, bits: int, decision: Decision) -> None:
        """An event that its statements let through claims what it needs; `bits` are those that refuse it."""
        with self._lock:
            for claim in judged.claims or ():
                bit = judged.unit.meters[claim[0]].bit
                spot = spot_of(judged.unit.effects[bit].applied.place)
                if bits >> bit & 1:
                    self.refused[spot] += 1
                elif not bits and decision.allowed:
                    self.claimed[spot] += 1

    def probe(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """One of the probes of a compiled rule."""
        if self.is_paused:
            return arguments[-1]
        running: dict[tuple[int, int], list[dict[int, bool]]] = self._own.__dict__.setdefault("running", {})
        rule, number = arguments[:2]
        if name == BEGIN:
            running.setdefault((rule, number), []).append({})
            return True
        stack = running[rule, number]
        if name == LEAF:
            stack[-1][arguments[2]] = bool(arguments[3])
        elif name == END:
            self._ended((rule, number), stack.pop(), value=bool(arguments[3]))
        return arguments[3]

    def _ended(self, ids: tuple[int, int], values: dict[int, bool], *, value: bool) -> None:
        with self._lock:
            decider = self.deciders[getattr(self._own, "tool", None), *ids]
            vector = tuple(values.get(leaf.number) for leaf in decider.leaves)
            self.vectors.setdefault(decider.key, Counter())[vector, value] += 1

    @contextmanager
    def judging(self, tool: str | None) -> Iterator[None]:
        """A unit is asked; what an error left open in an earlier one is forgotten."""
        self._own.__dict__["running"] = {}
        self._own.tool = tool
        yield


def spot_of(place: Place) -> Spot:
    return place.file, place.line, place.column


class _Compiler(Compiler):
    """Compiles rules with probes."""

    def __init__(self, checked: Checked, recorder: Recorder) -> None:
        super().__init__(checked)
        self.recorder = recorder

    def _lowered(self, rule: Rule, tool: str | None) -> Lowered:
        lowered, deciders = probed(super()._lowered(rule, tool))
        for decider in deciders:
            self.recorder.deciders[tool, rule.index, decider.key.number] = decider
        return lowered


class _Recorded(Program):
    """A program whose units tell what they were asked."""

    __slots__ = ("recorder",)

    def __init__(self, head: Any, recorder: Recorder, compiler: Compiler) -> None:
        self.recorder = recorder
        super().__init__(head, {}, compiler.unit)

    def _load(self, point: str, tool: str | None) -> Unit:
        unit = super()._load(point, tool)
        unit.check = _telling(self.recorder, unit, unit.check)
        return unit


def _telling(recorder: Recorder, unit: Unit, check: Callable[..., Any]) -> Callable[..., Any]:
    def told(*event: Any) -> Any:
        if recorder.is_paused:
            return check(*event)
        with recorder.judging(unit.tool):
            answer = check(*event)
        recorder.checked(unit, answer)
        return answer

    return told


class _Host(Host):
    __slots__ = ("recorder",)

    def __init__(self, host: Host, recorder: Recorder) -> None:
        super().__init__(host.functions, host.detectors, host.key)
        self.recorder = recorder

    def call(self, asked: dict[Any, Any], name: str, arguments: tuple[Any, ...]) -> Any:
        if name in (BEGIN, LEAF, END):
            return self.recorder.probe(name, arguments)
        return super().call(asked, name, arguments)


class _Engine(Engine):
    __slots__ = ("recorder",)

    def __init__(self, program: Program, recorder: Recorder) -> None:
        super().__init__(program)
        self.recorder = recorder

    def quickly(self, *event: Any) -> None:
        """The short way says nothing of what it lets through."""

    def conclude(self, judged: Judged, bits: int = 0, failed: Any = None) -> Decision:
        decision = super().conclude(judged, bits, failed)
        if not self.recorder.is_paused:
            self.recorder.concluded(judged, bits, decision)
        return decision

    def explain(self, unit: Unit, event: tuple[Any, ...] | None, decision: Decision) -> Denial:
        with self.recorder.paused():
            return super().explain(unit, event, decision)


class _Guard(Guard):
    """A guard whose engine and host record, whatever engine it is given."""

    def __init__(self, guard: Guard, recorder: Recorder) -> None:
        self.recorder = recorder
        super().__init__(guard.engine.program, clock=guard.clock, source=guard.source, state=guard._state)
        self.host = _Host(guard.host, recorder)
        self._groups = guard._groups

    @property
    def engine(self) -> Engine:
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self._engine = _Engine(engine.program, self.recorder)
