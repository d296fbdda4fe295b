"""Arithmetic with units: what may be added to, scaled by or divided by what."""

from __future__ import annotations

from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.expressions import FAULTY, Typer, described, narrow, with_article
from guardrails.language.scope import Scope

_UNITS: dict[tuple[str, t.Type, t.Type], t.Type] = {
    ("+", t.TIME, t.DURATION): t.TIME,
    ("+", t.DURATION, t.TIME): t.TIME,
    ("-", t.TIME, t.DURATION): t.TIME,
    ("-", t.TIME, t.TIME): t.DURATION,
    ("+", t.DURATION, t.DURATION): t.DURATION,
    ("-", t.DURATION, t.DURATION): t.DURATION,
    ("%", t.DURATION, t.DURATION): t.DURATION,
    ("/", t.DURATION, t.DURATION): t.DECIMAL,
    ("+", t.SIZE, t.SIZE): t.SIZE,
    ("-", t.SIZE, t.SIZE): t.SIZE,
    ("/", t.SIZE, t.SIZE): t.DECIMAL,
    ("+", t.PERCENT, t.PERCENT): t.PERCENT,
    ("-", t.PERCENT, t.PERCENT): t.PERCENT,
}
_SCALED = frozenset({t.DURATION, t.SIZE, t.PERCENT})
_PLAIN = frozenset({t.TIME, t.DURATION, t.SIZE})


def lower_arithmetic(typer: Typer, node: syntax.Arithmetic, scope: Scope) -> core.Core:
    left, right = typer.lower(node.left, scope), typer.lower(node.right, scope)
    if FAULTY in (left.type, right.type):
        return core.Const(node.span, FAULTY, None)
    if node.op in {"|", "&"} or isinstance(left.type, t.SetOf) or isinstance(right.type, t.SetOf):
        return _sets(typer, node, left, right)
    if left.type == t.ANY:
        left = narrow(left, t.DECIMAL)
    if right.type == t.ANY:
        right = narrow(right, t.DECIMAL)
    kind = _result(node.op, left.type, right.type)
    if kind is None:
        return _unit_problem(typer, node, left, right)
    return _computed(node, kind, left, right)


def _computed(node: syntax.Arithmetic, kind: t.Type, left: core.Core, right: core.Core) -> core.Core:
    plain = node.op in "+-" and {left.type, right.type} <= _PLAIN and not any(map(_is_exact, (left, right)))
    return core.Compute(node.span, kind, node.op, (left, right), exact=not plain)


def _is_exact(value: core.Core) -> bool:
    return isinstance(value, core.Compute) and value.exact


def _result(op: str, left: t.Type, right: t.Type) -> t.Type | None:
    if left in t.NUMERIC and right in t.NUMERIC:
        return t.INT if op in "+-*" and left == right == t.INT else t.DECIMAL
    if op in "*/" and left in _SCALED and right in t.NUMERIC:
        return left
    if op == "*" and right in _SCALED and left in t.NUMERIC:
        return t.DECIMAL if right == t.PERCENT else right
    return _UNITS.get((op, left, right))


def _unit_problem(typer: Typer, node: syntax.Arithmetic, left: core.Core, right: core.Core) -> core.Core:
    words = {"+": "added to", "-": "taken from", "*": "multiplied by", "/": "divided by", "%": "divided by"}
    if node.op in "+-":
        message = f"{with_article(right.type)} cannot be {words[node.op]} {with_article(left.type)}"
    else:
        message = f"{described(left)} and cannot be {words[node.op]} {with_article(right.type)}"
    text = t.is_textual(left.type) or t.is_textual(right.type)
    help = (
        "numbers in texts are read with `number(...)`; texts are not put together in policies" if text else ""
    )
    return typer.report("unit-mismatch", message, node.span, help)


def _sets(typer: Typer, node: syntax.Arithmetic, left: core.Core, right: core.Core) -> core.Core:
    if node.op not in {"|", "&", "-"}:
        return typer.report("wrong-type", f"sets have no `{node.op}`; they have `|`, `&` and `-`", node.span)
    left, right = _as_set(typer, left), _as_set(typer, right)
    if FAULTY in (left.type, right.type):
        return core.Const(node.span, FAULTY, None)
    assert isinstance(left.type, t.SetOf)
    assert isinstance(right.type, t.SetOf)
    kind = t.SetOf(t.join((left.type.item, right.type.item)))
    if isinstance(left, core.Const) and isinstance(right, core.Const):
        return core.Const(node.span, kind, _folded(node.op, left.value, right.value))
    return core.Compute(node.span, kind, node.op, (left, right), exact=False)


def _as_set(typer: Typer, value: core.Core) -> core.Core:
    if isinstance(value.type, t.SetOf):
        return value
    if isinstance(value.type, t.ListOf) or value.type == t.ANY:
        item = value.type.item if isinstance(value.type, t.ListOf) else t.ANY
        inner = value if isinstance(value.type, t.ListOf) else narrow(value, t.ListOf(t.ANY))
        return core.Invoke(value.span, t.SetOf(item), "set", (inner,))
    return typer.report("wrong-type", f"{described(value)}, but a set is expected here", value.span)


def _folded(op: str, left: object, right: object) -> object:
    assert isinstance(left, frozenset)
    assert isinstance(right, frozenset)
    return left | right if op == "|" else left & right if op == "&" else left - right
