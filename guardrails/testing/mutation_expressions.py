"""Operators on expressions: a node in, the mistakes that can be made in it out.

Comparisons, boundaries, negations, what is put together by `and` and `or`, sets, quantifiers, questions about the
past, patterns and constants. What a policy asks of labels is in `mutation_origins`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from guardrails.language import syntax
from guardrails.language.layout import flat
from guardrails.language.printing import expression
from guardrails.language.tree import children
from guardrails.testing.mutation_edits import Made, brief, replaced, some, without
from guardrails.testing.mutation_origins import asks_labels, of_question


def of_condition(node: syntax.Expr) -> Iterator[Made]:
    """A whole condition: it and its parts, and its opposite."""
    if not isinstance(node, syntax.Not):
        yield "negation", "the opposite", node.span, f"not ({flat(expression(node))})"
    yield from of_value(node)


def of_value(node: syntax.Node) -> Iterator[Made]:
    """An expression and all below it."""
    yield from _EXPRESSIONS.get(type(node), _nothing)(node)
    for child in children(node):
        yield from of_value(child)


def _nothing(node: Any) -> Iterator[Made]:
    return iter(())


SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "!=", "!=": "=="}


def _comparison(node: syntax.Comparison) -> Iterator[Made]:
    for operator, others in (("boundary shift", SHIFTED), ("comparison flip", FLIPPED)):
        if node.op in others:
            other = others[node.op]
            yield replaced(operator, f"`{other}` instead of `{node.op}`", node, replace(node, op=other))
    if node.op not in FLIPPED:
        word = "without" if node.negated else "with"
        yield replaced("comparison flip", f"{word} `not`", node, _negated(node))
    if node.op in ("in", "like", "within", "matches") and not node.negated:
        yield "widened set", "whatever it is", node.span, "true"
    if asks_labels(node):
        yield from of_question(node)


def _negated(node: syntax.Comparison) -> syntax.Expr:
    """`has` is the one word that has no `not` of its own."""
    if node.op == "has":
        return syntax.Not(node.span, node)
    return replace(node, negated=not node.negated)


def _chain(node: syntax.And | syntax.Or) -> Iterator[Made]:
    word = "conjunct" if isinstance(node, syntax.And) else "disjunct"
    for index, part in enumerate(node.operands):
        rest = (*node.operands[:index], *node.operands[index + 1 :])
        smaller = rest[0] if len(rest) == 1 else replace(node, operands=rest)
        yield replaced(f"dropped {word}", f"without `{brief(part)}`", node, smaller)


def _not(node: syntax.Not) -> Iterator[Made]:
    yield replaced("negation", "without `not`", node, node.operand)


def _set(node: syntax.SetLiteral | syntax.ListLiteral) -> Iterator[Made]:
    for item in some(node.items) if len(node.items) > 1 else ():
        items = without(node.items, item)
        yield replaced("narrowed set", f"without `{brief(item)}`", node, replace(node, items=items))


def _quantifier(node: syntax.Quantifier) -> Iterator[Made]:
    kind: Literal["any", "all"] = "all" if node.kind == "any" else "any"
    yield replaced("changed quantifier", f"`{kind}` instead of `{node.kind}`", node, replace(node, kind=kind))
    if node.where is not None:
        yield replaced("dropped conjunct", "without its `where`", node, replace(node, where=None))


def _aggregate(node: syntax.Aggregate) -> Iterator[Made]:
    others = {"min": "max", "max": "min"}
    if node.kind in others:
        other: Any = others[node.kind]
        yield replaced(
            "changed quantifier", f"`{other}` instead of `{node.kind}`", node, replace(node, kind=other)
        )
    if node.where is not None:
        yield replaced("dropped conjunct", "without its `where`", node, replace(node, where=None))


def _trace(node: syntax.Trace) -> Iterator[Made]:
    if node.where is not None:
        yield replaced("dropped conjunct", "without its `where`", node, replace(node, where=None))
    if node.beside is not None:
        yield replaced("dropped conjunct", f"without `{node.beside.order}`", node, replace(node, beside=None))
    if node.within is not None:
        yield replaced("changed window", "however long ago", node, replace(node, within=None))


def _literal(node: syntax.Literal) -> Iterator[Made]:
    if node.kind == "number":
        yield from of_number(node)
    elif node.kind == "pattern":
        yield from of_pattern(node)
    elif node.kind == "bool":
        word = "false" if node.value else "true"
        yield "negation", f"`{word}` instead of `{node.text}`", node.span, word
    elif node.kind == "money":
        amount, currency = node.text.split()
        other = "EUR" if currency != "EUR" else "USD"
        yield "changed unit", f"`{other}` instead of `{currency}`", node.span, f"{amount} {other}"


def of_number(node: syntax.Literal) -> Iterator[Made]:
    """One unit of the last digit more and less."""
    if node.kind != "number" or not isinstance(node.value, int | Decimal):
        return
    exponent = Decimal(node.value).as_tuple().exponent
    step = Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else Decimal(1)
    for other in (node.value + step, node.value - step):
        if other >= 0:
            text = f"{other:f}"
            yield "boundary shift", f"`{text}` instead of `{node.text}`", node.span, text


LOOSER = (
    (re.compile(r"\\b"), ""),
    (re.compile(r"(?<!\\)\{\d+(?:,\d*)?\}"), "+"),
    (re.compile(r"\[(?!\^)[^\]\\]+\](?=[+*{])"), "."),
    (re.compile(r"\(\?i\)"), ""),
    (re.compile(r"(?<![\[\\])[\^$]"), ""),
)
"""Parts of a pattern, and what stands there in one that is looser (or, for `(?i)`, tighter)."""


def of_pattern(node: syntax.Literal) -> Iterator[Made]:
    for part, other in LOOSER:
        text, count = part.subn(other, node.text, count=1)
        if count and text != "//":
            yield "loosened regex", f"`{text}`", node.span, text


_EXPRESSIONS: dict[type, Callable[[Any], Iterator[Made]]] = {
    syntax.Comparison: _comparison,
    syntax.And: _chain,
    syntax.Or: _chain,
    syntax.Not: _not,
    syntax.SetLiteral: _set,
    syntax.ListLiteral: _set,
    syntax.Quantifier: _quantifier,
    syntax.Aggregate: _aggregate,
    syntax.Trace: _trace,
    syntax.Literal: _literal,
}
"""Kind of expression -> what can be made of it itself; its parts are looked at on their own."""
