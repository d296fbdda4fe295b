"""CEL on Google's C++ runtime: one typed, compiled expression for each tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use

NAME = "cel (C++)"
PACKAGE = "cel-expr-python"
COMPLETE = False

DENIED = (
    "!(args.customer_id in principal.customers)",
    "args.amount > 500",
    "args.currency != 'EUR'",
    "!(args.order_id.startsWith('ORD-') && size(args.order_id) == 10)",
    "args.amount <= 0",
    "args.currency == 'GBP' && args.amount > 80",
    "args.reason == 'fraud'",
    "args.customer_id == principal.id",
    "args.reason == 'duplicate' && args.order_id == 'ORD-000000'",
    "args.reason == 'late' && args.amount > 300",
)
ASKED = "args.amount > 100 || (args.reason == 'goodwill' && args.amount > 25)"
VERDICT = f"({' || '.join(DENIED)}) ? 'deny' : ({ASKED}) ? 'ask' : 'allow'"


def by_tool() -> Decide:
    from cel_expr_python.cel import NewEnv, Type

    record = Type.Map(Type.STRING, Type.DYN)
    environment = NewEnv(variables={"args": record, "principal": record})

    def make(_: str) -> Callable[[dict[str, Any]], str]:
        evaluate = environment.compile(VERDICT).eval
        return lambda args: evaluate(data={"args": args, "principal": PRINCIPAL}).value()

    return on_first_use(make)
