"""A plain event for a tool, made up from its schema; and the same event with one thing changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from guardrails.language import types as t
from guardrails.language.checked import Checked
from guardrails.testing.knowing import ROOTS, Fields, Path

_TEXTS = {
    t.EMAIL: "someone@example.test", t.URL: "https://example.test/", t.HOST: "example.test", t.PATH: "a.txt",
    t.IP: "192.0.2.1", t.SQL: "select 1", t.SHELL: "ls", t.TIME: "2026-01-01T12:00:00Z", t.DURATION: "1h",
}  # fmt: skip


def sample_event(checked: Checked, point: str, tool: str | None, known: Fields) -> dict[str, Any]:
    """An event with all that the tool needs, and values that the policy names where it names any."""
    event: dict[str, Any] = {"type": point}
    described = checked.tools.get(tool) if tool is not None else None
    if tool is not None:
        event["tool"] = tool
    if point == "call":
        event["args"] = _record(described.args, ("args",), known) if described else _guessed("args", known)
    elif point == "result":
        kind = described.result if described else t.ANY
        event["result"] = _guessed("result", known) if kind == t.ANY else sample(kind, ("result",), known)
    else:
        event["text"] = "hello"
    for name, record in (("principal", checked.principal), ("agent", checked.agent)):
        if isinstance(record, t.Record) and record.fields:
            event[name] = _record(record, (name,), known)
    return event


def _guessed(root: str, known: Fields) -> dict[str, Any]:
    """A record that nobody described, with the fields that the policy reads of it."""
    paths = {path: values for path, values in known.values.items() if path[0] == root and len(path) == 2}
    return {path[1]: values[0] if values else "a" for path, values in paths.items()}


def sample(kind: t.Type, path: Path, known: Fields) -> Any:
    """A value of a type."""
    named = known.values.get(path)
    if named:
        return named[0]
    match kind:
        case t.Enum(values=values):
            return values[0]
        case t.Record():
            return _record(kind, path, known)
        case t.ListOf(item=item) | t.SetOf(item=item):
            return [sample(item, (*path, "*"), known)]
        case t.MapOf():
            return {}
    if kind in t.NUMERIC:
        return 1
    return True if kind == t.BOOL else _TEXTS.get(kind, "a") if isinstance(kind, t.Scalar) else "a"


def _record(kind: t.Record, path: Path, known: Fields) -> dict[str, Any]:
    return {
        field.name: sample(field.type, (*path, field.name), known)
        for field in kind.fields
        if not field.optional or (*path, field.name) in known.values
    }


def value_at(event: dict[str, Any], path: Path) -> Any:
    """What lies at a place of an event; None where nothing does."""
    here: Any = event
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return here


def changed(event: dict[str, Any], path: Path, value: Any) -> dict[str, Any] | None:
    """The event with another value at a place; None where there is no such place."""
    event = copy.deepcopy(event)
    here: Any = event
    for name in path[:-1]:
        here = here.setdefault(name, {}) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        return None
    here[path[-1]] = value
    return event


def without(event: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """The event without what lies at a place; None where nothing lies there."""
    event = copy.deepcopy(event)
    here = value_at(event, path[:-1]) if path[:-1] else event
    if not isinstance(here, dict) or path[-1] not in here:
        return None
    del here[path[-1]]
    return event


def neighbours(event: dict[str, Any], known: Fields) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Events that differ in one thing: in a field that the policy reads, by a value that may matter to it."""
    for path, values in known.values.items():
        for value in [*values, *_others(event, path)]:
            if value_at(event, path) != value:
                other = changed(event, path, value)
                if other is not None:
                    yield path, other


def _others(event: dict[str, Any], path: Path) -> list[Any]:
    """More values for a field: what the principal and agent hold of that kind, and something of no meaning."""
    now = value_at(event, path)
    if isinstance(now, list):
        payload = event.get(ROOTS.get(event["type"], ""))
        held = [each for each in _scalars(payload) if isinstance(each, str)]
        return [[], *([each] for each in held[:4])]
    if isinstance(now, bool) or not isinstance(now, str | int | float):
        return []
    held = [each for name in ("principal", "agent") for each in _scalars(event.get(name))]
    like = [each for each in held if isinstance(each, str) == isinstance(now, str)]
    return [*like[:6], *(["something else"] if isinstance(now, str) else [])]


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value


# --- the plain values in an event ----------------------------------------------------------------


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of plain values in what an event holds, but for its type, tool and session."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, inner in items:
        if path or name not in ("type", "tool", "session"):
            yield from paths_of(inner, (*path, name)) if isinstance(inner, dict | list) else ((*path, name),)


def texts_of(event: dict[str, Any]) -> Iterator[str]:
    """The texts that an event holds."""
    for path in paths_of(event):
        value = at(event, path)
        if isinstance(value, str):
            yield value


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What lies at a place."""
    for name in path:
        value = value[name]
    return value


def with_value(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The same with another value at a place; what is not on the way there is shared."""
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], other)
    return copy
