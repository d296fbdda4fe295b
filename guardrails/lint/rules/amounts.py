"""Amounts of money: bounds that mean less than they seem to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Steps
from guardrails.lint.policy import Policy, Stated, Use
from guardrails.lint.registry import Finding, rule
from guardrails.lint.rules.tools import property_of

_AMOUNT: Final = re.compile(
    r"(^|_)(amount|price|total|sum|cost|fee|payment|refund|value)($|_)", re.IGNORECASE
)
_CURRENCY: Final = re.compile(r"(^|_)(currency|currency_code|ccy)$", re.IGNORECASE)


@rule("G221", Policy)
def float_amount_without_currency(policy: Policy) -> Iterator[Finding]:
    """A bound on an amount in whatever currency.

    **What.** An amount is compared with a plain number, the tool has a currency argument as well, and nothing
    in the policy looks at it.

    **Why.** 100 US dollars, 100 Kuwaiti dinars and 100 yen are the same number. The agent chooses the currency.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call transfer { allow when args.amount <= 100 }
    ```
    ```json
    {"tools": [{"name": "transfer", "inputSchema": {"type": "object", "required": ["amount", "currency"],
      "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"type": "string"}}}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call transfer { allow when money(args.amount, args.currency) <= 100 EUR and args.currency == "EUR" }
    ```
    """
    checked = {
        tool for _, tool, load in policy.loads if load.root == "args" and _CURRENCY.search(_last(load))
    }
    said: set[tuple[str, str]] = set()
    for tool, load, _ in _upper_bounds(policy):
        described = policy.tools[tool]
        currency = next((field for field in described.args.fields if _CURRENCY.search(field.name)), None)
        if currency is None or tool in checked or (tool, load.where) in said:
            continue
        if isinstance(currency.type, t.Enum) and len(currency.type.values) == 1:
            continue
        said.add((tool, load.where))
        help = f"add `require args.{currency.name} == ...`, or compare `money({load.where}, args.{currency.name})`"
        yield Finding(load.span, f"`{load.where}` is bounded, but in any currency", help)


@rule("G222", Policy, severity="info")
def negative_amount(policy: Policy) -> Iterator[Finding]:
    """An amount with an upper bound only.

    **What.** An amount is allowed up to a bound, and neither the policy nor the tool's schema refuses negative
    ones.

    **Why.** -5000 is below every upper bound. What a tool does with it is anybody's guess; some book it the
    other way round.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call transfer { allow when args.amount <= 100 }
    ```
    ```json
    {"tools": [{"name": "transfer", "inputSchema": {"type": "object", "required": ["amount"],
      "properties": {"amount": {"type": "number"}}}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call transfer { allow when args.amount > 0 and args.amount <= 100 }
    ```
    """
    bounded = {(tool, load.where) for tool, load in _lower_bounds(policy)}
    for tool, load, stated in _upper_bounds(policy):
        if (tool, load.where) in bounded or not stated.grants:
            continue
        bounded.add((tool, load.where))
        kind = property_of(policy.tools[tool].schema, load.path[0])
        least = kind.get("minimum", kind.get("exclusiveMinimum"))
        if len(load.path) == 1 and not (isinstance(least, int | float | Decimal) and least >= 0):
            help = f"add `require {load.where} > 0`"
            yield Finding(load.span, f"a negative `{load.where}` passes this bound", help)


def _last(load: core.Load) -> str:
    return load.path[-1] if load.path else ""


def _is_amount(node: core.Core) -> bool:
    return (
        isinstance(node, core.Load)
        and node.root == "args"
        and node.type in t.NUMERIC
        and _AMOUNT.search(_last(node)) is not None
    )


def _upper_bounds(policy: Policy) -> Iterator[tuple[str, core.Load, Stated]]:
    """Amounts of described tools that a grant or threshold bounds from above."""
    for stated in policy.enforced:
        for tool, form in stated.forms if stated.block.point == "call" else ():
            if tool in policy.tools and isinstance(form.meaning, Steps):
                yield from _amounts(tool, form.meaning.value, stated)
    for tool, node, use in _comparisons(policy):
        if use.role == "grant" and node.op in ("<", "<=") and isinstance(node.right, core.Const):
            yield from _amounts(tool, node.left, use.stated)


def _amounts(tool: str | None, node: core.Core, stated: Stated) -> Iterator[tuple[str, core.Load, Stated]]:
    if tool is not None and isinstance(node, core.Load) and _is_amount(node):
        yield tool, node, stated


def _lower_bounds(policy: Policy) -> Iterator[tuple[str, core.Load]]:
    """Fields that some condition compares with what lies below them."""
    for tool, node, use in _comparisons(policy):
        refused = node.op in ("<", "<=") and use.role == "restrict"
        if isinstance(node.left, core.Load) and (refused or node.op in (">", ">=", "==")):
            yield tool, node.left


def _comparisons(policy: Policy) -> Iterator[tuple[str, core.Compare, Use]]:
    """The comparisons of statements about described tools."""
    for use in policy.uses:
        if isinstance(use.node, core.Compare) and use.tool in policy.tools and use.tool is not None:
            yield use.tool, use.node, use
