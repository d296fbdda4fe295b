"""Declarations: types, parameters and named values of all files become one namespace.

Files share their names, so the order of files and items means nothing (law L1); a name that is declared
twice is an error, wherever the two stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from guardrails.diagnostics import Note, Span, did_you_mean
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.builtins import FUNCTIONS, SPECIAL, Signature
from guardrails.language.constants import constant_from
from guardrails.language.expressions import FAULTY, Typer, with_article
from guardrails.language.scope import Definition, Namespace, Scope

RESERVED = frozenset(
    {"args", "tool", "principal", "agent", "session", "now", "result", "text", "row", "call", "context"}
)
SUBJECTS = frozenset({"principal", "agent", "session"})
"""Records that a policy may describe by `type principal { ... }`."""

Item = tuple[str, syntax.Item]
"""An item with the name of the policy it belongs to."""


def resolve_type(typer: Typer, node: syntax.TypeExpr, declared: Mapping[str, t.Type]) -> t.Type:
    """A type as written, as a type."""
    if isinstance(node, syntax.TypeChoice):
        return t.Enum(node.values)
    if isinstance(node, syntax.TypeRecord):
        return _record(typer, "", node, declared)
    arguments = tuple(resolve_type(typer, argument, declared) for argument in node.arguments)
    if node.name in _GENERIC:
        make, count = _GENERIC[node.name]
        if len(arguments) != count:
            typer.report(
                "unknown-type", f"`{node.name}` needs {count} type{'s' * (count > 1)} in `< >`", node.span
            )
            return FAULTY
        return make(*arguments)
    found = {"number": t.DECIMAL, "money": t.MONEY, **t.SCALARS, **declared}.get(node.name)
    if found is None:
        known = [*t.SCALARS, "list", "set", "map", "money", *declared]
        typer.report(
            "unknown-type", f"there is no type `{node.name}`", node.span, did_you_mean(node.name, known)
        )
        return FAULTY
    return found


_GENERIC: dict[str, tuple[Callable[..., t.Type], int]] = {
    "list": (t.ListOf, 1), "set": (t.SetOf, 1), "map": (t.MapOf, 2),
}  # fmt: skip


def _record(typer: Typer, name: str, node: syntax.TypeRecord, declared: Mapping[str, t.Type]) -> t.Record:
    fields: dict[str, t.Field] = {}
    for field in node.fields:
        if field.name in fields:
            typer.report("duplicate-name", f"the field `{field.name}` is declared twice", field.span)
        kind = resolve_type(typer, field.type, declared)
        if kind in _NOT_IN_DATA or isinstance(kind, t.Money):
            typer.report(
                "unknown-type", f"a field cannot be a {kind}", field.type.span,
                "data has no such values; take a string or a number and convert it where it is used",
            )  # fmt: skip
            kind = FAULTY
        fields[field.name] = t.Field(field.name, kind, field.optional)
    return t.Record(name, tuple(fields.values()))


_NOT_IN_DATA = frozenset({t.DURATION, t.SIZE, t.PERCENT, t.PATTERN, t.WINDOW})
"""Types that only the policy's own values have."""


def declare_types(typer: Typer, items: Iterable[Item]) -> dict[str, t.Type]:
    """All declared types. A type may use those that stand before it, in whatever file."""
    declared: dict[str, t.Type] = {}
    places: dict[str, Span] = {}
    for _, item in items:
        if not isinstance(item, syntax.TypeItem):
            continue
        if item.name in places or item.name in t.SCALARS:
            _twice(typer, item.name, item.span, places.get(item.name))
            continue
        places[item.name] = item.span
        if isinstance(item.definition, syntax.TypeRecord):
            declared[item.name] = _record(typer, item.name, item.definition, declared)
        else:
            declared[item.name] = resolve_type(typer, item.definition, declared)
    return declared


def _twice(typer: Typer, name: str, span: Span, first: Span | None) -> None:
    notes = (Note(first, f"`{name}` is first declared here"),) if first else ()
    message = f"`{name}` is declared twice" if first else f"`{name}` is a word of the language"
    typer.report("duplicate-name", message, span, "names are shared by all files of a policy", notes=notes)


def declare(
    typer: Typer,
    items: list[Item],
    settings: Mapping[str, Any],
    functions: Mapping[str, Signature],
    tools: frozenset[str],
) -> Namespace:
    """The namespace of all files. `settings` are parameter values: constants of a `with`, or plain values."""
    types = declare_types(typer, items)
    values: dict[str, Definition] = {}
    places: dict[str, Span] = {}
    for _, item in items:
        if isinstance(item, syntax.Param | syntax.Let) and _is_new(typer, item, places):
            values[item.name] = item if isinstance(item, syntax.Let) else _param(typer, item, settings, types)
    _unknown_settings(typer, settings, [item.name for _, item in items if isinstance(item, syntax.Param)])
    from guardrails.language.content import declared
    from guardrails.language.labels import declare_labels

    detectors = declared(typer, (item for _, item in items if isinstance(item, syntax.Detector)))
    return Namespace(values, types, functions, tools, detectors, labels=declare_labels(typer, items))


def _is_new(typer: Typer, item: syntax.Param | syntax.Let, places: dict[str, Span]) -> bool:
    if item.name in places or item.name in RESERVED or item.name in FUNCTIONS or item.name in SPECIAL:
        _twice(typer, item.name, item.span, places.get(item.name))
        return False
    places[item.name] = item.span
    return True


def _param(
    typer: Typer, item: syntax.Param, settings: Mapping[str, Any], types: Mapping[str, t.Type]
) -> core.Core:
    kind = resolve_type(typer, item.type, types)
    if kind == FAULTY:
        return core.Const(item.span, FAULTY, None)
    if item.name in settings:
        return _set_param(typer, item, settings[item.name], kind)
    if item.default is None:
        return typer.report(
            "unset-param", f"the parameter `{item.name}` has no value", item.span,
            f'set it where the file is used (`use "..." with {item.name} = ...`) or when loading',
        )  # fmt: skip
    return _constant(typer, item.default, kind, types)


def _set_param(typer: Typer, item: syntax.Param, value: Any, kind: t.Type) -> core.Core:
    if isinstance(value, syntax.Setting):
        return _constant(typer, value.value, kind, {})
    found = constant_from(value, kind, item.span)
    if isinstance(found, str):
        return typer.report("bad-constant", f"the parameter `{item.name}` cannot be set: {found}", item.span)
    return found


def _constant(typer: Typer, node: syntax.Expr, kind: t.Type, types: Mapping[str, t.Type]) -> core.Core:
    """A constant expression as a value of `kind`."""
    scope = Scope(Namespace({}, types, {}, frozenset()), {})
    value = typer.lower(node, scope)
    if value.type == FAULTY:
        return value
    if isinstance(value, core.Const) and isinstance(kind, t.SetOf) and isinstance(value.type, t.SetOf):
        if not value.value:
            return core.Const(node.span, kind, frozenset())
        if kind.item in t.CANONICAL:
            found = constant_from(value.value, kind, node.span)
            return typer.report("bad-constant", found, node.span) if isinstance(found, str) else found
    if isinstance(kind, t.Enum) and isinstance(value, core.Const) and value.value in kind.values:
        return core.Const(node.span, kind, value.value)
    if kind == t.DECIMAL and value.type == t.INT:
        kind = t.INT
    value = typer.expect(value, kind)
    if value.type != FAULTY and not isinstance(value, core.Const | core.ConstMap):
        return typer.report("bad-constant", f"{with_article(kind)} constant is expected here", node.span)
    return value


def _unknown_settings(typer: Typer, settings: Mapping[str, Any], known: list[str]) -> None:
    for name, value in settings.items():
        if name in known:
            continue
        span = value.span if isinstance(value, syntax.Setting) else Span("<parameters>", 0, 0, 1, 1, 1, 1)
        typer.report("unknown-param", f"there is no parameter `{name}`", span, did_you_mean(name, known))
