"""What a value must look like that nobody described: the statements that read it in, its `Shape` out.

A tool without a schema, a principal without a type: all that is known of them is how the policy reads them. A
field that is compared with 100 is a number, a list over whose items `all` runs has items, and what is read as
an address holds one. So each expression is followed down to the places that it reads, and leaves there the
values at which it turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Change, Checked, Lowered
from guardrails.testing.guessing_values import (
    detectable,
    lengths_near,
    others_of,
    plain_of,
    through_function,
    through_property,
    times_near,
    values_near,
)
from guardrails.testing.knowing import ROOTS, Fields, Path, examples_of, known_of, wholes_of
from guardrails.testing.sampling import sample_event

MOST_VARIANTS = 16
"""Elements of a list that are tried, one at a time."""


@dataclass(slots=True)
class Shape:
    """A place in an event: the type that it is read as, the values worth trying there, and what lies in it.
    `item` is the shape of elements, `sizes` how many of them matter."""

    type: t.Type = t.ANY
    values: list[Any] = field(default_factory=list)
    fields: dict[str, Shape] = field(default_factory=dict)
    item: Shape | None = None
    sizes: list[int] = field(default_factory=list)

    def at(self, *path: str) -> Shape:
        """The shape of a field, which is there from now on; `*` are elements."""
        here = self
        for name in path:
            here = here.element() if name == "*" else here.fields.setdefault(name, Shape())
        return here

    def element(self) -> Shape:
        if self.item is None:
            self.item = Shape()
        return self.item

    def read_as(self, kind: t.Type) -> None:
        """What it is read as; the most special type is the one that counts."""
        if self.type in (t.ANY, t.STRING, t.DECIMAL) and kind != t.ANY:
            self.type = kind
        if isinstance(kind, t.ListOf | t.SetOf):
            self.element().read_as(kind.item)
        elif kind == t.COLLECTION:
            self.element()

    def add(self, found: Iterable[Any]) -> None:
        known = {repr(value) for value in self.values}
        self.values += [value for value in found if repr(value) not in known]


Env: TypeAlias = Mapping[str, Shape | None]


def shapes_of(forms: Iterable[Lowered], root: str) -> dict[str, Shape]:
    """The shape of each root that these statements read; `root` is where their payload lies."""
    reading = _Reading(root)
    for form in forms:
        for node in wholes_of(form):
            reading.read(node, {})
        if isinstance(form.meaning, Change):
            reading.change(form.meaning)
    return reading.roots


class _Reading:
    """Follows expressions to the places that they read."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.roots: dict[str, Shape] = {}

    def shape(self, root: str) -> Shape:
        if root == "row":
            return self.shape(self.root).element()
        return self.roots.setdefault(self.root if root == "payload" else root, Shape())

    # --- expressions ---------------------------------------------------------------------------

    def read(self, node: core.Core, env: Env) -> None:
        """Leave what an expression tells at the places that it reads."""
        self.place(node, env)
        match node:
            case core.Each():
                around = self.place(node.collection, env)
                if around is not None:
                    around.element()
                inner = {**env, node.variable: around.element() if around else None}
                self.read(node.collection, env)
                for part in (node.where, node.body):
                    if part is not None:
                        self.read(part, inner)
                return
            case core.Bind():
                self.read(node.value, env)
                self.read(node.body, {**env, node.variable: self.place(node.value, env)})
                return
            case core.Compare() | core.Test():
                op = node.op if isinstance(node, core.Test) else ""
                self.compared(node.left, node.right, op, env)
                self.compared(node.right, node.left, "", env)
            case core.Invoke(function=function, arguments=arguments) if arguments:
                shape = self.place(arguments[0], env)
                if shape is not None:
                    shape.add(
                        through_function(
                            function, [each for each in arguments[1:] if isinstance(each, core.Const)]
                        )
                    )
            case core.Detect():
                shape = self.place(node.value, env)
                if shape is not None:
                    shape.add(detectable(node.detector))
        for part in core.children(node):
            self.read(part, env)

    def place(self, node: core.Core, env: Env) -> Shape | None:
        """The place that an expression is the value of; None where it is something made of it."""
        match node:
            case core.Load(root=root, path=path) if root not in ("now", "tool", "session"):
                shape: Shape | None = self.shape(root).at(*path)
            case core.Var(name=name):
                shape = env.get(name)
            case core.Field(base=base, name=name):
                around = self.place(base, env)
                shape = None if around is None else around.at(name)
            case core.Item(base=base, key=core.Const(value=str(name))):
                around = self.place(base, env)
                shape = None if around is None else around.at(name)
            case core.Narrow(value=value) | core.Convert(value=value) | core.Fallback(value=value):
                shape = self.place(value, env)
            case core.Bind(variable=variable, value=value, body=body):
                shape = self.place(body, {**env, variable: self.place(value, env)})
            case _:
                return None
        if shape is not None:
            shape.read_as(node.type)
        return shape

    def compared(self, one: core.Core, other: core.Core, op: str, env: Env) -> None:
        """Values around a constant, at the place that the other side is made of."""
        if not isinstance(other, core.Const):
            return
        shape = self.place(one, env)
        if shape is not None:
            if op == "contains":
                shape.element().add(values_near(other.value, shape.element().type, ""))
            else:
                shape.add(values_near(other.value, shape.type, op))
            return
        for inner, values in self.behind(one, other, op, env):
            inner.add(values)

    def behind(
        self, one: core.Core, other: core.Const, op: str, env: Env
    ) -> Iterator[tuple[Shape, list[Any]]]:
        """Places that something was made of, with values that make what the constant is."""
        match one:
            case core.Property(base=base, name=name):
                shape = self.place(base, env)
                if shape is not None:
                    yield shape, through_property(base.type, name, values_near(other.value, one.type, op))
            case core.Invoke(function="count" | "length", arguments=(argument,)):
                yield from self.sized(self.place(argument, env), argument.type, other)
            case core.Each(kind="count"):
                yield from self.sized(self.place(one.collection, env), t.COLLECTION, other)
            case core.Each(body=body) if body is not None:
                around = self.place(one.collection, env)
                inner = self.place(body, {**env, one.variable: around.element() if around else None})
                if inner is not None:
                    yield inner, values_near(other.value, inner.type, op)
            case core.Invoke(function=function, arguments=(first, *_)):
                shape = self.place(first, env)
                if shape is not None:
                    yield shape, through_function(function, [other])
                else:
                    yield from self.behind(first, other, op, env)
            case core.Compute(operands=operands):
                yield from self.computed(operands, other, op, env)

    def sized(
        self, shape: Shape | None, kind: t.Type, other: core.Const
    ) -> Iterator[tuple[Shape, list[Any]]]:
        """A length: of a text, texts; of a list, how many elements it should have."""
        if shape is None or not isinstance(other.value, int):
            return
        if t.is_textual(kind):
            yield shape, ["a" * size for size in lengths_near(other.value)]
        else:
            shape.element()
            shape.sizes += [size for size in lengths_near(other.value) if size not in shape.sizes]

    def computed(
        self, operands: tuple[core.Core, ...], other: core.Const, op: str, env: Env
    ) -> Iterator[tuple[Shape, list[Any]]]:
        """A sum or the like; where it is about the time now, times that far from it."""
        has_now = any(isinstance(each, core.Load) and each.root == "now" for each in operands)
        for operand in operands:
            for node in core.walk(operand):
                shape = self.place(node, env)
                if shape is not None:
                    near = times_near(other.value) if has_now else values_near(other.value, shape.type, op)
                    yield shape, near
                    break

    # --- changes -------------------------------------------------------------------------------

    def change(self, change: Change) -> None:
        """What a change of the payload is about: something that it changes, and something that it does not."""
        payload = self.shape(self.root)
        if change.kind == "only rows":
            payload.element()
            return
        examples = [] if change.pattern is None else examples_of(change.pattern)
        if change.detector is not None:
            examples = detectable(change.detector)
        for path in change.paths or ((),):
            around = payload if payload.item is None else payload.item
            place = payload if self.root == "text" else around.at(*(path or ("note",)))
            place.add(examples)
        if change.kind in ("only fields", "drop fields"):
            payload.at("other").add(["a"])


# --- where a search begins ---------------------------------------------------------------------


def beginning_of(
    checked: Checked, point: str, tool: str | None, forms: Iterable[Lowered]
) -> tuple[Fields, list[dict[str, Any]]]:
    """What is worth trying at a point for a tool, and events to begin with: one of values that the policy names, and
    one of which it says nothing. What is described is as its description says; the rest is as these statements
    read it."""
    known = known_of(checked, point, tool)
    event = sample_event(checked, point, tool, known)
    quiet = dict(event)
    for root, shape in shapes_of(forms, ROOTS[point]).items():
        if root not in ("args", "result", "text", "principal", "agent"):
            continue
        if not is_described(checked, root, tool):
            known.values = {path: values for path, values in known.values.items() if path[0] != root}
            if shape.fields or shape.item is not None or shape.values:
                event[root], quiet[root] = sample_of(shape), quiet_of(shape)
        for path, values in tried_at(shape, (root,)):
            known.add(path, values)
    return known, [event, quiet]


def is_described(checked: Checked, root: str, tool: str | None) -> bool:
    if root in ("principal", "agent"):
        kind = checked.principal if root == "principal" else checked.agent
        return isinstance(kind, t.Record) and bool(kind.fields)
    described = checked.tools.get(tool) if tool is not None else None
    if root == "args":
        return described is not None
    return root == "result" and described is not None and described.result != t.ANY


# --- values of a shape -------------------------------------------------------------------------


def sample_of(shape: Shape) -> Any:
    """A value of this shape that the policy names, as far as it names any."""
    return _made(shape, lambda leaf: leaf.values[0] if leaf.values else plain_of(leaf.type))


def quiet_of(shape: Shape) -> Any:
    """A value of this shape that the policy says nothing of."""
    return _made(shape, lambda leaf: plain_of(leaf.type))


def _made(shape: Shape, leaf: Callable[[Shape], Any]) -> Any:
    if shape.fields:
        return {name: _made(inner, leaf) for name, inner in shape.fields.items()}
    return leaf(shape) if shape.item is None else [_made(shape.item, leaf)]


def tried_at(shape: Shape, path: Path) -> Iterator[tuple[Path, list[Any]]]:
    """The places in a shape, each with the values that are worth trying there."""
    if shape.fields:
        for name, inner in shape.fields.items():
            yield from tried_at(inner, (*path, name))
    elif shape.item is not None:
        elements = list(_variants(shape.item))[:MOST_VARIANTS]
        several = [elements[:2]] if len(elements) > 1 else []
        sized = [[elements[0]] * size for size in shape.sizes]
        yield path, [*([each] for each in elements), [], *several, *sized]
    else:
        yield path, _tried(shape)


def _tried(leaf: Shape) -> list[Any]:
    """What the policy names, and something that it does not."""
    found = [*leaf.values, plain_of(leaf.type), *others_of(leaf.type)]
    return [value for index, value in enumerate(found) if repr(value) not in map(repr, found[:index])]


def _variants(shape: Shape) -> Iterator[Any]:
    """Elements: the plain one, and those that differ from it in one thing."""
    whole = sample_of(shape)
    yield whole
    for path, values in tried_at(shape, ()):
        for value in values:
            if repr(value) != repr(_at(whole, path)):
                yield _changed(whole, path, value)


def _at(whole: Any, path: Path) -> Any:
    return whole if not path else _at(whole[path[0]], path[1:])


def _changed(whole: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    return {**whole, path[0]: _changed(whole[path[0]], path[1:], value)}


# --- as a type ---------------------------------------------------------------------------------


def type_of(shape: Shape) -> t.Type:
    """The type of what has this shape."""
    if shape.fields:
        return t.Record("", tuple(t.Field(name, type_of(inner)) for name, inner in shape.fields.items()))
    return shape.type if shape.item is None else t.ListOf(type_of(shape.item))


def leaves_of(shape: Shape, path: Path) -> Iterator[tuple[Path, list[Any]]]:
    """The places without parts, elements as `*`, with the values that the policy names there."""
    if shape.fields:
        for name, inner in shape.fields.items():
            yield from leaves_of(inner, (*path, name))
    elif shape.item is not None:
        yield from leaves_of(shape.item, (*path, "*"))
    else:
        yield path, shape.values
