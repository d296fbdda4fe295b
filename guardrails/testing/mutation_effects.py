"""Operators on effects: what a statement does in, the mistakes that can be made in that out.

Outcomes, deadlines and reviewers, redactions and fields, and what is counted, by what and how long. What labels a
statement gives is in `mutation_origins`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from guardrails.language import syntax
from guardrails.language.layout import flat
from guardrails.language.printing import expression
from guardrails.testing.mutation_edits import Made, printed, some, without
from guardrails.testing.mutation_expressions import of_condition, of_number, of_pattern, of_value
from guardrails.testing.mutation_origins import of_label

OUTCOMES = (syntax.Allow, syntax.Ask, syntax.Deny, syntax.Halt)
"""In shadow these have no consequence, so that another one is no other policy."""

LIMITS = (syntax.Limit, syntax.Budget, syntax.Breaker)


def of_effect(node: syntax.Effect) -> Iterator[Made]:
    if isinstance(node, OUTCOMES):
        yield from of_outcome(node)
        if isinstance(node, syntax.Ask):
            yield from _ask(node)
    elif isinstance(node, syntax.Review) and node.within is not None:
        yield printed("changed window", "twice the time", replace(node, within=_times(node.within, 2)))
    elif isinstance(node, syntax.Require):
        yield from of_condition(node.condition)
    elif isinstance(node, syntax.Threshold):
        yield from of_value(node.value)
        for row in node.rows:
            yield from () if row.bound is None else of_value(row.bound)
            yield from of_effect(row.effect)
    elif isinstance(node, syntax.OnlyRows):
        yield from of_condition(node.where)
    elif isinstance(node, syntax.Label):
        yield from of_label(node)
        yield from () if node.where is None else of_condition(node.where)
    elif isinstance(node, LIMITS):
        yield from _counting(node)
    elif isinstance(node, syntax.Redact):
        yield from _redact(node)
    elif isinstance(node, syntax.OnlyFields | syntax.DropFields):
        for field in some(node.fields):
            fields = without(node.fields, field)
            if fields:
                yield printed(
                    "narrowed set", f"`{'.'.join(field.parts)}` is left out", replace(node, fields=fields)
                )


SWAPS: dict[type, tuple[type, ...]] = {
    syntax.Allow: (syntax.Deny,),
    syntax.Ask: (syntax.Allow, syntax.Deny),
    syntax.Deny: (syntax.Allow,),
    syntax.Halt: (syntax.Deny,),
}


def of_outcome(node: syntax.Allow | syntax.Ask | syntax.Deny | syntax.Halt) -> Iterator[Made]:
    was = type(node).__name__.lower()
    for kind in SWAPS[type(node)]:
        word = kind.__name__.lower()
        yield "swapped outcome", f"`{word}` instead of `{was}`", node.span, word


def _ask(node: syntax.Ask) -> Iterator[Made]:
    if node.within is not None:
        yield printed("changed window", "twice the time", replace(node, within=_times(node.within, 2)))
    if node.quorum > 1:
        yield printed("boundary shift", "one approval fewer", replace(node, quorum=node.quorum - 1))
    if node.otherwise:
        yield printed("narrowed set", "nobody else is asked", replace(node, otherwise=()))
    if node.reuse is not None:
        yield from _reuse(node, node.reuse)


def _reuse(node: syntax.Ask, reuse: syntax.Reuse) -> Iterator[Made]:
    """An approval that is good for more than people meant."""
    if isinstance(reuse.calls, syntax.Literal) and isinstance(reuse.calls.value, int):
        calls = reuse.calls.value + 1
        wider = replace(reuse, calls=replace(reuse.calls, value=calls, text=str(calls)))
        yield printed("boundary shift", "good for one call more", replace(node, reuse=wider))
    for index, bound in enumerate(reuse.bounds):
        yield from of_value(bound.most)
        rest = (*reuse.bounds[:index], *reuse.bounds[index + 1 :])
        what = f"`{flat(expression(bound.amount))}` may be anything"
        yield printed("boundary shift", what, replace(node, reuse=replace(reuse, bounds=rest)))


def _redact(node: syntax.Redact) -> Iterator[Made]:
    for target in some(node.targets) if len(node.targets) > 1 else ():
        targets = without(node.targets, target)
        yield printed("removed redaction", "one place is no longer redacted", replace(node, targets=targets))
    if node.method not in (None, "mask"):
        yield printed("removed redaction", "`mask` instead", replace(node, method="mask", argument=None))
    if isinstance(node.what, syntax.Literal):
        yield from of_pattern(node.what)


# --- limits ------------------------------------------------------------------------------------


def _counting(node: Any) -> Iterator[Made]:
    for index, key in enumerate(node.by):
        by = (*node.by[:index], *node.by[index + 1 :])
        yield printed("changed key", f"not counted by `{flat(expression(key))}`", replace(node, by=by))
    if isinstance(node, syntax.Limit):
        for bound in node.bounds:
            yield from of_value(bound.amount)
            yield from () if bound.per is None else _window(bound.per)
        if node.burst is not None:
            yield printed("changed window", "no burst", replace(node, burst=None))
    elif isinstance(node, syntax.Budget):
        yield from of_value(node.amount)
        if isinstance(node.per, syntax.Literal):
            yield from _window(node.per)
        yield from (
            () if node.per != "month" else [printed("changed window", "by day", replace(node, per="day"))]
        )
    else:
        yield from _window(node.retry_after)
        for opening in node.open_after:
            yield from of_number(opening.amount)


def _window(literal: syntax.Literal) -> Iterator[Made]:
    for times in (2, Decimal("0.5")):
        other = _times(literal, times)
        if other.value != literal.value:
            yield "changed window", f"`{other.text}` instead of `{literal.text}`", literal.span, other.text


def _times(literal: syntax.Literal, factor: int | Decimal) -> syntax.Literal:
    """A duration that is longer or shorter, in the unit it is written in; itself where that is no whole number."""
    found = re.fullmatch(r"(\d+)([a-z]+)", literal.text)
    amount = Decimal(found[1]) * factor if found else Decimal("0.5")
    if found is None or amount != int(amount) or amount < 1:
        return literal
    return replace(literal, text=f"{int(amount)}{found[2]}", value=int(int(str(literal.value)) * factor))
