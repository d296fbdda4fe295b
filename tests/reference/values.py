"""Values at run time: every value knows its kind, and only values of one kind meet.

JSON gives null, truth values, numbers, strings, lists and maps; the policy adds durations, sizes, times,
percents, money, sets, patterns and canonical values. A value may be `Typed`: raw data that a declaration
speaks of, read when it is used (`settled`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from guardrails.canonical.value import Canonical
from guardrails.errors import EvaluationError, MissingField, TooLarge, WrongType
from guardrails.exact import exact
from guardrails.language import types as t

MAX_ITEMS = 100_000


@dataclass(frozen=True)
class Quantity:
    """An amount of something that has a unit."""

    amount: Any


class Duration(Quantity):
    """Microseconds."""


class Size(Quantity):
    """Bytes."""


class Time(Quantity):
    """Microseconds since 1970."""


class Percent(Quantity):
    """A fraction: 80% is 0.8."""


@dataclass(frozen=True)
class Money:
    amount: Any
    currency: str


@dataclass(frozen=True)
class Pattern:
    text: str


@dataclass(frozen=True)
class Window:
    """Weekly hours."""

    inner: Any


@dataclass(frozen=True)
class Missing:
    """A field that is absent or null."""

    where: str


@dataclass(frozen=True)
class Typed:
    """Raw data under a declaration."""

    raw: Any
    kind: t.Type
    where: str


def is_absent(value: Any) -> bool:
    """Whether nothing stands there: null and missing are the same."""
    return value is None or isinstance(value, Missing) or (isinstance(value, Typed) and value.raw is None)


def present(value: Any) -> Any:
    """`value`, or the error that it is missing."""
    if isinstance(value, Missing):
        raise MissingField(f"`{value.where}` is missing")
    if value is None:
        raise MissingField("a value is missing")
    return value


def kind_of(value: Any) -> str:
    """The kind of a value that is there."""
    value = present(value)
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float | Decimal):
        return "number"
    names: dict[type, str] = {str: "string", list: "list", dict: "map", frozenset: "set"}
    plain = names.get(type(value))
    return plain or type(value).__name__.lower()


def is_canonical(value: Any) -> bool:
    return isinstance(value, Canonical)


def number(value: Any) -> Any:
    """An exact number, or the error that it is none."""
    if kind_of(value) != "number":
        raise WrongType(f"a {kind_of(value)} stands where a number is expected")
    return exact(value)


def of_kind(value: Any, kind: str) -> Any:
    if kind_of(value) != kind:
        raise WrongType(f"a {kind_of(value)} stands where a {kind} is expected")
    return value


def read_as(kind: str, text: str) -> Any:
    """A string as a canonical value of a kind."""
    from importlib import import_module

    module = {"host": "host", "cidr": "ip"}.get(kind, kind)
    return getattr(import_module(f"guardrails.canonical.{module}"), f"parse_{kind}")(text)


def same_kind(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values as values of one kind: a string meets a canonical value as one, a list meets a set as one."""
    first, second = kind_of(left), kind_of(right)
    if first == second:
        return left, right
    if is_canonical(left) and second == "string":
        return left, read_as(first, right)
    if is_canonical(right) and first == "string":
        return read_as(second, left), right
    if {first, second} == {"set", "list"}:
        return as_set(left), as_set(right)
    raise WrongType(f"a {first} and a {second} cannot be compared")


# --- collections -------------------------------------------------------------------------------


def elements(value: Any) -> list[Any]:
    """What a quantifier walks: elements of a list or set, keys of a map."""
    if kind_of(value) not in {"list", "set", "map"}:
        raise WrongType(f"a {kind_of(value)} stands where a collection is expected")
    if len(value) > MAX_ITEMS:
        raise TooLarge("a collection has too many elements")
    return list(value)


PLAIN = frozenset(
    {"bool", "number", "string", "duration", "size", "time", "percent", "money"}
    | {"path", "url", "host", "email", "ip", "cidr", "sql", "shell"}
)
"""Kinds that can be elements of a set."""


def plain(value: Any) -> Any:
    """A value that can be an element of a set."""
    if kind_of(value) not in PLAIN:
        raise WrongType(f"a {kind_of(value)} is no plain value")
    return value


def as_set(value: Any) -> frozenset[Any]:
    if isinstance(value, frozenset):
        return value
    items = [plain(settled(item)) for item in elements(of_kind(value, "list"))]
    if len({kind_of(item) for item in items}) > 1:
        raise WrongType("a set has elements of one kind")
    return frozenset(exact(item) if kind_of(item) == "number" else item for item in items)


def related(left: frozenset[Any], right: frozenset[Any]) -> tuple[frozenset[Any], frozenset[Any]]:
    """Two sets whose elements are of one kind."""
    if left and right:
        one, other = next(iter(left)), next(iter(right))
        if kind_of(one) != kind_of(other):
            same_kind(one, other)
            canonical = kind_of(one if is_canonical(one) else other)
            left, right = (
                frozenset(read_as(canonical, item) if isinstance(item, str) else item for item in items)
                for items in (left, right)
            )
    return left, right


def equal(left: Any, right: Any) -> bool:
    """Equality within one kind. A map differs from another only if none of its entries errs."""
    left, right = same_kind(settled(left), settled(right))
    kind = kind_of(left)
    if kind == "number":
        return bool(exact(left) == exact(right))
    if kind == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if kind == "map":
        return left.keys() == right.keys() and False not in {equal(left[name], right[name]) for name in left}
    if kind == "set":
        left, right = related(left, right)
    if kind == "money":
        _one_currency(left, right)
    return bool(left == right)


def member(value: Any, collection: Any) -> bool:
    """`value in collection`: an element that cannot be compared with it is an error unless it is found."""
    kind = kind_of(collection)
    if kind == "map":
        return of_kind(value, "string") in collection
    if kind not in {"list", "set"}:
        raise WrongType(f"`in` needs a collection on its right, not a {kind}")
    value = number(value) if kind_of(value) == "number" else plain(value)
    failure: EvaluationError | None = None
    for item in collection:
        try:
            if equal(plain(settled(item)), value):
                return True
        except EvaluationError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return False


# --- order -------------------------------------------------------------------------------------

ORDERED = frozenset({"number", "duration", "size", "time", "percent"})


def ordered(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values of one kind that has an order, as things that Python orders the same way."""
    left, right = same_kind(left, right)
    kind = kind_of(left)
    if kind == "set":
        return related(left, right)
    if kind == "money":
        _one_currency(left, right)
        return exact(left.amount), exact(right.amount)
    if kind not in ORDERED:
        raise WrongType(f"a {kind} has no order")
    if kind == "number":
        return exact(left), exact(right)
    return exact(left.amount), exact(right.amount)


def _one_currency(left: Money, right: Money) -> None:
    if left.currency != right.currency:
        raise WrongType("amounts in different currencies cannot be compared")


# --- declared types ----------------------------------------------------------------------------


def settled(value: Any) -> Any:
    """A value that is there, read as its declaration says."""
    if isinstance(value, Typed):
        value = conform(value.raw, value.kind, value.where)
    return present(value)


def conform(value: Any, kind: t.Type, where: str = "") -> Any:
    """`value` as a `kind`, or the error that it is none."""
    value = present(value)
    if isinstance(kind, t.Enum):
        if of_kind(value, "string") not in kind.values:
            raise WrongType(f"`{where}` is none of its declared values")
        return value
    if isinstance(kind, t.ListOf):
        items = elements(value) if isinstance(value, frozenset) else of_kind(value, "list")
        return [Typed(item, kind.item, f"{where}[{index}]") for index, item in enumerate(items)]
    if isinstance(kind, t.SetOf):
        items = value if isinstance(value, frozenset) else of_kind(value, "list")
        return as_set([conform(settled(item), kind.item, where) for item in items])
    if isinstance(kind, t.MapOf):
        return {
            name: Typed(item, kind.value, f"{where}.{name}") for name, item in of_kind(value, "map").items()
        }
    if isinstance(kind, t.Record):
        return of_kind(value, "map")
    return _scalar(value, kind, where)


def _scalar(value: Any, kind: t.Type, where: str) -> Any:
    name = "money" if isinstance(kind, t.Money) else str(kind)
    if name == "any":
        return value
    if kind_of(value) == name:
        return value
    if name in {"int", "decimal"}:
        return _whole(number(value), where) if name == "int" else number(value)
    if kind_of(value) != "string" or kind not in {*t.CANONICAL, t.TIME}:
        raise WrongType(f"`{where}` is a {kind_of(value)}, expected a {name}")
    if kind == t.TIME:
        from guardrails.canonical.window import parse_time

        return Time(parse_time(value))
    return read_as(name, value)


def _whole(value: Any, where: str) -> int:
    if value != int(value):
        raise WrongType(f"`{where}` is not a whole number")
    return int(value)
