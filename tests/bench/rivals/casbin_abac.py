"""pycasbin: rules on attributes by priority, so that the first that applies decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use

NAME = "pycasbin"
PACKAGE = "casbin"
COMPLETE = True

MODEL = """
[request_definition]
r = sub, tool, args

[policy_definition]
p = tool, rule, eft, verdict

[policy_effect]
e = priority(p.eft) || deny

[matchers]
m = r.tool == p.tool && eval(p.rule)
"""

DENIED = (
    "not (r.args.customer_id in r.sub.customers)",
    "r.args.amount > 500",
    "r.args.currency != 'EUR'",
    "not (r.args.order_id[:4] == 'ORD-')",
    "r.args.amount <= 0",
    "r.args.currency == 'GBP' and r.args.amount > 80",
    "r.args.reason == 'fraud'",
    "r.args.customer_id == r.sub.id",
    "r.args.reason == 'duplicate' and r.args.order_id == 'ORD-000000'",
    "r.args.reason == 'late' and r.args.amount > 300",
)
RULES = [
    *((rule, "deny", "deny") for rule in DENIED),
    ("r.args.amount > 100 or (r.args.reason == 'goodwill' and r.args.amount > 25)", "allow", "ask"),
    ("r.args.amount <= 100", "allow", "allow"),
]


def by_tool() -> Decide:
    def make(tool: str) -> Callable[[dict[str, Any]], str]:
        decide = in_one([tool])
        return lambda args: decide(tool, args)

    return on_first_use(make)


def in_one(tools: Sequence[str]) -> Decide:
    from casbin import Enforcer, Model

    model = Model()
    model.load_model_from_text(MODEL)
    enforcer = Enforcer(model)
    enforcer.add_policies([[tool, *rule] for tool in tools for rule in RULES])
    agent = SimpleNamespace(**PRINCIPAL)

    def decide(tool: str, args: dict[str, Any]) -> str:
        allowed, reason = enforcer.enforce_ex(agent, tool, SimpleNamespace(**args))
        return str(reason[3]) if allowed else "deny"

    return decide
