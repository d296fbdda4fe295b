"""Approvals that are good for more calls, with bounds that do not do what bounds are for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from guardrails.diagnostics import Note
from guardrails.language import syntax
from guardrails.language.tree import same_meaning
from guardrails.lint.policy import Site
from guardrails.lint.registry import Finding, rule


@rule("G126", syntax.Reuse, syntax.Threshold)
def idle_approval_bound(site: Site) -> Iterator[Finding]:
    """A bound of an approval that never decides.

    **What.** An approval is good for several calls, up to some amount, and that bound can never be the one that is
    reached: another bound or the row of the threshold is reached before. Or no call of the row is as small as the
    bound, so that every approval is for one call after all.

    **Why.** Who reads the policy believes that the bound holds something back, or that people are asked less often.

    **Avoid**
    ```guard
    on call issue_refund {
      threshold args.amount {
        up to 100: allow
        up to 500: ask finance within 4h for 3 calls in session, args.amount up to 800 each
        above: deny because "Larger refunds are not delegated to agents."
      }
    }
    ```

    **Prefer**
    ```guard
    on call issue_refund {
      threshold args.amount {
        up to 100: allow
        up to 500: ask finance within 4h for 3 calls in session, args.amount up to 800 total
        above: deny because "Larger refunds are not delegated to agents."
      }
    }
    ```
    """
    if isinstance(site.node, syntax.Reuse):
        yield from _among_bounds(site.node)
    elif isinstance(site.node, syntax.Threshold):
        yield from _within_rows(site.node)


def _among_bounds(node: syntax.Reuse) -> Iterator[Finding]:
    calls = _number(node.calls)
    for one, other in combinations(node.bounds, 2):
        if one.per == other.per or not same_meaning(one.amount, other.amount):
            continue
        each, total = (one, other) if one.per == "each" else (other, one)
        per_call, in_total = _number(each.most), _number(total.most)
        if per_call is None or in_total is None:
            continue
        if per_call >= in_total:
            yield _idle(each, total, "all calls together are held to no more than that")
        elif calls is not None and per_call * calls <= in_total:
            yield _idle(total, each, f"{calls} calls cannot come to more than that")


def _idle(bound: syntax.ReuseBound, before: syntax.ReuseBound, why: str) -> Finding:
    note = Note(before.span, "this bound is reached before")
    return Finding(
        bound.span, f"this bound never decides: {why}", "remove it, or correct one of the two", (note,)
    )


def _within_rows(node: syntax.Threshold) -> Iterator[Finding]:
    for row, floor in zip(node.rows, [None, *[row.bound for row in node.rows]], strict=False):
        if isinstance(row.effect, syntax.Ask) and row.effect.reuse is not None:
            for bound in row.effect.reuse.bounds:
                if same_meaning(bound.amount, node.value):
                    yield from _against_row(bound, row, floor)


def _against_row(bound: syntax.ReuseBound, row: syntax.Row, floor: syntax.Expr | None) -> Iterator[Finding]:
    most, top, low = _number(bound.most), _number(row.bound), _number(floor)
    if most is None:
        return
    if bound.per == "each" and top is not None and most >= top:
        yield Finding(
            bound.span, "this bound never decides: the row goes no further than that", "remove or lower it"
        )
    if low is not None and most <= low:
        message = "no call of this row is as small as that, so an approval is for one call after all"
        yield Finding(bound.span, message, "raise the bound, or leave `for ... calls in session` out")


def _number(node: syntax.Expr | None) -> Any:
    """A number that is written out; a parameter may have any value."""
    return node.value if isinstance(node, syntax.Literal) and node.kind == "number" else None
