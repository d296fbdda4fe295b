"""A unit: the function that judges one tool at one point, and what its bits mean.

Takes the rules that speak of the tool, with their meaning for it; gives plain data: effects, code, constants,
owners and meters. All rules of one file are one function, so that a field or a costly expression that several
of them need is evaluated once.
"""

from __future__ import annotations

import ast
import marshal
from collections.abc import Iterator, Sequence
from itertools import groupby

from guardrails.language import core
from guardrails.language.checked import (
    Change,
    Checked,
    Duty,
    Excess,
    Fuse,
    Lowered,
    Mark,
    Meter,
    Requirement,
    ReuseBound,
    Rule,
    Step,
    Steps,
    Verdict,
)
from guardrails.language.checker import parts_of
from guardrails.language.effect_data import amount_name, effect_of, place_of, reuse_bounds_of, row_name
from guardrails.language.emission import Emission, argument, at
from guardrails.language.emission_statements import (
    answer,
    answer_with_claims,
    assign,
    fire,
    function_of,
    guarded,
    ladder,
    local,
    requirement,
    when,
)
from guardrails.language.meter_data import is_gate, meter_data
from guardrails.language.prologue import Prologue


class UnitBuilder:
    """Builds one unit: its effects, its code and its constants."""

    def __init__(self, checked: Checked, point: str, tool: str | None) -> None:
        self.checked = checked
        self.meters: list[tuple[object, ...]] = []
        self.point = point
        self.prologue = Prologue(checked, tool)
        self.effects: list[tuple[object, ...]] = []
        self.constants: dict[object, str] = {}
        self.owners: list[tuple[object, ...]] = []
        self.codes: list[tuple[str, bytes]] = []
        self.always = 0

    def build(self, rules: Sequence[Lowered]) -> tuple[object, ...]:
        for file, group in groupby(rules, key=lambda lowered: lowered.rule.statement.span.file):
            self._function(file, list(group))
        constants = tuple((name, description) for description, name in self.constants.items())
        return (
            tuple(self.effects), tuple(self.codes), constants, tuple(self.owners), tuple(self.meters), self.always,
        )  # fmt: skip

    def _function(self, file: str, rules: list[Lowered]) -> None:
        emission = Emission((part for lowered in rules for part in _shared_parts(lowered)), self.constants)
        always = 0
        body: list[ast.stmt] = []
        for lowered in rules:
            first = len(self.effects)
            self._declare(lowered)
            if lowered.condition is None and isinstance(lowered.meaning, Verdict | Duty | Change | Mark):
                always |= 1 << first
                continue
            body += self._statements(emission, lowered, first)
        self.always |= always
        counts = any(isinstance(lowered.meaning, Meter | Fuse) for lowered in rules)
        whole = [
            *self.prologue.of(emission),
            assign("fired", ast.Constant(always)),
            assign("failed", ast.Constant(None)),
            *([assign("claims", ast.List([], ast.Load()))] if counts else []),
            *body,
            answer_with_claims() if counts else answer(),
        ]
        self._add(file, "check", ["args", "s", "payload", "now", "tool"], whole)
        for lowered in rules:
            if isinstance(lowered.meaning, Change | Mark) and lowered.meaning.rows is not None:
                self._row_function(file, lowered)
            for bound in reuse_bounds_of(lowered):
                self._amount_function(file, lowered.rule, bound)

    def _add(self, file: str, name: str, parameters: list[str], body: list[ast.stmt]) -> None:
        code = function_of(file, name, parameters, body)
        self.codes.append((name, marshal.dumps(code)))

    def _row_function(self, file: str, lowered: Lowered) -> None:
        """The condition of `only rows` or `label ... where`, as a function of one row."""
        assert isinstance(lowered.meaning, Change | Mark)
        assert lowered.meaning.rows is not None
        emission = Emission((lowered.meaning.rows,), self.constants)
        value = emission.emit(lowered.meaning.rows)
        test = at(ast.Compare(value, [ast.Is()], [ast.Constant(True)]), lowered.meaning.rows.span)
        body = [*self.prologue.of(emission), ast.Return(test)]
        self._add(file, row_name(lowered.rule), ["row", "args", "s", "payload", "now", "tool"], body)

    def _amount_function(self, file: str, rule: Rule, bound: ReuseBound) -> None:
        """What a call comes to on a bound of an approval, as a function of the event."""
        emission = Emission((bound.amount,), self.constants)
        value = argument(emission, bound.amount)
        body = [*self.prologue.of(emission), ast.Return(value)]
        self._add(file, amount_name(rule, bound), ["args", "s", "payload", "now", "tool"], body)

    # --- what the bits mean --------------------------------------------------------------------

    def _declare(self, lowered: Lowered) -> None:
        """Append the effects of a rule, and the rule as the owner of them."""
        first = len(self.effects)
        meaning = lowered.meaning
        steps: Sequence[Step | None] = meaning.rows if isinstance(meaning, Steps) else (None,)
        for step in steps:
            self.effects.append(effect_of(lowered, step))
        rule = lowered.rule
        self.owners.append(
            (rule.name, rule.shadow, tuple(range(first, len(self.effects))), place_of(rule.statement.span))
        )

    def _statements(self, emission: Emission, lowered: Lowered, first: int) -> list[ast.stmt]:
        """The code of one rule."""
        meaning, owner = lowered.meaning, len(self.owners) - 1
        if isinstance(meaning, Requirement):
            return requirement(emission, lowered, meaning, (owner, first))
        if isinstance(meaning, Steps):
            inner = ladder(emission, meaning, first)
        elif isinstance(meaning, Meter | Fuse):
            inner = [self._claim(emission, lowered, first)]
        elif isinstance(meaning, Excess):
            inner = [ast.If(emission.emit(meaning.test), [fire(first)], [])]
        else:
            inner = [fire(first)]
        return [guarded(owner, when(emission, lowered.condition, inner), lowered)]

    def _claim(self, emission: Emission, lowered: Lowered, bit: int) -> ast.stmt:
        """`claims.append((meter, amount, limits, keys))`: what the store is to be asked for this event."""
        meaning, span = lowered.meaning, lowered.rule.statement.span
        index = ast.Constant(len(self.meters))
        self.meters.append(meter_data(lowered, bit, self.point, self.checked.counters[lowered.rule.index]))
        amount: ast.expr = ast.Constant(None)
        limits: ast.expr = ast.Constant(None)
        if isinstance(meaning, Meter):
            if not is_gate(meaning, self.point):
                amount = argument(emission, meaning.amount)
            if not all(isinstance(ceiling.limit, core.Const) for ceiling in meaning.ceilings):
                limits = ast.Tuple([argument(emission, c.limit) for c in meaning.ceilings], ast.Load())
        assert isinstance(meaning, Meter | Fuse)
        keys = ast.Tuple([argument(emission, key) for key in meaning.keys], ast.Load())
        claim = ast.Tuple([index, amount, limits, keys], ast.Load())
        append = ast.Attribute(local("claims"), "append", ast.Load())
        return at(ast.Expr(at(ast.Call(append, [claim], []), span)), span)


def _shared_parts(lowered: Lowered) -> Iterator[core.Core]:
    """The expressions that stand in the unit's main function."""
    if isinstance(lowered.meaning, Change | Mark):
        return iter(() if lowered.condition is None else (lowered.condition,))
    return parts_of(lowered)
