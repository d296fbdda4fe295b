"""Statements and one-line items as documents; what has a body of its own is woven in `formatter`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from guardrails.language import syntax
from guardrails.language.layout import LINE, Doc, Group, Indent, filled, joined
from guardrails.language.printing import (
    expression,
    literal,
    name_or_text,
    path,
    quoted,
    tool,
    tools,
    type_of,
    value,
)


def because(reason: str | None) -> Doc:
    """The reason: behind the statement, or indented on its own line."""
    return "" if reason is None else Indent((LINE, "because ", quoted(reason)))


def with_reason(doc: Doc, reason: str | None) -> Doc:
    return Group((doc, because(reason)))


def conditions(when: syntax.Expr | None, unless: syntax.Expr | None) -> Doc:
    """` when ... unless ...`"""
    first: Doc = "" if when is None else (" when ", expression(when))
    if unless is None:
        return first
    between: Doc = " " if when is None else LINE
    return (first, Indent((between, "unless ", expression(unless))))


def clauses(statement: syntax.Statement) -> Doc:
    """What stands behind an effect."""
    head = Group(conditions(statement.when, statement.unless))
    return (head, because(statement.because))


def lead(statement: syntax.Statement) -> str:
    """What stands before an effect."""
    mark = "" if statement.label is None else f"{statement.label}: "
    return mark + ("shadow " if statement.shadow else "")


def names(several: Sequence[str]) -> Doc:
    return filled(several)


def values(several: Sequence[syntax.Expr]) -> Doc:
    return joined(map(value, several), ", ")


def effect(node: syntax.Effect) -> Doc:
    """An effect without a body."""
    return _EFFECTS[type(node)](node)


def _ask(node: syntax.Ask) -> Doc:
    return (
        "ask",
        f" {node.quorum} of" if node.quorum != 1 else "",
        (" ", names(node.reviewers)) if node.reviewers else "",
        f" within {literal(node.within)}" if node.within else "",
        (" else ", names(node.otherwise)) if node.otherwise else "",
        Indent((LINE, _reuse(node.reuse))) if node.reuse else "",
    )


def _reuse(node: syntax.Reuse) -> Doc:
    """How far an approval goes; a bound may begin a line."""
    head = ("for ", value(node.calls), " calls in session")
    return (head, *((",", LINE, value(b.amount), " up to ", value(b.most), f" {b.per}") for b in node.bounds))


def _review(node: syntax.Review) -> Doc:
    return (
        "review",
        (" by ", names(node.reviewers)) if node.reviewers else "",
        f" within {literal(node.within)}" if node.within else "",
        f" sample {literal(node.sample)}" if node.sample else "",
    )


def _require(node: syntax.Require) -> Doc:
    return ("require ", expression(node.condition))


def row_head(node: syntax.Row) -> Doc:
    """A row of a threshold up to its reason."""
    bound: Doc = "above" if node.bound is None else ("up to ", value(node.bound))
    return (bound, ": ", effect(node.effect))


def _parts(parts: Iterable[Doc]) -> Doc:
    """The parts of a long effect; each may begin a line."""
    return Indent(tuple((LINE, part) for part in parts if part != ""))


def _bound(node: syntax.Bound) -> Doc:
    return (value(node.amount), f" per {literal(node.per)}" if node.per else "")


def _limit(node: syntax.Limit) -> Doc:
    return Group(
        (
            "limit ",
            _measure(node),
            _parts(
                [
                    ("by ", values(node.by)) if node.by else "",
                    ("burst ", value(node.burst)) if node.burst else "",
                    "degrade to local" if node.degrade else "",
                    f"was {node.was}" if node.was else "",
                ]
            ),
        )
    )


def _measure(node: syntax.Limit) -> Doc:
    bounds = joined(map(_bound, node.bounds), ", ")
    if node.measure == "count":
        return bounds
    if node.subject is not None:
        return (node.measure, "(", expression(node.subject), ") to ", bounds)
    if node.measure in ("duration", "retries", "thrashing"):
        return (node.measure, " ", bounds)
    amount, per = node.bounds[0].amount, node.bounds[0].per
    return (value(amount), " ", node.measure, f" per {literal(per)}" if per else "")


def _budget(node: syntax.Budget) -> Doc:
    warnings = ", ".join(map(literal, node.warn_at))
    parts: list[Doc] = [
        _period(node),
        ("by ", values(node.by)) if node.by else "",
        f"warn at {warnings}" if warnings else "",
        f"was {node.was}" if node.was else "",
    ]
    return Group(("budget ", node.resource, " ", value(node.amount), _parts(parts)))


def _period(node: syntax.Budget) -> str:
    if node.per is None:
        return ""
    per = node.per if isinstance(node.per, str) else literal(node.per)
    zone = f" in {quoted(node.zone)}" if node.zone is not None else ""
    return f"per {per}{zone}"


def breaker_lines(node: syntax.Breaker) -> list[Doc]:
    """The settings of a breaker."""
    lines: list[Doc] = [_open_after(condition) for condition in node.open_after]
    lines.append(f"retry after {literal(node.retry_after)}")
    if node.fallback is not None:
        lines.append(f"fallback {quoted(node.fallback)}")
    if node.by:
        lines.append(("by ", values(node.by)))
    return lines


def _open_after(node: syntax.OpenAfter) -> str:
    amount = literal(node.amount)
    if node.consecutive:
        return f"open after {amount} consecutive failures"
    of = f" of {literal(node.minimum)}" if node.minimum else ""
    window = f" in {literal(node.window)}" if node.window else ""
    return f"open after {amount} failures{of}{window}"


def _redact(node: syntax.Redact) -> Doc:
    targets = values(node.targets)
    argument = f" {literal(node.argument)}" if node.argument else ""
    where: Doc = (" in ", targets) if node.targets and node.what is not None else ""
    what = targets if node.what is None else expression(node.what)
    return ("redact ", what, where, f" with {node.method}{argument}" if node.method else "")


def _label(node: syntax.Label) -> Doc:
    where: Doc = (" in ", values(node.targets)) if node.targets else ""
    rows: Doc = Indent((LINE, "where ", expression(node.where))) if node.where is not None else ""
    return ("label ", names(node.labels), where, rows)


def _flow(node: syntax.Flow) -> Doc:
    head = ("flow ", joined(node.labels, ", "), " to call ", tools(node.tools))
    only: Doc = "" if node.when is None else Indent((LINE, "only when ", expression(node.when)))
    return (Group(head), Group(only))


def _paths(word: str, fields: Sequence[syntax.FieldPath]) -> Doc:
    return Group((word, " ", names([path(field) for field in fields])))


_EFFECTS: Final[dict[type[Any], Callable[[Any], Doc]]] = {
    syntax.Allow: lambda _: "allow",
    syntax.Deny: lambda _: "deny",
    syntax.Halt: lambda _: "halt",
    syntax.Ask: lambda node: Group(_ask(node)),
    syntax.Flag: lambda node: f"flag {name_or_text(node.name)}",
    syntax.Review: lambda node: Group(_review(node)),
    syntax.Require: _require,
    syntax.Limit: _limit,
    syntax.Budget: _budget,
    syntax.Redact: _redact,
    syntax.OnlyFields: lambda node: _paths("only fields", node.fields),
    syntax.OnlyRows: lambda node: ("only rows where ", expression(node.where)),
    syntax.DropFields: lambda node: _paths("drop fields", node.fields),
    syntax.Schema: lambda node: f"schema {quoted(node.path)}",
    syntax.Label: lambda node: Group(_label(node)),
    syntax.Flow: _flow,
    syntax.OnlyCalls: lambda node: only_calls(node),
}


# --- items -------------------------------------------------------------------------------------


def item(node: syntax.Item) -> Doc:
    """An item without a body."""
    return _ITEMS[type(node)](node)


def block_head(node: syntax.Block) -> Doc:
    """A block up to its brace."""
    shadow = "shadow " if node.shadow else ""
    watched: Doc = (" ", tools(node.tools)) if node.tools else ""
    return Group((f"{shadow}on {node.point}", watched, conditions(node.when, node.unless)))


def task_head(node: syntax.Task) -> Doc:
    each = [(parameter.name, ": ", type_of(parameter.type)) for parameter in node.parameters]
    return Group(("task ", node.name, ("(", joined(each, ", "), ")") if each else ""))


def only_calls(node: syntax.OnlyCalls) -> Doc:
    return Group(("only call ", tools(node.tools)))


def breaker_head(node: syntax.BreakerItem) -> Doc:
    return Group((f"breaker {node.name} on call ", tools(node.tools)))


def let(node: syntax.Let) -> Doc:
    parameters: Doc = ""
    if node.parameters is not None:
        each = [(parameter.name, ": ", type_of(parameter.type)) for parameter in node.parameters]
        parameters = ("(", joined(each, ", "), ")")
    return Group(("let ", node.name, parameters, " = ", expression(node.value)))


def _param(node: syntax.Param) -> Doc:
    default: Doc = "" if node.default is None else (" = ", expression(node.default))
    return ("param ", node.name, ": ", type_of(node.type), default)


def _use(node: syntax.UsePolicy) -> Doc:
    settings = [(setting.name, " = ", expression(setting.value)) for setting in node.settings]
    given: Doc = (" with ", filled(settings)) if settings else ""
    return Group(("use ", quoted(node.path), given))


def _default(node: syntax.Default) -> Doc:
    return with_reason((f"default {node.point} ", effect(node.effect)), node.because)


def _detector(node: syntax.Detector) -> Doc:
    checksum = f" checksum {node.checksum}" if node.checksum else ""
    context: Doc = ""
    if node.context:
        context = Indent((LINE, "context ", joined(map(quoted, node.context), ", ")))
    return Group((f"detector {node.name} = pattern {literal(node.pattern)}{checksum}", context))


def _audit(node: syntax.Audit) -> Doc:
    return f"audit {node.mode}" + (f" else {node.otherwise}" if node.otherwise else "")


_ITEMS: Final[dict[type[Any], Callable[[Any], Doc]]] = {
    syntax.PolicyHeader: lambda node: ("shadow " if node.shadow else "") + f"policy {node.name}",
    syntax.UseTools: lambda node: f"use tools {quoted(node.path)}",
    syntax.UsePolicy: _use,
    syntax.TypeItem: lambda node: (f"type {node.name} = ", type_of(node.definition)),
    syntax.Param: _param,
    syntax.Let: let,
    syntax.Default: _default,
    syntax.Detector: _detector,
    syntax.Flow: lambda node: with_reason(_flow(node), node.because),
    syntax.Reveal: lambda node: (
        f"reveal in call {tool(node.tool)}.{path(node.field)}" if node.tool else "reveal in output"
    ),
    syntax.Audit: _audit,
}
