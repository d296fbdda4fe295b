"""The compiler: checked rules in, a `Program` out.

For every point and tool there is one unit: a Python function built from `ast` nodes that carry the policy's
own file, lines and columns (no text is ever pasted into code), found by one dictionary look-up. The function
gives a bit for every effect that applies, and a list of what could not be evaluated; the engine knows what
the bits mean. A unit is compiled when it is first needed.
"""

from __future__ import annotations

import ast
import marshal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from types import CodeType
from typing import Any

from guardrails.diagnostics import Span
from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import (
    Ask,
    Change,
    Checked,
    Duty,
    Excess,
    Fuse,
    Lowered,
    Mark,
    Meaning,
    Meter,
    Requirement,
    ReuseBound,
    Rule,
    Step,
    Steps,
    Verdict,
    keyword_of,
)
from guardrails.language.checker import Lowering, parts_of
from guardrails.language.emission import (
    BOUND,
    Emission,
    argument,
    at,
    call,
    checked,
    holds_canonical,
    literal,
)
from guardrails.language.meter_data import described_meter, is_gate, meter_data
from guardrails.language.metering import points_of
from guardrails.language.watching import watched_by

UNIT_POINTS = ("call", "result", "input", "output", "usage")
"""Where there are units. `usage` is what a host reports of tokens, cost and time, with the tool if it was one."""


class Compiler:
    """Compiles the units of one checked policy, on demand."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        self.lowering = Lowering(checked)
        self._by_tool: dict[tuple[str, str], list[Rule]] = {}
        self._wild: dict[str, list[Rule]] = {point: [] for point in UNIT_POINTS}
        for rule in checked.rules:
            self._file(rule)

    def _file(self, rule: Rule) -> None:
        tools = rule.block.tools
        for point in points_of(rule):
            if not tools or any(pattern.is_wildcard for pattern in tools):
                self._wild[point].append(rule)
                continue
            for name in {pattern.text for pattern in tools}:
                self._by_tool.setdefault((point, name), []).append(rule)

    def known_tools(self) -> list[str]:
        """Every tool that the policy or its tool files name."""
        named = {name for _, name in self._by_tool}
        named |= {
            p.text
            for rules in self._wild.values()
            for rule in rules
            for p in rule.block.tools
            if not p.is_wildcard
        }
        return sorted(named | set(self.checked.tools))

    def wildcards(self, point: str) -> list[str]:
        """The patterns of blocks that speak of tools which nobody may have named."""
        everything = ["*"] if any(rule.block.point == "session" for rule in self._wild[point]) else []
        patterns = (p.text for rule in self._wild[point] for p in rule.block.tools if p.is_wildcard)
        return sorted({*everything, *patterns})

    def rules_for(self, point: str, tool: str | None) -> list[Rule]:
        """The rules that speak of a tool, in the order of the policy."""
        wild = self._wild[point]
        if tool is None:
            return [rule for rule in wild if not rule.block.tools]
        own = self._by_tool.get((point, tool), [])
        return sorted(
            [*own, *(rule for rule in wild if self.lowering.matches(rule, tool))], key=lambda rule: rule.index
        )

    def unit(self, point: Any, tool: str | None) -> tuple[object, ...]:
        """The unit of a point and tool, as plain data: `(effects, functions, constants, owners, meters, always)`."""
        lowered = [self._lowered(rule, tool) for rule in self.rules_for(point, tool)]
        return UnitBuilder(self.checked, point, tool).build(lowered)

    def _lowered(self, rule: Rule, tool: str | None) -> Lowered:
        """The rule for a tool. A checked policy has no rule that means nothing: one that did would never fire."""
        found = self.lowering.lower(rule, tool)
        if found is None:
            raise RuntimeError(f"{rule.statement.span}: a checked statement has no meaning for `{tool}`")
        return found

    def meters(self) -> Iterator[tuple[object, ...]]:
        """Every limit, budget and breaker of the policy, for people: see `runtime.meters.Described`."""
        for rule in self.checked.rules:
            lowered = next(
                filter(None, (self.lowering.lower(rule, t) for t in self.lowering.subjects(rule))), None
            )
            if lowered is not None and isinstance(lowered.meaning, Meter | Fuse):
                yield described_meter(lowered, self.checked.counters[rule.index])


class UnitBuilder:
    """Builds one unit: its effects, its code and its constants."""

    def __init__(self, checked: Checked, point: str, tool: str | None) -> None:
        self.checked = checked
        self.meters: list[tuple[object, ...]] = []
        self.point = point
        self.tool = tool
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
            *self._prologue(emission),
            _assign("fired", ast.Constant(always)),
            _assign("failed", ast.Constant(None)),
            *([_assign("claims", ast.List([], ast.Load()))] if counts else []),
            *body,
            _answer_with_claims() if counts else _answer(),
        ]
        self._add(file, "check", ["args", "s", "payload", "now", "tool"], whole)
        for lowered in rules:
            if isinstance(lowered.meaning, Change | Mark) and lowered.meaning.rows is not None:
                self._row_function(file, lowered)
            for bound in _reuse_bounds(lowered):
                self._amount_function(file, lowered.rule, bound)

    def _add(self, file: str, name: str, parameters: list[str], body: list[ast.stmt]) -> None:
        code = compiled(file, name, parameters, body)
        self.codes.append((name, marshal.dumps(code)))

    def _row_function(self, file: str, lowered: Lowered) -> None:
        """The condition of `only rows` or `label ... where`, as a function of one row."""
        assert isinstance(lowered.meaning, Change | Mark)
        assert lowered.meaning.rows is not None
        emission = Emission((lowered.meaning.rows,), self.constants)
        value = emission.emit(lowered.meaning.rows)
        test = at(ast.Compare(value, [ast.Is()], [ast.Constant(True)]), lowered.meaning.rows.span)
        body = [*self._prologue(emission), ast.Return(test)]
        self._add(file, f"row_{lowered.rule.index}", ["row", "args", "s", "payload", "now", "tool"], body)

    def _amount_function(self, file: str, rule: Rule, bound: ReuseBound) -> None:
        """What a call comes to on a bound of an approval, as a function of the event."""
        emission = Emission((bound.amount,), self.constants)
        value = argument(emission, bound.amount)
        body = [*self._prologue(emission), ast.Return(value)]
        self._add(file, _amount_name(rule, bound), ["args", "s", "payload", "now", "tool"], body)

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
            (rule.name, rule.shadow, tuple(range(first, len(self.effects))), _place(rule.statement.span))
        )

    def _statements(self, emission: Emission, lowered: Lowered, first: int) -> list[ast.stmt]:
        """The code of one rule."""
        meaning, owner = lowered.meaning, len(self.owners) - 1
        if isinstance(meaning, Requirement):
            return _requirement(emission, lowered, meaning, (owner, first))
        if isinstance(meaning, Steps):
            inner = _ladder(emission, meaning, first)
        elif isinstance(meaning, Meter | Fuse):
            inner = [self._claim(emission, lowered, first)]
        elif isinstance(meaning, Excess):
            inner = [ast.If(emission.emit(meaning.test), [_fire(first)], [])]
        else:
            inner = [_fire(first)]
        return [_guarded(owner, _when(emission, lowered.condition, inner), lowered)]

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
        append = ast.Attribute(_local("claims"), "append", ast.Load())
        return at(ast.Expr(at(ast.Call(append, [claim], []), span)), span)

    # --- loading fields ------------------------------------------------------------------------

    def _prologue(self, emission: Emission) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        if any(load.root == "json" for load in emission.loads):
            made.append(_assign("json", ast.Call(_local("json_of"), [_local("payload")], [])))
        for load, name in emission.loads.items():
            made += self._fetch(load, name)
        made += [_assign(name, ast.Name("UNSET", ast.Load())) for name in emission.memos.values()]
        if emission.uses_host:
            made.append(_assign("asked", ast.Dict([], [])))
        return made

    def _fetch(self, load: core.Load, name: str) -> list[ast.stmt]:
        if load.root == "now":
            return [_assign(name, ast.Name("now", ast.Load()), load.span)]
        if load.root == "tool":
            return [_assign(name, self._tool_fact(load), load.span)]
        declared = load.root in BOUND and isinstance(self._record(load), t.Record)
        fetch = [_assign(name, _raw_value(load, declared), load.span)]
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


def _shared_parts(lowered: Lowered) -> Iterator[core.Core]:
    """The expressions that stand in the unit's main function."""
    if isinstance(lowered.meaning, Change | Mark):
        return iter(() if lowered.condition is None else (lowered.condition,))
    return parts_of(lowered)


def compiled(file: str, name: str, parameters: list[str], body: list[ast.stmt]) -> CodeType:
    """A module that defines one function."""
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    function = ast.FunctionDef(name, arguments, body, [])
    function.lineno = function.end_lineno = 1
    function.col_offset = function.end_col_offset = 0
    if "type_params" in ast.FunctionDef._fields:
        function.type_params = []  # type: ignore[attr-defined]  # a field since Python 3.12
    module = ast.fix_missing_locations(ast.Module([function], []))
    return compile(module, file, "exec", dont_inherit=True, optimize=2)


def effect_of(lowered: Lowered, step: Step | None) -> tuple[object, ...]:
    """An effect as plain data; `runtime.program.Effect` reads it."""
    rule, meaning = lowered.rule, lowered.meaning
    verdict = step.verdict if step is not None else meaning
    span = step.span if step is not None else rule.statement.span
    because = (step.because if step is not None else None) or rule.statement.because
    outcome = (
        verdict.outcome.value
        if isinstance(verdict, Verdict)
        else "deny"
        if isinstance(meaning, Requirement | Excess | Meter | Fuse)
        else None
    )
    ask = verdict.ask if isinstance(verdict, Verdict) else None
    return (
        rule.policy,
        rule.statement.label,
        keyword_of(rule.statement.effect),
        because,
        _place(span),
        outcome,
        isinstance(verdict, Verdict) and verdict.grants and rule.task is None,
        rule.shadow,
        _asked(rule, ask) if ask else None,
        _duty(meaning),
        _change(rule, meaning) if isinstance(meaning, Change) else None,
        any(
            isinstance(node, core.Load) and node.root == "args"
            for part in parts_of(lowered)
            for node in core.walk(part)
        ),
        tuple(_bounds(lowered)),
        watched_by(lowered),
        _mark(rule, meaning) if isinstance(meaning, Mark) else None,
    )


def _asked(rule: Rule, ask: Ask) -> tuple[object, ...]:
    """Who is asked; and how far an approval goes, where it goes further than one call."""
    people = (ask.reviewers, ask.quorum, ask.within, ask.otherwise)
    if ask.reuse is None:
        return people
    bounds = tuple((b.text, b.per, _digits(b.most), b.unit, _amount_name(rule, b)) for b in ask.reuse.bounds)
    return (*people, (ask.reuse.calls, bounds))


def _digits(number: int | Decimal) -> str:
    """A number as people write it: no exponent, no zeros that say nothing."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _reuse_bounds(lowered: Lowered) -> Iterator[ReuseBound]:
    """What approvals of a statement are good up to."""
    meaning = lowered.meaning
    verdicts = [row.verdict for row in meaning.rows] if isinstance(meaning, Steps) else [meaning]
    for verdict in verdicts:
        if isinstance(verdict, Verdict) and verdict.ask is not None and verdict.ask.reuse is not None:
            yield from verdict.ask.reuse.bounds


def _amount_name(rule: Rule, bound: ReuseBound) -> str:
    """The name of its function; no two bounds of a statement begin at the same place."""
    return f"amount_{rule.index}_{bound.span.line}_{bound.span.column}"


def _duty(meaning: Meaning) -> tuple[object, ...] | None:
    if isinstance(meaning, Fuse):
        return ("fallback", (("text", meaning.fallback),)) if meaning.fallback is not None else None
    return (meaning.kind, meaning.details) if isinstance(meaning, Duty) else None


def _change(rule: Rule, meaning: Change) -> tuple[object, ...]:
    row = f"row_{rule.index}" if meaning.rows is not None else None
    return (
        meaning.kind, meaning.paths, meaning.pattern, meaning.method, meaning.argument, row, meaning.detector
    )  # fmt: skip


def _mark(rule: Rule, meaning: Mark) -> tuple[object, ...]:
    return (meaning.labels, meaning.paths, f"row_{rule.index}" if meaning.rows is not None else None)


def _bounds(lowered: Lowered) -> Iterator[tuple[object, ...]]:
    """Simple upper and lower bounds on arguments: what a counterfactual may try. Plain numbers only."""
    for part in parts_of(lowered):
        for node in core.walk(part):
            if isinstance(node, core.Compare) and node.mode == "raw":
                load, constant = (
                    (node.left, node.right) if isinstance(node.left, core.Load) else (node.right, node.left)
                )
                if isinstance(load, core.Load) and load.root == "args" and isinstance(constant, core.Const):
                    yield (load.path, str(constant.value))


def _place(span: Span) -> tuple[object, ...]:
    return (span.file, span.line, span.column, span.end_line, span.end_column)


# --- statements of the generated function ------------------------------------------------------


def _assign(name: str, value: ast.expr, span: Span | None = None) -> ast.stmt:
    target: ast.expr = ast.Name(name, ast.Store())
    statement = ast.Assign([at(target, span) if span else target], value)
    return at(statement, span) if span else statement


def _fire(bit: int) -> ast.stmt:
    return ast.AugAssign(ast.Name("fired", ast.Store()), ast.BitOr(), ast.Constant(1 << bit))


def _when(emission: Emission, condition: core.Core | None, body: list[ast.stmt]) -> list[ast.stmt]:
    return body if condition is None else [ast.If(emission.emit(condition), body, [])]


def _requirement(
    emission: Emission, lowered: Lowered, meaning: Requirement, ids: tuple[int, int]
) -> list[ast.stmt]:
    """A `require` denies where it applies, or may apply, and does not hold. So an error in its `when` is
    noted (by `~owner`) and taken for true; whether that denies is still the requirement's own answer."""
    owner, first = ids
    broken = at(ast.UnaryOp(ast.Not(), emission.emit(meaning.condition)), meaning.condition.span)
    test: list[ast.stmt] = [ast.If(broken, [_fire(first)], [])]
    if lowered.condition is None:
        return [_guarded(owner, test, lowered)]
    name = f"w{owner}"
    # A field may be a poison, which only errs where it is asked whether it is true.
    applies = _assign(name, checked(emission.emit(lowered.condition), t.BOOL, lowered.condition.span))
    asked = _guarded(~owner, [applies], lowered, [_assign(name, ast.Constant(True))])
    return [asked, _guarded(owner, [ast.If(ast.Name(name, ast.Load()), test, [])], lowered)]


def _ladder(emission: Emission, steps: Steps, first: int) -> list[ast.stmt]:
    """`if v <= b0: ... elif v <= b1: ... else: ...`."""
    ladder: list[ast.stmt] = []
    for offset, row in reversed(list(enumerate(steps.rows))):
        fire = _fire(first + offset)
        ladder = [fire] if row.bound is None else [ast.If(emission.emit(row.bound), [fire], ladder)]
    return ladder


def _guarded(
    owner: int, body: list[ast.stmt], lowered: Lowered, otherwise: list[ast.stmt] | None = None
) -> ast.stmt:
    """`try: body`, where an error is noted for the rule and changes nothing for the others."""
    arguments: list[ast.expr] = [_local("failed"), ast.Constant(owner), _local("error")]
    note = _assign("failed", ast.Call(_local("noted"), arguments, []))
    handler = ast.ExceptHandler(_local("Exception"), "error", [note, *(otherwise or [])])
    return at(ast.Try(body, [handler], [], []), lowered.rule.statement.span)


def _local(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _answer() -> ast.stmt:
    both = ast.Tuple([ast.Name("fired", ast.Load()), ast.Name("failed", ast.Load())], ast.Load())
    clean = ast.Compare(ast.Name("failed", ast.Load()), [ast.Is()], [ast.Constant(None)])
    return ast.Return(ast.IfExp(clean, ast.Name("fired", ast.Load()), both))


def _answer_with_claims() -> ast.stmt:
    return ast.Return(ast.Tuple([_local("fired"), _local("failed"), _local("claims")], ast.Load()))


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
        return ast.If(absent, [_assign(name, ast.Call(ast.Name("missing", ast.Load()), [where], []))], [])
    if isinstance(kind, t.Enum):
        values = literal(frozenset(kind.values))
        return _assign(
            name, ast.Call(ast.Name("load_enum", ast.Load()), [value, where, values], []), load.span
        )
    if kind == t.COLLECTION:
        return _assign(name, ast.Call(ast.Name("load_collection", ast.Load()), [value, where], []), load.span)
    known, loader = _CLASSES.get(
        kind, ("list", "load_list") if isinstance(kind, t.ListOf | t.SetOf) else ("dict", "load_map")
    )
    wrong = ast.Compare(
        ast.Attribute(value, "__class__", ast.Load()), [ast.IsNot()], [ast.Name(known, ast.Load())]
    )
    return ast.If(wrong, [_assign(name, ast.Call(ast.Name(loader, ast.Load()), [value, where], []))], [])


def all_units(compiler: Compiler) -> Iterable[tuple[str, str | None]]:
    """Every unit that can be compiled ahead; tools nobody named are compiled when they first come."""
    for point in UNIT_POINTS:
        if point not in {"call", "result"}:
            yield point, None
        else:
            yield from ((point, name) for name in compiler.known_tools())
