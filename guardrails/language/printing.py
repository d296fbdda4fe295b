"""Expressions and types as documents: the canonical spelling of a tree, with no parenthesis too many.

Takes a node, gives a `layout.Doc`. Whether a part needs parentheses follows from the precedences of
`grammar/guard.lark`, kept here as the levels of the table below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from guardrails.language import syntax
from guardrails.language.layout import (
    LINE,
    SOFT,
    Doc,
    Group,
    IfBroken,
    Indent,
    bracketed,
    filled,
    flat,
    joined,
)
from guardrails.language.scanner import RESERVED

OR, AND, NOT, COMPARISON, UNION, INTERSECTION, SUM, PRODUCT, UNARY, ELSE, POSTFIX, ATOM = range(1, 13)
_ARITHMETIC: Final = {
    "|": UNION,
    "&": INTERSECTION,
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
    "%": PRODUCT,
}
_LEVELS: Final[dict[type[Any], int]] = {
    syntax.Or: OR,
    syntax.And: AND,
    syntax.Not: NOT,
    syntax.Comparison: COMPARISON,
    syntax.Negate: UNARY,
    syntax.Has: UNARY,
    syntax.Else: ELSE,
    syntax.Attribute: POSTFIX,
    syntax.Index: POSTFIX,
    syntax.Call: POSTFIX,
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPED: Final = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]')


def quoted(text: str) -> str:
    """A text as a string literal."""
    escaped = _ESCAPED.sub(lambda found: _escape(found.group()), text)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    return _ESCAPES.get(character) or f"\\u{{{ord(character):X}}}"


def name_or_text(text: str) -> str:
    """A name where it is one, else a string."""
    return text if _NAME.fullmatch(text) and text not in RESERVED else quoted(text)


def tool(pattern: syntax.ToolPattern) -> str:
    return quoted(pattern.text) if pattern.quoted else pattern.text


def tools(patterns: Iterable[syntax.ToolPattern]) -> Doc:
    return filled(map(tool, patterns))


def path(field: syntax.FieldPath) -> str:
    return ".".join(field.parts)


# --- precedence --------------------------------------------------------------------------------


def _level(node: syntax.Expr) -> int:
    if isinstance(node, syntax.Arithmetic):
        return _ARITHMETIC[node.op]
    return _LEVELS.get(type(node), ATOM)


def _is_open(node: syntax.Expr) -> bool:
    """Does it reach as far to the right as it can, so that nothing may follow it?"""
    if isinstance(node, syntax.Not):
        return _is_open(node.operand) and _open_level(node.operand) >= NOT
    if isinstance(node, syntax.And | syntax.Or):
        last = node.operands[-1]
        return _is_open(last) and _open_level(last) > _level(node)
    if isinstance(node, syntax.Trace):
        # Behind a tool's name a dot would read as part of it: `last result of get.id`.
        return node.kind == "last" and (node.where is not None or bool(node.event.tools))
    return isinstance(node, syntax.Quantifier)


def _open_level(node: syntax.Expr) -> int:
    """The loosest operator through which an open expression was reached; the tail itself binds like `not`."""
    return _level(node) if isinstance(node, syntax.And | syntax.Or) else NOT


def _ends_in_last(node: syntax.Expr) -> bool:
    """Would a `where` after it be taken for the condition of a `last`?"""
    match node:
        case syntax.Trace(kind="last", where=None):
            return True
        case syntax.Arithmetic(right=part) | syntax.Negate(operand=part) | syntax.Else(default=part):
            return _ends_in_last(part)
        case syntax.Has(path=part):
            return _ends_in_last(part)
    return False


def operand(node: syntax.Expr, level: int) -> Doc:
    """An operand that binds at least as tightly as `level`, in parentheses if it does not."""
    if _level(node) >= level and not _is_open(node):
        return expression(node)
    return _parenthesised(node)


def value(node: syntax.Expr) -> Doc:
    """An expression where no condition may stand bare."""
    return operand(node, UNION)


def _parenthesised(node: syntax.Expr) -> Doc:
    return Group(("(", Indent((SOFT, expression(node))), SOFT, ")"))


def _last_operand(node: syntax.Expr, level: int) -> Doc:
    """The rightmost operand of `and`, `or` and `not` may be open."""
    if _is_open(node):
        return expression(node) if _open_level(node) >= level else _parenthesised(node)
    return operand(node, level)


# --- expressions -------------------------------------------------------------------------------


def expression(node: syntax.Expr) -> Doc:
    """The document of an expression, without parentheses around it."""
    return _PRINTERS[type(node)](node)


def literal(node: syntax.Literal) -> str:
    return " ".join(node.text.split()) if node.kind == "money" else node.text


def _chain(node: syntax.And | syntax.Or) -> Doc:
    word, level = ("and", NOT) if isinstance(node, syntax.And) else ("or", AND)
    *others, last = node.operands
    docs = [*(operand(other, level) for other in others), _last_operand(last, level)]
    return Group((docs[0], Indent(tuple((LINE, word, " ", doc) for doc in docs[1:]))))


def _not(node: syntax.Not) -> Doc:
    return ("not ", _last_operand(node.operand, NOT))


def _comparison(node: syntax.Comparison) -> Doc:
    operator = node.op
    if node.negated:
        operator = "is not" if node.op == "is" else f"not {node.op}"
    is_clause = node.op == "within" and _begins_with_duration(node.right)
    right = _parenthesised(node.right) if is_clause else value(node.right)
    return Group((value(node.left), " ", operator, " ", right))


def _begins_with_duration(node: syntax.Expr) -> bool:
    """Would `within` before it be taken for a clause, as in `seen(call x within 30m)`?"""
    match node:
        case syntax.Arithmetic(left=part) | syntax.Else(value=part):
            return _begins_with_duration(part)
    return isinstance(node, syntax.Literal) and node.kind == "duration"


def _arithmetic(node: syntax.Arithmetic) -> Doc:
    level = _ARITHMETIC[node.op]
    return Group((operand(node.left, level), " ", node.op, Indent((LINE, operand(node.right, level + 1)))))


def _negate(node: syntax.Negate) -> Doc:
    return ("-", operand(node.operand, UNARY))


def _has(node: syntax.Has) -> Doc:
    return ("has ", operand(node.path, POSTFIX))


def _else(node: syntax.Else) -> Doc:
    default = expression(node.default) if _is_fallback(node.default) else _parenthesised(node.default)
    return (operand(node.value, POSTFIX), " else ", default)


def _is_fallback(node: syntax.Expr) -> bool:
    while isinstance(node, syntax.Negate):
        node = node.operand
    return _level(node) >= ELSE and not _is_open(node)


def _base(node: syntax.Expr) -> Doc:
    """What a dot or bracket hangs on; a number would swallow the dot."""
    if isinstance(node, syntax.Literal) and node.kind != "string":
        return _parenthesised(node)
    return operand(node, POSTFIX)


def _attribute(node: syntax.Attribute) -> Doc:
    return (_base(node.base), ".", node.name)


def _index(node: syntax.Index) -> Doc:
    return (_base(node.base), "[", expression(node.key), "]")


def _call(node: syntax.Call) -> Doc:
    named = [(name, " = ", expression(given)) for name, given in node.named]
    return (node.function, bracketed("(", [*map(expression, node.arguments), *named], ")"))


def _map(node: syntax.MapLiteral) -> Doc:
    entries = [(expression(key), ": ", expression(given)) for key, given in node.entries]
    return bracketed("{", entries, "}")


def _where(condition: syntax.Expr | None) -> Doc:
    return "" if condition is None else (LINE, "where ", expression(condition))


def _collection(node: syntax.Expr, where: syntax.Expr | None) -> Doc:
    return _parenthesised(node) if where is not None and _ends_in_last(node) else value(node)


def _quantifier(node: syntax.Quantifier) -> Doc:
    head = (node.kind, " ", node.variable, " in ", _collection(node.collection, node.where))
    return Group((head, Indent((_where(node.where), ":", LINE, expression(node.body)))))


def _aggregate(node: syntax.Aggregate) -> Doc:
    counted = (node.variable, " in ", _collection(node.collection, node.where))
    member: Doc = counted if node.value is None else (expression(node.value), LINE, "for ", counted)
    return (node.kind, Group(("(", Indent((SOFT, member, _where(node.where))), SOFT, ")")))


def _trace(node: syntax.Trace) -> Doc:
    if node.kind == "last":
        of = ("", *(f" of {tool(pattern)}" for pattern in node.event.tools))
        return Group(("last ", node.event.point, *of, Indent(_where(node.where))))
    beside: Doc = (LINE, node.beside.order, " ", _event(node.beside.event)) if node.beside else ""
    within: Doc = (LINE, "within ", literal(node.within)) if node.within else ""
    inner = (_event(node.event), _where(node.where), beside, within)
    return (node.kind, Group(("(", Indent((SOFT, inner)), SOFT, ")")))


def _event(node: syntax.Event) -> Doc:
    return (node.point, " ", joined(map(tool, node.tools), ", ")) if node.tools else node.point


_PRINTERS: Final[dict[type[Any], Callable[[Any], Doc]]] = {
    syntax.Literal: literal,
    syntax.Name: lambda node: node.id,
    syntax.Attribute: _attribute,
    syntax.Index: _index,
    syntax.Call: _call,
    syntax.Negate: _negate,
    syntax.Arithmetic: _arithmetic,
    syntax.Comparison: _comparison,
    syntax.And: _chain,
    syntax.Or: _chain,
    syntax.Not: _not,
    syntax.Has: _has,
    syntax.Else: _else,
    syntax.Quantifier: _quantifier,
    syntax.Aggregate: _aggregate,
    syntax.SetLiteral: lambda node: bracketed("{", map(expression, node.items), "}"),
    syntax.ListLiteral: lambda node: bracketed("[", map(expression, node.items), "]"),
    syntax.MapLiteral: _map,
    syntax.Trace: _trace,
}


def format_expression(node: syntax.Expr) -> str:
    """The canonical spelling of an expression, on one line."""
    return flat(expression(node))


# --- types -------------------------------------------------------------------------------------


def type_of(node: syntax.TypeExpr) -> Doc:
    """The document of a type."""
    if isinstance(node, syntax.TypeChoice):
        first, *others = map(quoted, node.values)
        return Group((first, Indent(tuple((LINE, "| ", other) for other in others))))
    if isinstance(node, syntax.TypeRecord):
        return _record(node)
    if not node.arguments:
        return node.name
    return (node.name, "<", joined(map(type_of, node.arguments), ", "), ">")


def _record(node: syntax.TypeRecord) -> Doc:
    if not node.fields:
        return "{ }"
    fields = joined(map(field, node.fields), (IfBroken("", ";"), LINE))
    return Group(("{", Indent((LINE, fields)), LINE, "}"))


def field(node: syntax.TypeField) -> Doc:
    return (node.name, "?" if node.optional else "", ": ", type_of(node.type))
