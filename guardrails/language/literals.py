"""What a literal is worth: the exact value of numbers, durations, sizes, money, percentages, patterns.

Takes the text of a literal as it stands in the policy, gives its value as `syntax.Literal` keeps it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

MAX_DIGITS: Final = 40

MICROSECONDS: Final = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
BYTES: Final = {"B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}

_QUANTITY: Final = re.compile(r"(\d[\d_]*(?:\.[\d_]+)?)[ \t]*([A-Za-z%]*)")


class LiteralError(ValueError):
    """A literal that is spelled well and has no value, with the reason in a policy author's words."""


def number(text: str) -> int | Decimal:
    """The value of `1_000` (an int) or `0.5` (a Decimal)."""
    digits = text.replace("_", "")
    if len(digits) - ("." in digits) > MAX_DIGITS:
        raise LiteralError(f"a number has at most {MAX_DIGITS} digits")
    if text.startswith("_") or text.endswith("_") or "__" in text or "_." in text or "._" in text:
        raise LiteralError("`_` stands between two digits")
    return Decimal(digits) if "." in digits else int(digits)


def duration(text: str) -> int:
    """Microseconds."""
    return _scaled(text, MICROSECONDS, "a duration is a whole number of microseconds")


def size(text: str) -> int:
    """Bytes."""
    return _scaled(text, BYTES, "a size is a whole number of bytes")


def money(text: str) -> tuple[Decimal, str]:
    """The amount and the currency."""
    amount, currency = split_unit(text)
    return Decimal(number(amount)), currency


def percent(text: str) -> Decimal:
    """The fraction: 80% is 0.8."""
    return Decimal(number(text[:-1])).scaleb(-2)


def pattern(text: str) -> str:
    """The expression between the slashes."""
    return text[1:-1].replace("\\/", "/")


def split_unit(text: str) -> tuple[str, str]:
    """`15m` as `15` and `m`."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise LiteralError("a quantity is a number and a unit")
    return found[1], found[2]


def _scaled(text: str, units: dict[str, int], rule: str) -> int:
    amount, unit = split_unit(text)
    value = number(amount) * units[unit]
    if value != int(value):
        raise LiteralError(rule)
    return int(value)
