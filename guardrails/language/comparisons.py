"""Comparisons and tests: both sides are brought to one type, or it is an error of the policy.

Two values of different kinds never compare: what can be seen here is reported, the rest errs at run time.
"""

from __future__ import annotations

from decimal import Decimal

from guardrails.diagnostics import did_you_mean
from guardrails.language import core, labels, syntax
from guardrails.language import types as t
from guardrails.language.expressions import (
    FAULTY,
    Typer,
    convert,
    described,
    field_of,
    fits,
    may_be_absent,
    narrow,
    with_article,
)
from guardrails.language.scope import Scope

ORDERINGS = frozenset({"<", "<=", ">", ">="})
FLOAT_DIGITS = 15
"""Decimals of up to 15 significant digits survive the way through a float and back."""


def lower_comparison(typer: Typer, node: syntax.Comparison, scope: Scope) -> core.Core:
    if node.op in {"is", "has"} or labels.is_origin(node.left) or labels.is_context(node.left):
        return labels.lower_test(typer, node, scope)
    left, right = typer.lower(node.left, scope), typer.lower(node.right, scope)
    if FAULTY in (left.type, right.type):
        return core.Const(node.span, FAULTY, None)
    found = (
        _TESTS[node.op](typer, node, left, right) if node.op in _TESTS else _compare(typer, node, left, right)
    )
    if node.negated and found.type != FAULTY:
        return core.Negation(node.span, t.BOOL, found)
    return found


# --- == != < <= > >= ---------------------------------------------------------------------------


def _compare(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    if t.NULL in (left.type, right.type):
        return _null(typer, node, left, right)
    left, right = _united(typer, left, right)
    if FAULTY in (left.type, right.type):
        return core.Const(node.span, FAULTY, None)
    problem = _impossible(node, left, right)
    if problem:
        return typer.report(problem[0], problem[1], node.span, problem[2])
    if node.op in ORDERINGS and not isinstance(left.type, t.SetOf) and t.ANY in (left.type, right.type):
        left, right = typer.expect(left, t.DECIMAL), typer.expect(right, t.DECIMAL)
    return core.Compare(node.span, t.BOOL, node.op, left, right, _mode(left, right))


def _null(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    value = left if right.type == t.NULL else right
    if node.op in ORDERINGS or not may_be_absent(value):
        return typer.report(
            "impossible-comparison", "only a field can be compared with `null`, by `==` or `!=`", node.span
        )
    present = core.Present(node.span, t.BOOL, value)
    return present if node.op == "!=" else core.Negation(node.span, t.BOOL, present)


def _united(typer: Typer, left: core.Core, right: core.Core) -> tuple[core.Core, core.Core]:
    """Both sides as one type, as far as a conversion says nothing new."""
    if left.type == t.ANY and right.type not in (t.ANY, t.DURATION, t.SIZE, t.TIME, t.PERCENT):
        return _narrowed(left, right.type), right
    if right.type == t.ANY and left.type not in (t.ANY, t.DURATION, t.SIZE, t.TIME, t.PERCENT):
        return left, _narrowed(right, left.type)
    if left.type in t.CANONICAL and t.is_textual(right.type) and right.type not in t.CANONICAL:
        return left, convert(typer, right, left.type)
    if right.type in t.CANONICAL and t.is_textual(left.type) and left.type not in t.CANONICAL:
        return convert(typer, left, right.type), right
    if isinstance(left.type, t.SetOf | t.ListOf) and isinstance(right.type, t.SetOf | t.ListOf):
        left, right = _with_like_items(typer, left, right)
    if isinstance(left.type, t.SetOf) and isinstance(right.type, t.ListOf):
        return left, core.Invoke(right.span, t.SetOf(right.type.item), "set", (right,))
    if isinstance(right.type, t.SetOf) and isinstance(left.type, t.ListOf):
        return core.Invoke(left.span, t.SetOf(left.type.item), "set", (left,)), right
    return left, right


def _with_like_items(typer: Typer, left: core.Core, right: core.Core) -> tuple[core.Core, core.Core]:
    """Where one collection holds canonical values and the other texts, the texts are read as well."""
    a, b = t.item_of(left.type), t.item_of(right.type)
    if a in t.CANONICAL and b not in t.CANONICAL and t.is_textual(b):
        return left, _converted(typer, right, a)
    if b in t.CANONICAL and a not in t.CANONICAL and t.is_textual(a):
        return _converted(typer, left, b), right
    return left, right


def _narrowed(value: core.Core, kind: t.Type) -> core.Core:
    if isinstance(kind, t.Record | t.MapOf | t.ListOf | t.Money):
        return value
    if isinstance(kind, t.Enum):
        return narrow(value, t.STRING)
    return narrow(value, t.DECIMAL if kind == t.INT else kind)


def _impossible(node: syntax.Comparison, left: core.Core, right: core.Core) -> tuple[str, str, str] | None:
    """Rule, message and help where the two can never be compared."""
    a, b = left.type, right.type
    ordering = node.op in ORDERINGS
    if t.PATTERN in (a, b):
        return (
            "impossible-comparison",
            "a pattern cannot be compared",
            "to match a text write `... matches /.../`",
        )
    if isinstance(a, t.Enum) or isinstance(b, t.Enum):
        choice = _no_choice(left, right)
        if choice:
            return choice
    if isinstance(a, t.SetOf) and isinstance(b, t.SetOf):
        return None if _comparable(a.item, b.item) else _mismatch(left, right)
    units = (
        {a, b} & {t.DURATION, t.SIZE, t.TIME, t.PERCENT} or isinstance(a, t.Money) or isinstance(b, t.Money)
    )
    if units and (t.ANY in (a, b) or not _comparable(a, b)):
        return _unit_mismatch(left, right)
    if not _comparable(a, b):
        return _mismatch(left, right)
    if ordering and not (a in t.ORDERED or a == t.ANY or isinstance(a, t.Money)):
        return "impossible-comparison", f"{with_article(a)} has no order, so `{node.op}` says nothing", ""
    return None


def _comparable(a: t.Type, b: t.Type) -> bool:
    if a == b or t.ANY in (a, b) or {a, b} <= t.NUMERIC:
        return True
    if t.is_textual(a) and t.is_textual(b):
        return a not in t.CANONICAL and b not in t.CANONICAL
    if isinstance(a, t.Money) and isinstance(b, t.Money):
        return fits(a, b) or fits(b, a)
    if isinstance(a, t.ListOf) and isinstance(b, t.ListOf):
        return _comparable(a.item, b.item)
    return isinstance(a, t.Record | t.MapOf) and isinstance(b, t.Record | t.MapOf)


def _mismatch(left: core.Core, right: core.Core) -> tuple[str, str, str]:
    return (
        "impossible-comparison",
        f"{described(left)} and cannot be compared with {with_article(right.type)}",
        _cure(left, right),
    )


def _cure(left: core.Core, right: core.Core) -> str:
    text, number = (left, right) if left.type == t.STRING else (right, left)
    if isinstance(text, core.Const) and number.type in t.NUMERIC and _is_number(str(text.value)):
        return f"write the number without quotes: `{text.value}`"
    if {left.type, right.type} & t.NUMERIC and isinstance(text, core.Load):
        return f"if the text holds a number, write `number({text.where})`"
    if isinstance(right.type, t.SetOf | t.ListOf):
        return "for an element of a collection write `in`"
    return ""


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("_", "").lstrip("-").isdigit()


_EXAMPLES: dict[t.Type, str] = {t.DURATION: "* 1s", t.SIZE: "* 1KB"}


def _unit_mismatch(left: core.Core, right: core.Core) -> tuple[str, str, str]:
    plain, unit = (left, right) if left.type in (*t.NUMERIC, t.ANY) else (right, left)
    help = ""
    if plain.type in (*t.NUMERIC, t.ANY):
        example = _EXAMPLES.get(unit.type)
        subject = plain.where if isinstance(plain, core.Load) else "..."
        if example:
            help = f"a plain number has no unit; give it one: `{subject} {example}`"
        elif unit.type == t.PERCENT:
            help = "compare it with a fraction: 50% is `0.5`"
        elif unit.type == t.TIME:
            help = f"read it as a time: `time({subject})`"
        elif isinstance(unit.type, t.Money):
            help = f"say which currency it is in: `money({subject}, ...)`"
    return "unit-mismatch", f"{described(left)} and cannot be compared with {with_article(right.type)}", help


def _no_choice(left: core.Core, right: core.Core) -> tuple[str, str, str] | None:
    choice, other = (left, right) if isinstance(left.type, t.Enum) else (right, left)
    assert isinstance(choice.type, t.Enum)
    if not isinstance(other, core.Const) or other.type != t.STRING or other.value in choice.type.values:
        return None
    listed = ", ".join(f"`{value}`" for value in choice.type.values)
    help = did_you_mean(str(other.value), choice.type.values) or f"its values are {listed}"
    return "impossible-comparison", f"{described(choice)} and is never `{other.value}`", help


def _mode(left: core.Core, right: core.Core) -> core.Mode:
    a, b = left.type, right.type
    if isinstance(a, t.Money):
        return "money"
    if isinstance(a, t.SetOf):
        return "set"
    if a in t.NUMERIC and b in t.NUMERIC:
        return "raw" if _is_raw(left, right) or _is_raw(right, left) else "exact"
    if t.ANY in (a, b) or isinstance(a, t.ListOf | t.MapOf | t.Record):
        return "dynamic"
    if {a, b} & {t.DURATION, t.TIME, t.SIZE, t.PERCENT} and not (_is_int(left) and _is_int(right)):
        return "exact"
    return "plain"


def _is_int(value: core.Core) -> bool:
    """Durations, times and sizes are whole microseconds or bytes, unless they were scaled."""
    return not (isinstance(value, core.Compute) and value.exact) and value.type != t.PERCENT


def _is_raw(value: core.Core, constant: core.Core) -> bool:
    if not isinstance(value, core.Load) or not isinstance(constant, core.Const):
        return False
    if isinstance(constant.value, int):
        return abs(constant.value) < 2**53
    if not isinstance(constant.value, Decimal):
        return False
    digits = constant.value.as_tuple()
    return len(digits.digits) <= FLOAT_DIGITS and abs(constant.value.adjusted()) < 200


# --- in, contains, matches, like, within -------------------------------------------------------


def _in(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    return _element(typer, node, left, right, "in")


def _contains(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    if right.type == t.PATTERN:
        return core.Test(node.span, t.BOOL, "finds", _as_text(typer, left), right)
    if t.is_textual(left.type):
        return core.Test(node.span, t.BOOL, "contains", _as_text(typer, left), typer.expect(right, t.STRING))
    if left.type == t.ANY:
        return core.Test(node.span, t.BOOL, "contains", left, right)
    return _element(typer, node, right, left, "in")


def _element(typer: Typer, node: syntax.Comparison, item: core.Core, whole: core.Core, op: str) -> core.Core:
    if t.is_textual(whole.type):
        return typer.report(
            "impossible-comparison", f"{described(whole)}, not a collection", node.span,
            "for a part of a text write `... contains ...`",
        )  # fmt: skip
    if whole.type == t.ANY and item.type in t.CANONICAL:
        whole = narrow(whole, t.ListOf(t.STRING))
    if whole.type == t.ANY:
        return core.Test(node.span, t.BOOL, op, item, whole)
    if not isinstance(whole.type, t.ListOf | t.SetOf | t.MapOf):
        return typer.report("impossible-comparison", f"{described(whole)}, not a collection", node.span)
    return _typed_element(typer, node, item, whole, op)


def _typed_element(
    typer: Typer, node: syntax.Comparison, item: core.Core, whole: core.Core, op: str
) -> core.Core:
    inner = t.item_of(whole.type)
    if isinstance(item.type, t.SetOf | t.ListOf):
        return typer.report(
            "impossible-comparison", f"{described(item)} and is never an element of {with_article(whole.type)}", node.span,
            "to say that all of its elements are in the other write `<=`",
        )  # fmt: skip
    if item.type in t.CANONICAL and t.is_textual(inner):
        whole = _converted(typer, whole, item.type)
    elif inner in t.CANONICAL and t.is_textual(item.type):
        item = convert(typer, item, inner)
    elif item.type == t.ANY and inner != t.ANY:
        item = _narrowed(item, inner)
    elif not _comparable(item.type, inner):
        return typer.report(
            "impossible-comparison",
            f"{described(item)} and is never an element of {with_article(whole.type)}",
            node.span,
        )
    if isinstance(item.type, t.Enum) and isinstance(whole, core.Const) and isinstance(whole.value, frozenset):
        for value in sorted(map(str, whole.value - set(item.type.values))):
            typer.report(
                "impossible-comparison", f"{described(item)} and is never `{value}`", whole.span,
                did_you_mean(value, item.type.values),
            )  # fmt: skip
    return core.Test(node.span, t.BOOL, op, item, whole)


def _converted(typer: Typer, whole: core.Core, kind: t.Type) -> core.Core:
    """A collection of texts as a collection of canonical values."""
    if isinstance(whole, core.Const) and isinstance(whole.value, frozenset | tuple):
        for value in whole.value:
            convert(typer, core.Const(whole.span, t.STRING, value), kind)
        return core.Const(whole.span, t.SetOf(kind), frozenset(whole.value))
    variable = typer.fresh("each")
    element = core.Var(whole.span, t.STRING, variable)
    return core.Each(
        whole.span, t.ListOf(kind), "list", variable, whole, None, core.Convert(whole.span, kind, element)
    )


def _as_text(typer: Typer, value: core.Core) -> core.Core:
    """A text to be searched; canonical values by their canonical form."""
    if value.type in t.CANONICAL and value.type not in (t.SQL, t.SHELL, t.WINDOW):
        return field_of(typer, value, "text", value.span)
    return typer.expect(value, t.STRING, "a text")


def _matches(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    if right.type != t.PATTERN or not isinstance(right, core.Const):
        return typer.report(
            "wrong-type",
            f"`{node.op}` needs a pattern on its right",
            right.span,
            "write the pattern between slashes: `/[a-z]+/`",
        )
    return core.Test(node.span, t.BOOL, "matches", _as_text(typer, left), right)


def _like(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    if not isinstance(right, core.Const) or right.type != t.STRING:
        return typer.report(
            "wrong-type", "`like` needs a constant text on its right", right.span, 'such as `"*.md"`'
        )
    return core.Test(node.span, t.BOOL, "like", _as_text(typer, left), right)


_WITHIN: dict[t.Type, t.Type] = {t.PATH: t.PATH, t.IP: t.CIDR, t.TIME: t.WINDOW}


def _within(typer: Typer, node: syntax.Comparison, left: core.Core, right: core.Core) -> core.Core:
    kind = left.type if left.type in _WITHIN else None
    if kind is None:
        kind = next((inner for inner, outer in _WITHIN.items() if outer == right.type), t.PATH)
    if not (left.type in (kind, t.ANY) or t.is_textual(left.type)):
        return typer.report(
            "wrong-type",
            f"{described(left)}, but `within` needs a path, an ip or a time on its left",
            node.span,
        )
    left = typer.expect(left, kind)
    right = typer.expect(right, _WITHIN[kind])
    if FAULTY in (left.type, right.type):
        return core.Const(node.span, FAULTY, None)
    return core.Test(node.span, t.BOOL, "within", left, right)


_TESTS = {"in": _in, "contains": _contains, "matches": _matches, "like": _like, "within": _within}
