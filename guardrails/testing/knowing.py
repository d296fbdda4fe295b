"""What a policy looks at, and around which values it changes its mind: a checked policy in, `Fields` out.

The idea: a condition can only turn at the constants that it names. So an event made of those constants, of
their neighbours and of whatever else the fixtures hold finds the edges of a policy faster than chance does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Checked, Lowered, Meaning, Rule
from guardrails.language.checker import Lowering
from guardrails.language.compiler import Compiler

Path: TypeAlias = tuple[str, ...]
"""Where a value lies in an event: `("args", "amount")`, `("text",)`, `("principal", "tier")`."""

Value: TypeAlias = Any


@dataclass(slots=True)
class Fields:
    """The values that are worth trying, for each place that the statements of a tool read."""

    values: dict[Path, list[Value]] = field(default_factory=dict)

    def add(self, path: Path, found: Iterable[Value]) -> None:
        known = self.values.setdefault(path, [])
        known += [value for value in found if not _is_in(value, known)]


def _is_in(value: Value, known: list[Value]) -> bool:
    return any(value == each and value.__class__ is each.__class__ for each in known)


def fields_of(forms: Iterable[Lowered]) -> Fields:
    """What these statements read, with the values around their constants."""
    found = Fields()
    for form in forms:
        for node in cores_of(form):
            _look(node, found)
        for pattern, paths in _patterns_of(form.meaning):
            for path in paths:
                found.add(path, examples_of(pattern))
    return found


POINTS = ("call", "result", "input", "output")


def places_of(checked: Checked) -> list[tuple[str, str | None]]:
    """The points, each with a tool or None, of which a policy says something. A wildcard that no described tool
    fits stands for a made-up one that does."""
    lowering = Lowering(checked)
    found = {
        (rule.block.point, name): None
        for rule in checked.rules
        if rule.block.point in POINTS
        for name in _subjects(lowering, rule)
    }
    return sorted(found, key=lambda place: (POINTS.index(place[0]), place[1] or ""))


def _subjects(lowering: Lowering, rule: Rule) -> list[str | None]:
    """The tools of a rule; None where it is about a text."""
    if rule.block.point in ("input", "output"):
        return [None]
    found = [tool for tool in lowering.subjects(rule) if tool is not None]
    made_up = [pattern.text.replace("*", "x") for pattern in rule.block.tools if pattern.is_wildcard]
    described = any(tool in lowering.checked.tools for tool in found)
    return [*found, *([] if described else made_up)]


def forms_of(checked: Checked, point: str, tool: str | None) -> list[Lowered]:
    """The statements at a point for a tool, as the checker lowers them, in the order of the policy."""
    compiler = Compiler(checked)
    found = [compiler.lowering.lower(rule, tool) for rule in compiler.rules_for(point, tool)]
    return [form for form in found if form is not None]


def complete(checked: Checked) -> None:
    """Keep what every rule means for every tool that it names; of tools that no file describes the checker keeps
    nothing."""
    lowering = Lowering(checked)
    for rule in checked.rules:
        for tool in lowering.subjects(rule):
            form = lowering.lower(rule, tool)
            if form is not None:
                checked.forms.setdefault((rule.index, tool), form)


def cores_of(form: Lowered) -> Iterator[core.Core]:
    """All expressions of a statement, with everything below them."""
    for whole in wholes_of(form):
        yield from core.walk(whole)


def wholes_of(form: Lowered) -> Iterator[core.Core]:
    """The expressions of a statement."""
    yield from _inside(form.condition)
    yield from _inside(form.meaning)


def _inside(value: object) -> Iterator[core.Core]:
    if isinstance(value, core.Core):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _inside(item)
    elif is_dataclass(value) and not isinstance(value, type) and type(value).__module__.endswith("checked"):
        for part in fields(value):
            if part.name != "rule":
                yield from _inside(getattr(value, part.name))


# --- the constants of one node -----------------------------------------------------------------


def _look(node: core.Core, found: Fields) -> None:
    match node:
        case core.Load():
            found.add(_path(node), _of_type(node.type))
        case core.Compare(left=left, right=right) | core.Test(left=left, right=right):
            op = node.op if isinstance(node, core.Test) else ""
            for one, other in ((left, right), (right, left)):
                for constant in core.walk(other):
                    if isinstance(constant, core.Const):
                        _near(one, constant, op, found)


def _path(node: core.Load) -> Path:
    return (node.root, *node.path)


def _near(subject: core.Core, constant: core.Const, op: str, found: Fields) -> None:
    """Values around a constant, for every field that the other side reads."""
    for load in core.walk(subject):
        if isinstance(load, core.Load):
            found.add(
                _path(load), [_fitting(v, load.type) for v in _values_near(constant.value, load.type, op)]
            )


def _fitting(value: Value, kind: t.Type) -> Value:
    """A host as an address or link of it, where that is what the field holds."""
    if isinstance(value, str) and kind == t.EMAIL and "@" not in value:
        return f"someone@{value}"
    return f"https://{value}/" if isinstance(value, str) and kind == t.URL and ":" not in value else value


def _values_near(value: object, kind: t.Type, op: str) -> list[Value]:
    if op in ("matches", "finds", "like") and isinstance(value, str):
        return examples_of(value) if op != "like" else [value.replace("*", "a").replace("?", "a")]
    if isinstance(value, frozenset | tuple | list):
        return sorted((plain(each) for each in value), key=repr)[:8]
    if isinstance(value, bool):
        return [value, not value]
    if isinstance(value, int | Decimal):
        return numbers_near(value, kind)
    return [plain(value)] if isinstance(value, str) else []


def numbers_near(value: int | Decimal, kind: t.Type) -> list[Value]:
    """The number, and its neighbours on both sides."""
    step = Decimal(1) if kind == t.INT else Decimal("0.01")
    return [plain(value), plain(value + step), plain(value - step)]


def plain(value: object) -> Value:
    """A constant as it would stand in an event's JSON."""
    if isinstance(value, Decimal):
        whole = int(value)
        return whole if whole == value else float(value) if Decimal(repr(float(value))) == value else value
    return value if isinstance(value, str | int | float | bool) else str(getattr(value, "text", value))


def _of_type(kind: t.Type) -> list[Value]:
    if isinstance(kind, t.Enum):
        return list(kind.values)
    return [True, False] if kind == t.BOOL else []


def examples_of(pattern: str) -> list[Value]:
    """A short text in which a pattern finds something; none where that cannot be made up."""
    try:
        from hypothesis import HealthCheck, Phase, find, settings
        from hypothesis.strategies import from_regex
    except ImportError:
        return []
    quiet = settings(
        database=None, derandomize=True, max_examples=50, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate], deadline=None,
    )  # fmt: skip
    try:
        found = find(from_regex(pattern, fullmatch=True), _is_printable, settings=quiet)
    except Exception:  # a pattern in a dialect of its own, or one that nothing printable fits
        return []
    return [found]


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _patterns_of(meaning: Meaning) -> Iterator[tuple[str, list[Path]]]:
    """Patterns of redactions, with where they look; where they look everywhere, nothing is said."""
    pattern = getattr(meaning, "pattern", None)
    if isinstance(pattern, str):
        paths = getattr(meaning, "paths", ()) or ((),)
        yield pattern, [("payload", *path) for path in paths]


ROOTS = {"call": "args", "result": "result", "input": "text", "output": "text"}
"""Where the payload of an event lies."""


def known_of(checked: Checked, point: str, tool: str | None) -> Fields:
    """What the statements at a point read of an event, by the places in it. Lists are not looked into."""
    found = Fields()
    for (root, *rest), values in fields_of(forms_of(checked, point, tool)).values.items():
        path = (ROOTS[point] if root == "payload" else root, *rest)
        if "*" not in path and path[0] in ("args", "result", "text", "principal", "agent"):
            found.add(path, values)
    return found
