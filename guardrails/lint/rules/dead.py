"""Conditions that say nothing: never true, always true, or said twice."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.diagnostics import Edit, Fix, Note
from guardrails.language import core, syntax
from guardrails.language.checked import Requirement
from guardrails.lint.policy import Site, Stated, Use
from guardrails.lint.reasoning import always, conjuncts, implied, never
from guardrails.lint.registry import Finding, of_kind, rule
from guardrails.lint.sameness import says_the_same


@rule("G101", Stated)
def unreachable_statement(stated: Stated) -> Iterator[Finding]:
    """A statement whose condition is never true.

    **What.** The conditions of a statement and its block exclude each other, or one of them is false for
    every value.

    **Why.** The statement looks like a rule and does nothing. Usually a bound is turned round, or `or` was
    meant.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.amount < 100
      deny when args.amount > 5000 and args.amount < 1000 because "Large transfers are made by people."
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.amount < 100
      deny when args.amount < 1000 and args.late because "Late transfers are made by people."
    }
    ```
    """
    found = [
        never(form.condition, stated.policy.is_fixed) if form.condition is not None else None
        for _, form in stated.forms
    ]
    if not found or None in found:
        return
    why = found[0]
    assert why is not None, "none of them is None"
    notes = (Note(why.second, "it excludes this condition"),) if why.second else ()
    yield Finding(why.first, "this condition is never true, so the statement does nothing", "", notes)


@rule("G102", Stated)
def always_true_condition(stated: Stated) -> Iterator[Finding]:
    """A condition that is true for every value.

    **What.** A part of a `when`, or a `require`, that nothing can make false.

    **Why.** It reads as if it limited something. A `require` that always holds protects nothing, and an
    `allow` with such a condition allows everything.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.amount < 100
      require args.amount > 0 or args.amount <= 10 because "The amount is a small one."
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.amount < 100
      require args.amount > 0 and args.amount <= 10 because "The amount is a small one."
    }
    ```
    """
    for _, form in stated.forms[:1]:
        parts = list(conjuncts(form.condition)) if form.condition is not None else []
        if isinstance(form.meaning, Requirement):
            parts += conjuncts(form.meaning.condition)
        for part in parts:
            if always(part, stated.policy.is_fixed):
                yield Finding(part.span, "this is true for every value", "remove it, or write what is meant")


@rule("G103", core.All)
def redundant_condition(use: Use) -> Iterator[Finding]:
    """A condition that another one beside it already says.

    **What.** Of two conditions joined by `and`, one holds whenever the other does.

    **Why.** One of them is a mistake or left over; the reader cannot tell which bound is the real one.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.amount < 100 and args.amount < 500
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.amount < 100
    }
    ```
    """
    for part, stricter in implied(of_kind(use.node, core.All).operands, use.policy.is_fixed):
        note = Note(stricter.span, "this is the stricter one")
        yield Finding(part.span, "this follows from the condition beside it", "keep one of them", (note,))


@rule("G104", syntax.And, syntax.Or)
def duplicate_operand(site: Site) -> Iterator[Finding]:
    """The same condition twice, joined by `and` or `or`.

    **What.** Two operands of one `and` or `or` are the same.

    **Why.** The second one adds nothing. Often a copy was meant to be changed and was not, so that a case is
    missing.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.currency == "EUR" or args.currency == "EUR"
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.currency == "EUR" or args.currency == "USD"
    }
    ```
    """
    assert isinstance(site.node, syntax.And | syntax.Or), "the registry gives what was asked for"
    seen: dict[str, syntax.Expr] = {}
    last = site.node.operands[0]
    for operand in site.node.operands:
        written = " ".join(site.policy.source(operand.span).split()).strip("() ")
        first = seen.setdefault(written, operand)
        if first is operand or not says_the_same(first, operand):
            last = operand
            continue
        note = Note(first.span, "it stands here already")
        fix = _without(site, last.span.end, operand)
        yield Finding(operand.span, "this condition stands here twice", "", (note,), fix)


def _without(site: Site, start: int, operand: syntax.Expr) -> Fix | None:
    """Take an operand out, with the word before it; nothing where brackets stand between."""
    span = operand.span._replace(start=start)
    between = site.policy.source(span._replace(end=operand.span.start))
    if between.split() not in (["and"], ["or"]):
        return None
    return Fix("remove the copy", (Edit(span, ""),))


@rule("G106", syntax.Comparison)
def comparison_with_itself(site: Site) -> Iterator[Finding]:
    """A value compared with itself.

    **What.** Both sides of a comparison are the same expression.

    **Why.** The answer is known beforehand, so the comparison tests nothing but the presence of the value.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.account == args.account
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.account == principal.account
    }
    ```
    """
    node = of_kind(site.node, syntax.Comparison)
    if type(node.left) is not type(node.right) or isinstance(node.left, syntax.Literal):
        return
    if not says_the_same(node.left, node.right):
        return
    written = site.policy.source(node.left.span)
    yield Finding(
        node.span, f"`{written}` is compared with itself", f"to ask whether it is there write `has {written}`"
    )


@rule("G107", syntax.Not)
def double_negation(site: Site) -> Iterator[Finding]:
    """`not not x`.

    **What.** A negation is negated at once.

    **Why.** The two cancel out; what is left says the same and is read without counting.

    **Avoid**
    ```guard
    on call publish {
      allow when not (not args.draft)
    }
    ```

    **Prefer**
    ```guard
    on call publish {
      allow when args.draft
    }
    ```
    """
    node = of_kind(site.node, syntax.Not)
    if isinstance(node.operand, syntax.Not):
        kept = node.operand.operand
        fix = Fix("remove both", (Edit(node.span, site.policy.source(kept.span)),))
        yield Finding(node.span, "two negations cancel out", fix=fix)


@rule("G108", syntax.Comparison)
def comparison_with_true(site: Site) -> Iterator[Finding]:
    """A truth value compared with `true` or `false`.

    **What.** `x == true`, `x != false` and the like.

    **Why.** `x` alone, or `not x`, says the same with less to read.

    **Avoid**
    ```guard
    on call publish {
      allow when args.draft == true
    }
    ```

    **Prefer**
    ```guard
    on call publish {
      allow when args.draft
    }
    ```
    """
    node = of_kind(site.node, syntax.Comparison)
    constant = node.right
    if node.op not in ("==", "!=") or not isinstance(constant, syntax.Literal) or constant.kind != "bool":
        return
    if not isinstance(node.left, syntax.Name | syntax.Attribute | syntax.Call):
        return
    written = site.policy.source(node.left.span)
    cure = written if (node.op == "==") is constant.value else f"not {written}"
    fix = Fix(f"write `{cure}`", (Edit(node.span, f"({cure})" if cure != written else cure),))
    yield Finding(
        node.span,
        f"a comparison with `{constant.text}` says no more than its left side",
        f"write `{cure}`",
        fix=fix,
    )


@rule("G109", core.Test)
def empty_set_membership(use: Use) -> Iterator[Finding]:
    """Membership in an empty set.

    **What.** `x in {}`: the set on the right has no elements.

    **Why.** Nothing is ever in it, so a grant never applies and a restriction never holds back.

    **Avoid**
    ```guard
    let partners = {}
    on call send_email {
      allow when args.size < 100
      deny unless args.to in partners because "Mail goes to partners."
    }
    ```

    **Prefer**
    ```guard
    let partners = {"ana@example.com"}
    on call send_email {
      allow when args.size < 100
      deny unless args.to in partners because "Mail goes to partners."
    }
    ```
    """
    node = of_kind(use.node, core.Test)
    if node.op != "in" or not isinstance(node.right, core.Const) or not use.policy.is_fixed(node.right):
        return
    if node.right.value in (frozenset(), ()):
        yield Finding(node.span, "nothing is in an empty set")
