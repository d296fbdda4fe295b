"""The prologue of a generated function: every field of the event that it reads, fetched once and checked.

Takes the loads of an emission, gives the statements that put each into its local variable. A field that is
missing or of another type than the policy needs is a poison there, which errs where it is used.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Checked
from guardrails.language.emission import BOUND, Emission, call, holds_canonical, literal
from guardrails.language.emission_statements import assign, local


class Prologue:
    """What the functions of one unit begin with: a policy's types, and the tool that the unit is for."""

    def __init__(self, checked: Checked, tool: str | None) -> None:
        self.checked = checked
        self.tool = tool

    def of(self, emission: Emission) -> list[ast.stmt]:
        """What comes before the code of an emission, which has to be complete by then."""
        made: list[ast.stmt] = []
        if any(load.root == "json" for load in emission.loads):
            made.append(assign("json", ast.Call(local("json_of"), [local("payload")], [])))
        for load, name in emission.loads.items():
            made += self._fetch(load, name)
        made += [assign(name, ast.Name("UNSET", ast.Load())) for name in emission.memos.values()]
        if emission.uses_host:
            made.append(assign("asked", ast.Dict([], [])))
        return made

    def _fetch(self, load: core.Load, name: str) -> list[ast.stmt]:
        if load.root == "now":
            return [assign(name, ast.Name("now", ast.Load()), load.span)]
        if load.root == "tool":
            return [assign(name, self._tool_fact(load), load.span)]
        declared = load.root in BOUND and isinstance(self._record(load), t.Record)
        fetch = [assign(name, _raw_value(load, declared), load.span)]
        if declared and self._is_bound(load):
            # Bound when the session began: a value of its type, or a poison.
            return fetch if len(load.path) == 1 else [*fetch, _verified(replace(load, type=t.ANY), name)]
        return [*fetch, _verified(load, name)]

    def _record(self, load: core.Load) -> t.Type:
        return {"principal": self.checked.principal, "agent": self.checked.agent}.get(load.root, t.ANY)

    def _is_bound(self, load: core.Load) -> bool:
        """Whether the declaration says what the field is; below an `any` it does not."""
        kind = self._record(load)
        for name in load.path:
            field = kind.field(name) if isinstance(kind, t.Record) else None
            if field is None:
                return False
            kind = field.type
        return kind != t.ANY

    def _tool_fact(self, load: core.Load) -> ast.expr:
        fact = load.path[0] if load.path else "name"
        if fact == "name":
            return ast.Name("tool", ast.Load())
        described = self.checked.tools.get(self.tool or "")
        value = getattr(described, fact, None)
        return (
            ast.Constant(value)
            if value is not None
            else call("missing", [ast.Constant(load.where)], load.span)
        )


def _raw_value(load: core.Load, declared: bool) -> ast.expr:  # noqa: FBT001 - a fact of the load, not an option
    """The field as the event has it, before any check."""
    root: ast.expr = ast.Name(
        {"result": "payload", "text": "payload", "usage": "payload"}.get(load.root, load.root), ast.Load()
    )
    if load.root in BOUND:
        root = ast.Attribute(ast.Name("s", ast.Load()), load.root, ast.Load())
    if not load.path:
        return root
    if len(load.path) == 1 and load.root not in ("result", "row", "json"):
        if declared:
            return ast.Subscript(root, ast.Constant(load.path[0]), ast.Load())
        return ast.Call(ast.Attribute(root, "get", ast.Load()), [ast.Constant(load.path[0])], [])
    return call("dig", [root, literal(load.path), ast.Constant(load.where)], load.span)


_CLASSES: dict[t.Type, tuple[str, str]] = {
    t.DECIMAL: ("int", "load_number"),
    t.INT: ("int", "load_int"),
    t.BOOL: ("bool", "load_bool"),
    t.STRING: ("str", "load_string"),
}


def _verified(load: core.Load, name: str) -> ast.stmt:
    """`if v.__class__ is not int: v = load_number(v, "args.amount")`, by type."""
    value = ast.Name(name, ast.Load())
    where = ast.Constant(load.where)
    kind = load.type
    if kind in t.CANONICAL or kind == t.TIME:
        kind = t.STRING
    if kind == t.ANY or holds_canonical(kind):
        absent: ast.expr = ast.Compare(value, [ast.Is()], [ast.Constant(None)])
        return ast.If(absent, [assign(name, ast.Call(ast.Name("missing", ast.Load()), [where], []))], [])
    if isinstance(kind, t.Enum):
        values = literal(frozenset(kind.values))
        return assign(
            name, ast.Call(ast.Name("load_enum", ast.Load()), [value, where, values], []), load.span
        )
    if kind == t.COLLECTION:
        return assign(name, ast.Call(ast.Name("load_collection", ast.Load()), [value, where], []), load.span)
    known, loader = _CLASSES.get(
        kind, ("list", "load_list") if isinstance(kind, t.ListOf | t.SetOf) else ("dict", "load_map")
    )
    wrong = ast.Compare(
        ast.Attribute(value, "__class__", ast.Load()), [ast.IsNot()], [ast.Name(known, ast.Load())]
    )
    return ast.If(wrong, [assign(name, ast.Call(ast.Name(loader, ast.Load()), [value, where], []))], [])
