"""Deciding: files and an event in, a `Verdict` out, statement by statement as the language says.

A statement that errs keeps its restrict part and loses its grant part (law L2); the verdict is the join of
what holds (law L1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardrails.errors import EvaluationError, WrongType
from guardrails.language import syntax
from guardrails.language import types as t
from guardrails.language.schema import Tool
from guardrails.language.tree import walk
from reference.changes import (
    Gone,
    Redaction,
    drop_fields,
    only_fields,
    only_rows,
    redact,
    redactions_of,
)
from reference.expressions import Environment, resolve, truth, value
from reference.origins import known_of
from reference.past import read
from reference.values import Time, Typed, conform, ordered

RANK = ("allow", "ask", "deny", "halt")
SESSION = t.Record("session", (t.Field("id", t.STRING),), open=True)

UNAVAILABLE = (
    syntax.Limit, syntax.Budget, syntax.Breaker, syntax.BreakerItem, syntax.Detector, syntax.Reveal,
    syntax.Audit, syntax.Schema,
)  # fmt: skip
"""Parts of the language that have no engine yet."""


@dataclass
class Verdict:
    """What was decided, in sorted plain data.

    `applied` and `shadow` hold `(label or place, effect, kept by an error)`, `errors` `(label or place, kind)`,
    `transforms` `(kind, paths)`, `obligations` `(kind, label or place)`.
    """

    outcome: str
    applied: tuple[tuple[str, str, bool], ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    shadow: tuple[tuple[str, str, bool], ...] = ()
    transforms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    payload: Any = None
    obligations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rule:
    """One statement with all that surrounds it."""

    statement: syntax.Statement
    block: syntax.Block
    shadow: bool
    in_task: bool = False

    @property
    def name(self) -> str:
        return self.statement.label or str(self.statement.span)


@dataclass(frozen=True)
class Hold:
    """A statement, or a row of a threshold, that holds."""

    rule: Rule
    effect: syntax.Effect
    span: Any
    by_error: bool = False

    @property
    def outcome(self) -> str | None:
        if isinstance(self.effect, syntax.Require | syntax.Flow | syntax.OnlyCalls):
            return "deny"
        word = keyword_of(self.effect)
        return word if word in RANK else None

    @property
    def grants(self) -> bool:
        return (
            isinstance(self.effect, syntax.Allow | syntax.Ask) and not self.by_error and not self.rule.in_task
        )

    @property
    def restricts(self) -> bool:
        return not isinstance(self.effect, syntax.Allow)

    @property
    def line(self) -> tuple[str, str, bool]:
        name = self.rule.statement.label or str(self.span)
        return name, keyword_of(self.rule.statement.effect), self.by_error


def keyword_of(effect: syntax.Effect) -> str:
    word = re.sub("(?<=[a-z])(?=[A-Z])", " ", type(effect).__name__).lower()
    return "only call" if word == "only calls" else word


@dataclass
class Draft:
    """A verdict in the making."""

    holds: list[Hold] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False

    def active(self) -> list[Hold]:
        return [hold for hold in self.holds if not hold.rule.shadow]


def decide(
    files: Sequence[syntax.File],
    event: Mapping[str, Any],
    *,
    tools: Mapping[str, Tool] | None = None,
    params: Mapping[str, Any] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    now: int = 0,
    past: Sequence[Mapping[str, Any]] | None = None,
) -> Verdict:
    """The verdict on one event after those of `past`, oldest first (None: not known). Raises ValueError for a
    policy that uses what is not available yet."""
    require_available(files)
    env = environment(files, event, tools or {}, params or {}, functions or {}, now)
    env = replace(env, tools=tools or {}, past=None if past is None else read(past))

    def names_of(earlier: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> Environment:
        theirs = environment(files, earlier, tools or {}, params or {}, functions or {}, now)
        return replace(theirs, tools=tools or {}, past=read(before))

    if past is not None:
        env = replace(env, known=known_of(files, event, past, names_of))
    draft = Draft()
    for rule in rules(files, event):
        _judge(rule, inside(rule.block, env), draft)
    payload, transforms = transformed(draft, event, env)
    return Verdict(
        outcome(draft, files, event["type"]),
        tuple(sorted(hold.line for hold in draft.active())),
        tuple(sorted(set(draft.errors))),
        tuple(sorted(hold.line for hold in draft.holds if hold.rule.shadow)),
        transforms,
        payload,
        tuple(sorted(_obligations(draft))),
    )


def require_available(files: Sequence[syntax.File]) -> None:
    for file in files:
        for node in walk(file):
            if isinstance(node, UNAVAILABLE) or _is_unavailable(node):
                raise ValueError(f"{type(node).__name__} is not available")


def _is_unavailable(node: syntax.Node) -> bool:
    if isinstance(node, syntax.Block):
        return node.point == "session"
    if isinstance(node, syntax.Redact):
        named = node.what is not None and not isinstance(node.what, syntax.Literal)
        return named or node.method in {"hash", "token"}
    if isinstance(node, syntax.Call):
        return node.function in {"injection", "secrets", "pii"}
    return False


# --- what the names mean -----------------------------------------------------------------------


def environment(
    files: Sequence[syntax.File],
    event: Mapping[str, Any],
    tools: Mapping[str, Tool],
    params: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    now: int,
) -> Environment:
    items = [item for file in files for item in file.items]
    types: dict[str, t.Type] = {}
    for item in items:
        if isinstance(item, syntax.TypeItem):
            kind = resolve(item.definition, types)
            types[item.name] = replace(kind, name=item.name) if isinstance(kind, t.Record) else kind
    lets = {item.name: item for item in items if isinstance(item, syntax.Let)}
    env = Environment(roots(event, tools, types, now), lets, {}, types, functions)
    return replace(env, params={**dict(_params(items, params, env)), **_given(items, event, types)})


def _given(
    items: list[syntax.Item], event: Mapping[str, Any], types: Mapping[str, t.Type]
) -> dict[str, Typed]:
    """What the session's task was opened with."""
    return {
        parameter.name: Typed(
            event["session"].get("given", {}).get(parameter.name),
            resolve(parameter.type, types),
            parameter.name,
        )
        for item in items
        if isinstance(item, syntax.Task) and item.name == _task_of(event)
        for parameter in item.parameters
    }


def _params(
    items: list[syntax.Item], given: Mapping[str, Any], env: Environment
) -> Iterator[tuple[str, Any]]:
    chosen = {s.name: s.value for item in items if isinstance(item, syntax.UsePolicy) for s in item.settings}
    for item in items:
        if isinstance(item, syntax.Param):
            written = chosen.get(item.name, item.default)
            raw = given[item.name] if item.name in given else value(written, env)  # type: ignore[arg-type]  # a param without any value does not load
            yield item.name, conform(raw, resolve(item.type, env.types), item.name)


def roots(
    event: Mapping[str, Any], tools: Mapping[str, Tool], types: Mapping[str, t.Type], now: int
) -> dict[str, Any]:
    tool = tools.get(event.get("tool", ""))
    session = event.get("session", {})
    return {
        "args": Typed(event.get("args", {}), tool.args if tool else t.ANY, "args"),
        "result": Typed(event.get("result"), tool.result if tool else t.ANY, "result"),
        "text": event.get("text"),
        "tool": _tool_facts(event.get("tool"), tool),
        "principal": Typed(event.get("principal", {}), types.get("principal", t.ANY), "principal"),
        "agent": Typed(event.get("agent", {}), types.get("agent", t.ANY), "agent"),
        "session": Typed(
            {"id": session} if isinstance(session, str) else session, types.get("session", SESSION), "session"
        ),
        "now": Time(now),
    }


def _tool_facts(name: Any, tool: Tool | None) -> dict[str, Any]:
    facts = ("read_only", "destructive", "idempotent", "open_world")
    return {"name": name, **{fact: getattr(tool, fact, None) for fact in facts}}


def inside(block: syntax.Block, env: Environment) -> Environment:
    lets = {item.name: item for item in block.body if isinstance(item, syntax.Let)}
    return replace(env, lets={**env.lets, **lets})


# --- which statements hold ---------------------------------------------------------------------


def rules(files: Sequence[syntax.File], event: Mapping[str, Any]) -> Iterator[Rule]:
    """The statements that speak of the event."""
    for file in files:
        in_shadow = bool(file.header and file.header.shadow)
        for block, in_task in (pair for item in file.items for pair in _blocks(item, event)):
            if speaks_of(block, event):
                for statement in block.body:
                    if isinstance(statement, syntax.Statement):
                        yield Rule(statement, block, in_shadow or block.shadow or statement.shadow, in_task)


def _blocks(item: syntax.Item, event: Mapping[str, Any]) -> Iterator[tuple[syntax.Block, bool]]:
    """The blocks that an item means for the event: a flow and the parts of the session's task are some as well."""
    if isinstance(item, syntax.Block):
        yield item, False
    elif isinstance(item, syntax.Flow):
        args = syntax.Call(item.span, "origin", (syntax.Name(item.span, "args"),), (), item.span)
        tests = [
            syntax.Comparison(item.span, "has", args, syntax.Name(item.span, one)) for one in item.labels
        ]
        yield _alone(item, item.tools, syntax.Or(item.span, tuple(tests)), item.when), False
    elif isinstance(item, syntax.Task) and _task_of(event) == item.name:
        for part in item.parts:
            if isinstance(part, syntax.Block):
                yield part, True
            elif event["type"] == "call" and not any(names(tool, event["tool"]) for tool in part.tools):
                yield _alone(part, (syntax.ToolPattern(part.span, "*", True),), None, None), True


def _task_of(event: Mapping[str, Any]) -> Any:
    session = event.get("session")
    return session.get("task") if isinstance(session, dict) else None


def _alone(effect: Any, tools: Any, when: Any, unless: Any) -> syntax.Block:
    statement = syntax.Statement(effect.span, None, False, effect, when, unless, None)
    return syntax.Block(effect.span, "call", tools, False, None, None, (statement,), effect.span)


def speaks_of(block: syntax.Block, event: Mapping[str, Any]) -> bool:
    if block.point != event["type"]:
        return False
    return block.point in {"input", "output"} or any(names(tool, event["tool"]) for tool in block.tools)


def names(pattern: syntax.ToolPattern, tool: str) -> bool:
    if not pattern.is_wildcard:
        return pattern.text == tool
    return re.fullmatch(".*".join(map(re.escape, pattern.text.split("*"))), tool, re.DOTALL) is not None


def _judge(rule: Rule, env: Environment, draft: Draft) -> None:
    effect = rule.statement.effect
    try:
        applies = _applies(rule, env)
    except (EvaluationError, RecursionError) as error:
        draft.errors.append((rule.name, kind_of_error(error)))
        if not (isinstance(effect, syntax.Require) and _certainly(effect.condition, env)):
            draft.holds += kept(rule)
        return
    if not applies:
        return
    try:
        draft.holds += list(holding(rule, env))
    except (EvaluationError, RecursionError) as error:
        draft.errors.append((rule.name, kind_of_error(error)))
        draft.holds += kept(rule)


def kind_of_error(error: Exception) -> str:
    return error.kind if isinstance(error, EvaluationError) else "size"


def _applies(rule: Rule, env: Environment) -> bool:
    """Both `when` and neither `unless`, the block's before the statement's, left to right."""
    for part in (rule.block, rule.statement):
        if part.when is not None and not truth(part.when, env):
            return False
        if part.unless is not None and truth(part.unless, env):
            return False
    return True


def _certainly(condition: syntax.Expr, env: Environment) -> bool:
    try:
        return truth(condition, env)
    except EvaluationError:
        return False


def kept(rule: Rule) -> list[Hold]:
    """What an error leaves of a statement: its restrict parts."""
    return [replace(hold, by_error=True) for hold in all_parts(rule) if hold.restricts]


def all_parts(rule: Rule) -> list[Hold]:
    effect = rule.statement.effect
    if isinstance(effect, syntax.Threshold):
        return [Hold(rule, row.effect, row.span) for row in effect.rows]
    return [Hold(rule, effect, rule.statement.span)]


def holding(rule: Rule, env: Environment) -> list[Hold]:
    """What holds of a statement that applies."""
    effect = rule.statement.effect
    if isinstance(effect, syntax.Require):
        return [] if truth(effect.condition, env) else all_parts(rule)
    if not isinstance(effect, syntax.Threshold):
        return all_parts(rule)
    amount = value(effect.value, env)
    for row in effect.rows:
        if row.bound is None or _at_most(amount, value(row.bound, env)):
            return [Hold(rule, row.effect, row.span)]
    raise ValueError("a threshold ends with `above`")


def _at_most(amount: Any, bound: Any) -> bool:
    left, right = ordered(amount, bound)
    return bool(left <= right)


# --- the verdict -------------------------------------------------------------------------------


def outcome(draft: Draft, files: Sequence[syntax.File], point: str) -> str:
    """The strictest of all that holds; the default counts where nothing grants."""
    holds = draft.active()
    asked = [hold.outcome for hold in holds if hold.outcome]
    if draft.broken:
        asked.append("deny")
    if not any(hold.grants for hold in holds):
        asked.append(_default(files, point))
    return max(asked, key=RANK.index)


def _default(files: Sequence[syntax.File], point: str) -> str:
    items = (item for file in files for item in file.items)
    declared = [
        keyword_of(item.effect) for item in items if isinstance(item, syntax.Default) and item.point == point
    ]
    return max(declared or ["deny" if point == "call" else "allow"], key=RANK.index)


def _obligations(draft: Draft) -> Iterator[tuple[str, str]]:
    for hold in draft.active():
        if isinstance(hold.effect, syntax.Flag | syntax.Review):
            yield keyword_of(hold.effect), hold.line[0]


# --- the payload -------------------------------------------------------------------------------


def transformed(
    draft: Draft, event: Mapping[str, Any], env: Environment
) -> tuple[Any, tuple[tuple[str, tuple[str, ...]], ...]]:
    """The payload that goes on (None without a transform, or when it is withheld), and the transforms."""
    kinds = syntax.Redact | syntax.OnlyFields | syntax.OnlyRows | syntax.DropFields
    holds = [hold for hold in draft.active() if isinstance(hold.effect, kinds)]
    listed = tuple(sorted((keyword_of(hold.effect), _pointers(hold.effect)) for hold in holds))
    if not holds:
        return None, ()
    payload = event[{"call": "args", "result": "result"}.get(event["type"], "text")]
    for step in (_with_rows, _with_fields, _redacted):
        try:
            payload = step(payload, holds, env, draft)
        except EvaluationError as error:
            draft.broken = True
            draft.errors += [(hold.rule.name, kind_of_error(error)) for hold in _of(holds, *STEPS[step])]
            return None, listed
    return (None if payload is Gone else payload), listed


def _of(holds: list[Hold], *kinds: type) -> list[Hold]:
    return [hold for hold in holds if isinstance(hold.effect, kinds)]


def _pointers(effect: Any) -> tuple[str, ...]:
    if isinstance(effect, syntax.OnlyRows):
        return ()
    paths = (
        [one.path for one in redactions_of(effect)]
        if isinstance(effect, syntax.Redact)
        else [field.parts for field in effect.fields]
    )
    return tuple("".join(f"/{part}" for part in path) for path in paths)


def _with_rows(payload: Any, holds: list[Hold], env: Environment, draft: Draft) -> Any:
    tests = [_row_test(hold, env, draft) for hold in _of(holds, syntax.OnlyRows)]
    return only_rows(payload, tests) if tests else payload


def _with_fields(payload: Any, holds: list[Hold], env: Environment, draft: Draft) -> Any:
    for hold in _of(holds, syntax.OnlyFields):
        payload = only_fields(payload, _paths(hold.effect))
        if payload is Gone:
            raise WrongType("what has no fields has none to keep")
    return drop_fields(
        payload, [path for hold in _of(holds, syntax.DropFields) for path in _paths(hold.effect)]
    )


def _paths(effect: Any) -> list[tuple[str, ...]]:
    return [field.parts for field in effect.fields]


def _redacted(payload: Any, holds: list[Hold], env: Environment, draft: Draft) -> Any:
    redactions: list[Redaction] = []
    for hold in _of(holds, syntax.Redact):
        assert isinstance(hold.effect, syntax.Redact)
        redactions += redactions_of(hold.effect)
    return redact(payload, redactions)


STEPS: dict[Any, tuple[type, ...]] = {
    _with_rows: (syntax.OnlyRows,),
    _with_fields: (syntax.OnlyFields,),
    _redacted: (syntax.Redact,),
}
"""The steps of a transform, in order, with the statements that fail where a step does."""


def _row_test(hold: Hold, env: Environment, draft: Draft) -> Callable[[Any], bool]:
    effect = hold.effect
    assert isinstance(effect, syntax.OnlyRows)
    whole = env.roots["result"].kind
    kind = whole.item if isinstance(whole, t.ListOf) else t.ANY

    def keeps(row: Any) -> bool:
        inner = inside(hold.rule.block, env)
        inner = replace(inner, roots={**env.roots, "row": Typed(row, kind, "row")})
        try:
            return truth(effect.where, inner)
        except EvaluationError as error:
            draft.errors.append((hold.rule.name, kind_of_error(error)))
            return False

    return keeps
