"""Cedar (Rust): parsed policies and entities are kept; which permission decided tells allow from ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use, one_for_all

NAME = "cedarpy"
PACKAGE = "cedarpy"
COMPLETE = True

FORBIDDEN = (
    "!principal.customers.contains(context.customer_id)",
    "context.amount > 500",
    'context.currency != "EUR"',
    '!(context.order_id like "ORD-*")',
    "context.amount <= 0",
    'context.currency == "GBP" && context.amount > 80',
    'context.reason == "fraud"',
    "context.customer_id == principal.name",
    'context.reason == "duplicate" && context.order_id == "ORD-000000"',
    'context.reason == "late" && context.amount > 300',
)


def policies(tool: str) -> str:
    """The permission that needs approval is the first policy of each tool."""
    scope = f'(principal, action == Action::"{tool}", resource)'
    asked = f'permit {scope} when {{ context.amount > 100 || context.reason == "goodwill" && context.amount > 25 }};'
    allowed = f"permit {scope} when {{ context.amount <= 100 }};"
    return "\n".join([asked, allowed, *(f"forbid {scope} when {{ {rule} }};" for rule in FORBIDDEN)])


def by_tool() -> Decide:
    def make(tool: str) -> Callable[[dict[str, Any]], str]:
        decide = in_one([tool])
        return lambda args: decide(tool, args)

    return on_first_use(make)


def in_one(tools: Sequence[str]) -> Decide:
    from cedarpy import Entities, PolicySet, is_authorized

    rules = PolicySet.from_str(one_for_all(tools, policies))
    attributes = {"customers": PRINCIPAL["customers"], "name": PRINCIPAL["id"]}
    agent = {"uid": {"type": "Agent", "id": "a"}, "attrs": attributes, "parents": []}
    entities = Entities.from_json_str(json.dumps([agent]))
    asking = {f"policy{number * (2 + len(FORBIDDEN))}" for number in range(len(tools))}

    def decide(tool: str, args: dict[str, Any]) -> str:
        request = {
            "principal": 'Agent::"a"', "action": f'Action::"{tool}"', "resource": 'Refund::"r"', "context": args,
        }  # fmt: skip
        answer = is_authorized(request, rules, entities)
        if not answer.allowed:
            return "deny"
        return "allow" if asking.isdisjoint(answer.diagnostics.reasons) else "ask"

    return decide
