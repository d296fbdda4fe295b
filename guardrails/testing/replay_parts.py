"""Which events have to stay together, so that a recording can be replayed in parts with the same result.

A session's own limits, past and age need its events in one part. A limit that several sessions share (by
principal, by customer, or by nothing at all) joins those sessions: whoever charges the same counter is put
together, and the rest stays apart. Where it cannot be known from the event alone which counter a call will
charge, all who charge that limit are put together. Joining too much costs time; joining too little would
cost the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from guardrails.errors import EvaluationError
from guardrails.guard import Guard
from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Checked, Fuse, Meter
from guardrails.language.compiler import Compiler
from guardrails.runtime.meters import key_of
from guardrails.testing.replay_items import EVENT, Item, session_name

READABLE = (t.STRING, t.INT, t.BOOL, t.ANY)
"""Types of keys whose counter is known from the raw value; others have a canonical form of their own."""

ROOTS = ("args", "principal", "agent", "session")

Path = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Shared:
    """A limit, budget or breaker that sessions share: the names it counts under, and where in an event its keys
    stand; None where that cannot be told."""

    names: tuple[str, ...]
    keys: tuple[Path, ...] | None
    said: str


def shared_of(checked: Checked) -> tuple[Shared, ...]:
    """What sessions share under a policy."""
    compiler = Compiler(checked)
    found = []
    for rule in checked.rules:
        subjects = compiler.lowering.subjects(rule)
        forms = [
            each for each in (compiler.lowering.lower(rule, tool) for tool in subjects) if each is not None
        ]
        meanings = [each.meaning for each in forms if isinstance(each.meaning, Meter | Fuse)]
        shared = [each for each in meanings if isinstance(each, Fuse) or not each.by_session]
        name = checked.counters.get(rule.index)
        if name is not None and shared:
            old = getattr(shared[0], "was", None)
            names = (name, f"{rule.policy}.{old}") if old else (name,)
            found.append(Shared(names, _common_keys(checked, shared), rule.name))
        elif name is not None and not meanings:  # of tools that are not known before they are called
            found.append(Shared((name,), None, rule.name))
    return tuple(found)


def _common_keys(checked: Checked, meanings: list[Meter | Fuse]) -> tuple[Path, ...] | None:
    """Where the keys stand, if that is the same for every tool."""
    found = {_paths(checked, meaning) for meaning in meanings}
    return found.pop() if len(found) == 1 else None


def _paths(checked: Checked, meaning: Meter | Fuse) -> tuple[Path, ...] | None:
    paths = []
    for key in meaning.keys:
        if not isinstance(key, core.Load) or key.type not in READABLE or key.root not in ROOTS:
            return None
        if key.root == "args" and checked.reveals:
            return None  # the counter is that of the value behind a token
        paths.append((key.root, key.path))
    return tuple(paths)


# --- who shares what ---------------------------------------------------------------------------


class Survey:
    """Collects which sessions touch which shared counters, as pairs of `(node, counter)`. The node of an event
    without a session is the first counter that it touches."""

    def __init__(self, guards: Iterable[tuple[Guard, tuple[Shared, ...]]]) -> None:
        self._policies = [
            (number, guard.engine.program, {name: each for each in shared for name in each.names})
            for number, (guard, shared) in enumerate(guards)
        ]
        self._meters: dict[tuple[int, str, Any], tuple[Shared, ...]] = {}
        self.pairs: set[tuple[str, str]] = set()

    def note(self, item: Item) -> None:
        name, counters = session_name(item[EVENT]), self._counters(item)
        if counters:
            node = f"c{counters[0]}" if name is None else f"s{name}"
            self.pairs.update((node, counter) for counter in counters)

    def node(self, item: Item) -> str:
        """What an event is kept together by."""
        name = session_name(item[EVENT])
        if name is not None:
            return f"s{name}"
        counters = self._counters(item)
        return f"c{counters[0]}" if counters else f"-{item[1]}:{item[2]}:{item[3]}"

    def _counters(self, item: Item) -> list[str]:
        event = item[EVENT]
        point, tool = event.get("type"), event.get("tool")
        if point not in ("call", "result", "input", "output", "usage"):
            return []
        return [
            counter
            for number, program, shared in self._policies
            for each in self._touched(number, program, shared, str(point), tool)
            for counter in _counters(number, each, event)
        ]

    def _touched(
        self, number: int, program: Any, shared: dict[str, Shared], point: str, tool: Any
    ) -> tuple[Shared, ...]:
        tool = tool if point in ("call", "result", "usage") and isinstance(tool, str) and tool else None
        if tool is None and point in ("call", "result"):
            return ()  # such an event is denied before anything is counted
        known = self._meters.get((number, point, tool))
        if known is None:
            unit = program.unit(point, tool)
            found = {shared[meter.name] for meter in unit.meters if meter.name in shared}
            known = self._meters[number, point, tool] = tuple(sorted(found, key=lambda each: each.names))
        return known


def _counters(number: int, shared: Shared, event: dict[str, Any]) -> Iterator[str]:
    """The counters that an event may charge. One that stands for all of a limit where a key is not plain."""
    try:
        keys = () if shared.keys is None else tuple(_raw(event, path) for path in shared.keys)
    except _NotPlain:
        for name in shared.names:
            yield f"{number} {name} *"
        return
    if any(key is None for key in keys):
        return  # without a key nothing can be counted
    for name in shared.names:
        try:
            yield f"{number} {key_of(name, None, keys)}" if shared.keys is not None else f"{number} {name} *"
        except EvaluationError:
            continue  # nor under one that is too long


class _NotPlain(Exception):
    """A key that is no text, number or truth value."""


def _raw(event: dict[str, Any], path: Path) -> Any:
    root, names = path
    value = event.get(root)
    if root == "session" and value.__class__ is str:
        value = {"id": value}
    for name in names:
        value = value.get(name) if value.__class__ is dict else None
    if value is None or value.__class__ in (str, int, bool):
        return value
    if value.__class__ is float and value.is_integer():
        return int(value)
    raise _NotPlain


class Groups:
    """Sessions joined by what they share (a union-find). `*` counters of a limit join all of its counters."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._limits: dict[str, set[str]] = {}
        self._loose: set[str] = set()

    def join(self, node: str, counter: str) -> None:
        """`node` touches the counter; one that is a counter itself stands for events without a session."""
        if node.startswith("c"):
            self._loose.add(node)
        held = f"c{counter}"
        self._limits.setdefault(_limit_of(counter), set()).add(held)
        self._union(node, held)

    def close(self) -> None:
        """All pairs are known: limits with a counter that cannot be told join all of theirs."""
        for nodes in self._limits.values():
            whole = next((node for node in nodes if node.endswith(" *")), None)
            if whole is not None:
                for node in nodes:
                    self._union(whole, node)

    def places(self, parts: int) -> dict[str, int]:
        """The part of every session that is not alone; the largest groups first, each to the emptiest part."""
        sizes = [0] * parts
        found: dict[str, int] = {}
        groups = sorted((sorted(group) for group in self._groups()), key=lambda group: (-len(group), group))
        for group in groups:
            if len(group) > 1:
                part = min(range(parts), key=lambda each: (sizes[each], each))
                sizes[part] += len(group)
                found.update(dict.fromkeys(group, part))
        return found

    @property
    def largest(self) -> int:
        """Sessions of the largest group."""
        return max(map(len, self._groups()), default=0)

    def _groups(self) -> Iterable[list[str]]:
        members: dict[str, list[str]] = {}
        for node in list(self._above):
            if node.startswith("s") or node in self._loose:
                members.setdefault(self._root(node), []).append(node)
        return members.values()

    def _root(self, node: str) -> str:
        above = self._above
        while above.setdefault(node, node) != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    def _union(self, one: str, other: str) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._above[second] = first


def _limit_of(counter: str) -> str:
    """The policy and limit that a counter belongs to: what stands before its keys."""
    return counter.removesuffix(" *").split("\x1f", 1)[0]


def part_of(node: str, parts: int) -> int:
    """The part of a session that shares nothing: by its name, the same in every process."""
    return (
        int.from_bytes(blake2b(node.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % parts
    )
