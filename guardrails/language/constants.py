"""Constants of a policy: reading them ahead, and turning values from outside into them.

A parameter's value arrives from a `with` clause, from JSON or from the command line; here it meets the
declared type, so that a policy with a wrong parameter does not load.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from guardrails import functions
from guardrails.diagnostics import Span
from guardrails.errors import EvaluationError
from guardrails.language import core
from guardrails.language import types as t


def canonical_problem(text: str, kind: t.Type) -> str:
    """Why `text` cannot be read as `kind`, or an empty string."""
    try:
        functions.read(str(kind), text)
    except EvaluationError as error:
        return str(error)
    return ""


def problem_of_call(name: str, values: list[object]) -> str:
    """Why a built-in function errs for these constants, or an empty string."""
    try:
        functions.FUNCTIONS[name](*values)
    except (EvaluationError, ValueError) as error:
        return str(error)
    return ""


def constant_from(value: Any, kind: t.Type, span: Span) -> core.Core | str:
    """A Python, JSON or command-line value as a constant of `kind`; a text saying why not."""
    if isinstance(kind, t.SetOf | t.ListOf):
        return _collection(value, kind, span)
    if isinstance(kind, t.MapOf):
        return _map(value, kind, span)
    problem = f"`{value}` is not a {kind}"
    if isinstance(kind, t.Enum):
        return core.Const(span, kind, value) if value in kind.values else f"`{value}` is none of {kind}"
    if kind == t.TIME or isinstance(kind, t.Money):
        return _read_constant(value, kind, span)
    if kind in t.CANONICAL:
        reason = canonical_problem(value, kind) if isinstance(value, str) else problem
        return reason or core.Const(span, kind, value)
    converted = _scalar(value, kind)
    return problem if converted is None else core.Const(span, kind, converted)


def _read_constant(value: Any, kind: t.Type, span: Span) -> core.Core | str:
    """A time as ISO 8601 text, or an amount of money as `5.00 USD`."""
    if not isinstance(value, str):
        return f"`{value}` is not a {kind}"
    try:
        if kind == t.TIME:
            return core.Const(span, kind, functions.time(value))
        amount, _, currency = value.partition(" ")
        return core.Const(span, kind, functions.money(functions.to_number(amount), currency))
    except EvaluationError as error:
        return f"`{value}` is not a {kind}: {error}"


def _scalar(value: Any, kind: t.Type) -> object | None:
    """None when it is not of that kind."""
    if kind == t.STRING:
        return value if isinstance(value, str) else None
    if kind == t.BOOL:
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))
    if isinstance(value, bool):
        return None
    if kind in t.NUMERIC:
        number = _number(value)
        return number if kind == t.DECIMAL or isinstance(number, int) else None
    if kind == t.PERCENT:
        number = _number(str(value).removesuffix("%")) if str(value).endswith("%") else None
        return None if number is None else Decimal(number) / 100
    units = t.UNITS if kind == t.DURATION else t.SIZES if kind == t.SIZE else None
    return _quantity(str(value), units) if units else None


def _number(value: Any) -> int | Decimal | None:
    try:
        number = Decimal(str(value).replace("_", ""))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return int(number) if number == number.to_integral_value() and number.adjusted() < 40 else number


def _quantity(text: str, units: dict[str, int]) -> int | None:
    for unit in sorted(units, key=len, reverse=True):
        number = _number(text.removesuffix(unit)) if text.endswith(unit) else None
        if number is not None:
            return int(number * units[unit])
    return None


def _collection(value: Any, kind: t.SetOf | t.ListOf, span: Span) -> core.Core | str:
    if not isinstance(value, list | tuple | set | frozenset):
        return f"`{value}` is not a {kind}"
    items = [constant_from(item, kind.item, span) for item in value]
    for item in items:
        if isinstance(item, str):
            return item
    values = tuple(item.value for item in items if isinstance(item, core.Const))
    return core.Const(span, kind, frozenset(values) if isinstance(kind, t.SetOf) else values)


def _map(value: Any, kind: t.MapOf, span: Span) -> core.Core | str:
    if not isinstance(value, dict):
        return f"`{value}` is not a {kind}"
    entries: list[tuple[object, core.Core]] = []
    for key, inner in value.items():
        entry = constant_from(inner, kind.value, span)
        if isinstance(entry, str):
            return entry
        entries.append((key, entry))
    return core.ConstMap(span, kind, tuple(entries))
