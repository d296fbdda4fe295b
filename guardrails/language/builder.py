"""Builds the syntax tree while the parser runs: one method per rule of the grammar.

Takes what a rule's parts became (tokens, nodes, or None for an optional part left out) and gives the node.
Stateless: whatever is wrong with a node's parts is raised as a `Mistake`, which ends the parse of that
statement with that one problem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import literals, problems, syntax
from guardrails.language.problems import Mistake
from guardrails.language.scanner import Token, unescape

Parts: TypeAlias = list[Any]


class Several(tuple[Any, ...]):
    """The members of a list, and where the list stands."""

    span: Span


def members_of(parts: Parts) -> Several:
    """Every other part: the members without the commas or separators between them."""
    members = Several(part for part in parts[::2] if part is not None)
    if members:
        members.span = members[0].span.to(members[-1].span)
    return members


def cover(parts: Sequence[Any]) -> Span:
    """From the first part that is there to the last."""
    for part in parts:
        if part is not None:
            first = part
            break
    for part in reversed(parts):
        if part is not None:
            last = part
            break
    return join(first.span, last.span)


def join(first: Span, last: Span) -> Span:
    return Span(first[0], first[1], last[2], first[3], first[4], last[5], last[6])


def nodes_of(parts: Parts) -> tuple[Any, ...]:
    return tuple(part for part in parts if part is not None and not isinstance(part, Token))


def words_of(several: Several | None) -> tuple[str, ...]:
    return tuple(token.value for token in several or ())


def text_of(token: Token | None) -> str | None:
    return None if token is None else unescape(token.value)


def value_of(token: Token | None) -> str | None:
    return None if token is None else token.value


def maybe_literal(token: Token | None) -> syntax.Literal | None:
    return None if token is None else literal_of(token)


# --- literals ----------------------------------------------------------------------------------

_READERS: dict[str, tuple[syntax.LiteralKind, Callable[[str], object]]] = {
    "NUMBER": ("number", literals.number),
    "STRING": ("string", unescape),
    "DURATION": ("duration", literals.duration),
    "SIZE": ("size", literals.size),
    "MONEY": ("money", literals.money),
    "PERCENT": ("percent", literals.percent),
    "REGEX": ("pattern", literals.pattern),
    "TRUE": ("bool", lambda _: True),
    "FALSE": ("bool", lambda _: False),
    "NULL": ("null", lambda _: None),
}


def literal_of(token: Token) -> syntax.Literal:
    """The literal a token stands for."""
    kind, read = _READERS[token.type]
    try:
        return syntax.Literal(token.span, kind, read(token.value), token.value)
    except literals.LiteralError as error:
        raise Mistake(problems.bad_literal(token.span, token.value, str(error))) from None


def _dotted(node: syntax.Expr) -> str | None:
    """`sql.read_only` for the node that was read from it, None for anything that is not a plain name."""
    names: list[str] = []
    while isinstance(node, syntax.Attribute):
        names.append(node.name)
        node = node.base
    if not isinstance(node, syntax.Name):
        return None
    return ".".join([node.id, *reversed(names)])


def _call(span: Span, function: syntax.Expr, arguments: Sequence[Any]) -> syntax.Call:
    name = _dotted(function)
    if name is None:
        raise Mistake(problems.not_a_function(function.span))
    named = tuple(argument for argument in arguments if type(argument) is Named)
    positional = tuple(argument for argument in arguments if type(argument) is not Named)
    if any(type(before) is Named and type(after) is not Named for before, after in pairwise(arguments)):
        raise Mistake(problems.named_argument_first(span))
    pairs = tuple((argument.name, argument.value) for argument in named)
    return syntax.Call(span, name, positional, pairs, function.span)


class Named:
    """`name = value` in the arguments of a call."""

    __slots__ = ("name", "span", "value")

    def __init__(self, span: Span, name: str, value: syntax.Expr) -> None:
        self.span = span
        self.name = name
        self.value = value


class ExpressionBuilder:
    """The rules of expressions."""

    @staticmethod
    def name(parts: Parts) -> syntax.Name:
        return syntax.Name(parts[0].span, parts[0].value)

    @staticmethod
    def literal(parts: Parts) -> syntax.Literal:
        return literal_of(parts[0])

    @staticmethod
    def group(parts: Parts) -> syntax.Expr:
        """A parenthesised expression spans its parentheses."""
        inner: syntax.Expr = parts[1]
        return replace(inner, span=join(parts[0].span, parts[2].span))

    @staticmethod
    def attribute(parts: Parts) -> syntax.Attribute:
        base, _, field = parts
        return syntax.Attribute(join(base.span, field.span), base, field.value)

    @staticmethod
    def attribute_each(parts: Parts) -> syntax.Attribute:
        base, each = parts
        return syntax.Attribute(join(base.span, each.span), base, "*")

    @staticmethod
    def index(parts: Parts) -> syntax.Index:
        base, _, key, close = parts
        return syntax.Index(join(base.span, close.span), base, key)

    @staticmethod
    def call(parts: Parts) -> syntax.Call:
        function, _, arguments, close = parts
        return _call(join(function.span, close.span), function, arguments or ())

    @staticmethod
    def named_call(parts: Parts) -> syntax.Call | syntax.Aggregate:
        """`count(xs)` or `min(a, b)`; `count(x in xs)` counts with a variable."""
        word, _, arguments, close = parts
        span = join(word.span, close.span)
        if word.value == "count" and arguments and type(arguments[0]) is syntax.Comparison:
            return _count(span, arguments[0], None)
        return _call(span, syntax.Name(word.span, word.value), arguments or ())

    @staticmethod
    def named(parts: Parts) -> Named:
        return Named(cover(parts), parts[0].value, parts[2])

    arguments = staticmethod(members_of)
    expressions = staticmethod(members_of)

    @staticmethod
    def list(parts: Parts) -> syntax.ListLiteral:
        return syntax.ListLiteral(cover(parts), tuple(parts[1] or ()))

    @staticmethod
    def set(parts: Parts) -> syntax.SetLiteral:
        return syntax.SetLiteral(cover(parts), tuple(parts[1] or ()))

    @staticmethod
    def map(parts: Parts) -> syntax.MapLiteral:
        return syntax.MapLiteral(cover(parts), tuple(tuple(entry) for entry in nodes_of(parts)))

    @staticmethod
    def entry(parts: Parts) -> Several:
        return members_of(parts)

    @staticmethod
    def negate(parts: Parts) -> syntax.Negate:
        return syntax.Negate(cover(parts), parts[1])

    @staticmethod
    def has(parts: Parts) -> syntax.Has:
        return syntax.Has(cover(parts), parts[1])

    @staticmethod
    def else_(parts: Parts) -> syntax.Else:
        return syntax.Else(cover(parts), parts[0], parts[2])

    @staticmethod
    def arithmetic(parts: Parts) -> syntax.Arithmetic:
        left, operator, right = parts
        return syntax.Arithmetic(join(left.span, right.span), operator.value, left, right)

    @staticmethod
    def compare(parts: Parts) -> syntax.Comparison:
        left, operator, right = parts
        return syntax.Comparison(join(left.span, right.span), operator.value, left, right)

    @staticmethod
    def compare_not(parts: Parts) -> syntax.Comparison:
        """`a not in b` and `a is not b`."""
        left, first, second, right = parts
        operator = second if first.value == "not" else first
        return syntax.Comparison(join(left.span, right.span), operator.value, left, right, True)

    @staticmethod
    def and_(parts: Parts) -> syntax.And:
        return syntax.And(cover(parts), _flat(parts, syntax.And))

    @staticmethod
    def or_(parts: Parts) -> syntax.Or:
        return syntax.Or(cover(parts), _flat(parts, syntax.Or))

    @staticmethod
    def not_(parts: Parts) -> syntax.Not:
        return syntax.Not(cover(parts), parts[1])

    @staticmethod
    def quantifier(parts: Parts) -> syntax.Quantifier:
        kind, variable, _, collection, _, where, _, body = parts
        span = join(kind.span, body.span)
        return syntax.Quantifier(span, kind.value, variable.value, collection, where, body)

    @staticmethod
    def aggregate(parts: Parts) -> syntax.Aggregate:
        kind, _, value, _, variable, _, collection, _, where, close = parts
        span = join(kind.span, close.span)
        return syntax.Aggregate(span, kind.value, variable.value, collection, value, where)

    @staticmethod
    def count(parts: Parts) -> syntax.Aggregate:
        word, _, member, _, where, close = parts
        return _count(join(word.span, close.span), member, where)

    @staticmethod
    def trace(parts: Parts) -> syntax.Trace:
        kind, _, event, _, where, order, other, _, within, close = parts
        beside = None if order is None else syntax.Beside(join(order.span, other.span), order.value, other)
        span = join(kind.span, close.span)
        return syntax.Trace(span, kind.value, event, where, beside, maybe_literal(within))

    @staticmethod
    def event(parts: Parts) -> syntax.Event:
        point, *tools = parts
        return syntax.Event(cover(parts), point.value, tuple(tools[0]) if tools else ())

    @staticmethod
    def last(parts: Parts) -> syntax.Trace:
        word, point, _, tool, *condition = parts
        tools = () if tool is None else (tool,)
        where = condition[1] if condition else None
        event = syntax.Event(join(point.span, (tool or point).span), point.value, tools)
        return syntax.Trace(cover(parts), word.value, event, where, None, None)


def _flat(parts: Parts, kind: type[syntax.And] | type[syntax.Or]) -> tuple[syntax.Expr, ...]:
    """The operands of a chain; `a and (b and c)` means `a and b and c` and is kept so."""
    operands: list[syntax.Expr] = []
    for part in parts[::2]:
        operands.extend(part.operands if type(part) is kind else (part,))
    return tuple(operands)


def _count(span: Span, member: syntax.Expr, where: syntax.Expr | None) -> syntax.Aggregate:
    """`count(x in xs where c)`: the part before `where` is read as a comparison."""
    if (
        not isinstance(member, syntax.Comparison)
        or (member.op, member.negated) != ("in", False)
        or not isinstance(member.left, syntax.Name)
    ):
        raise Mistake(problems.count_without_variable(member.span))
    return syntax.Aggregate(span, "count", member.left.id, member.right, None, where)


class TypeBuilder:
    """The rules of types."""

    @staticmethod
    def type_name(parts: Parts) -> syntax.TypeName:
        return syntax.TypeName(cover(parts), parts[0].value, nodes_of(parts))

    @staticmethod
    def type_choice(parts: Parts) -> syntax.TypeChoice:
        return syntax.TypeChoice(cover(parts), tuple(unescape(token.value) for token in parts[::2]))

    @staticmethod
    def record(parts: Parts) -> syntax.TypeRecord:
        return syntax.TypeRecord(cover(parts), nodes_of(parts))

    @staticmethod
    def field(parts: Parts) -> syntax.TypeField:
        name, optional, _, definition = parts
        return syntax.TypeField(cover(parts), name.value, definition, optional is not None)
