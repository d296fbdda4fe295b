"""The part that a condition plays: does it help a call through when it is true, or hold it back?

Takes a statement's meaning for one tool, gives its expressions with their role. The idea: text tests that
are careless in a grant are harmless in a restriction and the other way round, so a rule must know which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from guardrails.language import core
from guardrails.language.checked import Change, Lowered, Requirement, Steps, Verdict
from guardrails.model import Outcome

Role: TypeAlias = Literal["grant", "restrict"] | None

_OPPOSITE: dict[Role, Role] = {"grant": "restrict", "restrict": "grant", None: None}


def uses_of(form: Lowered) -> Iterator[tuple[core.Core, Role]]:
    """Every expression of a statement with its role, parents first."""
    if form.condition is not None:
        yield from _walk(form.condition, role_of(form))
    meaning = form.meaning
    if isinstance(meaning, Requirement):
        yield from _walk(meaning.condition, "grant")
    elif isinstance(meaning, Steps):
        yield from _walk(meaning.value, None)
        for row in meaning.rows:
            if row.bound is not None:
                yield from _walk(row.bound, None)
    elif isinstance(meaning, Change) and meaning.rows is not None:
        yield from _walk(meaning.rows, "grant")


def role_of(form: Lowered) -> Role:
    """What the condition of a statement does when it is true."""
    meaning = form.meaning
    if isinstance(meaning, Requirement | Change):
        return "restrict"
    if not isinstance(meaning, Verdict) or meaning.outcome is Outcome.ASK:
        return None
    return "grant" if meaning.outcome is Outcome.ALLOW else "restrict"


def _walk(node: core.Core, role: Role) -> Iterator[tuple[core.Core, Role]]:
    pending: list[tuple[core.Core, Role]] = [(node, role)]
    while pending:
        top = pending.pop()
        yield top
        if not isinstance(top[0], core.Load | core.Const | core.Var):
            pending += reversed(list(_parts(*top)))


def _parts(node: core.Core, role: Role) -> Iterator[tuple[core.Core, Role]]:
    if isinstance(node, core.Compare | core.Test):
        yield node.left, None
        yield node.right, None
    elif isinstance(node, core.Negation):
        yield node.operand, _OPPOSITE[role]
    elif isinstance(node, core.All | core.AnyOf | core.Fallback):
        yield from ((child, role) for child in core.children(node))
    elif isinstance(node, core.Bind):
        yield node.value, None
        yield node.body, role
    elif isinstance(node, core.Each) and node.kind in ("any", "all"):
        yield node.collection, None
        if node.where is not None:
            yield node.where, role if node.kind == "any" else _OPPOSITE[role]
        if node.body is not None:
            yield node.body, role
    else:
        yield from ((child, None) for child in core.children(node))
