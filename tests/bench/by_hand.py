"""The support pack's refund as an engineer would write it without a policy engine: one function.

It does what the policy does: every check is made and listed, a missing or mistyped field denies with an
error that says so, and the answer is the same kind of `Decision`. What never changes is made once, outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from guardrails.model import Applied, Approval, Decision, Denial, Failure, Outcome, Place

TOOL = "issue_refund"
ALLOW, ASK, DENY = Outcome.ALLOW, Outcome.ASK, Outcome.DENY
CURRENCIES = frozenset({"EUR"})
REASONS = frozenset({"damaged", "late", "wrong_item", "duplicate", "goodwill"})
ORDER = re.compile("ORD-[0-9]{6}").fullmatch
HERE = Place(__file__, 1, 1, 1, 1)
DIGEST = "sha256:by-hand"


def _rule(label: str, effect: str, outcome: Outcome, message: str | None = None) -> Applied:
    return Applied(effect, outcome, policy="support", label=label, message=message, place=HERE)


STRANGER = _rule("own_customer", "require", DENY, "The agent may only pay customers assigned to it.")
NO_ORDER = _rule("order", "require", DENY, "A refund pays whole cents back for an order, such as ORD-123456.")
CURRENCY = _rule(
    "currency", "require", DENY, "Refunds are paid in the currencies that the limits are set for."
)
COURTESY = _rule("goodwill", "ask", ASK, "A courtesy of this size is the team lead's decision.")
SMALL = _rule("size", "allow", ALLOW)
MIDDLE = _rule("size", "ask", ASK)
LARGE = _rule("size", "deny", DENY, "Refunds of this size are not delegated to agents.")
TEAM_LEAD = Approval(("team_lead",), 1, 86_400.0, (), "support.goodwill")
FINANCE = Approval(("finance",), 1, 14_400.0, ("head_of_finance",), "support.size")


def refunds_for(principal: dict[str, Any]) -> Callable[[str, Any], Decision]:
    """The check for one principal, as a session keeps it."""
    customers = frozenset(principal["customers"])

    def check(tool: str, args: Any) -> Decision:
        if tool != TOOL or not isinstance(args, dict):
            return Decision(DENY, DIGEST, denial=explain)
        customer, order, amount = args.get("customer_id"), args.get("order_id"), args.get("amount")
        currency, reason = args.get("currency"), args.get("reason")
        if not (
            isinstance(customer, str)
            and isinstance(order, str)
            and isinstance(currency, str)
            and isinstance(reason, str)
            and reason in REASONS
            and isinstance(amount, int | float)
            and not isinstance(amount, bool)
            and amount - amount == 0
        ):
            return malformed(args)
        outcome, applied, approvals = ALLOW, [], []
        if customer not in customers:
            outcome = DENY
            applied.append(STRANGER)
        if amount <= 0 or round(amount, 2) != amount or ORDER(order) is None:
            outcome = DENY
            applied.append(NO_ORDER)
        if currency not in CURRENCIES:
            outcome = DENY
            applied.append(CURRENCY)
        if reason == "goodwill" and amount > 25:
            outcome = DENY if outcome is DENY else ASK
            applied.append(COURTESY)
            approvals.append(TEAM_LEAD)
        if amount <= 100:
            applied.append(SMALL)
        elif amount <= 500:
            outcome = DENY if outcome is DENY else ASK
            applied.append(MIDDLE)
            approvals.append(FINANCE)
        else:
            outcome = DENY
            applied.append(LARGE)
        if outcome is ALLOW:
            return Decision(ALLOW, DIGEST, tuple(applied))
        return Decision(outcome, DIGEST, tuple(applied), approvals=tuple(approvals), denial=explain)

    return check


def malformed(args: dict[str, Any]) -> Decision:
    """What a call with missing or mistyped fields gets."""
    names = ("customer_id", "order_id", "amount", "currency", "reason")
    failures = tuple(
        Failure("support", "type", f"`args.{name}` is {args.get(name)!r}", HERE) for name in names
    )
    return Decision(DENY, DIGEST, errors=failures, denial=explain)


def explain(decision: Decision) -> Denial:
    """Worked out only for who asks, as in the engine."""
    reasons = "; ".join(reason.message or reason.effect for reason in decision.reasons)
    return Denial("change_arguments", f"the refund is not allowed: {reasons}")
