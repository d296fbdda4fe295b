"""The built-in functions, one by one. Arguments come settled and in the order of the parameters."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from guardrails import exact
from guardrails.errors import EvaluationError, MissingField, WrongType
from reference.values import (
    ORDERED,
    Money,
    Quantity,
    Time,
    Window,
    as_set,
    elements,
    kind_of,
    number,
    of_kind,
    read_as,
    settled,
)


def text_of(value: Any) -> str:
    """A number without needless zeros, a truth value, or a string."""
    kind = kind_of(value)
    if kind == "bool":
        return "true" if value else "false"
    if kind == "string":
        return str(value)
    written = f"{number(value):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def number_of(value: Any) -> Any:
    if kind_of(value) == "number":
        return exact.exact(value)
    text = of_kind(value, "string")
    whole, point, fraction = text.lstrip("+-").partition(".")
    signs = len(text) - len(text.lstrip("+-"))
    digits = whole + fraction
    if signs > 1 or not whole or (point and not fraction) or not (digits.isascii() and digits.isdigit()):
        raise WrongType("the text is not a number")
    if len(digits) > 100:
        raise WrongType("the text is not a number")
    return Decimal(text) if point else int(text)


def rounded(mode: str) -> Callable[..., Any]:
    def function(value: Any, digits: Any = 0) -> Any:
        places = number(digits)
        if places != int(places):
            raise WrongType("a whole number of digits is needed")
        if not 0 <= places <= 30:
            raise EvaluationError("too many digits")
        context = decimal.Context(prec=1_100)
        result = Decimal(number(value)).quantize(
            Decimal(1).scaleb(-int(places)), rounding=mode, context=context
        )
        return int(result) if places == 0 else result

    return function


def fold(values: list[Any], step: Callable[[Any, Any], Any]) -> Any:
    """Numbers, or quantities of one unit, taken together; None for no values."""
    items = [settled(value) for value in values]
    if not items:
        return None
    kind = kind_of(items[0])
    if kind not in ORDERED:
        raise WrongType(f"a {kind} stands where a number is expected")
    result = _amount(items[0])
    for item in items[1:]:
        result = step(result, _amount(of_kind(item, kind)))
    return type(items[0])(result) if isinstance(items[0], Quantity) else result


def _amount(item: Any) -> Any:
    return exact.exact(item.amount if isinstance(item, Quantity) else item)


def total(values: list[Any]) -> Any:
    result = fold(values, exact.add)
    return 0 if result is None else result


def extreme(pick: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def function(values: list[Any]) -> Any:
        result = fold(values, pick)
        if result is None:
            raise MissingField("an empty collection has no smallest or largest element")
        return result

    return function


smallest, largest = extreme(min), extreme(max)


def over(function: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """A function of one list or set, or of several values."""
    return lambda *values: function(_listed(values[0]) if len(values) == 1 else list(values))


def _listed(value: Any) -> list[Any]:
    return elements(value if isinstance(value, frozenset) else of_kind(value, "list"))


def length(value: Any) -> int:
    return len(value) if kind_of(value) == "string" else len(elements(value))


def _map(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = of_kind(value, "map")
    return found


def _texts(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *texts: function(*(of_kind(text, "string") for text in texts))


def canonical(kind: str, name: str | None = None) -> Callable[..., Any]:
    """A text read as a canonical kind, or one property of it."""

    def function(value: Any, *options: Any) -> Any:
        found = value if kind_of(value) == kind else _read(kind, of_kind(value, "string"), options)
        return found if name is None else property_of(found, name)

    return function


def _read(kind: str, text: str, options: tuple[Any, ...]) -> Any:
    if not options:
        return read_as(kind, text)
    from guardrails.canonical import path, sql

    return (sql.parse_sql if kind == "sql" else path.parse_path)(text, *(str(option) for option in options))


def real_path(text: Any, base: Any) -> Any:
    from guardrails.canonical import path

    return path.real_path(str(text), str(base))


def property_of(value: Any, name: str) -> Any:
    found = getattr(value, name)
    return list(found) if isinstance(found, tuple) else found


def money(amount: Any, currency: Any) -> Money:
    code = of_kind(currency, "string")
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise WrongType("a currency has three letters")
    return Money(number(amount), code.upper())


def time(text: Any, zone: Any = None) -> Time:
    from guardrails.canonical.window import parse_time

    return text if isinstance(text, Time) else Time(parse_time(of_kind(text, "string"), zone))


def window(hours: str, zone: str) -> Window:
    from guardrails.canonical.window import parse_window

    return Window(parse_window(hours, zone))


def calendar(name: str) -> Callable[..., Any]:
    def function(at: Any, zone: str) -> Any:
        from guardrails.canonical import window

        return getattr(window, name)(of_kind(at, "time").amount, zone)

    return function


def links(text: Any) -> list[Any]:
    from guardrails.detectors.links import links as found

    return found(of_kind(text, "string"))


def mentions(text: Any, names: Any) -> bool:
    """By a pattern of each name; for writing with spaces between its words."""
    plain = " ".join(of_kind(text, "string").casefold().split())
    words = [" ".join(of_kind(name, "string").casefold().split()) for name in elements(names)]
    if not all(words):
        raise WrongType("a name is empty")
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", plain) for word in words)


def language(text: Any) -> str:
    from guardrails.detectors.languages import language as found

    return found(of_kind(text, "string"))


def promises(text: Any) -> frozenset[Any]:
    from guardrails.detectors.promises import promises as found

    return as_set(list(found(of_kind(text, "string"))))


SQL = ("read_only", "tables", "written", "kinds", "functions", "statements", "has_where", "has_limit")
SHELL = ("programs", "commands", "redirects", "reads", "has_substitution", "background")

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lower": _texts(str.lower),
    "upper": _texts(str.upper),
    "trim": _texts(str.strip),
    "starts_with": _texts(str.startswith),
    "ends_with": _texts(str.endswith),
    "split": _texts(lambda text, separator: text.split(separator) if separator else [text]),
    "text": text_of,
    "number": number_of,
    "abs": lambda value: abs(number(value)),
    "round": rounded(decimal.ROUND_HALF_EVEN),
    "floor": rounded(decimal.ROUND_FLOOR),
    "ceil": rounded(decimal.ROUND_CEILING),
    "count": lambda value: len(elements(value)),
    "length": length,
    "sum": over(total),
    "min": over(smallest),
    "max": over(largest),
    "keys": lambda value: list(_map(value)),
    "values": lambda value: list(_map(value).values()),
    "set": as_set,
    "time": time,
    "weekday": calendar("weekday"),
    "hour": calendar("hour"),
    "date": calendar("day"),
    "window": window,
    "money": money,
    "real_path": real_path,
    "links": links,
    "mentions": mentions,
    "language": language,
    "promises": promises,
    **{kind: canonical(kind) for kind in ("path", "url", "host", "email", "ip", "cidr", "sql", "shell")},
    **{f"sql.{name}": canonical("sql", name) for name in SQL},
    **{f"shell.{name}": canonical("shell", name) for name in SHELL},
}
