"""Expressions: syntax in, typed core out.

The one idea: lowering never fails. What cannot be typed is reported once and becomes a node of type
`FAULTY`, which every later step accepts in silence, so that one mistake gives one diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from guardrails.diagnostics import Diagnostic, Note, Span, did_you_mean
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.builtins import PROPERTIES
from guardrails.language.naming import called
from guardrails.language.scope import Scope

FAULTY = t.Scalar("error")
"""The type of what has been reported already."""

LITERAL_TYPES = {
    "string": t.STRING, "bool": t.BOOL, "null": t.NULL, "duration": t.DURATION, "size": t.SIZE,
    "percent": t.PERCENT, "pattern": t.PATTERN,
}  # fmt: skip


class Typer:
    """Lowers expressions of one policy; collects diagnostics and the features that they need."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.used: set[str] = set()
        self._fresh = 0

    def report(
        self, rule: str, message: str, span: Span, help: str = "", *, notes: tuple[Note, ...] = ()
    ) -> core.Const:
        """Record an error and give the node that stands for it."""
        self.diagnostics.append(Diagnostic(rule, message, span, help=help, notes=notes))
        return core.Const(span, FAULTY, None)

    def fresh(self, name: str) -> str:
        self._fresh += 1
        return f"{name}_{self._fresh}"

    def lower(self, node: syntax.Expr, scope: Scope) -> core.Core:
        return LOWERINGS[type(node)](self, node, scope)

    def condition(self, node: syntax.Expr, scope: Scope) -> core.Core:
        """`node` as something that is true or false."""
        return self.expect(self.lower(node, scope), t.BOOL, "a condition")

    def expect(self, value: core.Core, kind: t.Type, words: str = "") -> core.Core:
        """`value` as a `kind`: as it is, narrowed, or converted; reported when it cannot be one."""
        if FAULTY in (value.type, kind) or kind == t.ANY or fits(value.type, kind):
            return value
        if value.type == t.ANY:
            return narrow(value, kind)
        if isinstance(kind, t.Enum) and value.type == t.STRING:
            return _choice(self, value, kind)
        if kind == t.STRING and value.type in t.CANONICAL - {t.SQL, t.SHELL, t.WINDOW}:
            return field_of(self, value, "text", value.span)
        if kind in t.CANONICAL and t.is_textual(value.type):
            return convert(self, value, kind)
        if isinstance(kind, t.SetOf) and isinstance(value.type, t.ListOf):
            return core.Invoke(value.span, t.SetOf(value.type.item), "set", (value,))
        expected = words or with_article(kind)
        return self.report("wrong-type", f"{described(value)}, but {expected} is expected here", value.span)


_PLAIN_NAMES: dict[t.Type, str] = {
    t.BOOL: "truth value", t.ANY: "value", t.DECIMAL: "number", t.INT: "whole number",
}  # fmt: skip
"""What people call a type, where that is not its name."""


def _choice(typer: Typer, value: core.Core, kind: t.Enum) -> core.Core:
    """A text as one of a few: a constant now, anything else when it is there."""
    if not isinstance(value, core.Const):
        return narrow(value, kind)
    if value.value in kind.values:
        return core.Const(value.span, kind, value.value)
    help = did_you_mean(str(value.value), kind.values)
    return typer.report("wrong-type", f"`{value.value}` is none of {kind}", value.span, help)


def with_article(kind: t.Type) -> str:
    name = _PLAIN_NAMES.get(kind, str(kind))
    return ("an " if name[0] in "aeio" else "a ") + name


def described(value: core.Core) -> str:
    """ "`args.amount` is a decimal", as the start of a sentence."""
    return f"{called(value) or 'this'} is {with_article(value.type)}"


def fits(kind: t.Type, wanted: t.Type) -> bool:
    """Whether a value of `kind` serves as `wanted` without any conversion."""
    if kind == wanted or (kind == t.INT and wanted == t.DECIMAL):
        return True
    if isinstance(kind, t.Enum) and wanted == t.STRING:
        return True
    if isinstance(wanted, t.Money) and isinstance(kind, t.Money):
        return not wanted.currency or not kind.currency or wanted.currency == kind.currency
    if isinstance(kind, t.ListOf) and isinstance(wanted, t.ListOf):
        return wanted.item == t.ANY or fits(kind.item, wanted.item)
    if isinstance(kind, t.SetOf) and isinstance(wanted, t.SetOf):
        return wanted.item == t.ANY or kind.item == t.ANY or fits(kind.item, wanted.item)
    if isinstance(kind, t.MapOf) and isinstance(wanted, t.MapOf) and wanted.value != t.ANY:
        return fits(kind.key, wanted.key) and fits(kind.value, wanted.value)
    return isinstance(kind, t.MapOf | t.Record) and isinstance(wanted, t.MapOf) and wanted.value == t.ANY


def narrow(value: core.Core, kind: t.Type) -> core.Core:
    """A value nobody typed, taken for a `kind`; checked at run time."""
    if kind in t.CANONICAL:
        return core.Convert(value.span, kind, narrow(value, t.STRING))
    if isinstance(kind, t.SetOf):
        return core.Invoke(value.span, kind, "set", (narrow(value, t.ListOf(kind.item)),))
    if isinstance(value, core.Load):
        return replace(value, type=kind)
    return core.Narrow(value.span, kind, value)


def convert(typer: Typer, value: core.Core, kind: t.Type) -> core.Core:
    """A text read as a canonical type; constants are read now, so that a bad one is an error of the policy."""
    if isinstance(value, core.Const):
        from guardrails.language.constants import canonical_problem

        problem = canonical_problem(str(value.value), kind)
        if problem:
            return typer.report(
                "bad-constant", f"`{value.value}` is not {with_article(kind)}: {problem}", value.span
            )
        return core.Const(value.span, kind, value.value)
    return core.Convert(value.span, kind, value)


# --- one function per node ---------------------------------------------------------------------


def _literal(typer: Typer, node: syntax.Literal, scope: Scope) -> core.Core:
    if node.kind == "number":
        return core.Const(node.span, t.INT if isinstance(node.value, int) else t.DECIMAL, node.value)
    if node.kind == "money":
        assert isinstance(node.value, tuple)
        return core.Const(node.span, t.Money(node.value[1]), node.value)
    if node.kind == "pattern":
        from guardrails.patterns import check_pattern

        problem = check_pattern(str(node.value))
        if problem:
            return typer.report("bad-pattern", f"this pattern is not accepted: {problem}", node.span)
    return core.Const(node.span, LITERAL_TYPES[node.kind], node.value)


def _name(typer: Typer, node: syntax.Name, scope: Scope) -> core.Core:
    found = scope.find(node.id)
    if isinstance(found, syntax.Let):
        typer.used.add(node.id)
        return _use_of_let(typer, node, found, scope)
    if found is not None:
        typer.used.add(node.id)
        return replace(found, span=node.span)
    if node.id in scope.roots:
        return core.Load(node.span, scope.roots[node.id], node.id, ())
    return _unknown_name(typer, node, scope)


def _unknown_name(typer: Typer, node: syntax.Name, scope: Scope) -> core.Core:
    args = scope.roots.get("args")
    if isinstance(args, t.Record) and args.field(node.id):
        return typer.report(
            "unknown-name",
            f"there is no `{node.id}` here",
            node.span,
            f"the tool's argument is `args.{node.id}`",
        )
    if node.id in _ELSEWHERE:
        return typer.report("unknown-name", f"`{node.id}` is not known here", node.span, _ELSEWHERE[node.id])
    help = did_you_mean(node.id, scope.names()) or f'a text is written in quotes: `"{node.id}"`'
    return typer.report("unknown-name", f"there is no `{node.id}` here", node.span, help)


_ELSEWHERE = {
    "args": "only `on call` and `on result` blocks have arguments",
    "tool": "only `on call` and `on result` blocks have a tool",
    "result": "only `on result` blocks have a result",
    "text": "only `on input` and `on output` blocks have a text",
    "row": "`row` is known only in `only rows where`",
    "call": "`call` is known only in the `where` of `seen`, `count` and `last`, of a call or result",
}


def _use_of_let(typer: Typer, node: syntax.Name, let: syntax.Let, scope: Scope) -> core.Core:
    if let.parameters is not None:
        inside = ", ".join(parameter.name for parameter in let.parameters)
        return typer.report(
            "wrong-argument", f"`{let.name}` needs its arguments", node.span, f"write `{let.name}({inside})`"
        )
    if let.name in scope.open_lets:
        return typer.report("recursive-let", f"`{let.name}` is defined by itself", node.span)
    return replace(typer.lower(let.value, scope.inside(let)), span=node.span)


def _attribute(typer: Typer, node: syntax.Attribute, scope: Scope) -> core.Core:
    return field_of(typer, typer.lower(node.base, scope), node.name, node.span)


def field_of(typer: Typer, base: core.Core, name: str, span: Span) -> core.Core:
    """`base.name`: a field of the event, of an element, or a property of a canonical value."""
    kind = base.type
    if kind == FAULTY:
        return base
    if kind in PROPERTIES:
        return _property_of(typer, base, name, span)
    if kind == t.ANY:
        return _below(base, t.Field(name, t.ANY), span)
    if isinstance(kind, t.Record):
        return _record_field(typer, base, name, span)
    if isinstance(kind, t.MapOf):
        return core.Item(span, kind.value, base, core.Const(span, t.STRING, name))
    return _no_field(typer, base, name, span)


def _below(base: core.Core, field: t.Field, span: Span) -> core.Core:
    if isinstance(base.type, t.Record) and base.type.name == core.EARLIER:
        return core.Happened(span, field.type, base, field.name)
    if isinstance(base, core.Load):
        optional = base.optional or field.optional
        return core.Load(span, field.type, base.root, (*base.path, field.name), optional)
    return core.Field(span, field.type, base, field.name)


def _record_field(typer: Typer, base: core.Core, name: str, span: Span) -> core.Core:
    record = base.type
    assert isinstance(record, t.Record)
    field = record.field(name)
    if field is not None:
        if record.name == "command" and not isinstance(base, core.Load):
            return core.Property(span, field.type, base, name)
        return _below(base, field, span)
    known = [other.name for other in record.fields]
    suggestion = did_you_mean(name, known)
    if record.open and not suggestion:
        return _below(base, t.Field(name, t.ANY, optional=True), span)
    listed = f"known fields: {', '.join(f'`{other}`' for other in known[:8])}" if known else ""
    return typer.report(
        "unknown-field", f"{_subject(base)} has no field `{name}`", span, suggestion or listed
    )


def _subject(base: core.Core) -> str:
    return called(base) or with_article(base.type)


def _property_of(typer: Typer, base: core.Core, name: str, span: Span) -> core.Core:
    known = PROPERTIES[base.type]
    if name in known:
        return core.Property(span, known[name], base, name)
    listed = ", ".join(f"`{other}`" for other in known)
    return typer.report(
        "unknown-field", f"{with_article(base.type)} has no property `{name}`", span,
        did_you_mean(name, known) or f"it has {listed}",
    )  # fmt: skip


def _no_field(typer: Typer, base: core.Core, name: str, span: Span) -> core.Core:
    help = ""
    owners = [kind for kind, known in PROPERTIES.items() if name in known]
    if base.type == t.STRING and owners:
        source = base.where if isinstance(base, core.Load) else "..."
        help = f"read it as {with_article(owners[0])} first: `{owners[0]}({source}).{name}`"
    elif isinstance(base.type, t.ListOf | t.SetOf):
        help = f"to look at its elements write `any x in ...: x.{name} ...`"
    return typer.report("unknown-field", f"{described(base)}, which has no field `{name}`", span, help)


def _index(typer: Typer, node: syntax.Index, scope: Scope) -> core.Core:
    base, key = typer.lower(node.base, scope), typer.lower(node.key, scope)
    if FAULTY in (base.type, key.type):
        return core.Const(node.span, FAULTY, None)
    kind = base.type
    if isinstance(kind, t.MapOf):
        return core.Item(node.span, kind.value, base, typer.expect(key, kind.key))
    if isinstance(kind, t.ListOf):
        return core.Item(node.span, kind.item, base, typer.expect(key, t.INT, "a position"))
    if kind == t.ANY:
        return core.Item(node.span, t.ANY, base, key)
    if isinstance(kind, t.Record) and isinstance(key, core.Const) and isinstance(key.value, str):
        return field_of(typer, base, key.value, node.span)
    return typer.report("wrong-type", f"{described(base)}, which has no entries to pick from", node.span)


def _and(typer: Typer, node: syntax.And, scope: Scope) -> core.Core:
    return core.All(node.span, t.BOOL, tuple(typer.condition(part, scope) for part in node.operands))


def _or(typer: Typer, node: syntax.Or, scope: Scope) -> core.Core:
    return core.AnyOf(node.span, t.BOOL, tuple(typer.condition(part, scope) for part in node.operands))


def _not(typer: Typer, node: syntax.Not, scope: Scope) -> core.Core:
    return core.Negation(node.span, t.BOOL, typer.condition(node.operand, scope))


def _has(typer: Typer, node: syntax.Has, scope: Scope) -> core.Core:
    value = typer.lower(node.path, scope)
    if value.type != FAULTY and not may_be_absent(value):
        return typer.report("wrong-type", "`has` needs a field, such as `args.note`", node.path.span)
    return core.Present(node.span, t.BOOL, value)


def may_be_absent(value: core.Core) -> bool:
    """Whether this is something of which can be asked if it is there: a field, or a last event."""
    if isinstance(value, core.Recall):
        return value.question.kind == "last"
    return isinstance(value, core.Load | core.Field | core.Item | core.Happened)


def _else(typer: Typer, node: syntax.Else, scope: Scope) -> core.Core:
    value, default = typer.lower(node.value, scope), typer.lower(node.default, scope)
    if FAULTY in (value.type, default.type):
        return core.Const(node.span, FAULTY, None)
    if value.type == t.ANY and default.type != t.ANY:
        wanted = t.DECIMAL if default.type in t.NUMERIC else default.type
        value = narrow(value, wanted)
    if value.type in t.CANONICAL and t.is_textual(default.type):
        default = typer.expect(default, value.type)
    kind = value.type if _is_empty(default, value.type) else t.join((value.type, default.type))
    if kind == t.ANY and t.ANY not in (value.type, default.type):
        return typer.report(
            "wrong-type",
            f"{described(value)}, but the value after `else` is {with_article(default.type)}",
            default.span,
        )
    return core.Fallback(node.span, kind, value, default)


def _is_empty(default: core.Core, kind: t.Type) -> bool:
    """`[]` and `{}` are of every list and set type."""
    return (
        isinstance(default, core.Const)
        and isinstance(default.type, t.ListOf | t.SetOf)
        and isinstance(kind, t.ListOf | t.SetOf)
        and not default.value
    )


def _quantifier(typer: Typer, node: syntax.Quantifier, scope: Scope) -> core.Core:
    collection, variable, inner = _bind_element(typer, node.collection, node.variable, scope)
    where = typer.condition(node.where, inner) if node.where else None
    body = typer.condition(node.body, inner)
    return core.Each(node.span, t.BOOL, node.kind, variable, collection, where, body)


def _aggregate(typer: Typer, node: syntax.Aggregate, scope: Scope) -> core.Core:
    collection, variable, inner = _bind_element(typer, node.collection, node.variable, scope)
    where = typer.condition(node.where, inner) if node.where else None
    if node.value is None:
        return core.Each(node.span, t.INT, node.kind, variable, collection, where, None)
    value = typer.lower(node.value, inner)
    if value.type not in t.ORDERED:
        value = typer.expect(value, t.DECIMAL, "a number")
    kind = t.DECIMAL if value.type in t.NUMERIC else value.type
    return core.Each(node.span, kind, node.kind, variable, collection, where, value)


def _bind_element(typer: Typer, node: syntax.Expr, name: str, scope: Scope) -> tuple[core.Core, str, Scope]:
    collection = typer.lower(node, scope)
    if collection.type == t.ANY:
        collection = narrow(collection, t.COLLECTION)
    if collection.type not in (FAULTY, t.COLLECTION) and not isinstance(
        collection.type, t.ListOf | t.SetOf | t.MapOf
    ):
        collection = typer.report(
            "wrong-type", f"{described(collection)}, but a collection is expected here", node.span
        )
    variable = typer.fresh(name)
    kind = FAULTY if collection.type == FAULTY else t.item_of(collection.type)
    return collection, variable, scope.bind(name, core.Var(node.span, kind, variable))


def _collection(typer: Typer, node: Any, scope: Scope) -> core.Core:
    items = tuple(typer.lower(item, scope) for item in node.items)
    if any(item.type == FAULTY for item in items):
        return core.Const(node.span, FAULTY, None)
    known = [item.type for item in items if item.type != t.ANY]
    kind = t.join(known)
    if kind == t.ANY and known:
        return typer.report("wrong-type", "the elements are of several types, which never compare", node.span)
    items = tuple(narrow(item, kind) if item.type == t.ANY and kind != t.ANY else item for item in items)
    is_set = isinstance(node, syntax.SetLiteral)
    whole: t.Type = t.SetOf(kind) if is_set else t.ListOf(kind)
    if all(isinstance(item, core.Const) for item in items):
        values = tuple(item.value for item in items if isinstance(item, core.Const))
        return core.Const(node.span, whole, frozenset(values) if is_set else values)
    return core.Collect(node.span, whole, items)


def _map(typer: Typer, node: syntax.MapLiteral, scope: Scope) -> core.Core:
    keys = [typer.lower(key, scope) for key, _ in node.entries]
    values = [typer.lower(value, scope) for _, value in node.entries]
    if any(part.type == FAULTY for part in (*keys, *values)):
        return core.Const(node.span, FAULTY, None)
    for part in (*keys, *values):
        if not isinstance(part, core.Const | core.ConstMap):
            return typer.report("bad-constant", "a map holds constants only", part.span)
    kind = t.MapOf(t.join(key.type for key in keys), _joined_values(values))
    entries = tuple(
        (key.value, value) for key, value in zip(keys, values, strict=True) if isinstance(key, core.Const)
    )
    if len({key for key, _ in entries}) < len(entries):
        return typer.report("bad-constant", "a key stands twice in this map", node.span)
    return core.ConstMap(node.span, kind, entries)


def _joined_values(values: list[core.Core]) -> t.Type:
    """The type of a map's values; maps inside join over all of their entries."""
    maps = [value for value in values if isinstance(value, core.ConstMap)]
    if maps and len(maps) == len(values):
        inner = [entry for table in maps for _, entry in table.entries]
        keys = [table.type.key for table in maps if isinstance(table.type, t.MapOf)]
        return t.MapOf(t.join(keys), _joined_values(inner))
    return t.join(value.type for value in values)


def _negate(typer: Typer, node: syntax.Negate, scope: Scope) -> core.Core:
    value = typer.lower(node.operand, scope)
    if isinstance(value, core.Const) and value.type in t.ORDERED - {t.TIME}:
        return core.Const(node.span, value.type, -value.value)  # type: ignore[operator]  # ordered constants are numbers
    if value.type not in (t.DURATION, FAULTY):
        value = typer.expect(value, t.DECIMAL, "a number")
    return core.Compute(node.span, value.type, "neg", (value,), exact=value.type in t.NUMERIC)


def _trace(typer: Typer, node: syntax.Trace, scope: Scope) -> core.Core:
    from guardrails.language.traces import lower_trace

    return lower_trace(typer, node, scope)


def known_tool(typer: Typer, pattern: syntax.ToolPattern, tools: frozenset[str]) -> None:
    """Report a tool that the tool files do not have."""
    if tools and not pattern.is_wildcard and pattern.text not in tools:
        typer.report(
            "unknown-tool", f"there is no tool `{pattern.text}` in the tool file", pattern.span,
            did_you_mean(pattern.text, tools) or f"it has {', '.join(f'`{name}`' for name in sorted(tools)[:6])}",
        )  # fmt: skip


def _arithmetic(typer: Typer, node: syntax.Arithmetic, scope: Scope) -> core.Core:
    from guardrails.language.arithmetic import lower_arithmetic

    return lower_arithmetic(typer, node, scope)


def _comparison(typer: Typer, node: syntax.Comparison, scope: Scope) -> core.Core:
    from guardrails.language.comparisons import lower_comparison

    return lower_comparison(typer, node, scope)


def _call(typer: Typer, node: syntax.Call, scope: Scope) -> core.Core:
    from guardrails.language.calls import lower_call

    return lower_call(typer, node, scope)


def _in_task(typer: Typer, node: syntax.InTask, scope: Scope) -> core.Core:
    return core.InTask(node.span, t.BOOL, node.task)


LOWERINGS: dict[type, Callable[[Typer, Any, Scope], core.Core]] = {
    syntax.Literal: _literal,
    syntax.Name: _name,
    syntax.Attribute: _attribute,
    syntax.Index: _index,
    syntax.Call: _call,
    syntax.Negate: _negate,
    syntax.Arithmetic: _arithmetic,
    syntax.Comparison: _comparison,
    syntax.And: _and,
    syntax.Or: _or,
    syntax.Not: _not,
    syntax.Has: _has,
    syntax.Else: _else,
    syntax.Quantifier: _quantifier,
    syntax.Aggregate: _aggregate,
    syntax.SetLiteral: _collection,
    syntax.ListLiteral: _collection,
    syntax.MapLiteral: _map,
    syntax.Trace: _trace,
    syntax.InTask: _in_task,
}
