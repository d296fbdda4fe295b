"""Runs cases: a `Suite` in, a `Result` for each case out.

Each case has a guard of its own, with an empty store in memory and a clock that stands still, so that cases
can run in any order and in any number of processes. The policy is loaded once.

    make = maker_of(suite)
    results = [run_case(suite, case, make) for case in suite.cases]

`make` gives a fresh guard; another policy in its place (a mutant, an instrumented one) runs the same cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, TypeAlias

from guardrails.diagnostics import Span
from guardrails.errors import EventError, GuardError
from guardrails.guard import Guard, Source
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock, SystemClock
from guardrails.runtime.program import Program
from guardrails.state import State
from guardrails.testing.cases import Case, Step, Suite, Want
from guardrails.testing.comparing import Mismatch
from guardrails.testing.expecting import mismatches
from guardrails.testing.filling import limit_mismatches
from guardrails.testing.programs import program_of
from guardrails.testing.stubs import detectors_of, functions_of

Make: TypeAlias = Callable[[], Guard]
Watch: TypeAlias = Callable[[Mapping[str, Any], Decision], None]
Status: TypeAlias = Literal["passed", "failed", "skipped", "xfailed", "xpassed"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that applied: its name, what it is, where it stands, its line, and what it says."""

    name: str
    effect: str
    place: str
    source: str
    message: str | None
    kept_by_error: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that came out otherwise than expected."""

    step: str
    span: Span
    mismatches: tuple[Mismatch, ...]
    statements: tuple[Statement, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case. `seconds` is wall time; `reason` that of a skip or an expected failure."""

    case: str
    status: Status
    span: Span
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    reason: str = ""

    @property
    def is_bad(self) -> bool:
        """An expected failure that passes is bad too: its mark is out of date."""
        return self.status in ("failed", "xpassed")


# --- guards ------------------------------------------------------------------------------------


def maker_of(suite: Suite) -> Make:
    """What makes guards for the cases of a suite. Raises `PolicyError` when the policy does not load."""
    source = source_of(suite)
    return making(suite, source, program_of(source))


def source_of(suite: Suite) -> Source:
    fixtures = suite.fixtures
    return Source(list(suite.policy), fixtures.params, functions_of(fixtures.functions))


def making(suite: Suite, source: Source, program: Program) -> Make:
    """Guards with this program, and with the fixtures of the suite."""
    fixtures = suite.fixtures
    detectors = detectors_of(fixtures.detectors)
    shared = State("memory:", prices=fixtures.prices, strict_halts=True) if fixtures.shared_store else None
    counts = program.head["stateful"] or fixtures.prices is not None

    def make() -> Guard:
        own = State("memory:", prices=fixtures.prices, strict_halts=True) if counts else None
        clock = SystemClock() if fixtures.system_clock else FrozenClock(fixtures.now)
        return Guard(
            program, clock=clock, source=source, state=shared or own, detectors=detectors, key=fixtures.key
        )

    return make


# --- cases -------------------------------------------------------------------------------------


def run_suite(suite: Suite, *, make: Make | None = None, watch: Watch | None = None) -> list[Result]:
    """The results of all cases. Raises `PolicyError` when the policy does not load."""
    return list(results_of(suite, make=make, watch=watch))


def results_of(
    suite: Suite, *, make: Make | None = None, watch: Watch | None = None, cases: Iterable[Case] | None = None
) -> Iterator[Result]:
    """The same, one after the other. `watch` is told of every event and its decision."""
    make = make or maker_of(suite)
    sources = Lines()
    for case in suite.cases if cases is None else cases:
        yield Run(case, make, sources, watch).result()


def run_case(suite: Suite, case: Case, make: Make | None = None) -> Result:
    """The result of one case. Raises `PolicyError` when the policy does not load."""
    return next(results_of(suite, make=make, cases=[case]))


class Lines:
    """Lines of policy files, for people; empty where a file cannot be read."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def at(self, file: str, line: int) -> str:
        if file not in self._files:
            try:
                with open(file, encoding="utf-8") as text:
                    self._files[file] = text.read().splitlines()
            except (OSError, UnicodeDecodeError):
                self._files[file] = []
        lines = self._files[file]
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""


class Run:
    """One case on its way, with its guard and clock."""

    def __init__(self, case: Case, make: Make, lines: Lines, watch: Watch | None = None) -> None:
        self.case = case
        self.make = make
        self.lines = lines
        self.watch = watch

    def result(self) -> Result:
        case = self.case
        if case.skip is not None:
            return Result(case.name, "skipped", case.span, reason=case.skip)
        begun = perf_counter()
        failures = self._failures()
        seconds = perf_counter() - begun
        status: Status = "failed" if failures else "passed"
        if case.xfail is not None:
            status = "xfailed" if failures else "xpassed"
        return Result(case.name, status, case.span, seconds, tuple(failures), case.xfail or "")

    def _failures(self) -> list[Failure]:
        """What went wrong at the first step at which something did: what follows would be about that."""
        self.guard = self.make()
        if self.case.now is not None and isinstance(self.guard.clock, FrozenClock):
            self.guard.clock.at = self.case.now
        for number, step in enumerate(self.case.steps, start=1):
            found = self._step(step, number)
            if found:
                return found
        return []

    def _step(self, step: Step, number: int) -> list[Failure]:
        if step.action == "event":
            return self._event(step, number)
        try:
            self._act(step)
        except GuardError as error:
            return [self._broken(step, number, str(error))]
        return self._limits(step, number)

    def _act(self, step: Step) -> None:
        if step.action in ("advance", "at"):
            self._move_clock(step)
        elif step.action == "halt":
            lasts = step.value.get("for")
            self.guard.halt(
                step.value.get("scope", "all"), by=step.value.get("by", "test"),
                why=step.value.get("why", "the test says so"), seconds=lasts / 1e6 if lasts else None,
            )  # fmt: skip
        elif step.action == "resume" and not self.guard.resume(step.value):
            raise GuardError(f"nothing was halted with the scope `{step.value}`")

    def _move_clock(self, step: Step) -> None:
        clock = self.guard.clock
        if not isinstance(clock, FrozenClock):
            raise GuardError("the clock of this file is the system's, which nobody can move")
        if step.action == "advance":
            clock.advance(step.value)
        else:
            clock.at = step.value

    def _event(self, step: Step, number: int) -> list[Failure]:
        try:
            decisions = self._decided(step)
        except GuardError as error:
            return [self._broken(step, number, _said(error))]
        wants = [want for want in step.wants if want.aspect not in ("outcomes", "limits")]
        for index, decision in enumerate(decisions, start=1):
            found = mismatches([(want.aspect, want.value) for want in wants], decision) if wants else ()
            if found:
                times = f", time {index} of {len(decisions)}" if len(decisions) > 1 else ""
                return [self._failed(step, f"{self._told(step, number)}{times}", found, decision)]
        counted = _count_mismatch(step.wants, decisions)
        if counted:
            return [self._failed(step, self._told(step, number), (counted,), max(decisions, key=_rank))]
        return self._limits(step, number)

    def _decided(self, step: Step) -> list[Decision]:
        if step.parallel > 1:
            decisions = at_once(lambda: self.guard.decide(step.value), step.parallel)
        else:
            decisions = [self.guard.decide(step.value) for _ in range(step.repeat)]
        for decision in decisions if self.watch else ():
            assert self.watch is not None
            self.watch(step.value, decision)
        return decisions

    def _limits(self, step: Step, number: int) -> list[Failure]:
        wanted = next((want for want in step.wants if want.aspect == "limits"), None)
        if wanted is None:
            return []
        found = limit_mismatches(wanted.value, self.guard.limits())
        return [Failure(self._told(step, number), wanted.span, found)] if found else []

    # --- for people ----------------------------------------------------------------------------

    def _told(self, step: Step, number: int) -> str:
        """`step 2: call of issue_refund`, or only what it is where it is the only one."""
        event = step.value
        words: str = step.action
        if step.action == "event":
            kind, tool = event["type"], event.get("tool")
            words = f"{kind} of {tool}" if tool else str(kind)
        return words if len(self.case.steps) == 1 else f"step {number}: {words}"

    def _broken(self, step: Step, number: int, message: str) -> Failure:
        return Failure(
            self._told(step, number), step.span, (Mismatch("step", "a step that can be made", message),)
        )

    def _failed(self, step: Step, told: str, found: tuple[Mismatch, ...], decision: Decision) -> Failure:
        spans = {want.aspect: want.span for want in step.wants}
        span = next((spans[each.aspect] for each in found if each.aspect in spans), step.span)
        return Failure(
            told, span, found, statements_of(decision, self.lines), tuple(e.message for e in decision.errors)
        )


def statements_of(decision: Decision, lines: Lines) -> tuple[Statement, ...]:
    """The statements that applied, with their lines."""
    return tuple(
        Statement(
            each.name, each.effect, str(each.place) if each.place.line else "",
            lines.at(each.place.file, each.place.line), each.message, each.kept_by_error,
        )
        for each in decision.applied
    )  # fmt: skip


def _rank(decision: Decision) -> int:
    return decision.outcome.rank


def _said(error: GuardError) -> str:
    return f"the event is malformed: {error}" if isinstance(error, EventError) else str(error)


def _count_mismatch(wants: Iterable[Want], decisions: list[Decision]) -> Mismatch | None:
    """How often each outcome came; one that is not named came never."""
    want = next((each.value for each in wants if each.aspect == "outcomes"), None)
    if want is None:
        return None
    got: dict[str, int] = {}
    for decision in decisions:
        got[decision.outcome.value] = got.get(decision.outcome.value, 0) + 1
    if {name: number for name, number in want.items() if number} == got:
        return None
    return Mismatch("outcomes", _counts(want), _counts(got))


def _counts(counts: Mapping[str, int]) -> str:
    """From the loosest outcome on: which came first is chance, where they were asked for at once."""
    return ", ".join(f"{counts[o.value]} {o.value}" for o in Outcome if counts.get(o.value)) or "nothing"


def at_once(ask: Callable[[], Decision], number: int) -> list[Decision]:
    """The answers of so many threads that all begin together."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    barrier = Barrier(number)

    def one() -> Decision:
        barrier.wait(timeout=60)
        return ask()

    with ThreadPoolExecutor(number) as pool:
        waiting = [pool.submit(one) for _ in range(number)]
        return [each.result() for each in waiting]
