"""The checked tree: expressions with resolved names, known types and explicit conversions.

The checker lowers syntax to these nodes and the compiler turns them into Python. Two nodes are equal when
they mean the same, wherever they stand (`span` takes no part), so that equal conditions can be
evaluated once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language.types import Type


@dataclass(frozen=True, slots=True)
class Core:
    span: Span = field(compare=False)
    type: Type


@dataclass(frozen=True, slots=True)
class Const(Core):
    """A constant. Sets are frozensets, lists tuples, maps `ConstMap`; durations and times microseconds,
    sizes bytes, money `(Decimal, currency)`; canonical types (path, host, ...) keep their source text."""

    value: object


@dataclass(frozen=True, slots=True)
class ConstMap(Core):
    entries: tuple[tuple[object, Core], ...]


@dataclass(frozen=True, slots=True)
class Load(Core):
    """A field of the event: `root` is args, principal, agent, session, tool, result, text, now or row."""

    root: str
    path: tuple[str, ...]
    optional: bool = False

    @property
    def where(self) -> str:
        return ".".join((self.root, *self.path))


@dataclass(frozen=True, slots=True)
class Var(Core):
    """A quantifier variable or a parameter of a named condition; `name` is unique in its statement."""

    name: str


@dataclass(frozen=True, slots=True)
class Field(Core):
    base: Core
    name: str


@dataclass(frozen=True, slots=True)
class Property(Core):
    """A property of a canonical value: `url.host`, `email.domain`."""

    base: Core
    name: str


@dataclass(frozen=True, slots=True)
class Item(Core):
    base: Core
    key: Core


@dataclass(frozen=True, slots=True)
class Narrow(Core):
    """A value nobody typed, checked at run time to be of `type`."""

    value: Core


@dataclass(frozen=True, slots=True)
class Convert(Core):
    """A string read as the canonical type `type`."""

    value: Core


@dataclass(frozen=True, slots=True)
class Invoke(Core):
    """A built-in function."""

    function: str
    arguments: tuple[Core, ...]


@dataclass(frozen=True, slots=True)
class HostCall(Core):
    """A function that the host registered."""

    function: str
    arguments: tuple[Core, ...]


@dataclass(frozen=True, slots=True)
class Compute(Core):
    """Arithmetic; `op` is one of `+ - * / %`, `neg`, and for sets `| & -`. `exact` false: plain integers."""

    op: str
    operands: tuple[Core, ...]
    exact: bool


Mode: TypeAlias = Literal["raw", "exact", "plain", "dynamic", "set", "money"]


@dataclass(frozen=True, slots=True)
class Compare(Core):
    """`op`: `== != < <= > >=`.

    `mode` raw: a loaded number against a constant a float holds exactly; exact: through decimals; plain:
    both of one simple type; set: set relations; money: one currency; dynamic: types unknown.
    """

    op: str
    left: Core
    right: Core
    mode: Mode


@dataclass(frozen=True, slots=True)
class Test(Core):
    """`in`, `contains`, `matches`, `finds` (a pattern anywhere), `like`, `within`."""

    op: str
    left: Core
    right: Core


@dataclass(frozen=True, slots=True)
class All(Core):
    operands: tuple[Core, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Core):
    operands: tuple[Core, ...]


@dataclass(frozen=True, slots=True)
class Negation(Core):
    operand: Core


@dataclass(frozen=True, slots=True)
class Present(Core):
    value: Core


@dataclass(frozen=True, slots=True)
class Fallback(Core):
    value: Core
    default: Core


@dataclass(frozen=True, slots=True)
class Each(Core):
    """`kind` any, all, count, sum, min or max over `collection`, with `variable` bound in `where` and `body`."""

    kind: str
    variable: str
    collection: Core
    where: Core | None
    body: Core | None


@dataclass(frozen=True, slots=True)
class Collect(Core):
    """A list or set with parts that are not constant."""

    items: tuple[Core, ...]


@dataclass(frozen=True, slots=True)
class Bind(Core):
    """Evaluate `value` once as `variable` in `body`."""

    variable: str
    value: Core
    body: Core


@dataclass(frozen=True, slots=True)
class SessionFact(Core):
    """What is known of the session: `elapsed` microseconds, `failures` of this very call since it last
    succeeded, or the `streak` of different failing calls."""

    kind: Literal["elapsed", "failures", "streak"]


class Question(NamedTuple):
    """What is asked of the past: `kind` seen, count or last, of events at `point` of some tools (patterns; none:
    of all), within so many microseconds, and `order` (after or before) `others` at the point `other`."""

    kind: Literal["seen", "count", "last"]
    point: str
    tools: tuple[str, ...]
    within: int | None
    order: str | None
    other: str | None
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recall(Core):
    """The answer of the session's past, where an earlier event is `variable` in the condition `where`. Questions
    that are equal have equal variables, so that they are asked once."""

    question: Question
    variable: str
    where: Core | None


EARLIER = "earlier call"
"""The name of the type of an earlier call; no declared type can have it."""


@dataclass(frozen=True, slots=True)
class Happened(Core):
    """What an earlier event holds: `args`, `tool`, `at`, `ok`, `result` or `text`, or the `call` of a result."""

    event: Core
    name: str


@dataclass(frozen=True, slots=True)
class Origin(Core):
    """A question about where `value` came from: `op` is `in`, `is` or `has`, `labels` those that answer it, and
    `named` those that the policy wrote. Without a value it is asked of the session's context."""

    op: str
    labels: tuple[str, ...]
    named: tuple[str, ...]
    value: Core | None


@dataclass(frozen=True, slots=True)
class InTask(Core):
    """Whether the session was opened for a task. It never errs."""

    task: str


@dataclass(frozen=True, slots=True)
class Detect(Core):
    """What a detector says of `value`: whether it finds something, or for injection its score. `detector` is
    plain data that says which one; see `guardrails.runtime.content`."""

    detector: tuple[object, ...]
    value: Core


@dataclass(frozen=True, slots=True)
class Conforms(Core):
    """`value` follows a JSON Schema; if not, an error that tells every violation. For a text: the JSON in it.
    `schema` is the schema's own text."""

    value: Core
    schema: str


_PARTS: dict[type, tuple[str, ...]] = {}


def _parts(node: Core) -> tuple[str, ...]:
    """The fields of a kind of node that can hold other nodes."""
    kind = type(node)
    if kind not in _PARTS:
        _PARTS[kind] = tuple(part.name for part in fields(node) if part.name not in ("span", "type"))
    return _PARTS[kind]


def children(node: Core) -> Iterator[Core]:
    """The direct parts of a node."""
    for name in _parts(node):
        value = getattr(node, name)
        if isinstance(value, Core):
            yield value
        elif isinstance(value, tuple):
            for item in value:
                parts = item if isinstance(item, tuple) else (item,)
                yield from (inner for inner in parts if isinstance(inner, Core))


def unbound(node: Core) -> frozenset[str]:
    """The variables that a node takes from around it."""
    if isinstance(node, Var):
        return frozenset({node.name})
    if isinstance(node, Bind):
        return unbound(node.value) | (unbound(node.body) - {node.variable})
    if isinstance(node, Each):
        inside = [unbound(part) for part in (node.where, node.body) if part is not None]
        return unbound(node.collection) | (frozenset().union(*inside) - {node.variable})
    free: frozenset[str] = frozenset().union(*map(unbound, children(node)))
    return free - {node.variable} if isinstance(node, Recall) else free


def walk(node: Core) -> Iterator[Core]:
    """The node and everything below it, parents first."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += reversed(list(children(here)))
