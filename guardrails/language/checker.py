"""The checker: parsed files in, a `Checked` policy or diagnostics out.

Every rule is lowered once for every tool it speaks of, so that whatever could go wrong for one of them is
said before the policy is ever used. A use of an engine part that is not there is an error as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardrails.diagnostics import Diagnostic, Note, Span, did_you_mean, has_errors, in_order
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.builtins import Signature
from guardrails.language.checked import (
    Change,
    Checked,
    Excess,
    Fallback,
    Fuse,
    Lowered,
    Mark,
    Meter,
    Requirement,
    Rule,
    Steps,
)
from guardrails.language.declarations import Item, declare
from guardrails.language.expressions import FAULTY, Typer, known_tool
from guardrails.language.labels import flow_block
from guardrails.language.meter_data import counter_names
from guardrails.language.schema import Tool, type_of_schema
from guardrails.language.scope import Namespace, Scope, roots_of
from guardrails.language.statements import condition_of, meaning_of, verdict_of
from guardrails.language.tasks import blocks_of, check_tasks, described_tasks, parameters_of
from guardrails.language.traces import uses_trace
from guardrails.patterns import compile_wildcard

NO_ARGS = t.ANY


@dataclass(frozen=True, slots=True)
class Unit:
    """A parsed file with the name of its policy."""

    policy: str
    file: syntax.File


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a policy is checked against: tools, functions of the host, parameter values, and the texts of the
    JSON Schemas that it names, by policy file and path."""

    tools: Mapping[str, Tool]
    functions: Mapping[str, Signature]
    settings: Mapping[str, Any]
    schemas: Mapping[tuple[str, str], str] = field(default_factory=dict)


def check(units: Sequence[Unit], around: Surroundings) -> tuple[Checked | None, list[Diagnostic]]:
    """All files of one policy, as one."""
    units = sorted(units, key=lambda unit: unit.file.span.file)
    items: list[Item] = [(unit.policy, item) for unit in units for item in unit.file.items]
    typer = Typer()
    names = declare(typer, items, around.settings, around.functions, frozenset(around.tools))
    namespace = replace(names, described=around.tools, schemas=around.schemas)
    rules = tuple(_rules(units))
    checked = Checked(
        units[0].policy if units else "",
        rules,
        namespace,
        around.tools,
        tuple(_defaults(typer, items)),
        namespace.types.get("principal", t.ANY),
        namespace.types.get("agent", t.ANY),
        tuple(_reveals(typer, items, around)),
        counter_names(rules),
        tasks=described_tasks(item for _, item in items),
    )
    _check_headers(typer, units)
    _check_labels(typer, rules)
    check_tasks(typer, items, frozenset(around.tools))
    _check_rules(typer, checked)
    _check_lets(typer, items, namespace)
    found = in_order(typer.diagnostics)
    return (None if has_errors(found) else checked), found


def _rules(units: Sequence[Unit]) -> Iterator[Rule]:
    index = 0
    for unit in units:
        header = unit.file.header
        in_shadow = bool(header and header.shadow)
        for item in unit.file.items:
            task = item if isinstance(item, syntax.Task) else None
            for block in _blocks(item):
                for statement in block.body:
                    if isinstance(statement, syntax.Statement):
                        shadow = in_shadow or block.shadow or statement.shadow
                        yield Rule(index, unit.policy, block, statement, shadow, task)
                        index += 1


def _blocks(item: syntax.Item) -> Iterator[syntax.Block]:
    """The blocks that an item is; a breaker of its own is one of calls with a single statement, labelled with
    its name."""
    if isinstance(item, syntax.Flow):
        yield flow_block(item)
    elif isinstance(item, syntax.Task):
        yield from blocks_of(item)
    elif isinstance(item, syntax.Block):
        yield item
    elif isinstance(item, syntax.BreakerItem):
        statement = syntax.Statement(item.span, item.name, False, item.breaker, None, None, None)
        yield syntax.Block(item.span, "call", item.tools, False, None, None, (statement,), item.span)


def _defaults(typer: Typer, items: list[Item]) -> Iterator[Fallback]:
    for policy, item in items:
        if isinstance(item, syntax.Default):
            yield Fallback(item.point, verdict_of(typer, item.effect, None), item.because, item.span, policy)


def _reveals(
    typer: Typer, items: list[Item], around: Surroundings
) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """Where tokens are turned back; a field that the tool does not have is an error."""
    for _, item in items:
        if not isinstance(item, syntax.Reveal):
            continue
        if item.tool is None or item.field is None:
            yield None, ()
            continue
        known_tool(typer, item.tool, frozenset(around.tools))
        if item.tool.is_wildcard:
            typer.report(
                "wrong-target", "`reveal` names one tool", item.tool.span, "write a `reveal` for each"
            )
            continue
        described = around.tools.get(item.tool.text)
        first = item.field.parts[0]
        if described and not described.args.open and first != "*" and not described.args.field(first):
            help = did_you_mean(first, [field.name for field in described.args.fields])
            typer.report("unknown-field", f"`args` has no field `{first}`", item.field.span, help)
        yield item.tool.text, item.field.parts


def _check_headers(typer: Typer, units: Sequence[Unit]) -> None:
    for unit in units:
        for position, item in enumerate(unit.file.items):
            if not isinstance(item, syntax.PolicyHeader) or position == 0:
                continue
            twice = isinstance(unit.file.items[0], syntax.PolicyHeader)
            message = "a file has one `policy`" if twice else "`policy` is the first line of a file"
            typer.report("misplaced-policy", message, item.span)


def _check_labels(typer: Typer, rules: Sequence[Rule]) -> None:
    seen: dict[str, Span] = {}
    for rule in rules:
        label = rule.statement.label
        if label is None:
            continue
        if rule.name in seen:
            note = Note(seen[rule.name], f"`{label}` is first used here")
            typer.report(
                "duplicate-label", f"the label `{label}` is used twice", rule.statement.span, notes=(note,)
            )
        seen.setdefault(rule.name, rule.statement.span)


def _check_rules(typer: Typer, checked: Checked) -> None:
    lowering = Lowering(checked, typer)
    seen: set[int] = set()
    for rule in checked.rules:
        if id(rule.block) not in seen:
            seen.add(id(rule.block))
            _check_block(typer, rule, checked)
        for name in lowering.subjects(rule):
            lowering.lower(rule, name)


def _check_block(typer: Typer, rule: Rule, checked: Checked) -> None:
    for pattern in rule.block.tools:
        known_tool(typer, pattern, frozenset(checked.tools))
    lets: dict[str, Span] = {}
    for item in rule.block.body:
        if isinstance(item, syntax.Let):
            if item.name in lets or item.name in checked.namespace.values:
                typer.report("duplicate-name", f"`{item.name}` is declared twice", item.span)
            lets[item.name] = item.span


def _check_lets(typer: Typer, items: list[Item], namespace: Namespace) -> None:
    """A named value that nothing uses is still checked, where `args` could be anything."""
    roots = {**roots_of("result", namespace.types, t.ANY, t.ANY), "text": t.STRING}
    for _, item in items:
        if not isinstance(item, syntax.Let) or item.name in typer.used:
            continue
        scope = Scope(namespace, roots)
        if item.parameters is None:
            typer.lower(item.value, scope.inside(item))
            continue
        inner = scope.inside(item)
        for parameter in item.parameters:
            from guardrails.language.calls import type_of

            kind = type_of(typer, parameter.type, namespace.types)
            inner = inner.bind(parameter.name, core.Var(parameter.span, kind, parameter.name))
        typer.lower(item.value, inner)


class Lowering:
    """Lowers the rules of a checked policy for one tool at a time."""

    def __init__(self, checked: Checked, typer: Typer | None = None) -> None:
        self.checked = checked
        self.typer = typer or Typer()
        self._matchers = {
            pattern.text: compile_wildcard(pattern.text)
            for rule in checked.rules
            for pattern in (*rule.block.tools, *rule.spared)
            if pattern.is_wildcard
        }
        self._scopes: dict[tuple[int, str | None], Scope] = {}
        self._borrowed: dict[str, t.Type] = {}

    def matches(self, rule: Rule, tool: str) -> bool:
        """Whether the rule's block speaks of `tool`; one of sessions speaks of all."""
        if self._names(rule.spared, tool):
            return False
        return rule.block.point == "session" or self._names(rule.block.tools, tool)

    def _names(self, patterns: tuple[syntax.ToolPattern, ...], tool: str) -> bool:
        return any(
            self._matchers[pattern.text](tool) if pattern.is_wildcard else pattern.text == tool
            for pattern in patterns
        )

    def subjects(self, rule: Rule) -> list[str | None]:
        """The tools a rule is checked for; None stands for text, and for tools that nobody described."""
        if rule.block.point not in {"call", "result"}:
            return [None]
        named = [pattern.text for pattern in rule.block.tools if not pattern.is_wildcard]
        wild = any(pattern.is_wildcard for pattern in rule.block.tools)
        matched = [name for name in self.checked.tools if self.matches(rule, name)] if wild else []
        return list(dict.fromkeys([*named, *matched])) or [None]

    def lower(self, rule: Rule, tool: str | None) -> Lowered | None:
        """The rule for that tool; None when it has errors (which `typer.diagnostics` tells). What was
        checked is kept, so that compiling and linting do not do it again."""
        known = self.checked.forms.get((rule.index, tool))
        if known is not None:
            return known
        scope = self._scope(rule, tool)
        condition = condition_of(self.typer, rule, scope)
        meaning = meaning_of(self.typer, rule, scope)
        if meaning is None or (condition is not None and condition.type == FAULTY):
            return None
        lowered = Lowered(rule, condition, meaning)
        self._report_features(lowered)
        if tool is None or tool in self.checked.tools:
            self.checked.forms[rule.index, tool] = lowered
        return lowered

    def _report_features(self, lowered: Lowered) -> None:
        if isinstance(lowered.meaning, Change) and lowered.meaning.method == "token":
            self.checked.features.add("tokens")
        for part in parts_of(lowered):
            for node in core.walk(part):
                if isinstance(node, core.SessionFact) and node.kind == "elapsed":
                    self.checked.features.add("age")
                elif isinstance(node, core.Origin):
                    self.checked.features.update(("origin", "trace"))
            if uses_trace(part):
                self.checked.features.add("trace")

    def _scope(self, rule: Rule, tool: str | None) -> Scope:
        key = (id(rule.block), tool)
        found = self._scopes.get(key)
        if found is None:
            found = self._scopes[key] = self._new_scope(rule, tool)
        return found

    def _new_scope(self, rule: Rule, tool: str | None) -> Scope:
        described = self.checked.tools.get(tool) if tool is not None else None
        args: t.Type = described.args if described else t.ANY
        if described and any(pattern.is_wildcard for pattern in rule.block.tools):
            args = self._with_neighbours(rule, described)
        roots = roots_of(
            rule.block.point, self.checked.namespace.types, args, described.result if described else t.ANY
        )
        lets = {item.name: item for item in rule.block.body if isinstance(item, syntax.Let)}
        roots |= self._json(rule.block)
        scope = Scope(self.checked.namespace, roots, lets)
        given = {} if rule.task is None else parameters_of(self.typer, rule.task, scope)
        for name, value in given.items():
            scope = scope.bind(name, value)
        return scope

    def _json(self, block: syntax.Block) -> dict[str, t.Type]:
        """`json`, what a text says, where a schema says that it is JSON."""
        named = [item.effect for item in block.body if isinstance(item, syntax.Statement)]
        schema = next((effect for effect in named if isinstance(effect, syntax.Schema)), None)
        if schema is None or block.point != "output":
            return {}
        text = self.checked.namespace.schemas.get((schema.span.file, schema.path))
        return {"json": type_of_schema(text) if text is not None else t.ANY}

    def _with_neighbours(self, rule: Rule, tool: Tool) -> t.Type:
        """In a wildcard block a field may belong to another tool of the same wildcard; it is then missing here."""
        own = {field.name for field in tool.args.fields}
        others = [
            replace(field, type=t.ANY, optional=True)
            for name, other in self.checked.tools.items()
            if name != tool.name and self.matches(rule, name)
            for field in other.args.fields
            if field.name not in own
        ]
        unique = {field.name: field for field in others}
        return replace(tool.args, fields=(*tool.args.fields, *unique.values()))


def parts_of(lowered: Lowered) -> Iterator[core.Core]:
    """Every expression of a lowered rule."""
    if lowered.condition is not None:
        yield lowered.condition
    meaning = lowered.meaning
    if isinstance(meaning, Requirement):
        yield meaning.condition
    elif isinstance(meaning, Steps):
        yield meaning.value
        yield from (row.bound for row in meaning.rows if row.bound is not None)
    elif isinstance(meaning, Change | Mark) and meaning.rows is not None:
        yield meaning.rows
    elif isinstance(meaning, Excess):
        yield meaning.test
    elif isinstance(meaning, Meter):
        yield from (meaning.amount, *(ceiling.limit for ceiling in meaning.ceilings), *meaning.keys)
    elif isinstance(meaning, Fuse):
        yield from meaning.keys
