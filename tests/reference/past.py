"""The session's past: earlier events in, answers to `seen`, `count` and `last` out.

Takes events as data, oldest first: `{"type": "call" | "result" | "outcome" | "input" | "output", ...}` with
`tool`, `args`, `result`, `outcome` ("ok" or "failed"), `text`, `call_id` and `at` in microseconds. Everything is
worked out from the whole list for every question; nothing is indexed and nothing is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from guardrails.errors import EvaluationError, MissingField
from guardrails.language import syntax
from guardrails.language import types as t
from guardrails.language.schema import Tool
from reference.expressions import Environment, truth
from reference.values import Missing, Time, Typed, equal


class Unjudged(EvaluationError):
    """A field that judging an earlier event needs is missing; `has` and `else` do not make up for it."""

    kind = "missing"


@dataclass
class Happened:
    """An earlier event. `order` puts a call before the result that alone tells of it."""

    point: str
    order: tuple[int, int]
    at: int
    tool: str = ""
    args: Any = None
    result: Any = None
    text: str = ""
    call_id: str | None = None
    ok: bool | None = None
    call: Happened | None = None


def read(events: Sequence[Mapping[str, Any]]) -> tuple[Happened, ...]:
    """The past that a list of events tells of."""
    past: list[Happened] = []
    for number, event in enumerate(events):
        kind, at = event["type"], event["at"]
        if event.get("by") == "agent":
            continue
        if kind in {"input", "output"}:
            past.append(Happened(kind, (number, 1), at, text=event["text"]))
            continue
        one = Happened(
            kind, (number, 1), at, event["tool"], event.get("args", {}), event.get("result"), call_id=event.get("call_id")
        )  # fmt: skip
        if kind != "call":
            one.call = _call_of(one, past) or _failed_call_of(one, past)
            if one.call is not None and one.call.ok is False:
                past.append(one)
                continue
            one.call = one.call or replace(one, point="call", order=(number, 0))
            if one.call not in past:
                past.append(one.call)
            one.call.ok = kind == "result" or event["outcome"] == "ok"
        if kind != "outcome":
            past.append(one)
    return tuple(past)


def _failed_call_of(answer: Happened, past: Sequence[Happened]) -> Happened | None:
    """The call of that id whose failure was told before what it said."""
    if answer.point != "result" or answer.call_id is None:
        return None
    over = [each for each in past if each.point == "call" and each.ok is not None]
    named = [each for each in over if each.call_id == answer.call_id and each.tool == answer.tool]
    return named[-1] if named and named[-1].ok is False else None


def _call_of(answer: Happened, past: Sequence[Happened]) -> Happened | None:
    waiting = [one for one in past if one.point == "call" and one.ok is None and one.tool == answer.tool]
    named = [one for one in waiting if answer.call_id is not None and one.call_id == answer.call_id]
    alike = [
        one
        for one in waiting
        if (one.call_id is None or answer.call_id is None) and _alike(one.args, answer.args)
    ]
    same = [one for one in named if _alike(one.args, answer.args)]
    found = same or named or alike
    return found[-1] if found else None


def _alike(left: Any, right: Any) -> bool:
    try:
        return equal(_without_nulls(left), _without_nulls(right))
    except EvaluationError:
        return False


def _without_nulls(value: Any) -> Any:
    """Null and absent are the same."""
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


# --- answers -----------------------------------------------------------------------------------


def answer(node: syntax.Trace, env: Environment) -> Any:
    """What a question about the past gives; `Missing` where there is no last event."""
    fitting = (one for one in _candidates(node, env) if _fits(node, one, env))
    if node.kind == "seen":
        return any(True for _ in fitting)
    if node.kind == "count":
        return len(list(fitting))
    found = next(fitting, None)
    if found is None:
        return Missing(f"the last {node.event.point}")
    if found.point == "call":
        return Typed(found.args, _args_type(node.event, env), "the last call")
    return Typed(found.result, _result_type(node.event, env), "the last result") if found.tool else found.text


def _candidates(node: syntax.Trace, env: Environment) -> Iterator[Happened]:
    """The events that are spoken of, newest first."""
    assert env.past is not None
    found = _of(node.event, env.past)
    if node.within is not None:
        start = env.roots["now"].amount - node.within.value
        found = [one for one in found if one.at > start]
    if node.beside is not None:
        others = [one.order for one in _of(node.beside.event, env.past)]
        if node.beside.order == "after":
            found = [one for one in found if others and one.order > max(others)]
        else:
            found = [one for one in found if others and one.order < min(others)]
    return iter(sorted(found, key=lambda one: one.order, reverse=True))


def _of(event: syntax.Event, past: Sequence[Happened]) -> list[Happened]:
    return [one for one in past if one.point == event.point and _is_named(event, one.tool)]


def _is_named(event: syntax.Event, tool: str) -> bool:
    return not event.tools or any(_names(pattern, tool) for pattern in event.tools)


def _names(pattern: syntax.ToolPattern, tool: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.text.split("*"))), tool, re.DOTALL) is not None


def _fits(node: syntax.Trace, one: Happened, env: Environment) -> bool:
    if node.where is None:
        return True
    try:
        return truth(node.where, _inside(node.event, one, env))
    except MissingField as error:
        raise Unjudged(str(error)) from error


def _inside(event: syntax.Event, one: Happened, env: Environment) -> Environment:
    """What names mean where an earlier event is judged."""
    if not one.tool:
        return env.bind("text", one.text)
    call = one.call or one
    facts = {
        "args": Typed(call.args, _args_type(event, env), "call.args"), "tool": call.tool, "at": Time(call.at), "ok": call.ok,
    }  # fmt: skip
    inner = env.bind("call", facts)
    if one.point == "result":
        inner = inner.bind("result", Typed(one.result, _result_type(event, env), "result"))
    return inner


# --- declared types ----------------------------------------------------------------------------


def _args_type(event: syntax.Event, env: Environment) -> t.Type:
    return _common([None if tool is None else tool.args for tool in _tools(event, env)])


def _result_type(event: syntax.Event, env: Environment) -> t.Type:
    return _common([None if tool is None else tool.result for tool in _tools(event, env)])


def _tools(event: syntax.Event, env: Environment) -> list[Tool | None]:
    """The tools that are meant, None for those that nobody described."""
    if not event.tools or any(pattern.is_wildcard for pattern in event.tools):
        return [None]
    return [env.tools.get(pattern.text) for pattern in event.tools]


def _common(kinds: list[Any]) -> t.Type:
    """What is known of a value that is of one of some types."""
    if all(kind == kinds[0] for kind in kinds):
        return t.ANY if kinds[0] is None else kinds[0]
    if not all(isinstance(kind, t.Record) for kind in kinds):
        return t.ANY
    shared = [
        field for field in kinds[0].fields if all(_same(kind.field(field.name), field) for kind in kinds)
    ]
    return t.Record("", tuple(shared), open=True)


def _same(one: t.Field | None, other: t.Field) -> bool:
    return one is not None and one.type == other.type
