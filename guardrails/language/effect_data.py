"""Effects as plain data: what a bit of a unit means, for the engine.

Takes the meaning of a statement (of a threshold, one of its rows), gives a tuple of constants that
`runtime.program.Effect` reads: the outcome, who is asked, what is changed or owed, and where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from guardrails.diagnostics import Span
from guardrails.language import core
from guardrails.language.checked import (
    Ask,
    Change,
    Duty,
    Excess,
    Fuse,
    Lowered,
    Mark,
    Meaning,
    Meter,
    Requirement,
    ReuseBound,
    Rule,
    Step,
    Steps,
    Verdict,
    keyword_of,
)
from guardrails.language.checker import parts_of
from guardrails.language.watching import watched_by


def effect_of(lowered: Lowered, step: Step | None) -> tuple[object, ...]:
    """An effect as plain data; `runtime.program.Effect` reads it."""
    rule, meaning = lowered.rule, lowered.meaning
    verdict = step.verdict if step is not None else meaning
    span = step.span if step is not None else rule.statement.span
    because = (step.because if step is not None else None) or rule.statement.because
    outcome = (
        verdict.outcome.value
        if isinstance(verdict, Verdict)
        else "deny"
        if isinstance(meaning, Requirement | Excess | Meter | Fuse)
        else None
    )
    ask = verdict.ask if isinstance(verdict, Verdict) else None
    return (
        rule.policy,
        rule.statement.label,
        keyword_of(rule.statement.effect),
        because,
        place_of(span),
        outcome,
        isinstance(verdict, Verdict) and verdict.grants and rule.task is None,
        rule.shadow,
        _asked(rule, ask) if ask else None,
        _duty(meaning),
        _change(rule, meaning) if isinstance(meaning, Change) else None,
        any(
            isinstance(node, core.Load) and node.root == "args"
            for part in parts_of(lowered)
            for node in core.walk(part)
        ),
        tuple(_bounds(lowered)),
        watched_by(lowered),
        _mark(rule, meaning) if isinstance(meaning, Mark) else None,
    )


def _asked(rule: Rule, ask: Ask) -> tuple[object, ...]:
    """Who is asked; and how far an approval goes, where it goes further than one call."""
    people = (ask.reviewers, ask.quorum, ask.within, ask.otherwise)
    if ask.reuse is None:
        return people
    bounds = tuple((b.text, b.per, _digits(b.most), b.unit, amount_name(rule, b)) for b in ask.reuse.bounds)
    return (*people, (ask.reuse.calls, bounds))


def _digits(number: int | Decimal) -> str:
    """A number as people write it: no exponent, no zeros that say nothing."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def reuse_bounds_of(lowered: Lowered) -> Iterator[ReuseBound]:
    """What approvals of a statement are good up to."""
    meaning = lowered.meaning
    verdicts = [row.verdict for row in meaning.rows] if isinstance(meaning, Steps) else [meaning]
    for verdict in verdicts:
        if isinstance(verdict, Verdict) and verdict.ask is not None and verdict.ask.reuse is not None:
            yield from verdict.ask.reuse.bounds


def amount_name(rule: Rule, bound: ReuseBound) -> str:
    """The name of its function; no two bounds of a statement begin at the same place."""
    return f"amount_{rule.index}_{bound.span.line}_{bound.span.column}"


def row_name(rule: Rule) -> str:
    """The name of the function that tells which rows of a result a statement speaks of."""
    return f"row_{rule.index}"


def _duty(meaning: Meaning) -> tuple[object, ...] | None:
    if isinstance(meaning, Fuse):
        return ("fallback", (("text", meaning.fallback),)) if meaning.fallback is not None else None
    return (meaning.kind, meaning.details) if isinstance(meaning, Duty) else None


def _change(rule: Rule, meaning: Change) -> tuple[object, ...]:
    row = row_name(rule) if meaning.rows is not None else None
    return (
        meaning.kind, meaning.paths, meaning.pattern, meaning.method, meaning.argument, row, meaning.detector
    )  # fmt: skip


def _mark(rule: Rule, meaning: Mark) -> tuple[object, ...]:
    return (meaning.labels, meaning.paths, row_name(rule) if meaning.rows is not None else None)


def _bounds(lowered: Lowered) -> Iterator[tuple[object, ...]]:
    """Simple upper and lower bounds on arguments: what a counterfactual may try. Plain numbers only."""
    for part in parts_of(lowered):
        for node in core.walk(part):
            if isinstance(node, core.Compare) and node.mode == "raw":
                load, constant = (
                    (node.left, node.right) if isinstance(node.left, core.Load) else (node.right, node.left)
                )
                if isinstance(load, core.Load) and load.root == "args" and isinstance(constant, core.Const):
                    yield (load.path, str(constant.value))


def place_of(span: Span) -> tuple[object, ...]:
    """Where something stands: file, line and column, and where it ends."""
    return (span.file, span.line, span.column, span.end_line, span.end_column)
