"""Domains: the values that a comparison with a constant leaves to an expression.

An interval of an ordered kind, a set of allowed values, or all but some. Domains meet (`and`) and cover each
other; that is all the arithmetic that the linter knows, and it never guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

Number: TypeAlias = int | Decimal
End: TypeAlias = tuple[Number, bool]
"""A bound, and whether it belongs to the interval."""


@dataclass(frozen=True, slots=True)
class Domain:
    """`low` and `high` None: no bound; `allowed` None: any value; `excluded` never belong."""

    low: End | None = None
    high: End | None = None
    allowed: frozenset[object] | None = None
    excluded: frozenset[object] = frozenset()

    def meet(self, other: Domain) -> Domain:
        """The values that both leave."""
        allowed = _both(self.allowed, other.allowed)
        return Domain(
            _higher(self.low, other.low), _lower(self.high, other.high), allowed, self.excluded | other.excluded
        )  # fmt: skip

    @property
    def is_empty(self) -> bool:
        if self.allowed is not None:
            return not any(self.has(value) for value in self.allowed)
        if self.low is None or self.high is None or self.low[0] < self.high[0]:
            return False
        return self.low[0] > self.high[0] or not self.has(self.low[0])

    def has(self, value: object) -> bool:
        if value in self.excluded or (self.allowed is not None and value not in self.allowed):
            return False
        if self.low is None and self.high is None:
            return True
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            return False
        return _above(value, self.low) and _below(value, self.high)

    def covers(self, other: Domain) -> bool:
        """Whether every value of `other` belongs here too. False where that cannot be told."""
        if other.allowed is not None:
            return all(self.has(value) for value in other.allowed if other.has(value))
        if self.allowed is not None or any(other.has(value) for value in self.excluded):
            return False
        return _higher(self.low, other.low) == other.low and _lower(self.high, other.high) == other.high


ANYTHING: Final = Domain()


def _both(first: frozenset[object] | None, second: frozenset[object] | None) -> frozenset[object] | None:
    if first is None or second is None:
        return second if first is None else first
    return first & second


def _above(value: Number, low: End | None) -> bool:
    return low is None or value > low[0] or (low[1] and value == low[0])


def _below(value: Number, high: End | None) -> bool:
    return high is None or value < high[0] or (high[1] and value == high[0])


def _higher(first: End | None, second: End | None) -> End | None:
    """The stricter of two lower bounds."""
    if first is None or second is None:
        return second if first is None else first
    if first[0] == second[0]:
        return (first[0], first[1] and second[1])
    return max(first, second, key=lambda end: end[0])


def _lower(first: End | None, second: End | None) -> End | None:
    """The stricter of two upper bounds."""
    if first is None or second is None:
        return second if first is None else first
    if first[0] == second[0]:
        return (first[0], first[1] and second[1])
    return min(first, second, key=lambda end: end[0])


def of_comparison(op: str, value: object) -> Domain | None:
    """What `x op value` leaves to x; None where the value has no place here."""
    if op == "==":
        return Domain(allowed=frozenset({value}))
    if op == "!=":
        return Domain(excluded=frozenset({value}))
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        return None
    end = (value, op in ("<=", ">="))
    return Domain(low=end) if op in (">", ">=") else Domain(high=end)
