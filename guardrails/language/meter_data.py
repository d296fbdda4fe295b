"""Limits, budgets and breakers as plain data: what a store counts under which name.

A labelled statement counts under its label, so that it goes on counting however the policy is edited around
it. One without a label counts under a digest of what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from guardrails.language import core, syntax
from guardrails.language.checked import Ceiling, Fuse, Lowered, Meter, Rule
from guardrails.language.tree import without_spans

COUNTING = (syntax.Limit, syntax.Budget, syntax.Breaker)


def counter_names(rules: Sequence[Rule]) -> dict[int, str]:
    """The name of each rule that counts, by its index; equal statements without labels stay apart."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for rule in rules:
        if not isinstance(rule.statement.effect, COUNTING):
            continue
        base = f"{rule.policy}.{rule.statement.label or _fingerprint(rule)}"
        name, number = base, 2
        while name in taken:
            name, number = f"{base}~{number}", number + 1
        taken.add(name)
        names[rule.index] = name
    return names


def _fingerprint(rule: Rule) -> str:
    """A short digest of what an unlabelled statement says and of what."""
    said = repr((rule.block.point, [tool.text for tool in rule.block.tools], without_spans(rule.statement)))
    return "~" + blake2b(said.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def is_gate(meter: Meter, point: str) -> bool:
    """Whether nothing is charged at this point: a budget that usage reports charge only has to be left."""
    return meter.is_budget and meter.measure != "calls" and point != "usage"


def meter_data(lowered: Lowered, bit: int, point: str, name: str) -> tuple[object, ...]:
    """A meter or fuse of a unit; `runtime.meters` reads it."""
    meaning, rule = lowered.meaning, lowered.rule
    if isinstance(meaning, Fuse):
        return ("fuse", bit, name, rule.shadow, meaning.openings, meaning.retry_after)
    assert isinstance(meaning, Meter)
    mode = "gate" if is_gate(meaning, point) else "distinct" if meaning.measure == "distinct" else "charge"
    old = f"{rule.policy}.{meaning.was}" if meaning.was else None
    return (
        "meter", bit, name, rule.shadow, mode, _limits(meaning), tuple(c.window for c in meaning.ceilings),
        meaning.decimals, meaning.by_session, meaning.degrade, old, meaning.warn_at,
    )  # fmt: skip


def _limits(meter: Meter) -> tuple[object, ...] | None:
    """The limits as plain data, or None when they depend on the event."""
    found = [_constant(ceiling) for ceiling in meter.ceilings]
    return None if None in found else tuple(found)


def _constant(ceiling: Ceiling) -> object:
    if not isinstance(ceiling.limit, core.Const):
        return None
    value: Any = ceiling.limit.value
    value = value[0] if isinstance(value, tuple) else value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else ("decimal", str(value))
    return value


def described_meter(lowered: Lowered, name: str) -> tuple[object, ...]:
    """What `guard limits` shows of a limit, budget or breaker beside its fill."""
    meaning, rule = lowered.meaning, lowered.rule
    effect, span = rule.statement.effect, rule.statement.span
    place = (span.file, span.line, span.column, span.end_line, span.end_column)
    by = tuple(_said(part) for part in getattr(effect, "by", ()))
    if isinstance(meaning, Fuse):
        return (
            "breaker", name, rule.name, by, place, "failures", "", (meaning.openings, meaning.retry_after), (),
            0, False, rule.shadow,
        )  # fmt: skip
    assert isinstance(meaning, Meter)
    return (
        "budget" if meaning.is_budget else "limit", name, rule.name, by, place, _measured(effect, meaning),
        meaning.unit, _limits(meaning), tuple(c.window for c in meaning.ceilings), meaning.decimals, meaning.by_session,
        rule.shadow,
    )  # fmt: skip


def _measured(effect: syntax.Effect, meter: Meter) -> str:
    if isinstance(effect, syntax.Limit) and effect.subject is not None:
        return f"{effect.measure}({_said(effect.subject)})"
    return effect.measure if isinstance(effect, syntax.Limit) and effect.measure != "count" else meter.measure


def _said(node: syntax.Expr) -> str:
    from guardrails.language.layout import flat
    from guardrails.language.printing import expression

    return flat(expression(node))
