"""The decision that everybody is measured on: may the agent issue this refund?

Gives the policy (the five statements of the support pack's refund, or ten for each of many tools), its tool
file, and calls with the verdict that every contender must give before it is timed.
"""

from __future__ import annotations

import json
from re import sub
from typing import Any

TOOL = "issue_refund"
PRINCIPAL: dict[str, Any] = {"id": "agent-7", "customers": ["c-17", "c-18", "c-19"]}

GOOD: dict[str, Any] = {
    "customer_id": "c-17",
    "order_id": "ORD-104233",
    "amount": 40,
    "currency": "EUR",
    "reason": "damaged",
}

HEAD = """policy refunds

type principal { id: string; customers: set<string> }
"""

FIVE = """
  own_customer: require args.customer_id in principal.customers because "not an assigned customer"
  order: require args.amount > 0 and args.order_id matches /ORD-[0-9]{6}/ because "nothing or no order"
  currency: require args.currency in {"EUR"} because "another currency"
  goodwill: ask team_lead within 1d when args.reason == "goodwill" and args.amount > 25 because "a courtesy"
  size: threshold args.amount {
    up to 100: allow
    up to 500: ask finance within 4h else head_of_finance
    above:     deny because "larger refunds are not delegated"
  }
"""
"""The refund block of the support pack, with its parameters filled in."""

FIVE_MORE = """
  pounds: deny when args.currency == "GBP" and args.amount > 80 because "too much in pounds"
  fraud: deny when args.reason == "fraud" because "goes to the fraud desk"
  self: deny when args.customer_id == principal.id because "never to oneself"
  twice: deny when args.reason == "duplicate" and args.order_id == "ORD-000000" because "a test order"
  late: deny when args.reason == "late" and args.amount > 300 because "nobody is that late"
"""

CASES: list[tuple[dict[str, Any], str]] = [
    (GOOD, "allow"),
    (GOOD | {"amount": 100}, "allow"),
    (GOOD | {"amount": 1, "customer_id": "c-19"}, "allow"),
    (GOOD | {"reason": "goodwill", "amount": 25}, "allow"),
    (GOOD | {"amount": 101}, "ask"),
    (GOOD | {"amount": 500, "customer_id": "c-18"}, "ask"),
    (GOOD | {"reason": "goodwill", "amount": 26}, "ask"),
    (GOOD | {"amount": 501}, "deny"),
    (GOOD | {"amount": 0}, "deny"),
    (GOOD | {"customer_id": "c-99"}, "deny"),
    (GOOD | {"currency": "JPY"}, "deny"),
    (GOOD | {"order_id": "104233"}, "deny"),
    (GOOD | {"customer_id": "c-99", "currency": "JPY", "amount": 9000}, "deny"),
]
"""Arguments and verdict, the same under five statements and under ten."""

MORE_CASES: list[tuple[dict[str, Any], str]] = [
    (GOOD | {"reason": "late", "amount": 301}, "deny"),
    (GOOD | {"reason": "fraud"}, "deny"),
    (GOOD | {"customer_id": "agent-7"}, "deny"),
    (GOOD | {"reason": "duplicate", "order_id": "ORD-000000"}, "deny"),
]
"""What the five further statements deny."""


def names(count: int) -> list[str]:
    return [f"refund_{number:04}" for number in range(count)]


def policy(tools: list[str], body: str) -> str:
    """One block for each tool; labels are unique in a policy, so each takes its tool's number along."""
    blocks = (sub(r"(?m)^  (\w+):", rf"  \g<1>{number or ''}:", body) for number in range(len(tools)))
    return HEAD + "".join(
        f"\non call {tool} {{{block}}}\n" for tool, block in zip(tools, blocks, strict=True)
    )


def tool_file(tools: list[str]) -> str:
    properties = {name: {"type": "string"} for name in GOOD} | {"amount": {"type": "number"}}
    schema = {"type": "object", "properties": properties, "required": list(GOOD)}
    return json.dumps({"tools": [{"name": tool, "inputSchema": schema} for tool in tools]})


def calls(tools: list[str], cases: list[tuple[dict[str, Any], str]]) -> list[tuple[str, dict[str, Any]]]:
    """Each case on each tool, as arguments of a decision."""
    return [(tool, args) for tool in tools for args, _ in cases]


def verify(name: str, decide: Any, tools: list[str], cases: list[tuple[dict[str, Any], str]]) -> None:
    """Stop the run when a contender gives another verdict than the one it must give."""
    for tool in tools:
        for args, verdict in cases:
            found = decide(tool, args)
            if found != verdict:
                raise SystemExit(f"{name}: {tool} {args} gives {found!r}, expected {verdict!r}")
