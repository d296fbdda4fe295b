"""zen-engine (Rust): one compiled expression for each tool, its context handed over as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use

NAME = "zen expression"
PACKAGE = "zen-engine"
COMPLETE = False

DENIED = (
    "args.customer_id not in principal.customers",
    "args.amount > 500",
    "args.currency != 'EUR'",
    "not (startsWith(args.order_id, 'ORD-') and len(args.order_id) == 10)",
    "args.amount <= 0",
    "(args.currency == 'GBP' and args.amount > 80)",
    "args.reason == 'fraud'",
    "args.customer_id == principal.id",
    "(args.reason == 'duplicate' and args.order_id == 'ORD-000000')",
    "(args.reason == 'late' and args.amount > 300)",
)
ASKED = "args.amount > 100 or (args.reason == 'goodwill' and args.amount > 25)"
VERDICT = f"{' or '.join(DENIED)} ? 'deny' : {ASKED} ? 'ask' : 'allow'"


def by_tool() -> Decide:
    from orjson import dumps
    from zen import compile_expression

    def make(_: str) -> Callable[[dict[str, Any]], str]:
        evaluate = compile_expression(VERDICT).evaluate
        return lambda args: evaluate(dumps({"args": args, "principal": PRINCIPAL}))

    return on_first_use(make)
