"""Statements: a rule in, its meaning for one tool out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from guardrails.diagnostics import Note
from guardrails.language import content, core, labels, metering, syntax, tasks
from guardrails.language import types as t
from guardrails.language.checked import (
    Ask,
    Change,
    Duty,
    Meaning,
    Requirement,
    Rule,
    Step,
    Steps,
    Verdict,
    keyword_of,
)
from guardrails.language.expressions import FAULTY, Typer, described
from guardrails.language.reuse import reuse_of
from guardrails.language.scope import Scope
from guardrails.model import Outcome

IN_SESSION = (
    syntax.Limit, syntax.Budget, syntax.Deny, syntax.Halt, syntax.Require, syntax.Flag, syntax.Review,
)  # fmt: skip
"""What a block about whole sessions can hold: it restricts, it grants nothing and changes nothing."""

TEXT_POINTS = frozenset({"input", "output"})
ROOTS = {"call": "args", "result": "result", "input": "text", "output": "text"}
"""What a transform works on, by point."""


def condition_of(typer: Typer, rule: Rule, scope: Scope) -> core.Core | None:
    """When the rule applies: the block's and the statement's conditions together; None for always."""
    block, statement = rule.block, rule.statement
    parts: list[core.Core] = []
    for when, unless in ((block.when, block.unless), (statement.when, statement.unless)):
        if when is not None:
            parts.append(typer.condition(when, scope))
        if unless is not None:
            parts.append(core.Negation(unless.span, t.BOOL, typer.condition(unless, scope)))
    if len(parts) < 2:
        return parts[0] if parts else None
    return core.All(statement.span, t.BOOL, tuple(parts))


def meaning_of(typer: Typer, rule: Rule, scope: Scope) -> Meaning | None:
    """The effect of the rule, typed; None when it was reported."""
    if rule.block.point == "session" and not isinstance(rule.statement.effect, IN_SESSION):
        _misplaced_in_session(typer, rule)
        return None
    if not tasks.check_statement(typer, rule):
        return None
    meaning: Meaning | None = _MEANINGS[type(rule.statement.effect)](
        typer, rule, rule.statement.effect, scope
    )
    return meaning


def _misplaced_in_session(typer: Typer, rule: Rule) -> None:
    word = keyword_of(rule.statement.effect)
    help = "a session is limited, denied or halted; what is allowed or changed is said of calls and texts"
    typer.report("misplaced-statement", f"`{word}` cannot stand in `on session`", rule.statement.span, help)


def verdict_of(
    typer: Typer, effect: syntax.Allow | syntax.Ask | syntax.Deny | syntax.Halt, scope: Scope | None
) -> Verdict:
    """The verdict; `scope` is None for a default, and where no call is asked about."""
    if not isinstance(effect, syntax.Ask):
        return Verdict(Outcome(type(effect).__name__.lower()))
    if effect.reviewers and effect.quorum > 1 and len(effect.reviewers) > 1:
        typer.report(
            "wrong-argument",
            "a quorum names one group",
            effect.span,
            f"write `ask {effect.quorum} of {effect.reviewers[0]}`",
        )
    within = int(syntax.quantity_of(effect.within)) if effect.within else None
    far = None if effect.reuse is None else reuse_of(typer, effect.reuse, scope)
    return Verdict(Outcome.ASK, Ask(effect.reviewers, effect.quorum, within, effect.otherwise, far))


def _verdict(typer: Typer, rule: Rule, effect: Any, scope: Scope) -> Meaning:
    return verdict_of(typer, effect, scope if rule.block.point == "call" else None)


def _require(typer: Typer, rule: Rule, effect: syntax.Require, scope: Scope) -> Meaning:
    return Requirement(typer.condition(effect.condition, scope))


# --- thresholds --------------------------------------------------------------------------------


def _threshold(typer: Typer, rule: Rule, effect: syntax.Threshold, scope: Scope) -> Meaning | None:
    value = typer.lower(effect.value, scope)
    if value.type == FAULTY or not effect.rows:
        return None
    if value.type == t.ANY:
        value = _narrowed_by_bounds(typer, value, effect, scope)
    if value.type not in t.ORDERED and not isinstance(value.type, t.Money):
        typer.report(
            "wrong-type",
            f"{described(value)}, but a threshold needs something with an order",
            effect.value.span,
        )
        return None
    asks = scope if rule.block.point == "call" else None
    rows = tuple(_row(typer, value, row, scope, asks) for row in effect.rows)
    _check_rows(typer, effect, rows)
    return Steps(value, rows)


def _narrowed_by_bounds(typer: Typer, value: core.Core, effect: syntax.Threshold, scope: Scope) -> core.Core:
    from guardrails.language.expressions import narrow

    return narrow(value, t.DECIMAL)


def _row(typer: Typer, value: core.Core, row: syntax.Row, scope: Scope, asks: Scope | None) -> Step:
    from guardrails.language.comparisons import _compare

    bound = None
    if row.bound is not None:
        limit = typer.lower(row.bound, scope)
        comparison = syntax.Comparison(row.bound.span, "<=", row.bound, row.bound)
        bound = _compare(typer, comparison, value, limit) if limit.type != FAULTY else limit
    return Step(bound, verdict_of(typer, row.effect, asks), row.because, row.span)


def _check_rows(typer: Typer, effect: syntax.Threshold, rows: tuple[Step, ...]) -> None:
    tops = [row for row in effect.rows if row.bound is None]
    if len(tops) != 1 or effect.rows[-1].bound is not None:
        help = "a threshold ends with one row `above: ...`, so that every value has an outcome"
        message = (
            "this threshold has no `above`" if not tops else "`above` must be the last row, and stand once"
        )
        place = tops[0].span if tops else effect.span
        typer.report("threshold-without-above", message, place, help)
    last: Any = None
    for row, step in zip(effect.rows, rows, strict=True):
        value = _constant_bound(step)
        if value is None:
            continue
        if last is not None and value <= last[0]:
            typer.report(
                "threshold-overlap", f"this bound is not above the one before it, `{last[1].text}`"
                if isinstance(last[1], syntax.Literal) else "this bound is not above the one before it",
                row.span, "rows go from the lowest bound to the highest", notes=(Note(last[1].span, "the bound before it"),),
            )  # fmt: skip
        last = (value, row.bound)


def _constant_bound(step: Step) -> Any:
    if isinstance(step.bound, core.Compare) and isinstance(step.bound.right, core.Const):
        value = step.bound.right.value
        return value[0] if isinstance(value, tuple) else value
    return None


# --- obligations and transforms ----------------------------------------------------------------


def _flag(typer: Typer, rule: Rule, effect: syntax.Flag, scope: Scope) -> Meaning:
    return Duty("flag", (("name", effect.name),))


def _review(typer: Typer, rule: Rule, effect: syntax.Review, scope: Scope) -> Meaning | None:
    within = int(syntax.quantity_of(effect.within)) if effect.within else None
    details: tuple[tuple[str, object], ...] = (("by", effect.reviewers), ("within", within))
    if effect.sample is None:
        return Duty("review", details)
    share = Decimal(syntax.quantity_of(effect.sample)) * 100
    if not 0 < share <= 100:
        help = "such as `sample 5%`; without `sample` all of them are reviewed"
        typer.report("wrong-argument", "a sample is more than 0% and at most 100%", effect.sample.span, help)
        return None
    return Duty("review", (*details, ("sample", f"{share.normalize():f}%")))


def _redact(typer: Typer, rule: Rule, effect: syntax.Redact, scope: Scope) -> Meaning | None:
    pattern, detector = None, None
    if effect.what is not None:
        if isinstance(effect.what, syntax.Literal) and effect.what.kind == "pattern":
            typer.lower(effect.what, scope)
            pattern = str(effect.what.value)
        else:
            detector = content.redacted(typer, effect.what, scope)
            if detector is None:
                return None
    paths = targets_of(typer, rule, effect.targets, scope)
    if paths is None:
        return None
    if pattern is None and detector is None and not effect.targets:
        typer.report(
            "wrong-argument",
            "`redact` needs to know what to redact",
            effect.span,
            "name a field, a pattern or a detector",
        )
        return None
    argument = effect.argument.value if effect.argument else None
    return Change("redact", paths or ((),), pattern, effect.method or "mask", argument, detector=detector)


def targets_of(
    typer: Typer, rule: Rule, targets: tuple[syntax.Expr, ...], scope: Scope
) -> tuple[tuple[str, ...], ...] | None:
    """Each target as a path below the payload."""
    root = ROOTS[rule.block.point]
    paths = []
    for target in targets:
        path = _path_of(target)
        if path is None:
            typer.report(
                "wrong-target", "a target names fields only", target.span,
                "every element of a list is `*`, such as `result.orders.*.note`",
            )  # fmt: skip
            return None
        if path[0] != root:
            typer.report(
                "wrong-target", f"a transform in `on {rule.block.point}` changes `{root}` only", target.span,
                f"name a field of `{root}`, such as `{root}.note`" if root != "text" else "leave the target out",
            )  # fmt: skip
            return None
        _known_path(typer, target, scope)
        paths.append(path[1:])
    return tuple(paths)


def _path_of(target: syntax.Expr) -> tuple[str, ...] | None:
    if isinstance(target, syntax.Name):
        return (target.id,)
    if isinstance(target, syntax.Attribute):
        base = _path_of(target.base)
        return None if base is None else (*base, target.name)
    return None


def _known_path(typer: Typer, target: syntax.Expr, scope: Scope) -> None:
    """Report a field that the schema does not have; what stands below a `*` is taken on trust."""
    node = target
    while isinstance(node, syntax.Attribute):
        if node.name == "*":
            target = node.base
        node = node.base
    typer.lower(target, scope)


def _only_fields(
    typer: Typer, rule: Rule, effect: syntax.OnlyFields | syntax.DropFields, scope: Scope
) -> Meaning | None:
    if not _in_result(typer, rule):
        return None
    for field in effect.fields:
        _known_field(typer, field, scope.roots["result"])
    kind = "only fields" if isinstance(effect, syntax.OnlyFields) else "drop fields"
    return Change(kind, tuple(field.parts for field in effect.fields))


def _known_field(typer: Typer, field: syntax.FieldPath, kind: t.Type) -> None:
    from guardrails.diagnostics import did_you_mean

    while isinstance(kind, t.ListOf):
        kind = kind.item
    if (
        isinstance(kind, t.Record)
        and not kind.open
        and field.parts[0] != "*"
        and not kind.field(field.parts[0])
    ):
        known = [other.name for other in kind.fields]
        typer.report(
            "unknown-field",
            f"the result has no field `{field.parts[0]}`",
            field.span,
            did_you_mean(field.parts[0], known),
        )


def _only_rows(typer: Typer, rule: Rule, effect: syntax.OnlyRows, scope: Scope) -> Meaning | None:
    if not _in_result(typer, rule):
        return None
    row = t.item_of(scope.roots["result"])
    inner = replace(scope, roots={**scope.roots, "row": row})
    return Change("only rows", rows=typer.condition(effect.where, inner))


def _in_result(typer: Typer, rule: Rule) -> bool:
    if rule.block.point == "result":
        return True
    words = type(rule.statement.effect).__name__
    name = {"OnlyFields": "only fields", "OnlyRows": "only rows", "DropFields": "drop fields"}[words]
    typer.report("misplaced-statement", f"`{name}` belongs into an `on result` block", rule.statement.span)
    return False


# --- contracts ---------------------------------------------------------------------------------


def _schema(typer: Typer, rule: Rule, effect: syntax.Schema, scope: Scope) -> Meaning | None:
    """`schema "reply.json"`: what goes out is JSON that follows it, or is denied."""
    if rule.block.point not in ("output", "result"):
        message = "`schema` belongs into an `on output` or `on result` block"
        typer.report("misplaced-statement", message, effect.span)
        return None
    text = scope.namespace.schemas.get((effect.span.file, effect.path))
    if text is None:  # reported when it was read
        return None
    root = "text" if rule.block.point == "output" else "result"
    value = core.Load(effect.span, scope.roots[root], root, ())
    return Requirement(core.Conforms(effect.span, t.BOOL, value, text))


def _denied(typer: Typer, rule: Rule, effect: Any, scope: Scope) -> Meaning:
    return Verdict(Outcome.DENY)


_MEANINGS: dict[type, Any] = {
    syntax.Allow: _verdict,
    syntax.Ask: _verdict,
    syntax.Deny: _verdict,
    syntax.Halt: _verdict,
    syntax.Require: _require,
    syntax.Threshold: _threshold,
    syntax.Flag: _flag,
    syntax.Review: _review,
    syntax.Redact: _redact,
    syntax.OnlyFields: _only_fields,
    syntax.DropFields: _only_fields,
    syntax.OnlyRows: _only_rows,
    syntax.Limit: metering.limit,
    syntax.Budget: metering.budget,
    syntax.Breaker: metering.breaker,
    syntax.Schema: _schema,
    syntax.Label: labels.marked,
    syntax.Flow: _denied,
    syntax.OnlyCalls: _denied,
}
