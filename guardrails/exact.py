"""Exact numbers (law L6): a number means its shortest decimal form, and arithmetic on it is exact.

Takes ints, finite floats and Decimals, gives ints and Decimals. Sums and products are exact to 1,000
significant digits and an error beyond; only quotients are rounded (half-even, 50 digits). `decimal` is
imported on first use, because most decisions compare plain ints and floats.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, NotANumber, WrongType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from decimal import Context, Decimal
    from typing import Any, TypeAlias

    Exact: TypeAlias = int | Decimal

DIGITS = 1_000
QUOTIENT_DIGITS = 50

_contexts: tuple[Any, Any] | None = None


def contexts() -> tuple[Context, Context]:
    """The exact context and the one for quotients."""
    global _contexts
    if _contexts is None:
        from decimal import ROUND_HALF_EVEN, Context, DivisionByZero, Inexact, InvalidOperation, Overflow

        hard = [InvalidOperation, DivisionByZero, Overflow]
        exact = Context(prec=DIGITS, Emin=-DIGITS, Emax=DIGITS, traps=[*hard, Inexact])
        quotient = Context(
            prec=QUOTIENT_DIGITS, rounding=ROUND_HALF_EVEN, Emin=-DIGITS, Emax=DIGITS, traps=hard
        )
        _contexts = (exact, quotient)
    return _contexts


def exact(value: Any) -> Exact:
    """`value` as an int or a Decimal; errors for anything that is not a finite number."""
    kind = value.__class__
    if kind is int:
        return value  # type: ignore[no-any-return]  # an exact int by the test above
    from decimal import Decimal

    if kind is float:
        if value - value != 0.0:
            raise NotANumber(f"`{value}` is not a number")
        return Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise NotANumber(f"`{value}` is not a number")
        return value
    raise WrongType("a number is needed here")


def add(left: Any, right: Any) -> Exact:
    left, right = exact(left), exact(right)
    if left.__class__ is int and right.__class__ is int:
        return bounded(left + right)
    return _apply("add", left, right)


def subtract(left: Any, right: Any) -> Exact:
    left, right = exact(left), exact(right)
    if left.__class__ is int and right.__class__ is int:
        return bounded(left - right)
    return _apply("subtract", left, right)


def multiply(left: Any, right: Any) -> Exact:
    left, right = exact(left), exact(right)
    if left.__class__ is int and right.__class__ is int:
        return bounded(left * right)
    return _apply("multiply", left, right)


def divide(left: Any, right: Any) -> Exact:
    """The quotient, rounded half-even to 50 digits where it does not come out even."""
    left, right = exact(left), exact(right)
    if right == 0:
        raise EvaluationError("division by zero")
    if left.__class__ is int and right.__class__ is int and left % right == 0:
        return bounded(left // right)
    return _apply("divide", left, right)


def remainder(left: Any, right: Any) -> Exact:
    """What is left of `left` after taking whole multiples of `right`; it has the sign of `left`."""
    left, right = exact(left), exact(right)
    if right == 0:
        raise EvaluationError("division by zero")
    return _apply("remainder", left, right)


def negate(value: Any) -> Exact:
    value = exact(value)
    return -value if value.__class__ is int else value.copy_negate()


def bounded(value: int) -> int:
    """An int of at most `DIGITS` digits, as far as anything in the language may grow."""
    if value.bit_length() > 3_322:
        raise EvaluationError(f"a number has more than {DIGITS} digits")
    return value


def _apply(operation: str, left: Exact, right: Exact) -> Exact:
    from decimal import Decimal, DecimalException

    exact_context, quotient_context = contexts()
    context = quotient_context if operation == "divide" else exact_context
    try:
        result: Exact = getattr(context, operation)(Decimal(left), Decimal(right))
    except DecimalException as error:
        raise EvaluationError(f"a number has more than {DIGITS} digits") from error
    return result
