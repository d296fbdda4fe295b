"""Walking and comparing syntax trees, for every node type at once.

The one idea: a node's children are whatever nodes its fields hold, so nothing here names a node type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from guardrails.diagnostics import Span
from guardrails.language.syntax import Comment, File, Literal, Node

_PARTS: dict[type[Node], tuple[str, ...]] = {}

NOWHERE = Span("", 0, 0, 1, 1, 1, 1)


def _parts(kind: type[Node]) -> tuple[str, ...]:
    """The fields of a node type that can hold nodes or values, in order."""
    known = _PARTS.get(kind)
    if known is None:
        known = _PARTS[kind] = tuple(part.name for part in fields(kind) if part.name != "span")
    return known


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in the order of the text."""
    for name in _parts(type(node)):
        yield from _nodes_in(getattr(node, name))


def _nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif type(value) is tuple:
        for member in value:
            yield from _nodes_in(member)


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below, parents first; needs no recursion, so any depth will do."""
    pending = [node]
    while pending:
        top = pending.pop()
        yield top
        pending.extend(reversed(list(children(top))))


def node_at_depth(node: Node, level: int) -> Node | None:
    """The first node found with `level` others above it."""
    pending = [(node, 0)]
    while pending:
        top, above = pending.pop()
        if above == level:
            return top
        pending.extend((child, above + 1) for child in children(top))
    return None


def without_spans(node: Any) -> Any:
    """The same tree with every place and spelling forgotten; of a file also its text and comments."""
    if isinstance(node, Span):
        return NOWHERE
    if type(node) is tuple:
        return tuple(without_spans(member) for member in node)
    if isinstance(node, File):
        return replace(node, span=NOWHERE, items=without_spans(node.items), comments=(), text="")
    if isinstance(node, Literal):
        return replace(node, span=NOWHERE, text="")
    if isinstance(node, Node):
        kept = {name: without_spans(getattr(node, name)) for name in _parts(type(node))}
        return replace(node, span=NOWHERE, **kept)
    return node


def same_meaning(first: Node, second: Node) -> bool:
    """Do two trees say the same, wherever they stand? Comments say nothing."""
    return bool(without_spans(first) == without_spans(second))


def comments_of(file: File) -> list[str]:
    """The texts of a file's comments, sorted."""
    return sorted(map(_comment_text, file.comments))


def _comment_text(comment: Comment) -> str:
    return comment.text.rstrip()
