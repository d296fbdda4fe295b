"""Expressions: a syntax tree and an environment in, a value or an `EvaluationError` out.

`look` gives what stands there, present or not; `value` insists on a value; `truth` on true or false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast

from guardrails import exact, patterns
from guardrails.errors import EvaluationError, MissingField, Unavailable, WrongType
from guardrails.language import syntax
from guardrails.language import types as t
from guardrails.language.schema import Tool
from reference.functions import FUNCTIONS, largest, property_of, smallest, total
from reference.values import (
    Duration,
    Missing,
    Money,
    Pattern,
    Percent,
    Quantity,
    Size,
    Time,
    Typed,
    Window,
    as_set,
    conform,
    elements,
    equal,
    is_absent,
    is_canonical,
    kind_of,
    member,
    number,
    of_kind,
    ordered,
    plain,
    read_as,
    related,
    settled,
)

PATHS = syntax.Name | syntax.Attribute | syntax.Index | syntax.Trace


@dataclass(frozen=True)
class Environment:
    """What names mean: the event's roots, named values, parameters, and bound variables; and the session's
    past (`reference.past.Happened`) and what is `known` of where values came from (`reference.origins.Known`),
    None where it is not known."""

    roots: Mapping[str, Any]
    lets: Mapping[str, syntax.Let]
    params: Mapping[str, Any]
    types: Mapping[str, t.Type]
    functions: Mapping[str, Callable[..., Any]]
    tools: Mapping[str, Tool] = field(default_factory=dict)
    past: Sequence[Any] | None = None
    known: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, name: str, value: Any) -> Environment:
        return replace(self, variables={**self.variables, name: value})

    def of_let(self) -> Environment:
        """Where the body of a named value is evaluated: none of its user's variables."""
        return replace(self, variables={})


def truth(node: syntax.Expr, env: Environment) -> bool:
    return bool(of_kind(value(node, env), "bool"))


def value(node: syntax.Expr, env: Environment) -> Any:
    return settled(look(node, env))


def look(node: syntax.Expr, env: Environment) -> Any:
    return EVALUATORS[type(node)](node, env)


# --- names and fields --------------------------------------------------------------------------


def _literal(node: syntax.Literal, env: Environment) -> Any:
    raw: Any = node.value
    if node.kind == "money":
        return Money(*raw)
    if node.kind == "null":
        return Missing("null")
    wrap: Any = {"duration": Duration, "size": Size, "percent": Percent, "pattern": Pattern}.get(node.kind)
    return wrap(raw) if wrap else raw


def _name(node: syntax.Name, env: Environment) -> Any:
    for names in (env.variables, env.params):
        if node.id in names:
            return names[node.id]
    if node.id in env.lets:
        return look(env.lets[node.id].value, env.of_let())
    return env.roots[node.id]


def _attribute(node: syntax.Attribute, env: Environment) -> Any:
    return field_of(look(node.base, env), node.name)


def field_of(base: Any, name: str) -> Any:
    """A field: of a missing thing it is missing, of something without fields it is an error."""
    if is_absent(base):
        return Missing(name)
    inner: t.Type = t.ANY
    where = name
    if isinstance(base, Typed) and isinstance(base.kind, t.Record):
        declared = base.kind.field(name)
        inner, where = declared.type if declared else t.ANY, f"{base.where}.{name}"
    thing = settled(base)
    if is_canonical(thing):
        return property_of(thing, name)
    found = of_kind(thing, "map").get(name)
    if found is None:
        return Missing(where)
    return found if isinstance(found, Typed) or not _is_raw(found) else Typed(found, inner, where)


def _is_raw(found: Any) -> bool:
    return isinstance(found, bool | int | float | str | list | dict)


def _index(node: syntax.Index, env: Environment) -> Any:
    base, key = look(node.base, env), value(node.key, env)
    if is_absent(base):
        return Missing("an entry")
    if isinstance(base, Typed) and isinstance(base.kind, t.Record):
        return field_of(base, of_kind(key, "string"))
    whole = settled(base)
    if kind_of(whole) == "map":
        return whole.get(of_kind(key, "string"), Missing("an entry"))
    place = number(key)
    if place != int(place):
        raise WrongType("a position is a whole number")
    items = of_kind(whole, "list")
    return items[int(place)] if 0 <= place < len(items) else Missing("an element")


def _is_absent(node: syntax.Expr, env: Environment) -> bool:
    found = look(node, env)
    if is_absent(found):
        return True
    settled(found)
    return False


def _has(node: syntax.Has, env: Environment) -> bool:
    return not _is_absent(node.path, env)


def _else(node: syntax.Else, env: Environment) -> Any:
    if isinstance(node.value, PATHS):
        if _is_absent(node.value, env):
            return value(node.default, env)
        return _of_one_kind(value(node.value, env), node.default, env)
    try:
        return value(node.value, env)
    except MissingField:
        return value(node.default, env)


def _of_one_kind(found: Any, default: syntax.Expr, env: Environment) -> Any:
    """The default says of what kind the value is that it stands in for."""
    try:
        expected = _plain_kind(value(default, env))
    except EvaluationError:
        return found
    if expected and _plain_kind(found) and _plain_kind(found) != expected:
        raise WrongType(f"this is no {expected}")
    return found


def _plain_kind(found: Any) -> str:
    if isinstance(found, bool):
        return "truth value"
    if isinstance(found, int | float | Decimal):
        return "number"
    return {str: "text", dict: "object", list: "list", frozenset: "list"}.get(type(found), "")


# --- logic -------------------------------------------------------------------------------------


def _and(node: syntax.And, env: Environment) -> bool:
    return all(truth(part, env) for part in node.operands)


def _or(node: syntax.Or, env: Environment) -> bool:
    return any(truth(part, env) for part in node.operands)


def _not(node: syntax.Not, env: Environment) -> bool:
    return not truth(node.operand, env)


def _walked(node: syntax.Quantifier | syntax.Aggregate, env: Environment) -> Iterator[Environment]:
    """An environment for every element; to come to an element is to read it."""
    for item in elements(value(node.collection, env)):
        settled(item)
        yield env.bind(node.variable, item)


def _chosen(node: syntax.Quantifier | syntax.Aggregate, inner: Environment) -> bool:
    return node.where is None or truth(node.where, inner)


def _quantifier(node: syntax.Quantifier, env: Environment) -> bool:
    bodies = (truth(node.body, inner) for inner in _walked(node, env) if _chosen(node, inner))
    return any(bodies) if node.kind == "any" else all(bodies)


def _aggregate(node: syntax.Aggregate, env: Environment) -> Any:
    chosen = [inner for inner in _walked(node, env) if _chosen(node, inner)]
    if node.value is None:
        return len(chosen)
    function = {"sum": total, "min": smallest, "max": largest}[node.kind]
    return function([value(node.value, inner) for inner in chosen])


# --- comparisons -------------------------------------------------------------------------------


def _comparison(node: syntax.Comparison, env: Environment) -> bool:
    is_origin = isinstance(node.left, syntax.Call) and node.left.function == "origin"
    if is_origin or (isinstance(node.left, syntax.Name) and node.left.id == "context"):
        from reference.origins import asked

        return asked(node, env)
    nulls = [isinstance(side, syntax.Literal) and side.kind == "null" for side in (node.left, node.right)]
    if any(nulls):
        absent = _is_absent(node.left if nulls[1] else node.right, env)
        return absent if node.op == "==" else not absent
    found = COMPARISONS[node.op](value(node.left, env), value(node.right, env))
    return not found if node.negated else found


def _contains(whole: Any, part: Any) -> bool:
    if is_canonical(whole):
        whole = str(whole)
    if kind_of(whole) != "string":
        return member(part, whole)
    if isinstance(part, Pattern):
        return bool(patterns.compile_search(part.text)(whole))
    return of_kind(part, "string") in whole


def _text(subject: Any) -> str:
    return str(subject) if is_canonical(subject) else str(of_kind(subject, "string"))


def _matches(subject: Any, pattern: Any) -> bool:
    return bool(patterns.compile_full(of_kind(pattern, "pattern").text)(_text(subject)))


def _like(subject: Any, glob: Any) -> bool:
    return bool(patterns.compile_glob(of_kind(glob, "string"))(_text(subject)))


INSIDE = {"path": "path", "ip": "cidr", "time": "window"}


def _within(inner: Any, outer: Any) -> bool:
    kinds = kind_of(inner), kind_of(outer)
    kind = kinds[0] if kinds[0] in INSIDE else {"cidr": "ip", "window": "time"}.get(kinds[1], "path")
    inner = read_as(kind, inner) if kinds[0] == "string" and kind != "time" else of_kind(inner, kind)
    outer = (
        read_as(INSIDE[kind], outer)
        if kinds[1] == "string" and kind != "time"
        else of_kind(outer, INSIDE[kind])
    )
    if isinstance(outer, Window):
        return bool(outer.inner.contains(inner.amount))
    return bool(inner.within(outer))


def _order(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: test(*ordered(left, right))


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _order(lambda left, right: left < right),
    "<=": _order(lambda left, right: left <= right),
    ">": _order(lambda left, right: left > right),
    ">=": _order(lambda left, right: left >= right),
    "in": member,
    "contains": _contains,
    "matches": _matches,
    "like": _like,
    "within": _within,
}


# --- arithmetic --------------------------------------------------------------------------------

OPERATIONS = {
    "+": exact.add, "-": exact.subtract, "*": exact.multiply, "/": exact.divide, "%": exact.remainder,
}  # fmt: skip
UNITS: dict[tuple[str, str, str], type[Quantity] | None] = {
    ("+", "time", "duration"): Time, ("+", "duration", "time"): Time, ("-", "time", "duration"): Time,
    ("-", "time", "time"): Duration, ("+", "duration", "duration"): Duration,
    ("-", "duration", "duration"): Duration, ("%", "duration", "duration"): Duration,
    ("/", "duration", "duration"): None, ("+", "size", "size"): Size, ("-", "size", "size"): Size,
    ("/", "size", "size"): None, ("+", "percent", "percent"): Percent, ("-", "percent", "percent"): Percent,
    ("*", "number", "duration"): Duration, ("*", "number", "size"): Size, ("*", "number", "percent"): None,
    ("*", "duration", "number"): Duration, ("*", "size", "number"): Size, ("*", "percent", "number"): Percent,
    ("/", "duration", "number"): Duration, ("/", "size", "number"): Size, ("/", "percent", "number"): Percent,
}  # fmt: skip
"""What comes of two kinds; None is a plain number."""


def _arithmetic(node: syntax.Arithmetic, env: Environment) -> Any:
    left, right = value(node.left, env), value(node.right, env)
    kinds = kind_of(left), kind_of(right)
    if node.op in {"|", "&"} or "set" in kinds:
        return _set_operation(node.op, left, right)
    if kinds == ("number", "number"):
        return OPERATIONS[node.op](left, right)
    if (node.op, *kinds) not in UNITS:
        raise WrongType(f"a {kinds[0]} and a {kinds[1]} have no `{node.op}`")
    unit = UNITS[(node.op, *kinds)]
    amount = OPERATIONS[node.op](
        *(side.amount if isinstance(side, Quantity) else side for side in (left, right))
    )
    return unit(amount) if unit else amount


def _set_operation(op: str, left: Any, right: Any) -> frozenset[Any]:
    first, second = related(as_set(left), as_set(right))
    if op not in {"|", "&", "-"}:
        raise WrongType(f"sets have no `{op}`")
    return first | second if op == "|" else first & second if op == "&" else first - second


def _negate(node: syntax.Negate, env: Environment) -> Any:
    operand = value(node.operand, env)
    if isinstance(operand, Duration | Size | Percent):
        return type(operand)(exact.negate(operand.amount))
    return exact.negate(number(operand))


# --- collections and calls ---------------------------------------------------------------------


def _set(node: syntax.SetLiteral, env: Environment) -> frozenset[Any]:
    return as_set([plain(value(item, env)) for item in node.items])


def _list(node: syntax.ListLiteral, env: Environment) -> list[Any]:
    return [value(item, env) for item in node.items]


def _map(node: syntax.MapLiteral, env: Environment) -> dict[str, Any]:
    return {of_kind(value(key, env), "string"): value(item, env) for key, item in node.entries}


def _call(node: syntax.Call, env: Environment) -> Any:
    let = env.lets.get(node.function)
    if let is not None:
        return _named_condition(node, let, env)
    arguments = [value(argument, env) for argument in (*node.arguments, *(value for _, value in node.named))]
    if node.function in env.functions:
        return env.functions[node.function](*arguments)
    return FUNCTIONS[node.function](*arguments)


def _named_condition(node: syntax.Call, let: syntax.Let, env: Environment) -> Any:
    inner = env.of_let()
    for parameter, argument in zip(let.parameters or (), node.arguments, strict=True):
        kind = resolve(parameter.type, env.types)
        inner = inner.bind(parameter.name, conform(value(argument, env), kind, parameter.name))
    return value(let.value, inner)


def resolve(node: syntax.TypeExpr, declared: Mapping[str, t.Type]) -> t.Type:
    """A type as written, as a type."""
    if isinstance(node, syntax.TypeChoice):
        return t.Enum(node.values)
    if isinstance(node, syntax.TypeRecord):
        return t.Record(
            "", tuple(t.Field(f.name, resolve(f.type, declared), f.optional) for f in node.fields)
        )
    inner = [resolve(argument, declared) for argument in node.arguments]
    if node.name in {"list", "set", "map"}:
        make: Any = {"list": t.ListOf, "set": t.SetOf, "map": t.MapOf}[node.name]
        return cast(t.Type, make(*inner))
    return {"number": t.DECIMAL, "money": t.MONEY, **t.SCALARS, **declared}[node.name]


def _trace(node: syntax.Trace, env: Environment) -> Any:
    from reference.past import answer

    if env.past is None:
        raise Unavailable("the past of the session is not known")
    return answer(node, env)


EVALUATORS: dict[type, Callable[[Any, Environment], Any]] = {
    syntax.Literal: _literal,
    syntax.Name: _name,
    syntax.Attribute: _attribute,
    syntax.Index: _index,
    syntax.Call: _call,
    syntax.Negate: _negate,
    syntax.Arithmetic: _arithmetic,
    syntax.Comparison: _comparison,
    syntax.And: _and,
    syntax.Or: _or,
    syntax.Not: _not,
    syntax.Has: _has,
    syntax.Else: _else,
    syntax.Quantifier: _quantifier,
    syntax.Aggregate: _aggregate,
    syntax.SetLiteral: _set,
    syntax.ListLiteral: _list,
    syntax.MapLiteral: _map,
    syntax.Trace: _trace,
}
