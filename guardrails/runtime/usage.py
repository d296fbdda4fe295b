"""What a model or tool used up, as budgets see it: tokens, money and time.

Takes a report of the host and a price table, gives the record that budgets read. Tokens that were read from
a cache are told apart from the other input tokens, because they have a price of their own.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.exact import exact
from guardrails.model import Value
from guardrails.runtime.engine import MAX_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from guardrails.runtime.prices import Prices

COST = 'an amount and its currency, such as `(0.05, "USD")`'

COUNTS = ("input_tokens", "cached_tokens", "output_tokens")


class Usage(Value):
    """`input_tokens` (without those from a cache), `cached_tokens` and `output_tokens` of `model`; or a `cost`
    as `(amount, currency)` where the host knows it; `tool_time` in seconds. `tool` names the tool that used
    it, if it was one. Raises `EvaluationError` for what is not a number from 0, and for what could not be charged: of
    a tool without a name no budget could be asked, and a cost has a currency."""

    __slots__ = ("cached_tokens", "cost", "input_tokens", "model", "output_tokens", "tool", "tool_time")

    def __init__(
        self,
        model: str | None = None,
        *,
        input_tokens: int = 0,
        cached_tokens: int = 0,
        output_tokens: int = 0,
        cost: tuple[Any, str] | None = None,
        tool_time: float = 0,
        tool: str | None = None,
    ) -> None:
        if tool is not None and (tool.__class__ is not str or not 0 < len(tool) <= MAX_NAME):
            raise _misfit("tool", tool, f"a name of 1 to {MAX_NAME} characters")
        if model.__class__ is not str and model is not None and not isinstance(model, str):
            raise _misfit("model", model, "the name of a model, a text")
        self.model = model
        self.input_tokens = _count(input_tokens, "input_tokens")
        self.cached_tokens = _count(cached_tokens, "cached_tokens")
        self.output_tokens = _count(output_tokens, "output_tokens")
        self.cost = None if cost is None else _cost(cost)
        self.tool_time = _amount(tool_time, "tool_time")
        self.tool = tool

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.cached_tokens + self.output_tokens


def record_of(usage: Usage, prices: Prices | None, currencies: Iterable[str]) -> dict[str, Any]:
    """The record that budgets read; without an entry for a currency in which the cost is not known."""
    return {
        "tokens": usage.tokens,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "tool_time": int(exact(usage.tool_time) * 1_000_000),
        "cost": dict(_costs(usage, prices, tuple(currencies))),
    }


def _costs(usage: Usage, prices: Prices | None, currencies: tuple[str, ...]) -> Iterable[tuple[str, Any]]:
    if usage.cost is not None:
        amount, currency = usage.cost
        return [(currency, amount)] if amount else [(each, 0) for each in currencies]
    if usage.tokens == 0:
        return [(currency, 0) for currency in currencies]
    if prices is None or usage.model is None:
        return []
    return [(prices.currency, prices.cost(usage))]


def _count(value: Any, name: str) -> int:
    if value.__class__ is not int or value < 0:
        raise _misfit(name, value, "a whole number from 0")
    return int(value)


def _cost(given: Any) -> tuple[Any, str]:
    if (given.__class__ is not tuple and given.__class__ is not list) or len(given) != 2:
        raise _misfit("cost", given, COST)
    amount, currency = given
    if not currency or (currency.__class__ is not str and not isinstance(currency, str)):
        raise _misfit("cost", given, COST)
    return _amount(amount, "cost"), currency


def _amount(value: Any, name: str) -> Any:
    try:
        number = exact(value)
    except EvaluationError:
        raise _misfit(name, value, "a number from 0") from None
    if number < 0:
        raise _misfit(name, value, "a number from 0")
    return number


def _misfit(name: str, given: Any, wanted: str) -> EvaluationError:
    from guardrails.parameters import misfit

    return misfit(name, given, wanted)
