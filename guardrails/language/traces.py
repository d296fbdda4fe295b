"""The session's past: `seen`, `count` and `last` in, typed core out.

The one idea: an earlier event is known as well as the present one. What it holds is typed from the tools'
schemas, so a misspelt field of it is an error before the policy is ever used; inside `where`, its names
(`call`, `result`, `text`) hide those of the present event and all others stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.expressions import FAULTY, Typer, known_tool
from guardrails.language.scope import Scope
from guardrails.patterns import compile_wildcard

ANY_TOOL = "*"


def lower_trace(typer: Typer, node: syntax.Trace, scope: Scope) -> core.Core:
    """A question about the past, with its condition on an earlier event."""
    events = [node.event, *([node.beside.event] if node.beside else [])]
    for pattern in (pattern for event in events for pattern in event.tools):
        known_tool(typer, pattern, scope.namespace.tools)
    if node.event.tools and node.event.point in {"input", "output"}:
        message = f"an {node.event.point} belongs to no tool"
        return typer.report("wrong-argument", message, node.event.span, f"write `last {node.event.point}`")
    if node.kind == "count" and _is_ambiguous(node, scope):
        message = (
            f"`count({node.event.point})` counts events, and `{node.event.point}` is a value here as well"
        )
        return typer.report("duplicate-name", message, node.span, "give the value another name")
    variable = f"past_{scope.depth}"
    where = None
    if node.where is not None:
        where = typer.condition(node.where, _inside(node.event, variable, scope))
        if where.type == FAULTY:
            return core.Const(node.span, FAULTY, None)
    return core.Recall(node.span, _type_of(node, scope), _question(node), variable, where)


def uses_trace(node: core.Core) -> bool:
    """Whether an expression asks for the session's past, to which its host must then give a store."""
    return any(
        isinstance(part, core.Recall) or (isinstance(part, core.SessionFact) and part.kind != "elapsed")
        for part in core.walk(node)
    )


def _is_ambiguous(node: syntax.Trace, scope: Scope) -> bool:
    alone = node.where is None and node.beside is None and node.within is None
    return alone and not node.event.tools and scope.find(node.event.point) is not None


def _question(node: syntax.Trace) -> core.Question:
    within = None if node.within is None else cast(int, node.within.value)
    order, beside = (node.beside.order, node.beside.event) if node.beside else (None, None)
    return core.Question(
        node.kind, node.event.point, _texts(node.event), within, order,
        beside.point if beside else None, _texts(beside) if beside else (),
    )  # fmt: skip


def _texts(event: syntax.Event) -> tuple[str, ...]:
    return tuple(pattern.text for pattern in event.tools)


# --- types -------------------------------------------------------------------------------------


def _type_of(node: syntax.Trace, scope: Scope) -> t.Type:
    if node.kind == "last":
        return _payload_of(node.event, scope)
    return t.BOOL if node.kind == "seen" else t.INT


def _payload_of(event: syntax.Event, scope: Scope) -> t.Type:
    """What an event there holds: a call its arguments, a result its value, the others a text."""
    if event.point == "call":
        return _args_of(event, scope)
    return _result_of(event, scope) if event.point == "result" else t.STRING


def _inside(event: syntax.Event, variable: str, scope: Scope) -> Scope:
    """Where the condition on an earlier event is lowered."""
    span = event.span
    whole = core.Var(span, _call_of(event, scope), variable)
    inner = scope.deeper()
    if event.point == "call":
        return inner.bind("call", whole)
    if event.point == "result":
        call = core.Happened(span, whole.type, whole, "call")
        result = core.Happened(span, _result_of(event, scope), whole, "result")
        return inner.bind("call", call).bind("result", result)
    return inner.bind("text", core.Happened(span, t.STRING, whole, "text"))


def _call_of(event: syntax.Event, scope: Scope) -> t.Record:
    """What a condition may ask of an earlier call."""
    return t.Record(
        core.EARLIER,
        (
            t.Field("args", _args_of(event, scope)), t.Field("tool", t.STRING), t.Field("at", t.TIME),
            t.Field("ok", t.BOOL, optional=True),
        ),
    )  # fmt: skip


def _args_of(event: syntax.Event, scope: Scope) -> t.Type:
    tools, is_open = _described(event, scope)
    records = [scope.namespace.described[name].args for name in tools]
    return _merged(records, is_open=is_open) if records else t.ANY


def _result_of(event: syntax.Event, scope: Scope) -> t.Type:
    """The result's type; of several tools what they have in common, of a tool without a schema anything."""
    tools, is_open = _described(event, scope)
    kinds = [scope.namespace.described[name].result for name in tools]
    if not kinds or (is_open and not all(isinstance(kind, t.Record) for kind in kinds)):
        return t.ANY
    records = [kind for kind in kinds if isinstance(kind, t.Record)]
    return _merged(records, is_open=is_open) if len(records) == len(kinds) else t.join(kinds)


def _described(event: syntax.Event, scope: Scope) -> tuple[list[str], bool]:
    """The tools of an event that have a definition, and whether others may be meant as well."""
    known = scope.namespace.described
    patterns = [pattern.text for pattern in event.tools] or [ANY_TOOL]
    wild = [compile_wildcard(text) for text in patterns if ANY_TOOL in text]
    names = [name for name in known if name in patterns or any(match(name) for match in wild)]
    return names, bool(wild) or any(text not in known for text in patterns)


def _merged(records: Iterable[t.Record], *, is_open: bool) -> t.Record:
    """A record of any of several tools: a field that not all of them have may be missing."""
    records = tuple(dict.fromkeys(records))
    if len(records) == 1 and not is_open:
        return records[0]
    names = dict.fromkeys(field.name for record in records for field in record.fields)
    open_too = is_open or any(record.open for record in records)
    return t.Record("", tuple(_field(name, records, is_open=is_open) for name in names), open=open_too)


def _field(name: str, records: tuple[t.Record, ...], *, is_open: bool) -> t.Field:
    found = [field for record in records if (field := record.field(name)) is not None]
    everywhere = len(found) == len(records) and not is_open
    kinds = {field.type for field in found}
    kind = kinds.pop() if len(kinds) == 1 and everywhere else t.ANY
    return t.Field(name, kind, optional=not everywhere or any(field.optional for field in found))
