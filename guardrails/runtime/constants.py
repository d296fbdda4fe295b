"""Constants of a compiled policy: plain data in the program, real values once it is loaded.

A program is stored as plain data only (`marshal`), so patterns, decimals, paths and the like travel as
descriptions, `("path", "/workspace")`, and are made when the function that uses them is loaded.
"""

from __future__ import annotations

from guardrails.functions import reader, window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def materialise(description: Any) -> Any:
    """The value that a description stands for."""
    kind = description[0]
    make = _MAKERS.get(kind)
    return make(*description[1:]) if make else reader(kind)(*description[1:])


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _money(amount: str, currency: str) -> tuple[Any, str]:
    return _decimal(amount), currency


def _pattern(engine: str, source: str, whole: bool) -> Any:  # noqa: FBT001 - the fields of a stored plan
    from guardrails.patterns import Plan, matcher

    return matcher(Plan(engine, source, whole=whole))


_MAKERS: dict[str, Any] = {
    "plain": lambda value: value,
    "decimal": _decimal,
    "money": _money,
    "set": lambda items: frozenset(map(materialise, items)),
    "list": lambda items: list(map(materialise, items)),
    "map": lambda entries: {key: materialise(value) for key, value in entries},
    "pattern": _pattern,
    "window": window,
}
