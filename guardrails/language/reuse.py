"""Reuse: how far one approval goes, where a policy lets it go further than one call.

Takes `for 3 calls in session, args.amount up to 200 each`, gives it with its constants known and its amounts
typed. Whoever approves must know what they let through, so nothing here depends on the event but the amounts,
and those only on its arguments.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.checked import Reuse, ReuseBound
from guardrails.language.expressions import FAULTY, Typer, described
from guardrails.language.scope import Scope

MOST_CALLS = 100
"""Calls that one approval can be good for. Who approves of more has not looked; then a rule says it better."""

_PURE = (
    core.Load, core.Const, core.Var, core.Field, core.Property, core.Item, core.Narrow, core.Convert, core.Invoke,
    core.Compute, core.Compare, core.Test, core.All, core.AnyOf, core.Negation, core.Present, core.Fallback,
    core.Each, core.Collect, core.Bind, core.ConstMap,
)  # fmt: skip
"""What an amount can be made of: nothing that asks the session's past, a host or a detector."""


def reuse_of(typer: Typer, node: syntax.Reuse, scope: Scope | None) -> Reuse | None:
    """How far an approval goes; None when something of it was reported."""
    if scope is None:
        message = "only an `ask` of an `on call` block says for how many calls it is good"
        help = "elsewhere nothing waits for people: leave `for ... calls in session` out"
        typer.report("misplaced-statement", message, node.span, help)
        return None
    calls = _calls(typer, node.calls, scope)
    bounds = [_bound(typer, bound, scope) for bound in node.bounds]
    known = tuple([bound for bound in bounds if bound is not None])
    return None if calls is None or len(known) < len(bounds) else Reuse(calls, known)


def _calls(typer: Typer, node: syntax.Expr, scope: Scope) -> int | None:
    value = typer.expect(typer.lower(node, scope), t.DECIMAL)
    if value.type == FAULTY:
        return None
    number: Any = value.value if isinstance(value, core.Const) else None
    if number is None or number % 1 or not 1 <= number <= MOST_CALLS:
        message = f"an approval is good for a whole number of calls, from 1 to {MOST_CALLS}"
        typer.report("wrong-argument", message, node.span, "write a number, or a parameter that is one")
        return None
    return int(number)


def _bound(typer: Typer, node: syntax.ReuseBound, scope: Scope) -> ReuseBound | None:
    most, value = typer.lower(node.most, scope), typer.lower(node.amount, scope)
    if FAULTY in (most.type, value.type):
        return None
    found = _most(typer, most)
    if found is None or (found[1] and _is_no_money(typer, value, node)):
        return None
    amount = typer.expect(value, t.Money(found[1]) if found[1] else t.DECIMAL)
    if amount.type == FAULTY or not _is_of_arguments(typer, amount):
        return None
    return ReuseBound(node.span, _said(node.amount), amount, node.per, *found)


def _most(typer: Typer, most: core.Core) -> tuple[int | Decimal, str] | None:
    """The bound as a number and a currency, which is empty where there is none."""
    value: Any = most.value if isinstance(most, core.Const) else None
    is_money = isinstance(most.type, t.Money)
    if value is not None and not is_money and most.type not in t.NUMERIC:
        message = f"{described(most)}, but what an approval is good up to is a number or an amount of money"
        typer.report("wrong-type", message, most.span)
        return None
    number, unit = value if is_money and value is not None else (value, "")
    if number is None or number < 0:
        message = "what an approval is good up to is a constant from 0, so that people know what they approve"
        typer.report("wrong-argument", message, most.span, "write a number, or a parameter that is one")
        return None
    return number, unit


def _is_no_money(typer: Typer, value: core.Core, node: syntax.ReuseBound) -> bool:
    """Arguments are numbers: which currency they are in has to be said."""
    if isinstance(value.type, t.Money):
        return False
    help = "write `money(args.amount, args.currency)`, or a number as the bound"
    typer.report(
        "wrong-type", f"{described(value)}, but an amount of money is expected here", node.amount.span, help
    )
    return True


def _is_of_arguments(typer: Typer, amount: core.Core) -> bool:
    """Whether the amount is read from the call's own arguments, and from nothing else that could change."""
    nodes = list(core.walk(amount))
    loads = [node for node in nodes if isinstance(node, core.Load)]
    if loads and all(load.root == "args" for load in loads) and all(isinstance(n, _PURE) for n in nodes):
        return True
    message = "the amount of an approval is read from `args`, and from nothing else"
    typer.report("wrong-argument", message, amount.span, "name an argument, such as `args.amount`")
    return False


def _said(node: syntax.Expr) -> str:
    from guardrails.language.layout import flat
    from guardrails.language.printing import expression

    return flat(expression(node))
