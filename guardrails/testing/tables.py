"""Cases with a table: one case in, a case for each row out.

A `${name}` that is a whole value becomes the value of the row, with its type; inside a text its text. A name
that the table lacks is an error, and so is a column that nothing uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardrails.diagnostics import did_you_mean
from guardrails.testing.shapes import Problems
from guardrails.testing.yaml_tree import Node

_HOLE = re.compile(r"\$\{([^}]*)\}")


def rows_of(problems: Problems, case: Node) -> Iterator[tuple[str, Node]]:
    """`(what tells the row apart, the case of the row)`; the case itself where it has no table. A name with a
    hole in it tells the rows apart by itself."""
    table = case.get("table")
    if table is None:
        yield "", case
        return
    if table.kind != "list" or not table.items:
        problems.expected("a list of rows", table, "such as `- {amount: 100, outcome: allow}`")
        return
    body = case._replace(value=tuple(pair for pair in case.pairs if pair[0].value != "table"))
    names = [key for row in table.items for key, _ in row.pairs]
    _check_unused(problems, names, body)
    name = case.get("name")
    is_named = name is not None and bool(_HOLE.search(name.raw))
    for row in table.items:
        if row.kind != "object" or not row.pairs:
            problems.expected("a row, which is an object,", row)
            continue
        yield "" if is_named else _told(row), filled(problems, body, row)


def _check_unused(problems: Problems, names: list[Node], body: Node) -> None:
    used = {name for node in body.walk() for name in _HOLE.findall(node.raw)}
    unused: dict[str, Node] = {}
    for name in names:
        if name.value not in used:
            unused.setdefault(name.value, name)
    for name in unused.values():
        near = did_you_mean(name.value, used)
        problems.say(f"no `${{{name.value}}}` uses this column", name.span, near)


def _told(row: Node) -> str:
    return ", ".join(f"{key.value} {_short(value)}" for key, value in row.pairs)


def _short(value: Node) -> str:
    text = _text(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _text(value: Node) -> str:
    """A value inside a text: as it is written, a list or object as JSON."""
    from guardrails.testing.comparing import shown

    return value.raw if value.kind not in ("object", "list") else shown(value.plain())


def filled(problems: Problems, node: Node, row: Node) -> Node:
    """The node with the values of a row in place of the holes."""
    if node.kind == "object":
        return node._replace(value=tuple((key, filled(problems, value, row)) for key, value in node.pairs))
    if node.kind == "list":
        return node._replace(value=tuple(filled(problems, item, row) for item in node.items))
    whole = _HOLE.fullmatch(node.raw)
    if whole:
        return _value(problems, whole[1], node, row)
    if not _HOLE.search(node.raw):
        return node
    raw = _HOLE.sub(lambda hole: _text(_value(problems, hole[1], node, row)), node.raw)
    return node._replace(kind="text", value=raw, raw=raw)


def _value(problems: Problems, name: str, node: Node, row: Node) -> Node:
    found = row.get(name)
    if found is not None:
        return found._replace(span=node.span)
    known = [key.value for key, _ in row.pairs]
    near = did_you_mean(name, known) or f"its columns are {', '.join(known)}"
    problems.say(f"a row of the table has no `{name}`", row.span, near)
    return node._replace(kind="text", value="", raw="")
