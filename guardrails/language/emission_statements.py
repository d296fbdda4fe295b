"""Statements of a generated function, as Python `ast` nodes: how an effect's bit is set, and how an error is kept.

Takes the emitted expressions of a rule, gives the code around them. The idea: every rule stands in a `try` of
its own, so that what cannot be evaluated is noted for that rule and changes nothing for the others.
"""

from __future__ import annotations

import ast
from types import CodeType

from guardrails.diagnostics import Span
from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Lowered, Requirement, Steps
from guardrails.language.emission import Emission, at, checked


def function_of(file: str, name: str, parameters: list[str], body: list[ast.stmt]) -> CodeType:
    """A module that defines one function."""
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    function = ast.FunctionDef(name, arguments, body, [])
    function.lineno = function.end_lineno = 1
    function.col_offset = function.end_col_offset = 0
    if "type_params" in ast.FunctionDef._fields:
        function.type_params = []  # type: ignore[attr-defined]  # a field since Python 3.12
    module = ast.fix_missing_locations(ast.Module([function], []))
    return compile(module, file, "exec", dont_inherit=True, optimize=2)


def assign(name: str, value: ast.expr, span: Span | None = None) -> ast.stmt:
    """`name = value`, at the place of `span`; without one, wherever the function stands."""
    target: ast.expr = ast.Name(name, ast.Store())
    statement = ast.Assign([at(target, span) if span else target], value)
    return at(statement, span) if span else statement


def fire(bit: int) -> ast.stmt:
    """`fired |= 1 << bit`: the effect applies."""
    return ast.AugAssign(ast.Name("fired", ast.Store()), ast.BitOr(), ast.Constant(1 << bit))


def when(emission: Emission, condition: core.Core | None, body: list[ast.stmt]) -> list[ast.stmt]:
    """`if condition: body`; the body alone where there is no condition."""
    return body if condition is None else [ast.If(emission.emit(condition), body, [])]


def requirement(
    emission: Emission, lowered: Lowered, meaning: Requirement, ids: tuple[int, int]
) -> list[ast.stmt]:
    """A `require` denies where it applies, or may apply, and does not hold. So an error in its `when` is
    noted (by `~owner`) and taken for true; whether that denies is still the requirement's own answer."""
    owner, first = ids
    broken = at(ast.UnaryOp(ast.Not(), emission.emit(meaning.condition)), meaning.condition.span)
    test: list[ast.stmt] = [ast.If(broken, [fire(first)], [])]
    if lowered.condition is None:
        return [guarded(owner, test, lowered)]
    name = f"w{owner}"
    # A field may be a poison, which only errs where it is asked whether it is true.
    applies = assign(name, checked(emission.emit(lowered.condition), t.BOOL, lowered.condition.span))
    asked = guarded(~owner, [applies], lowered, [assign(name, ast.Constant(True))])
    return [asked, guarded(owner, [ast.If(ast.Name(name, ast.Load()), test, [])], lowered)]


def ladder(emission: Emission, steps: Steps, first: int) -> list[ast.stmt]:
    """`if v <= b0: ... elif v <= b1: ... else: ...`."""
    rows: list[ast.stmt] = []
    for offset, row in reversed(list(enumerate(steps.rows))):
        found = fire(first + offset)
        rows = [found] if row.bound is None else [ast.If(emission.emit(row.bound), [found], rows)]
    return rows


def guarded(
    owner: int, body: list[ast.stmt], lowered: Lowered, otherwise: list[ast.stmt] | None = None
) -> ast.stmt:
    """`try: body`, where an error is noted for the rule and changes nothing for the others."""
    arguments: list[ast.expr] = [local("failed"), ast.Constant(owner), local("error")]
    note = assign("failed", ast.Call(local("noted"), arguments, []))
    handler = ast.ExceptHandler(local("Exception"), "error", [note, *(otherwise or [])])
    return at(ast.Try(body, [handler], [], []), lowered.rule.statement.span)


def local(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def answer() -> ast.stmt:
    """`return fired if failed is None else (fired, failed)`."""
    both = ast.Tuple([ast.Name("fired", ast.Load()), ast.Name("failed", ast.Load())], ast.Load())
    clean = ast.Compare(ast.Name("failed", ast.Load()), [ast.Is()], [ast.Constant(None)])
    return ast.Return(ast.IfExp(clean, ast.Name("fired", ast.Load()), both))


def answer_with_claims() -> ast.stmt:
    """What a function answers that asks a store for something."""
    return ast.Return(ast.Tuple([local("fired"), local("failed"), local("claims")], ast.Load()))
