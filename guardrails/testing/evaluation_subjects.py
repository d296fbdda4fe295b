"""What is evaluated: a policy or a detector in, and a function that judges one example out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

from guardrails.detectors.matches import Match
from guardrails.errors import EvaluationError, GuardError
from guardrails.guard import Guard, Source
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.program import Program
from guardrails.state import State
from guardrails.testing.cases import KEY, START
from guardrails.testing.evaluation import Judged, Pair
from guardrails.testing.evaluation_data import Example, Span

Judge: TypeAlias = Callable[[Example], Judged]
Fit: TypeAlias = Literal["cover", "overlap", "exact"]

INJECTION, CLEAN = "injection", "clean"


class Unjudged(GuardError):
    """An example that cannot be judged, for a reason that lies in the subject or in its setting."""


def policy_judge(program: Program, source: Source) -> Judge:
    """Decides each event on its own: with nothing counted yet, and at a time that stands still."""
    stateful = bool(program.head["stateful"])

    def make() -> Guard:
        state = State("memory:", strict_halts=True) if stateful else None
        return Guard(program, clock=FrozenClock(START), source=source, state=state, key=KEY)

    once = None if stateful else make()

    def judge(example: Example) -> Judged:
        guard = once or make()
        try:
            decision = guard.decide(example.content)
        except GuardError as error:
            raise Unjudged(f"line {example.line} cannot be decided: {error}") from error
        because = ", ".join(dict.fromkeys(each.name for each in decision.reasons))
        errors = tuple(dict.fromkeys(each.message for each in decision.errors))
        return _judged(example, ((example.expected, decision.outcome.value),), because, errors)

    return judge


def sign_judge(detector: Any, threshold: float) -> Judge:
    """Calls a text an injection from this score on."""

    def judge(example: Example) -> Judged:
        signal = _asked(example, lambda: detector.score(example.content))
        expected = INJECTION if example.expected else CLEAN
        got = INJECTION if signal.score >= threshold else CLEAN
        reasons = ", ".join(dict.fromkeys(reason.words for reason in getattr(signal, "reasons", ())))
        return _judged(
            example, ((expected, got),), f"score {signal.score:.2f}{f': {reasons}' if reasons else ''}"
        )

    return judge


def span_judge(detector: Any, fit: Fit) -> Judge:
    """Holds what is found in a text against what is to be found."""

    def judge(example: Example) -> Judged:
        found = _asked(example, lambda: detector.find(example.content))
        return _judged(example, pairs_of(example.expected, found, fit), _told(example.content, found))

    return judge


def _asked(example: Example, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except EvaluationError as error:
        raise Unjudged(f"line {example.line} cannot be judged: {error}") from error


def _judged(example: Example, pairs: tuple[Pair, ...], because: str, errors: tuple[str, ...] = ()) -> Judged:
    return Judged(example.key, example.line, pairs, example.group, example.about, because, errors)


def _told(text: str, found: Iterable[Match]) -> str:
    """What was found, without what it says: it may be a secret."""
    return ", ".join(f"{each.entity} at {each.start}-{each.end}" for each in found) or "nothing found"


# --- spans -------------------------------------------------------------------------------------


def pairs_of(expected: Iterable[Span], found: list[Match], fit: Fit) -> tuple[Pair, ...]:
    """A pair for each expected span, in their order, and one for each false alarm.

    A span fits when it covers the expected one, overlaps it, or is the same; of several, one of the same entity
    counts. What fits none is a false alarm, unless it touches an expected span that is not to be met exactly: a
    text that is hidden twice is hidden.
    """
    wanted = list(expected)
    pairs: list[Pair] = [(span.entity, _best(span, found, fit)) for span in wanted]
    alarms = [match for match in found if not any(_is_called_for(span, match, fit) for span in wanted)]
    return (*pairs, *((None, match.entity) for match in alarms))


def _best(span: Span, found: list[Match], fit: Fit) -> str | None:
    """The entity of what fits a span; of one that may be anywhere, only the same."""
    fitting = [match.entity for match in found if _fits(span, match, fit)]
    return span.entity if span.entity in fitting else fitting[0] if fitting else None


def _fits(span: Span, match: Match, fit: Fit) -> bool:
    if span.start is None or span.end is None:
        return match.entity == span.entity
    if fit == "exact":
        return match.start == span.start and match.end == span.end
    if fit == "cover":
        return match.start <= span.start and span.end <= match.end
    return _touches(span, match)


def _touches(span: Span, match: Match) -> bool:
    return (
        span.start is not None and span.end is not None and match.start < span.end and span.start < match.end
    )


def _is_called_for(span: Span, match: Match, fit: Fit) -> bool:
    if span.start is None or fit == "exact":
        return _fits(span, match, fit)
    return _touches(span, match)
