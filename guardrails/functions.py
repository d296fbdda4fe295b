"""The built-in functions of the language, by name.

Times and durations are whole microseconds, sizes bytes, sets frozensets, money `(amount, currency)`.
Every function errs with an `EvaluationError` or gives a value of its declared type; none guesses.
Parsers (`sqlglot`, `tree-sitter`, ...) are imported when a policy first needs them.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, MissingField, WrongType
from guardrails.exact import add, exact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

MODULES = {
    "path": "path", "url": "url", "host": "url", "email": "email", "ip": "ip", "cidr": "ip", "sql": "sql",
    "shell": "shell",
}  # fmt: skip
"""Canonical type -> the module of `guardrails.canonical` that reads it."""

_readers: dict[str, Callable[..., Any]] = {}


def reader(kind: str) -> Callable[..., Any]:
    """The parser of a canonical type: text in, canonical value out, or `Ambiguous`."""
    found = _readers.get(kind)
    if found is None:
        from importlib import import_module

        found = getattr(import_module(f"guardrails.canonical.{MODULES[kind]}"), f"parse_{kind}")
        _readers[kind] = found
    return found


def read(kind: str, text: Any) -> Any:
    """`text` as a canonical value of type `kind`; a value that is one already stays."""
    if text.__class__ is str:
        return reader(kind)(text)
    if text.__class__.__name__.lower() == kind:
        return text
    raise WrongType(f"a text is needed to read {kind} from")


# --- texts and numbers -------------------------------------------------------------------------


def as_text(value: Any) -> str:
    if value.__class__ is str:
        return str(value)
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is list or value.__class__ is dict or value is None:
        raise WrongType("only a plain value can be turned into text")
    number = exact(value)
    return str(number) if number.__class__ is int else _shortest(number)


def _shortest(number: Any) -> str:
    """A Decimal without an exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def to_number(value: Any) -> Any:
    """The number that a text spells: digits with an optional sign and point, nothing else."""
    if value.__class__ is not str:
        return exact(value) if value.__class__ is not bool else _not_a_number(value)
    digits = value[1:] if value[:1] in ("-", "+") else value
    whole, _, fraction = digits.partition(".")
    plain = whole + fraction
    if not (plain.isascii() and plain.isdigit() and whole and len(plain) <= 100) or digits.endswith("."):
        _not_a_number(value)
    from decimal import Decimal

    return Decimal(value) if fraction else int(value)


def _not_a_number(value: Any) -> Any:
    raise WrongType(f"`{str(value)[:40]}` is not a number")


def _rounded(value: Any, digits: int = 0, mode: str = "ROUND_HALF_EVEN") -> Any:
    if not 0 <= digits <= 30:
        raise EvaluationError("a number is rounded to between 0 and 30 digits")
    if value.__class__ is int:
        return value
    import decimal

    number = decimal.Decimal(exact(value))
    step = decimal.Decimal(1).scaleb(-int(digits))
    try:
        rounded = number.quantize(step, rounding=mode, context=decimal.Context(prec=1_000))
    except decimal.InvalidOperation:
        raise EvaluationError("a number has too many digits to be rounded") from None
    return int(rounded) if digits == 0 else rounded


def absolute(value: Any) -> Any:
    number = exact(value)
    return number if number >= 0 else -number


def floor(value: Any) -> Any:
    return _rounded(value, 0, "ROUND_FLOOR")


def ceil(value: Any) -> Any:
    return _rounded(value, 0, "ROUND_CEILING")


# --- collections -------------------------------------------------------------------------------


def total(values: Iterable[Any]) -> Any:
    result: Any = 0
    for value in values:
        result = add(result, _number(value))
    return result


def _number(value: Any) -> Any:
    if value is None:
        raise MissingField("a number is missing in the collection")
    if value.__class__ is bool:
        raise WrongType("a truth value stands where a number is expected")
    return exact(value)


def smallest(values: Iterable[Any]) -> Any:
    return _extreme(values, min)


def largest(values: Iterable[Any]) -> Any:
    return _extreme(values, max)


def _extreme(values: Iterable[Any], pick: Callable[..., Any]) -> Any:
    numbers = [_number(value) for value in values]
    if not numbers:
        raise MissingField("an empty collection has no smallest or largest element")
    return pick(numbers)


def length(value: Any) -> int:
    if value.__class__ in (str, list, dict, frozenset, tuple):
        return len(value)
    raise WrongType("only a text or a collection has a length")


# --- time, money and canonical values ----------------------------------------------------------


def _window_module() -> Any:
    from importlib import import_module

    return import_module("guardrails.canonical.window")


def time(text: str, zone: str | None = None) -> int:
    return int(_window_module().parse_time(text, zone))


def weekday(at: int, zone: str) -> str:
    return str(_window_module().weekday(at, zone))


def hour(at: int, zone: str) -> int:
    return int(_window_module().hour(at, zone))


def date(at: int, zone: str) -> str:
    return str(_window_module().day(at, zone))


def window(hours: str, zone: str) -> Any:
    return _window_module().parse_window(hours, zone)


def money(amount: Any, currency: str) -> tuple[Any, str]:
    if not (currency.__class__ is str and len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise WrongType(f"`{str(currency)[:20]}` is not a currency code")
    return exact(amount), currency.upper()


def path(text: str, base: Any = None) -> Any:
    return reader("path")(text, base if base is None else str(base))


def real_path(text: str, base: Any) -> Any:
    from guardrails.canonical.path import real_path as resolve

    return resolve(text, str(base))


def language(text: str) -> str:
    from guardrails.detectors.languages import language as found

    return found(text)


def links(text: str) -> list[Any]:
    from guardrails.detectors.links import links as found

    return found(text)


def mentions(text: str, names: Iterable[str]) -> bool:
    from guardrails.detectors.mentions import mentions as found

    return found(text, names)


def promises(text: str) -> frozenset[str]:
    from guardrails.detectors.promises import promises as found

    return found(text)


def _reading(kind: str, name: str | None = None) -> Callable[..., Any]:
    """A function that reads its text as a `kind`, and gives the property `name` of it."""

    def function(text: Any, *options: Any) -> Any:
        value = text if text.__class__.__name__.lower() == kind else reader(kind)(text, *options)
        found = value if name is None else getattr(value, name)
        return list(found) if found.__class__ is tuple else found

    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "split": lambda text, separator: text.split(separator) if separator else [text],
    "text": as_text,
    "number": to_number,
    "abs": absolute,
    "round": _rounded,
    "floor": floor,
    "ceil": ceil,
    "sum": total,
    "min": smallest,
    "max": largest,
    "count": length,
    "length": length,
    "keys": list,
    "values": lambda table: list(table.values()),
    "time": time,
    "weekday": weekday,
    "hour": hour,
    "date": date,
    "window": window,
    "money": money,
    "path": path,
    "real_path": real_path,
    "language": language,
    "links": links,
    "mentions": mentions,
    "promises": promises,
    **{kind: _reading(kind) for kind in ("url", "host", "email", "ip", "cidr", "sql", "shell")},
    **{
        f"sql.{name}": _reading("sql", name)
        for name in (
            "read_only",
            "tables",
            "written",
            "kinds",
            "functions",
            "statements",
            "has_where",
            "has_limit",
        )
    },
    **{
        f"shell.{name}": _reading("shell", name)
        for name in ("programs", "commands", "redirects", "reads", "has_substitution", "background")
    },
}
