"""Prices of models: a YAML table in, the exact cost of a model call out.

    currency: USD
    per: 1_000_000                      # tokens that a price is for
    models:
      small: {input: 0.25, cached: 0.025, output: 2.00}
      "large-*": {input: 3.00, output: 15.00}

A name matches exactly, or else the longest pattern with `*` that fits. Without a price for cached tokens
they cost as much as other input. Prices are exact decimals, as they are written.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.errors import EvaluationError
from guardrails.exact import exact
from guardrails.model import Value

if TYPE_CHECKING:
    from os import PathLike

    from guardrails.runtime.usage import Usage

KINDS = ("input", "cached", "output")
MILLION = 1_000_000


class Price(Value):
    """What tokens of one model cost, in units of the table's `per`."""

    __slots__ = ("cached", "input", "output")

    def __init__(self, input: Decimal, cached: Decimal, output: Decimal) -> None:
        self.input = input
        self.cached = cached
        self.output = output


class Prices(Value):
    """A price table in one currency."""

    __slots__ = ("currency", "models", "per")

    def __init__(self, currency: str, models: dict[str, Price], per: int = MILLION) -> None:
        self.currency = currency
        self.models = models
        self.per = per

    def cost(self, usage: Usage) -> Decimal:
        """The exact cost of a report. Raises `EvaluationError` for a model that is not in the table."""
        price = self.price(usage.model or "")
        total = (
            price.input * usage.input_tokens
            + price.cached * usage.cached_tokens
            + price.output * usage.output_tokens
        )
        return _nine_digits(total / self.per)

    def price(self, model: str) -> Price:
        found = self.models.get(model)
        if found is not None:
            return found
        from guardrails.patterns import compile_wildcard

        patterns = sorted((name for name in self.models if "*" in name), key=len, reverse=True)
        for pattern in patterns:
            if compile_wildcard(pattern)(model):
                return self.models[pattern]
        raise EvaluationError(f"the model `{model}` is not in the price table")


def _nine_digits(cost: Decimal) -> Decimal:
    """Up to nine digits after the point, rounded up: what a budget counts is never less than the cost."""
    from decimal import ROUND_CEILING

    return cost.quantize(Decimal("1e-9"), rounding=ROUND_CEILING).normalize()


def read_prices(path: str | PathLike[str]) -> Prices:
    """The price table in a file. Raises `EvaluationError` that says what is wrong with it, and where."""
    from yaml import YAMLError

    try:
        text = Path(path).read_text(encoding="utf-8")
        table = _plain_yaml(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise EvaluationError(f"the price table `{path}` cannot be read: {reason.lower()}") from None
    except YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f"{path}:{place.line + 1}:{place.column + 1}" if place else str(path)
        raise EvaluationError(f"{where}: this is not YAML: {getattr(error, 'problem', error)}") from None
    return prices_of(table, str(path))


def _plain_yaml(text: str) -> Any:
    """YAML in which every scalar is a text: a price of 0.1 must not become a binary fraction."""
    from yaml import BaseLoader, load

    return load(text, Loader=BaseLoader)


def prices_of(table: Any, where: str) -> Prices:
    """A price table from plain data."""
    if not isinstance(table, dict):
        raise EvaluationError(f"{where}: a price table has `currency` and `models`")
    _only(table, ("currency", "per", "models"), where)
    currency = table.get("currency")
    if (
        not isinstance(currency, str)
        or len(currency) != 3
        or not currency.isalpha()
        or not currency.isupper()
    ):
        raise EvaluationError(f"{where}: `currency` is three capital letters, such as USD")
    per = _number(table.get("per", str(MILLION)), f"{where}: per")
    models = table.get("models")
    if not isinstance(models, dict) or not models:
        raise EvaluationError(f"{where}: `models` names at least one model")
    if per < 1 or per % 1:
        raise EvaluationError(f"{where}: `per` is a whole number of tokens")
    return Prices(
        currency, {str(name): _price(row, f"{where}: {name}") for name, row in models.items()}, int(per)
    )


def _price(row: Any, where: str) -> Price:
    if not isinstance(row, dict):
        raise EvaluationError(f"{where} has `input` and `output`, such as {{input: 0.25, output: 2.00}}")
    _only(row, KINDS, where)
    for name in ("input", "output"):
        if name not in row:
            raise EvaluationError(f"{where} has no price for `{name}`")
    prices = {name: _number(row[name], f"{where}.{name}") for name in row}
    return Price(prices["input"], prices.get("cached", prices["input"]), prices["output"])


def _only(table: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    from guardrails.diagnostics import did_you_mean

    for name in table:
        if name not in known:
            help = did_you_mean(str(name), known)
            raise EvaluationError(f"{where} has an unknown `{name}`{f'; {help}' if help else ''}")


def _number(text: Any, where: str) -> Decimal:
    try:
        value = Decimal(str(text).replace("_", ""))
        number = Decimal(exact(value))
    except (InvalidOperation, EvaluationError):
        raise EvaluationError(f"{where} is `{text}`, which is not a number") from None
    if number < 0:
        raise EvaluationError(f"{where} is `{text}`, which is negative")
    return number
