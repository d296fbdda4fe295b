"""What a name means where an expression stands: event roots, parameters, named values, variables.

A `Scope` is immutable and cheap to extend. Named values are lowered where they are used, because
`let big = args.amount > 100` means another thing for another tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.builtins import TOOL, Signature
from guardrails.language.schema import Tool

Definition: TypeAlias = syntax.Let | core.Core
"""What a name stands for: a `let` still to be lowered, or a value already known."""

SESSION = t.Record("session", (t.Field("id", t.STRING),), open=True)


@dataclass(frozen=True, slots=True)
class Namespace:
    """The names that all files of one policy share."""

    values: Mapping[str, Definition]
    types: Mapping[str, t.Type]
    functions: Mapping[str, Signature]
    tools: frozenset[str]
    detectors: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    schemas: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The texts of the JSON Schemas that statements name, by the policy file and the path as written there."""
    described: Mapping[str, Tool] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Every label, with those that are at least as high."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A namespace seen from one place: the event's roots there, block names and bound variables. `depth`
    counts the conditions on earlier events that it stands in."""

    namespace: Namespace
    roots: Mapping[str, t.Type]
    locals: Mapping[str, Definition] = field(default_factory=dict)
    open_lets: tuple[str, ...] = ()
    depth: int = 0

    def bind(self, name: str, value: Definition) -> Scope:
        return replace(self, locals={**self.locals, name: value})

    def inside(self, let: syntax.Let) -> Scope:
        """The scope in which the body of `let` is lowered: no variables of its user."""
        lets = {name: value for name, value in self.locals.items() if isinstance(value, syntax.Let)}
        return replace(self, locals=lets, open_lets=(*self.open_lets, let.name), depth=0)

    def deeper(self) -> Scope:
        """The scope of a condition on an earlier event."""
        return replace(self, depth=self.depth + 1)

    def find(self, name: str) -> Definition | None:
        return self.locals.get(name) or self.namespace.values.get(name)

    def names(self) -> list[str]:
        """Everything that could be meant here, for suggestions."""
        return [*self.locals, *self.roots, *self.namespace.values]


def roots_of(
    point: syntax.Point, types: Mapping[str, t.Type], args: t.Type, result: t.Type
) -> dict[str, t.Type]:
    """The event's roots at a point. `types` holds the declared `principal` and `agent`."""
    roots: dict[str, t.Type] = {
        "principal": types.get("principal", t.ANY),
        "agent": types.get("agent", t.ANY),
        "session": types.get("session", SESSION),
        "now": t.TIME,
    }
    if point in {"call", "result"}:
        roots |= {"args": args, "tool": TOOL}
    if point == "result":
        roots["result"] = result
    if point in {"input", "output"}:
        roots["text"] = t.STRING
    return roots


def constant(value: object, kind: t.Type, span: Span) -> core.Const:
    return core.Const(span, kind, value)
