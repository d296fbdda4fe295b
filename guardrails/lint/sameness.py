"""Whether two pieces of syntax say the same, wherever they stand and however they are spelt.

It stops at the first difference and builds nothing, because a linter asks it of every pair of neighbours.
"""

from __future__ import annotations

from dataclasses import fields

from guardrails.language import syntax


def says_the_same(first: object, second: object) -> bool:
    """Equal in everything but places and the spelling of literals."""
    if type(first) is not type(second):
        return False
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(says_the_same, first, second))
    if not isinstance(first, syntax.Node):
        return first == second
    return all(says_the_same(getattr(first, name), getattr(second, name)) for name in _parts(type(first)))


_PARTS: dict[type, tuple[str, ...]] = {}


def _parts(kind: type[syntax.Node]) -> tuple[str, ...]:
    """The fields that carry meaning."""
    known = _PARTS.get(kind)
    if known is None:
        unsaid = {"span"} if kind is syntax.ToolPattern else {"span", "header", "name_span", "text"}
        known = _PARTS[kind] = tuple(part.name for part in fields(kind) if part.name not in unsaid)
    return known
