"""Conditions taken apart: a checked rule in, its decisions out, and the same rule with probes in it.

A decision is one expression that is true or false (a `when`, a `require`, the `where` of a quantifier); its
leaves are the conditions that it is put together from by `and`, `or` and `not`. A probe is a call of a host
function that no policy can name: the compiled rule tells it the value of every leaf and of the whole, and it
gives the value back. So nothing of the compiler is changed, and a policy without probes pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Change, Lowered, Mark, Requirement, Rule

BEGIN, LEAF, END = "<begin>", "<leaf>", "<end>"
"""The probes: a decision begins, a leaf has this value, the decision has this value."""

CHANGING = (
    core.Load, core.Var, core.HostCall, core.SessionFact, core.Recall, core.Detect, core.Happened, core.Conforms,
    core.Origin,
)  # fmt: skip
"""What can be different from event to event; a leaf with none of these is constant. So is the task that a block
stands in: that it is on, and that it is not, is shown by the statements themselves."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition that no `and`, `or` or `not` takes further apart; `number` is its place in the decision.
    `words` say what it is where nobody wrote it as a condition, as in a `flow`."""

    number: int
    span: Span
    is_constant: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    op: Literal["and", "or", "not"]
    parts: tuple[Logic, ...]


Logic: TypeAlias = Leaf | Branch


@dataclass(frozen=True, slots=True)
class Key:
    """Names a decision: the rule, the clause it is (`when`, `where of when`, ...), its number among those of
    the rule, and its shape, which may differ from tool to tool."""

    rule: int
    number: int
    clause: str
    shape: str


@dataclass(frozen=True, slots=True)
class Decider:
    """One decision of a rule: where it stands and how its leaves make it up."""

    key: Key
    span: Span
    logic: Logic

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(leaves_of(self.logic))


def leaves_of(logic: Logic) -> Iterator[Leaf]:
    """The leaves, left to right."""
    if isinstance(logic, Leaf):
        yield logic
        return
    for part in logic.parts:
        yield from leaves_of(part)


def shape_of(logic: Logic) -> str:
    if isinstance(logic, Leaf):
        return "c" if logic.is_constant else "x"
    return f"{logic.op}({','.join(map(shape_of, logic.parts))})"


def probed(lowered: Lowered) -> tuple[Lowered, tuple[Decider, ...]]:
    """The rule with a probe at every decision and leaf, and the decisions."""
    prober = _Prober(lowered.rule)
    condition = prober.clauses(lowered)
    meaning: Any = lowered.meaning
    if isinstance(meaning, Requirement):
        meaning = Requirement(prober.decision(meaning.condition, "require"))
    elif isinstance(meaning, Change | Mark) and meaning.rows is not None:
        meaning = replace(meaning, rows=prober.decision(meaning.rows, "where"))
    return replace(lowered, condition=condition, meaning=meaning), tuple(prober.found)


class _Prober:
    """Puts probes into the expressions of one rule and collects its decisions."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule.index
        self.statement = rule.statement.span
        self.found: list[Decider] = []

    def clauses(self, lowered: Lowered) -> core.Core | None:
        """The condition of a rule, whose clauses are decisions of their own."""
        names = list(_clauses_of(lowered))
        condition = lowered.condition
        if condition is None or len(names) == 1:
            return None if condition is None else self._clause(condition, names[0])
        assert isinstance(condition, core.All)
        parts = [self._clause(part, name) for part, name in zip(condition.operands, names, strict=True)]
        return replace(condition, operands=tuple(parts))

    def _clause(self, node: core.Core, name: str) -> core.Core:
        """An `unless` is the negation of what it says; the decision is what it says."""
        if name.endswith("unless"):
            assert isinstance(node, core.Negation)
            return replace(node, operand=self.decision(node.operand, name))
        return self.decision(node, name)

    def decision(self, node: core.Core, clause: str) -> core.Core:
        number = len(self.found)
        placeholder = Decider(
            Key(self.rule, number, clause, ""), node.span, Leaf(0, node.span, is_constant=True)
        )
        self.found.append(placeholder)
        reading = _Reading(self, number, clause)
        body, logic = reading.logic(node)
        key = Key(self.rule, number, clause, shape_of(logic))
        self.found[number] = Decider(key, node.span, logic)
        begin = _probe(node.span, BEGIN, _number(node.span, self.rule), _number(node.span, number))
        return _probe(node.span, END, _number(node.span, self.rule), _number(node.span, number), begin, body)

    def inside(self, node: core.Core, clause: str) -> core.Core:
        """The same expression with probes in the decisions below it: conditions on elements and on the past."""
        if isinstance(node, core.Each):
            return self._each(node, clause)
        if isinstance(node, core.Recall):
            where = None if node.where is None else self.decision(node.where, f"where in {clause}")
            return replace(node, where=where)
        changes = {
            part.name: self._mapped(getattr(node, part.name), clause)
            for part in fields(node)
            if part.name not in ("span", "type")
        }
        return replace(node, **changes)

    def _each(self, node: core.Each, clause: str) -> core.Core:
        where, body = node.where, node.body
        if where is not None:
            where = self.decision(where, f"where in {clause}")
        if body is not None:
            decides = node.kind in ("any", "all")
            body = self.decision(body, f"{node.kind} in {clause}") if decides else self.inside(body, clause)
        return replace(node, collection=self.inside(node.collection, clause), where=where, body=body)

    def _mapped(self, value: Any, clause: str) -> Any:
        if isinstance(value, core.Core):
            return self.inside(value, clause)
        if type(value) is tuple and any(isinstance(item, core.Core) for item in value):
            return tuple(self._mapped(item, clause) for item in value)
        return value


class _Reading:
    """One decision on its way from an expression to leaves."""

    def __init__(self, prober: _Prober, number: int, clause: str) -> None:
        self.prober = prober
        self.number = number
        self.clause = clause
        self.count = 0

    def logic(self, node: core.Core) -> tuple[core.Core, Logic]:
        """The expression with probes, and how it is put together."""
        if isinstance(node, core.All | core.AnyOf):
            parts = [self.logic(part) for part in node.operands]
            op: Literal["and", "or"] = "and" if isinstance(node, core.All) else "or"
            return replace(node, operands=tuple(part for part, _ in parts)), Branch(
                op, tuple(logic for _, logic in parts)
            )
        if isinstance(node, core.Negation):
            part, logic = self.logic(node.operand)
            return replace(node, operand=part), Branch("not", (logic,))
        if isinstance(node, core.Bind) and node.type == t.BOOL:
            value = self.prober.inside(node.value, self.clause)
            body, logic = self.logic(node.body)
            return replace(node, value=value, body=body), logic
        return self._leaf(node)

    def _leaf(self, node: core.Core) -> tuple[core.Core, Leaf]:
        constant = not any(isinstance(part, CHANGING) for part in core.walk(node))
        leaf = Leaf(self.count, node.span, constant, _words(node, self.prober.statement))
        self.count += 1
        span = node.span
        numbers = [_number(span, part) for part in (self.prober.rule, self.number, leaf.number)]
        return _probe(span, LEAF, *numbers, self.prober.inside(node, self.clause)), leaf


def _words(node: core.Core, statement: Span) -> str:
    """What a condition says that has no text of its own: one of a task, and one of a `flow`."""
    if isinstance(node, core.InTask):
        return f"task {node.task}"
    if isinstance(node, core.Origin) and node.span == statement:
        return f"origin(args) has {node.named[0]}"
    return ""


def _probe(span: Span, name: str, *arguments: core.Core) -> core.Core:
    return core.HostCall(span, t.BOOL, name, arguments)


def _number(span: Span, number: int) -> core.Core:
    return core.Const(span, t.INT, number)


def _clauses_of(lowered: Lowered) -> Iterator[str]:
    """The clauses of a condition, in the order in which the checker joins them."""
    for prefix, part in (("block ", lowered.rule.block), ("", lowered.rule.statement)):
        if part.when is not None:
            yield f"{prefix}when"
        if part.unless is not None:
            yield f"{prefix}unless"
