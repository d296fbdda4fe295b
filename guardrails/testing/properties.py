"""Properties that hold of policies, to be asked of random events.

    @given(events("support.guard"))
    def test_order(event): order_never_matters("support.guard", event)

Each raises AssertionError, with the event and both decisions, where it does not hold.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from typing import Any, TypeAlias

from guardrails.guard import Guard, Source
from guardrails.language import syntax
from guardrails.model import Decision, Outcome
from guardrails.runtime.clock import FrozenClock
from guardrails.state import State
from guardrails.testing.cases import KEY, START
from guardrails.testing.comparing import same, shown
from guardrails.testing.knowing import Path

Policy: TypeAlias = Guard | str | PathLike[str]
Event: TypeAlias = Mapping[str, Any]

MOST_FIELDS = 60
"""Fields of an event that are broken, one at a time."""


def order_never_matters(policy: Policy, event: Event) -> None:
    """With its statements and items in the opposite order, the policy decides the same: outcome, payload and
    labels. It has to be so (law L1); this shows it of a policy with functions or detectors of your own."""
    __tracebackhide__ = True
    guard = _guard(policy)
    turned = _turned(guard)
    before, after = _decided(guard, event), _decided(turned, event)
    if _essence(before) != _essence(after) or not same(before.payload, after.payload):
        _refute("the order of statements matters", event, before, after)


def errors_never_loosen(policy: Policy, event: Event) -> None:
    """A statement that restricts the event still does when it can no longer be evaluated (law L2): each field of
    the arguments, the principal and the agent is left out, made null, and made a list that nobody expects.

    A looser decision alone proves nothing: `deny when args.note != null` does not hold without a note.
    """
    __tracebackhide__ = True
    guard = _guard(policy)
    before = _decided(guard, event)
    restricting = {each.name for each in before.applied if each.outcome not in (None, Outcome.ALLOW)}
    for broken in _broken(event):
        after = _decided(guard, broken)
        applied = {each.name for each in after.applied}
        lost = {error.statement for error in after.errors} & restricting - applied
        if lost and after.outcome < before.outcome:
            _refute(f"an error loosens {', '.join(sorted(lost))}", broken, before, after)


def never_allows_more_than(old: Policy, new: Policy, event: Event) -> None:
    """The new policy decides the event at least as strictly as the old one."""
    __tracebackhide__ = True
    before, after = _decided(_guard(old), event), _decided(_guard(new), event)
    if after.outcome < before.outcome:
        _refute("the new policy allows more", event, before, after)


def _refute(what: str, event: Event, before: Decision, after: Decision) -> None:
    __tracebackhide__ = True
    raise AssertionError(
        f"{what}\n  event  {shown(event)}\n  before {_told(before)}\n  after  {_told(after)}"
    )


def _told(decision: Decision) -> str:
    names = ", ".join(applied.name for applied in decision.applied) or "no statement"
    return f"{decision.outcome.value} by {names}"


def _essence(decision: Decision) -> tuple[Any, ...]:
    labels = sorted((each.policy, each.label or each.effect) for each in decision.applied)
    return decision.outcome, labels, sorted(error.kind for error in decision.errors)


# --- guards ------------------------------------------------------------------------------------


def _guard(policy: Policy) -> Guard:
    return policy if isinstance(policy, Guard) else _loaded(str(policy))


def _loaded(path: str) -> Guard:
    """A policy that is named by its path is loaded once, and again when its file changed."""
    return _loaded_once(os.path.abspath(path), path, os.stat(path).st_mtime_ns)


@lru_cache(maxsize=32)
def _loaded_once(place: str, path: str, changed: int) -> Guard:
    """`place` and `changed` tell files apart that have the same relative path."""
    return Guard.load(path, clock=FrozenClock(START), key=KEY)


def _decided(guard: Guard, event: Event) -> Decision:
    """The decision of a guard that has counted nothing yet."""
    return _fresh(guard).decide(dict(event))


def _fresh(guard: Guard) -> Guard:
    """The same policy with an empty store; one that keeps no count is as it is."""
    if not guard.is_stateful:
        return guard
    fresh = Guard(guard.engine.program, clock=guard.clock, source=guard.source, state=State("memory:"))
    fresh.host = guard.host
    return fresh


_TURNED: dict[str, Guard] = {}


def _turned(guard: Guard) -> Guard:
    """The same policy, written the other way round."""
    if guard.digest not in _TURNED:
        _TURNED[guard.digest] = _turned_now(guard)
    turned = _TURNED[guard.digest]
    turned.clock, turned.host = guard.clock, guard.host
    return turned


def _turned_now(guard: Guard) -> Guard:
    from guardrails.loading import read_file

    source = guard.source
    if source is None:
        raise ValueError("this guard was made from a program, and not from a policy")
    given = source.texts or {}
    names = [name for name in source.files if name in given or source.texts is None]
    texts = {name: given[name] if name in given else read_file(name) for name in names}
    backwards = {name: _backwards(text, name) for name, text in texts.items()}
    other = Source(source.paths, source.params, source.functions, backwards, source.tools)
    program, _ = other.load()
    return Guard(program, source=other, state=State("memory:") if program.head["stateful"] else None)


def _backwards(text: str, name: str) -> str:
    """A policy with its blocks, and the statements in them, in the opposite order."""
    from guardrails.language.formatter import format_file
    from guardrails.language.parser import parse

    file, _ = parse(text, name)
    if file is None:
        return text  # a tool file or a schema
    head = [item for item in file.items if not isinstance(item, syntax.Block)]
    blocks = [replace(item, body=_body(item)) for item in file.items if isinstance(item, syntax.Block)]
    return format_file(replace(file, items=(*head, *reversed(blocks)), comments=()))


def _body(block: syntax.Block) -> tuple[Any, ...]:
    """Statements backwards; what they name stays before them."""
    names = [each for each in block.body if isinstance(each, syntax.Let)]
    return (*names, *reversed([each for each in block.body if not isinstance(each, syntax.Let)]))


# --- events ------------------------------------------------------------------------------------


def _broken(event: Event) -> Iterator[dict[str, Any]]:
    """The event with each field left out, null, and a list that nobody expects; the first `MOST_FIELDS`."""
    paths = [path for root in ("args", "principal", "agent") for path in _paths(event.get(root), (root,))]
    for path in paths[:MOST_FIELDS]:
        yield _with(event, path, None)
        yield _with(event, path, [None])
        yield _without(event, path)


def _paths(value: Any, path: Path) -> Iterator[Path]:
    """The fields of an object, and those of objects in it."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield (*path, name)
        yield from _paths(inner, (*path, name))


def _with(event: Event, path: Path, value: Any) -> dict[str, Any]:
    """A copy with another value in a field."""
    other = copy.deepcopy(dict(event))
    _around(other, path)[path[-1]] = value
    return other


def _without(event: Event, path: Path) -> dict[str, Any]:
    other = copy.deepcopy(dict(event))
    del _around(other, path)[path[-1]]
    return other


def _around(event: dict[str, Any], path: Path) -> dict[str, Any]:
    """The object that holds a field."""
    for name in path[:-1]:
        event = event[name]
    return event
