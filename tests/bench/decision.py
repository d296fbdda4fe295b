"""One stateless decision, the support pack's refund, against the same checks written by hand.

The function by hand has to give the same answers before it is timed: outcome, statements that applied and
who is asked, for every refund among the pack's own events. Where a field is missing or mistyped the policy
may ask, by the statement that needs the field; the function just denies.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import by_hand
import refunds
from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails import Guard
from guardrails.model import Decision

PACK = Path(__file__).parents[2] / "policies" / "support"
PRINCIPAL = refunds.PRINCIPAL | {"contacts": ["lena@mail.test"]}
SHOWN: dict[str, dict[str, Any]] = {
    "allow": {},
    "ask": {"amount": 320},
    "deny": {"amount": 900},
    "deny, twice": {"amount": 900, "customer_id": "c-99"},
}


def run() -> list[Table]:
    guard = Guard.load(PACK / "support.guard")
    engine, subject = guard.engine, guard.subject(PRINCIPAL, {}, {})
    ways = {
        "by hand": by_hand.refunds_for(PRINCIPAL),
        "Engine.call": partial(engine.call, subject=subject),
        "Session.check_call": guard.session(principal=PRINCIPAL).check_call,
    }
    verify(guard)
    table = Table(
        "the support pack's refund, five statements, against one function by hand",
        ("verdict", "by hand", "Engine.call", "ratio", "Session.check_call", "ratio "),
        aim="at most 2x, better 1.5x",
    )
    for name, changes in SHOWN.items():
        calls = [(refunds.TOOL, refunds.GOOD | changes)]
        hand, direct, checked = (Contender(name, way, calls) for name, way in ways.items())
        compare([hand, direct, checked])
        table.add(
            name, Seconds(hand.cost), Seconds(direct.cost), Ratio(direct.ratio_to(hand)),
            Seconds(checked.cost), Ratio(checked.ratio_to(hand)),
        )  # fmt: skip
    return [table]


def verify(guard: Guard) -> None:
    """Stop when the function by hand and the policy do not agree."""
    events = [json.loads(line) for line in (PACK / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    asked = [event for event in events if event["type"] == "call" and event["tool"] == refunds.TOOL]
    if not asked:
        raise SystemExit("the support pack has no refunds among its events")
    for event in [*asked, *({**asked[0], "args": args} for args, _ in refunds.CASES)]:
        expected = guard.decide(event)
        found = by_hand.refunds_for(event["principal"])(event["tool"], event["args"])
        agree = not found.allowed if expected.errors else answer(found) == answer(expected)
        if not agree:
            raise SystemExit(f"by hand, {event['args']} gives {answer(found)}, not {answer(expected)}")


def answer(decision: Decision) -> Any:
    """What has to be the same: the outcome, the statements that applied, and who is asked."""
    labels = sorted((applied.label or "", str(applied.outcome)) for applied in decision.applied)
    return decision.outcome, labels, sorted(approval.reviewers for approval in decision.approvals)
