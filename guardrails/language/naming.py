"""Naming: what a checked expression is called in a message.

Takes a node, gives the words for it where it has a name of its own: a field of the present event or of an
earlier one, or a last event; nothing for whatever is only computed.
"""

from __future__ import annotations

from guardrails.language import core

_ROOTS = frozenset({"call", "result", "text"})


def called(node: core.Core) -> str:
    """ "`args.amount`" or "the last result of `get`"; empty for what has no name."""
    if isinstance(node, core.Recall):
        return _last(node.question) if node.question.kind == "last" else ""
    path = node.where if isinstance(node, core.Load) else _path_in_past(node)
    return f"`{path}`" if path else ""


def _last(question: core.Question) -> str:
    of = f" of {' or '.join(f'`{tool}`' for tool in question.tools)}" if question.tools else ""
    return f"the last {question.point}{of}"


def _path_in_past(node: core.Core) -> str:
    """The path of a field of an earlier event, as it is written."""
    if isinstance(node, core.Happened):
        if not isinstance(node.event, core.Var):
            return f"{_path_in_past(node.event)}.{node.name}"
        return node.name if node.name in _ROOTS else f"call.{node.name}"
    base = _path_in_past(node.base) if isinstance(node, core.Field) else ""
    return f"{base}.{node.name}" if isinstance(node, core.Field) and base else ""
