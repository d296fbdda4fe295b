"""Decimals that a float cannot hold without loss, and still compare with floats by decimal form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def _shortest(value: Any) -> Any:
    return Decimal(repr(value)) if value.__class__ is float else value


class ExactDecimal(Decimal):
    """A Decimal that takes a float for its shortest decimal form when it is compared."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return Decimal.__lt__(self, _shortest(other))

    def __le__(self, other: Any) -> bool:
        return Decimal.__le__(self, _shortest(other))

    def __gt__(self, other: Any) -> bool:
        return Decimal.__gt__(self, _shortest(other))

    def __ge__(self, other: Any) -> bool:
        return Decimal.__ge__(self, _shortest(other))

    def __eq__(self, other: object) -> bool:
        return Decimal.__eq__(self, _shortest(other))

    def __hash__(self) -> int:
        return Decimal.__hash__(self)
