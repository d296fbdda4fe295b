"""Reusing: approvals that are good for more than one call.

Takes a call and what asks about it, says what the call comes to on the bounds of an approval, and whether an
approval has room for it. The idea: a call is covered only where that is certain. Whatever is missing, of another
type, too much, or asked by a statement that says nothing of more calls, is asked about alone.

Amounts are exact numbers as texts, one for each bound, in the order of what asks.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

from guardrails.errors import EvaluationError
from guardrails.exact import add, exact

if TYPE_CHECKING:
    from guardrails.approvals.request import Far, Request
    from guardrails.model import Decision, ReuseBound
    from guardrails.runtime.accounts import Accounts, Event

Amounts: TypeAlias = tuple[str, ...]

MOST_DIGITS = 60
"""Characters of an amount that a use writes down."""


class Alone(EvaluationError):
    """The call is asked about alone, and why."""


def amounts_of(decision: Decision, accounts: Accounts, event: Event) -> Amounts:
    """What the call comes to on each bound of what asks. Raises `Alone` where no approval could cover it beside
    another call; without a reason where the policy says so."""
    asks = decision.approvals
    if not any(ask.reuse for ask in asks):
        raise Alone("")
    for ask in asks:
        if ask.reuse is None:
            raise Alone(f"`{ask.statement}` asks about each call")
    bounds = [bound for ask in asks if ask.reuse for bound in ask.reuse.bounds]
    args, payload = accounts._revealed(event)
    given = (args, accounts.subject, payload, event.now, event.tool)
    rows = accounts.engine.program.unit(event.point, event.tool).rows
    return tuple([_amount(bound, rows, given) for bound in bounds])


def _amount(bound: ReuseBound, rows: Any, given: tuple[Any, ...]) -> str:
    try:
        value = rows[bound.function](*given)
        number, unit = value if value.__class__ is tuple else (value, "")
        amount = exact(number)
    except Exception as error:  # whatever it is, nobody knows what the call comes to (law L2)
        raise Alone(f"`{bound.amount}` cannot be known: {error}") from error
    text = _digits(amount)
    if unit != bound.unit or len(text) > MOST_DIGITS:
        raise Alone(f"`{bound.amount}` cannot be compared with {_most(bound)}")
    if amount > Decimal(bound.most):
        raise Alone(f"`{bound.amount}` is more than {_most(bound)}")
    if bound.per == "total" and amount < 0:
        raise Alone(f"`{bound.amount}` is less than nothing")
    return text


def _digits(number: int | Decimal) -> str:
    if number.__class__ is int:
        return str(number) if abs(number) < 10**MOST_DIGITS else "9" * (MOST_DIGITS + 1)
    return f"{number:f}"


def _most(bound: ReuseBound) -> str:
    return f"{bound.most} {bound.unit}".rstrip()


# --- what is left ------------------------------------------------------------------------------


def lacking(request: Request, amounts: Amounts) -> str:
    """Why an approval of which something is left has no room for a call that comes to this; empty when it has."""
    _, bounds = _far(request)
    for index, (name, per, most, unit) in enumerate(bounds):
        left = Decimal(most) - spent(request, index)
        if per == "total" and Decimal(amounts[index]) > left:
            return f"only {_digits(left)}{f' {unit}' if unit else ''} of `{name}` is left of it"
    return ""


def spent(request: Request, index: int) -> Decimal:
    """What the uses of an approval come to on one of its bounds."""
    total: Any = Decimal(0)
    for _, _, *amounts in request.uses:
        total = add(total, Decimal(amounts[index]))
    return Decimal(total)


def is_spent(request: Request) -> bool:
    """Whether nothing is left of an approval, in calls or in total."""
    calls, bounds = _far(request)
    return len(request.uses) >= calls or any(
        per == "total" and spent(request, index) >= Decimal(most)
        for index, (_, per, most, _) in enumerate(bounds)
    )


def use_of(call: str | None, digest: str) -> str:
    """What a use knows its call by: the id that the call can be repeated by, with its arguments; empty without
    an id."""
    if call is None:
        return ""
    return sha256(f"{call}\x1f{digest}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _far(request: Request) -> Far:
    far = request.reuse
    return (1, ()) if far is None else far


# --- in words ----------------------------------------------------------------------------------


def good_for(request: Request) -> str:
    """How far an approval goes, for people: "3 calls of pay in this session, args.amount up to 200 each"."""
    far = request.reuse
    if far is None:
        return "this one call, once"
    calls, bounds = far
    number = "1 call" if calls == 1 else f"{calls} calls"
    up_to = [f"{name} up to {most}{f' {unit}' if unit else ''} {per}" for name, per, most, unit in bounds]
    return ", ".join([f"{number} of {request.tool} in this session", *up_to])


def used(request: Request) -> str:
    """What an approval that is good for several calls was used for; empty for one that is not."""
    far = request.reuse
    if far is None:
        return ""
    calls, bounds = far
    totals = [
        f"{_digits(spent(request, index))} of {most}{f' {unit}' if unit else ''} {name}"
        for index, (name, per, most, unit) in enumerate(bounds)
        if per == "total"
    ]
    return ", ".join([f"{len(request.uses)} of {calls} calls", *totals])


def reuse_as_json(request: Request) -> dict[str, Any] | None:
    """How far an approval goes and what is left of it, as plain data; None for one call."""
    far = request.reuse
    if far is None:
        return None
    calls, bounds = far
    return {
        "calls": calls,
        "used": len(request.uses),
        "bounds": [
            {"amount": name, "most": most, "unit": unit, "per": per}
            | ({"used": _digits(spent(request, index))} if per == "total" else {})
            for index, (name, per, most, unit) in enumerate(bounds)
        ],
    }
