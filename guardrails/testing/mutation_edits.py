"""Edits: the small steps that mutants are made of, and how a changed node becomes text again.

A node of the syntax tree in, changed; the text that stands in its place out. What was on several lines may come
back on one: whoever applies an edit keeps the number of lines.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import syntax
from guardrails.language.layout import flat
from guardrails.language.printing import expression
from guardrails.language.printing_statements import effect

Made: TypeAlias = tuple[str, str, Span, str]
"""Operator, what it did, where, and the text that stands there now."""

MOST_OF_A_LIST = 4
"""How many members of a long list or set are left out, one at a time."""


def printed(operator: str, what: str, node: syntax.Effect) -> Made:
    """An effect as it is now."""
    return operator, what, node.span, flat(effect(node))


def replaced(operator: str, what: str, old: syntax.Node, new: syntax.Expr) -> Made:
    """The new expression in parentheses, which the old one may have needed none of."""
    return operator, what, old.span, f"({flat(expression(new))})"


def brief(node: syntax.Expr) -> str:
    text = flat(expression(node))
    return text if len(text) <= 60 else f"{text[:57]}..."


def some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items, or of a long list the outermost."""
    half = MOST_OF_A_LIST // 2
    return items if len(items) <= MOST_OF_A_LIST else (*items[:half], *items[-half:])


def without(items: tuple[Any, ...], item: Any) -> tuple[Any, ...]:
    """The others."""
    return tuple(other for other in items if other is not item)
