"""Labels and origins: `label`, `type label`, `origin(x) is L` and `context has L` in, typed core out.

The one idea: a label is a name that is known before any event is seen. So a misspelt one is an error of the
policy, and "at least internal" is worked out here, into the set of labels that say so.

Labels of trust say where a value came from; of them `untrusted` is the strictest, and takes the others away:

    user       the user's own words       records    what our own systems hold
    policy     a constant of the policy   model      nobody supplied it: the model wrote it
    untrusted  anybody may have written it

`confidential` and those of `type label { low < high }` say what a value is worth, beside its trust.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from guardrails.diagnostics import Span, did_you_mean
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.checked import Checked, Mark, Rule
from guardrails.language.expressions import FAULTY, Typer, described
from guardrails.language.scope import Scope
from guardrails.language.tree import walk

TRUST = ("user", "records", "untrusted", "model", "policy")
"""Labels that say where a value came from."""

GIVEN = ("user", "records", "untrusted")
"""Those that a `label` statement can give; the others come about by themselves."""

BUILT_IN = (*TRUST, "confidential")

POINTS = ("result", "input")
"""Where something comes into a session, and so where it can be labelled."""


# --- declarations ------------------------------------------------------------------------------


def declare_labels(typer: Typer, items: Iterable[tuple[str, syntax.Item]]) -> dict[str, frozenset[str]]:
    """Every label, with the labels that are at least as high: itself and what stands above it in a chain."""
    orders = [item for _, item in items if isinstance(item, syntax.LabelOrder)]
    above: dict[str, set[str]] = {name: {name} for name in BUILT_IN}
    for order in orders:
        for chain in order.chains:
            _check_chain(typer, order, chain)
            for position, name in enumerate(chain):
                above.setdefault(name, {name}).update(chain[position:])
    _close(above)
    for order in orders:
        _check_circles(typer, order, above)
    return {name: frozenset(higher) for name, higher in above.items()}


def _check_chain(typer: Typer, order: syntax.LabelOrder, chain: tuple[str, ...]) -> None:
    for name in chain:
        if name in TRUST:
            help = "labels of trust have an order of their own; a chain says what a value is worth"
            typer.report("duplicate-name", f"`{name}` is a label of the language", order.span, help)
    if len(set(chain)) < len(chain):
        typer.report("duplicate-name", "a label stands twice in one chain", order.span)


def _close(above: dict[str, set[str]]) -> None:
    """What stands above what stands above a label stands above it as well."""
    for middle in above:
        for higher in above.values():
            if middle in higher:
                higher |= above[middle]


def _check_circles(typer: Typer, order: syntax.LabelOrder, above: Mapping[str, set[str]]) -> None:
    for chain in order.chains:
        for low, high in pairwise(chain):
            if low != high and low in above[high]:
                message = f"`{low}` stands below and above `{high}`"
                typer.report("duplicate-name", message, order.span, "chains of labels have no circles")


def _known(typer: Typer, name: str, span: Span, scope: Scope) -> bool:
    if name in scope.namespace.labels:
        return True
    known = list(scope.namespace.labels)
    help = did_you_mean(name, known) or f"declare it: `type label {{ {name} }}`"
    typer.report("unknown-label", f"there is no label `{name}`", span, help)
    return False


# --- statements --------------------------------------------------------------------------------


def marked(typer: Typer, rule: Rule, effect: syntax.Label, scope: Scope) -> Mark | None:
    """`label untrusted [in result.*.body] [where row.sender != "us"]`."""
    if rule.block.point not in POINTS:
        help = "what a model writes has the labels of what it read; label results and inputs"
        message = f"`label` cannot stand in `on {rule.block.point}`"
        typer.report("misplaced-statement", message, rule.statement.span, help)
        return None
    names = [_given(typer, name, effect.span, scope) for name in effect.labels]
    paths = _paths(typer, rule, effect, scope)
    rows = _rows(typer, rule, effect, scope)
    if not all(names) or paths is None or (rows is not None and rows.type == FAULTY):
        return None
    return Mark(effect.labels, paths, rows)


def _given(typer: Typer, name: str, span: Span, scope: Scope) -> bool:
    if name in TRUST and name not in GIVEN:
        typer.report(
            "unknown-label", f"`{name}` cannot be given", span,
            "it comes about by itself; `user`, `records` and `untrusted` can be given",
        )  # fmt: skip
        return False
    return _known(typer, name, span, scope)


def _paths(
    typer: Typer, rule: Rule, effect: syntax.Label, scope: Scope
) -> tuple[tuple[str, ...], ...] | None:
    from guardrails.language.statements import targets_of

    if effect.targets and rule.block.point == "input":
        message = "a text has no fields"
        typer.report("wrong-target", message, effect.targets[0].span, "leave the target out")
        return None
    return targets_of(typer, rule, effect.targets, scope)


def _rows(typer: Typer, rule: Rule, effect: syntax.Label, scope: Scope) -> core.Core | None:
    """The condition on each row of a list; the label is for the rows for which it holds."""
    if effect.where is None:
        return None
    if rule.block.point != "result":
        message = "`where` asks for the rows of a result"
        return typer.report("misplaced-statement", message, effect.where.span, "write `when`")
    row = t.item_of(scope.roots["result"])
    return typer.condition(effect.where, replace(scope, roots={**scope.roots, "row": row}))


# --- questions ---------------------------------------------------------------------------------


def lower_test(typer: Typer, node: syntax.Comparison, scope: Scope) -> core.Core:
    """`origin(x) in {user, records}`, `origin(x) is untrusted`, `origin(x) has secret`, `context has secret`."""
    if node.op not in ("in", "is", "has"):
        return alone(typer, node.left, scope)
    names = _names(typer, node, scope)
    value = None
    if is_context(node.left):
        if node.op != "has":
            message = f"`context {node.op}` asks nothing; the context has labels or not"
            return typer.report("wrong-type", message, node.span, "write `context has ...`")
    else:
        value = _valued(typer, node, scope)
    if not names or (value is not None and value.type == FAULTY):
        return core.Const(node.span, FAULTY, None)
    wanted = frozenset().union(*(scope.namespace.labels[name] for name in names))
    found = core.Origin(node.span, t.BOOL, node.op, tuple(sorted(wanted)), tuple(names), value)
    return core.Negation(node.span, t.BOOL, found) if node.negated else found


def is_context(node: syntax.Expr) -> bool:
    return isinstance(node, syntax.Name) and node.id == "context"


def is_origin(node: syntax.Expr) -> bool:
    return isinstance(node, syntax.Call) and node.function == "origin"


def _valued(typer: Typer, node: syntax.Comparison, scope: Scope) -> core.Core:
    """The value whose origin is asked for."""
    if not is_origin(node.left):
        value = typer.lower(node.left, scope)
        if value.type == FAULTY:
            return value
        return typer.report(
            "wrong-type", f"{described(value)}, but `{node.op}` needs labels on its left", node.left.span,
            "write `origin(...)` around a value, or `==` to compare it",
        )  # fmt: skip
    assert isinstance(node.left, syntax.Call)
    if len(node.left.arguments) != 1 or node.left.named:
        return typer.report("wrong-argument", "`origin` takes one value", node.left.span)
    return typer.lower(node.left.arguments[0], scope)


def _names(typer: Typer, node: syntax.Comparison, scope: Scope) -> list[str]:
    """The labels on the right: one name, or several in braces behind `in`. Empty when they are reported."""
    right = node.right
    parts = right.items if isinstance(right, syntax.SetLiteral) else (right,)
    if (node.op == "in") != isinstance(right, syntax.SetLiteral):
        help = "write `origin(x) in {user, records}`, or `origin(x) is untrusted`"
        typer.report("wrong-type", "`in` takes labels in braces, `is` and `has` take one", right.span, help)
        return []
    if not parts or not all(isinstance(part, syntax.Name) for part in parts):
        typer.report("wrong-type", "a label is expected here", right.span, "labels are names, without quotes")
        return []
    names = [part.id for part in parts if isinstance(part, syntax.Name)]
    known = [_known(typer, name, right.span, scope) for name in names]
    return names if all(known) else []


def alone(typer: Typer, node: syntax.Expr, scope: Scope) -> core.Core:
    """`origin(x)` or `context` where nothing is asked of it."""
    for argument in node.arguments if isinstance(node, syntax.Call) else ():
        typer.lower(argument, scope)
    what = "context" if is_context(node) else "origin(...)"
    return typer.report(
        "wrong-type", f"`{what}` gives labels, which can only be asked for", node.span,
        "write `origin(x) in {user, records}`, `origin(x) is untrusted` or `origin(x) has confidential`",
    )  # fmt: skip


# --- constants ---------------------------------------------------------------------------------


def texts_of(checked: Checked) -> Iterator[str]:
    """The texts of parameters and named values: what the policy itself says vouches for a value. Texts inside
    of statements are not meant as values that anybody may use."""
    for value in checked.namespace.values.values():
        if isinstance(value, syntax.Let):
            yield from _texts_in(value.value)
        elif isinstance(value, core.Const):
            yield from _strings(value.value)
        elif isinstance(value, core.ConstMap):
            for key, inner in value.entries:
                yield from _strings(key)
                yield from _strings(inner.value) if isinstance(inner, core.Const) else ()


def _texts_in(node: syntax.Expr) -> Iterator[str]:
    for part in walk(node):
        if isinstance(part, syntax.Literal) and part.kind == "string":
            yield str(part.value)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, frozenset | tuple):
        for inner in value:
            yield from _strings(inner)


# --- flows -------------------------------------------------------------------------------------


def flow_block(item: syntax.Flow) -> syntax.Block:
    """`flow L to call T only when C` as the block that it is: calls whose arguments have the label are denied
    unless C holds. So an error of C keeps the denial, like that of any `unless`."""
    args = syntax.Call(item.span, "origin", (syntax.Name(item.span, "args"),), (), item.span)
    tests = [
        syntax.Comparison(item.span, "has", args, syntax.Name(item.span, label)) for label in item.labels
    ]
    when: syntax.Expr = tests[0] if len(tests) == 1 else syntax.Or(item.span, tuple(tests))
    statement = syntax.Statement(item.span, None, False, item, when, item.when, item.because)
    return syntax.Block(item.span, "call", item.tools, False, None, None, (statement,), item.span)
