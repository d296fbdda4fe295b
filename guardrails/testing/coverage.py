"""Coverage: a checked policy and what a recorder saw of it in, a list of goals out, each met or not.

There are four kinds of goals:

- `statement`: it applied in some test; and where it has a condition, in some test it did not apply.
- `row`: the row of a threshold decided.
- `limit`: a limit, budget or breaker let something through; and it refused something.
- `condition`: each condition decided once by being true and once by being false (modified condition and
  decision coverage with masking: `decides` says when a condition decides).

The percentage is the goals met of all goals, each counted once. What an error of evaluation made apply meets
no goal. A condition that no event can change (a parameter, say) sets none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language.checked import Checked, Fuse, Meter, Requirement, Rule, Steps, keyword_of
from guardrails.language.checker import Lowering
from guardrails.testing.coverage_conditions import Branch, Decider, Leaf, Logic, leaves_of, probed
from guardrails.testing.coverage_recording import Recorder, Spot, Vector

Kind: TypeAlias = Literal["statement", "row", "limit", "condition"]
KINDS: tuple[Kind, ...] = ("statement", "row", "limit", "condition")


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that a test can show of a statement. `span` is the part that it is about, `count` how often a
    test showed it; `missing` says what no test has."""

    kind: Kind
    span: Span
    rule: str
    statement: Span
    missing: str
    count: int

    @property
    def is_met(self) -> bool:
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """The goals of a policy in the order of its text, and the texts of its files."""

    goals: tuple[Goal, ...]
    texts: Mapping[str, str]

    def of(self, *, kind: Kind | None = None, file: str | None = None) -> tuple[Goal, ...]:
        """The goals of a kind, of a file, or of both."""
        return tuple(g for g in self.goals if kind in (None, g.kind) and file in (None, g.span.file))

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted({goal.span.file for goal in self.goals}))

    @property
    def missing(self) -> tuple[Goal, ...]:
        return tuple(goal for goal in self.goals if not goal.is_met)

    @property
    def percent(self) -> float:
        """Of 100, rounded down to a tenth, so that only what is complete is called 100."""
        return percent_of(self.goals)


def percent_of(goals: Sequence[Goal]) -> float:
    met = sum(goal.is_met for goal in goals)
    return met * 1000 // len(goals) / 10 if goals else 100.0


def merged(coverages: Sequence[Coverage]) -> Coverage:
    """Policies together, for one report. A file that several of them use counts in each."""
    texts = {file: text for coverage in coverages for file, text in coverage.texts.items()}
    goals = [goal for coverage in coverages for goal in coverage.goals]
    return Coverage(tuple(sorted(goals, key=_order)), texts)


def _order(goal: Goal) -> tuple[str, int, int]:
    return goal.statement.file, goal.statement.start, KINDS.index(goal.kind)


def coverage_of(recorder: Recorder) -> Coverage:
    """What the tests that a recorder watched covered. Raises ValueError when no policy was loaded."""
    loaded = recorder.loaded
    if loaded is None or loaded.checked is None:
        raise ValueError("no policy was loaded")
    texts = loaded.sources.texts
    found = [
        goal for rule in loaded.checked.rules for goal in _Rule(rule, loaded.checked, recorder, texts).goals()
    ]
    found.sort(key=_order)
    return Coverage(tuple(found), texts)


class _Rule:
    """The goals of one statement."""

    def __init__(self, rule: Rule, checked: Checked, recorder: Recorder, texts: Mapping[str, str]) -> None:
        lowering = Lowering(checked)
        forms = [lowering.lower(rule, tool) for tool in lowering.subjects(rule)]
        self.forms = [form for form in forms if form is not None]
        self.rule = rule
        self.recorder = recorder
        self.texts = texts
        self.spot = _spot(rule.statement.span)

    def goals(self) -> Iterator[Goal]:
        meaning = self.forms[0].meaning
        if isinstance(meaning, Steps):
            for row in meaning.rows:
                words = f"no test reaches `{self._text(row.span)}`"
                yield self._goal("row", row.span, words, self.recorder.fired[_spot(row.span)])
        elif isinstance(meaning, Meter | Fuse):
            yield from self._limit()
        else:
            yield from self._statement(is_required=isinstance(meaning, Requirement))
        deciders = {decider.key: decider for form in self.forms for decider in probed(form)[1]}
        for decider in deciders.values():
            yield from self._conditions(decider)

    def _statement(self, *, is_required: bool) -> Iterator[Goal]:
        span, fired = self.rule.statement.span, self.recorder.fired[self.spot]
        name = self.rule.statement.label or keyword_of(self.rule.statement.effect)
        unmet = f"no test fails `{name}`" if is_required else f"no test is one that `{name}` applies to"
        yield self._goal("statement", span, unmet, fired)
        if is_required or any(form.condition is not None for form in self.forms):
            unmet = (
                f"no test passes `{name}`"
                if is_required
                else f"no test is one that `{name}` does not apply to"
            )
            yield self._goal("statement", span, unmet, self.recorder.judged[self.spot] - fired)

    def _limit(self) -> Iterator[Goal]:
        span = self.rule.statement.span
        name = self.rule.statement.label or keyword_of(self.rule.statement.effect)
        passed = self.recorder.claimed[self.spot] - self.recorder.refused[self.spot]
        yield self._goal("limit", span, f"no test is let through by `{name}`", max(0, passed))
        yield self._goal("limit", span, f"no test is refused by `{name}`", self.recorder.refused[self.spot])

    def _conditions(self, decider: Decider) -> Iterator[Goal]:
        vectors = self.recorder.vectors.get(decider.key, Counter())
        for leaf in decider.leaves:
            for value in () if leaf.is_constant else (True, False):
                count = sum(
                    n for vector, n in vectors.items() if decides(decider.logic, vector, leaf, value=value)
                )
                yield self._goal("condition", leaf.span, self._case(decider, leaf, value=value), count)

    def _goal(self, kind: Kind, span: Span, missing: str, count: int) -> Goal:
        return Goal(kind, span, self.rule.name, self.rule.statement.span, missing, count)

    # --- the missing case in words -------------------------------------------------------------

    def _case(self, decider: Decider, leaf: Leaf, *, value: bool) -> str:
        """What a test would have to have, so that the leaf decides with that value."""
        around = [
            self._phrase(logic, value=wanted)
            for logic, wanted in neighbours(decider.logic, leaf, value=value)
        ]
        word = "element" if " in " in decider.key.clause else "test"
        beside = f" with {' and '.join(around)}" if around else ""
        return f"no {word} has {self._phrase(leaf, value=value)}{beside}"

    def _phrase(self, logic: Logic, *, value: bool) -> str:
        """`` `a` and not `b` ``, of what has to hold."""
        if isinstance(logic, Leaf):
            text = logic.words or self._text(logic.span)
            return f"{'' if value else 'not '}`{text}`{self._place(logic.span)}"
        if logic.op == "not":
            return self._phrase(logic.parts[0], value=not value)
        word = logic.op if value else ("or" if logic.op == "and" else "and")
        parts = [self._phrase(part, value=value) for part in logic.parts]
        return f"({f' {word} '.join(parts)})" if word == "or" else f" {word} ".join(parts)

    def _text(self, span: Span) -> str:
        return " ".join(self.texts[span.file][span.start : span.end].split())

    def _place(self, span: Span) -> str:
        """Where a condition stands that was written somewhere else, in a named one."""
        block = self.rule.block.span
        inside = span.file == block.file and block.start <= span.start <= block.end
        return "" if inside else f" (line {span.line})"


def _spot(span: Span) -> Spot:
    return span.file, span.line, span.column


# --- which condition decides -------------------------------------------------------------------


def decides(logic: Logic, vector: Vector, leaf: Leaf, *, value: bool) -> bool:
    """Whether the leaf had that value in a run, and would have changed the whole by having the other one.

    On the way from the leaf to the whole, everything beside it must be neutral: true beside an `and`, false
    beside an `or`. What was not evaluated is neutral: evaluation ended because of the leaf's side.
    """
    values = vector[0]
    if values[leaf.number] is not value:
        return False
    return all(_value(part, values) in (None, neutral) for _, part, neutral in _beside(logic, leaf))


def neighbours(logic: Logic, leaf: Leaf, *, value: bool) -> list[tuple[Logic, bool]]:
    """What has to be true or false beside a leaf for it to decide with `value`, left to right. What stands
    to the right of a side that ends the evaluation is not asked."""
    found: list[tuple[Logic, bool]] = []
    for above in _path(logic, leaf):
        index = next(i for i, part in enumerate(above.parts) if _holds(part, leaf))
        side = _sign(above.parts[index], leaf, value=value)
        neutral = above.op == "and"
        rest = above.parts[index + 1 :] if side is neutral else ()
        if above.op != "not":
            found += [(part, neutral) for part in (*above.parts[:index], *rest)]
    return found


def _path(logic: Logic, leaf: Leaf) -> Iterator[Branch]:
    """The branches above a leaf, from the whole down."""
    while isinstance(logic, Branch):
        yield logic
        logic = next(part for part in logic.parts if _holds(part, leaf))


def _holds(logic: Logic, leaf: Leaf) -> bool:
    return any(each.number == leaf.number for each in leaves_of(logic))


def _sign(logic: Logic, leaf: Leaf, *, value: bool) -> bool:
    """The value of a part in which the leaf decides."""
    negations = sum(above.op == "not" for above in _path(logic, leaf))
    return value if negations % 2 == 0 else not value


def _beside(logic: Logic, leaf: Leaf) -> Iterator[tuple[Branch, Logic, bool]]:
    for above in _path(logic, leaf):
        for part in above.parts:
            if not _holds(part, leaf):
                yield above, part, above.op == "and"


def _value(logic: Logic, values: tuple[bool | None, ...]) -> bool | None:
    """What a part came to; None where it was not asked."""
    if isinstance(logic, Leaf):
        return values[logic.number]
    parts = [_value(part, values) for part in logic.parts]
    if logic.op == "not":
        return None if parts[0] is None else not parts[0]
    ending = logic.op == "or"
    if any(part is ending for part in parts):
        return ending
    return None if None in parts else not ending
