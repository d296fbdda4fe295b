"""Expressions of the checked tree, as Python `ast` nodes.

Every emitted node carries the policy's own line and columns, so that a traceback points into the policy.
Fields of the event are loaded ahead into local variables (`loads`), where something missing or mistyped
is a poison; whatever comes from inside a list or a map is checked where it is used.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

from guardrails import patterns
from guardrails.diagnostics import Span
from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.builtins import COMMAND
from guardrails.patterns.globs import plan_glob

OPERATORS: dict[str, ast.cmpop] = {
    "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(),
}  # fmt: skip
ARITHMETIC: dict[str, ast.operator] = {
    "+": ast.Add(), "-": ast.Sub(), "|": ast.BitOr(), "&": ast.BitAnd(),
}  # fmt: skip
EXACT = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "remainder", "neg": "negate"}
HEAVY = (core.Invoke, core.HostCall, core.Convert, core.Each, core.Bind, core.Detect, core.Conforms)
FOLDS = {"count": "count_of", "sum": "total", "min": "smallest", "max": "largest"}


class Emission:
    """Emits the expressions of one function.

    `constants` collects what is bound ahead (patterns, canonical values, decimals) as plain data, and
    `loads` the fields that the function's prologue fetches. A closed, costly expression that stands in
    several places is evaluated once.
    """

    def __init__(self, whole: Iterable[core.Core], constants: dict[object, str]) -> None:
        self.loads: dict[core.Load, str] = {}
        self.memos: dict[core.Core, str] = {}
        self.recalls: dict[core.Recall, int] = {}
        self.uses_host = False
        self._constants = constants
        self._nested = 0
        counts = Counter(node for part in whole for node in core.walk(part) if isinstance(node, HEAVY))
        self._repeated = {node for node, count in counts.items() if count > 1 and _is_closed(node)}

    def emit(self, node: core.Core) -> ast.expr:
        """`node` as an expression that gives a value of its type, or raises."""
        if node in self._repeated and not self._nested:
            return self._memoised(node)
        return _EMITTERS[type(node)](self, node)

    def constant(self, description: object) -> ast.expr:
        """A name for a constant that is made when the program is loaded; see `runtime.constants`."""
        return ast.Name(self._constants.setdefault(description, f"k{len(self._constants)}"), ast.Load())

    def load(self, node: core.Load) -> ast.expr:
        """The local variable of a field; it may hold a poison."""
        name = self.loads.setdefault(node, f"v{len(self.loads)}")
        return at(ast.Name(name, ast.Load()), node.span)

    def raw(self, node: core.Core) -> ast.expr:
        """A field that may be a poison, for `has` and `else`."""
        if isinstance(node, core.Load):
            return self.load(node)
        if isinstance(node, core.Field):
            return call("field", [self.emit(node.base), ast.Constant(node.name)], node.span)
        if isinstance(node, core.Happened):
            return at(ast.Attribute(self.emit(node.event), node.name, ast.Load()), node.span)
        if isinstance(node, core.Recall):
            return _recalled(self, node)
        assert isinstance(node, core.Item)
        return _item(self, node)

    def nested(self, emit: Callable[[], ast.expr]) -> ast.expr:
        """Emit inside a generator or lambda, where nothing can be memoised."""
        self._nested += 1
        try:
            return emit()
        finally:
            self._nested -= 1

    def _memoised(self, node: core.Core) -> ast.expr:
        name = self.memos.setdefault(node, f"m{len(self.memos)}")
        value = _EMITTERS[type(node)](self, node)
        unset = ast.Compare(ast.Name(name, ast.Load()), [ast.IsNot()], [ast.Name("UNSET", ast.Load())])
        fresh = ast.NamedExpr(ast.Name(name, ast.Store()), value)
        return at(ast.IfExp(unset, ast.Name(name, ast.Load()), fresh), node.span)


def _is_closed(node: core.Core) -> bool:
    return not core.unbound(node)


Located = TypeVar("Located", ast.expr, ast.stmt)


def at(node: Located, span: Span) -> Located:
    """Give `node` the place of `span`."""
    node.lineno, node.col_offset = span.line, span.column - 1
    node.end_lineno, node.end_col_offset = span.end_line, span.end_column - 1
    return node


def call(function: str, arguments: list[ast.expr], span: Span) -> ast.expr:
    return at(ast.Call(at(ast.Name(function, ast.Load()), span), arguments, []), span)


def checked(value: ast.expr, kind: t.Type, span: Span) -> ast.expr:
    """`value` from outside, checked to be of `kind`."""
    check = checker_of(kind)
    return call(check, [value], span) if check else value


def checker_of(kind: t.Type) -> str:
    """The operation that checks a value against a type."""
    if kind in _CHECKS:
        return _CHECKS[kind]
    if isinstance(kind, t.Enum):
        return "as_string"
    if isinstance(kind, t.ListOf | t.SetOf):
        return "as_list"
    if kind == COMMAND:
        return ""
    return "as_map" if isinstance(kind, t.Record | t.MapOf) else ""


_CHECKS: dict[t.Type, str] = {
    t.ANY: "as_value", t.STRING: "as_string", t.BOOL: "as_bool", t.DECIMAL: "as_number", t.INT: "as_int",
    t.COLLECTION: "as_collection",
}  # fmt: skip


# --- constants and fields ----------------------------------------------------------------------


def describe(node: core.Core) -> object:
    """A constant as plain data, to be stored with the program and made real when it is loaded."""
    if isinstance(node, core.ConstMap):
        return ("map", tuple((key, describe(value)) for key, value in node.entries))
    assert isinstance(node, core.Const)
    return _described(node.value, node.type)


def _described(value: Any, kind: t.Type) -> object:
    if isinstance(kind, t.SetOf | t.ListOf):
        items = tuple(_described(item, kind.item) for item in _ordered(value))
        return ("set" if isinstance(kind, t.SetOf) else "list", items)
    if kind in t.CANONICAL:
        return (str(kind), *value) if isinstance(value, tuple) else (str(kind), value)
    if isinstance(value, Decimal):
        return ("decimal", str(value))
    if isinstance(value, tuple):
        return ("money", str(value[0]), value[1])
    return ("plain", value)


def _ordered(values: Iterable[Any]) -> list[Any]:
    return sorted(values, key=str) if isinstance(values, frozenset) else list(values)


def _const(emission: Emission, node: core.Const) -> ast.expr:
    value = node.value
    if isinstance(value, bool | int | str) and node.type not in t.CANONICAL:
        return at(ast.Constant(value), node.span)
    if (
        isinstance(value, frozenset)
        and all(isinstance(item, str | int) for item in value)
        and _is_plain_set(node.type)
    ):
        return at(literal(value), node.span)
    return at(emission.constant(describe(node)), node.span)


def literal(value: Any) -> ast.Constant:
    """A constant of any kind that code objects can hold, sets and tuples too."""
    return ast.Constant(value)


def _is_plain_set(kind: t.Type) -> bool:
    return isinstance(kind, t.SetOf) and kind.item not in t.CANONICAL


def _const_map(emission: Emission, node: core.ConstMap) -> ast.expr:
    return at(emission.constant(describe(node)), node.span)


def _as_float(node: core.Const) -> ast.expr:
    """A constant beside a loaded number, which may be a float."""
    return at(ast.Constant(node.value if isinstance(node.value, int) else float(str(node.value))), node.span)


def _load(emission: Emission, node: core.Load) -> ast.expr:
    value = emission.load(node)
    if node.root == "now":
        return value
    if node.root in BOUND:
        return call("as_value", [value], node.span) if node.type in t.CANONICAL else value
    return from_data(value, node.type, node.span) if holds_canonical(node.type) else value


def holds_canonical(kind: t.Type) -> bool:
    """Whether values of this type, as data has them, are still to be read."""
    if isinstance(kind, t.ListOf | t.SetOf):
        return holds_canonical(kind.item)
    return kind in t.CANONICAL or kind == t.TIME


def from_data(value: ast.expr, kind: t.Type, span: Span) -> ast.expr:
    """`value` as data has it, checked and read as a value of type `kind`."""
    if kind in t.CANONICAL:
        return call("read_as", [at(ast.Constant(str(kind)), span), value], span)
    if kind == t.TIME:
        return call("time", [call("as_string", [value], span)], span)
    if isinstance(kind, t.ListOf | t.SetOf) and holds_canonical(kind):
        item = from_data(at(ast.Name("each", ast.Load()), span), kind.item, span)
        function = at(ast.Lambda(_parameters(["each"]), item), span)
        return call("read_all", [function, value], span)
    if isinstance(kind, t.Enum):
        return call("as_choice", [value, at(literal(frozenset(kind.values)), span)], span)
    return checked(value, kind, span)


BOUND = frozenset({"principal", "agent", "session", "tool"})
"""Roots whose fields are read and converted once for a session or a tool, not once for a call."""


def _var(emission: Emission, node: core.Var) -> ast.expr:
    return at(ast.Name(node.name, ast.Load()), node.span)


def _field(emission: Emission, node: core.Field) -> ast.expr:
    return from_data(emission.raw(node), node.type, node.span)


def _property(emission: Emission, node: core.Property) -> ast.expr:
    return at(ast.Attribute(emission.emit(node.base), node.name, ast.Load()), node.span)


def _item(emission: Emission, node: core.Item) -> ast.expr:
    key = emission.emit(node.key)
    function = (
        "constant_at"
        if isinstance(node.base, core.ConstMap | core.Item) and _is_constant(node.base)
        else "item_at"
    )
    return call(function, [emission.emit(node.base), key], node.span)


def _is_constant(node: core.Core) -> bool:
    return isinstance(node, core.ConstMap) or (isinstance(node, core.Item) and _is_constant(node.base))


def _checked_item(emission: Emission, node: core.Item) -> ast.expr:
    value = _item(emission, node)
    return value if _is_constant(node.base) else from_data(value, node.type, node.span)


def _narrow(emission: Emission, node: core.Narrow) -> ast.expr:
    return from_data(emission.emit(node.value), node.type, node.span)


def _convert(emission: Emission, node: core.Convert) -> ast.expr:
    value = checked(emission.emit(node.value), t.STRING, node.span)
    return call("read", [at(ast.Constant(str(node.type)), node.span), value], node.span)


# --- functions and arithmetic ------------------------------------------------------------------


def argument(emission: Emission, node: core.Core) -> ast.expr:
    """An argument, checked where a poison or something from outside could stand."""
    value = emission.emit(node)
    return checked(value, node.type, node.span) if isinstance(node, core.Load | core.Var) else value


def _invoke(emission: Emission, node: core.Invoke) -> ast.expr:
    arguments = [argument(emission, part) for part in node.arguments]
    if node.function == "set":
        assert isinstance(node.type, t.SetOf)
        return call("as_set", [*arguments, ast.Constant(kind_name(node.type.item))], node.span)
    value = call(node.function.replace(".", "_"), arguments, node.span)
    return from_data(value, node.type, node.span) if node.function == "values" else value


def kind_name(kind: t.Type) -> str:
    """The run-time kind of a type's values; empty where it is open."""
    if kind in t.NUMERIC:
        return "number"
    if t.is_textual(kind) and kind not in t.CANONICAL:
        return "string"
    return "truth value" if kind == t.BOOL else ""


def _host_call(emission: Emission, node: core.HostCall) -> ast.expr:
    emission.uses_host = True
    arguments = ast.Tuple([argument(emission, part) for part in node.arguments], ast.Load())
    fixed = [ast.Name("s", ast.Load()), ast.Name("asked", ast.Load()), ast.Constant(node.function)]
    return call("host_call", [*fixed, at(arguments, node.span)], node.span)


def _compute(emission: Emission, node: core.Compute) -> ast.expr:
    parts = [argument(emission, operand) for operand in node.operands]
    if node.exact:
        return call(EXACT[node.op], parts, node.span)
    if node.op == "neg":
        return at(ast.UnaryOp(ast.USub(), parts[0]), node.span)
    if isinstance(node.type, t.SetOf):
        parts = [at(ast.Starred(call("alike", parts, node.span), ast.Load()), node.span)]
        function = at(ast.Lambda(_parameters(["left", "right"]), _combined(node)), node.span)
        return at(ast.Call(function, parts, []), node.span)
    return at(ast.BinOp(parts[0], ARITHMETIC[node.op], parts[1]), node.span)


def _combined(node: core.Compute) -> ast.expr:
    return at(ast.BinOp(_name("left"), ARITHMETIC[node.op], _name("right")), node.span)


# --- comparisons and tests ---------------------------------------------------------------------


def _compare(emission: Emission, node: core.Compare) -> ast.expr:
    return _MODES[node.mode](emission, node)


def _plain(emission: Emission, node: core.Compare) -> ast.expr:
    return _inline(node, emission.emit(node.left), emission.emit(node.right))


def _raw(emission: Emission, node: core.Compare) -> ast.expr:
    sides = [
        _as_float(side) if isinstance(side, core.Const) else emission.emit(side)
        for side in (node.left, node.right)
    ]
    return _inline(node, sides[0], sides[1])


def _exact(emission: Emission, node: core.Compare) -> ast.expr:
    sides = [
        emission.emit(side)
        if isinstance(side, core.Const | core.Compute)
        else call("as_number", [emission.emit(side)], side.span)
        for side in (node.left, node.right)
    ]
    return _inline(node, sides[0], sides[1])


def _inline(node: core.Compare, left: ast.expr, right: ast.expr) -> ast.expr:
    return at(ast.Compare(left, [OPERATORS[node.op]], [right]), node.span)


def _dynamic(emission: Emission, node: core.Compare) -> ast.expr:
    equal = call("equal", [_whole(emission, side) for side in (node.left, node.right)], node.span)
    return at(ast.UnaryOp(ast.Not(), equal), node.span) if node.op == "!=" else equal


def _whole(emission: Emission, node: core.Core) -> ast.expr:
    """A value that is compared as a whole: the elements of a list are checked as well."""
    value = emission.emit(node)
    check = checker_of(node.type.item) if isinstance(node.type, t.ListOf) else ""
    if not check or isinstance(node, core.Const) or holds_canonical(node.type):
        return value
    return call("read_all", [at(_name(check), node.span), value], node.span)


def _set_relation(emission: Emission, node: core.Compare) -> ast.expr:
    sides = [call("as_set", [emission.emit(side)], side.span) for side in (node.left, node.right)]
    return _on_pair(node, call("alike", sides, node.span))


def _money(emission: Emission, node: core.Compare) -> ast.expr:
    return _on_pair(node, call("amounts", [emission.emit(node.left), emission.emit(node.right)], node.span))


def _on_pair(node: core.Compare, both: ast.expr) -> ast.expr:
    """The comparison of two values that one function gives as a pair."""
    compare = at(
        ast.Lambda(_parameters(["left", "right"]), _inline(node, _name("left"), _name("right"))), node.span
    )
    return at(ast.Call(compare, [at(ast.Starred(both, ast.Load()), node.span)], []), node.span)


def _name(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


_MODES = {
    "plain": _plain, "raw": _raw, "exact": _exact, "dynamic": _dynamic, "set": _set_relation, "money": _money,
}  # fmt: skip


def _test(emission: Emission, node: core.Test) -> ast.expr:
    return _TESTS[node.op](emission, node)


def _in(emission: Emission, node: core.Test) -> ast.expr:
    left, right = node.left, node.right
    item = emission.emit(left)
    if isinstance(right, core.Const) and isinstance(right.value, frozenset | tuple) and right.value:
        inside = _constant_set(emission, left, right)
        return at(ast.Compare(item, [ast.In()], [inside]), node.span)
    if (
        isinstance(right, core.Load)
        and right.root in BOUND
        and right.type == t.SetOf(t.STRING)
        and left.type == t.STRING
    ):
        return at(ast.Compare(item, [ast.In()], [emission.emit(right)]), node.span)
    texts = _unread(emission, right) if left.type in t.CANONICAL else None
    if texts is not None:
        return call("member_as", [at(ast.Constant(str(left.type)), node.span), item, texts], node.span)
    textual = t.is_textual(left.type) and left.type not in t.CANONICAL
    return call("string_member" if textual else "member", [item, emission.emit(right)], node.span)


def _unread(emission: Emission, node: core.Core) -> ast.expr | None:
    """A collection of texts that are still to be read, one by one, until the one that is sought is found."""
    if isinstance(node, core.Each) and node.kind == "list":
        return emission.emit(node.collection)
    if isinstance(node, core.Load) and node.root not in BOUND and t.item_of(node.type) in t.CANONICAL:
        return emission.load(node)
    return None


def _constant_set(emission: Emission, left: core.Core, right: core.Const) -> ast.expr:
    """A constant collection in which hashing finds what the language calls equal."""
    values = frozenset(right.value)  # type: ignore[call-overload]  # a collection by the caller's test
    kind = t.SetOf(t.item_of(right.type))
    if isinstance(left, core.Load) and kind.item in t.NUMERIC:
        floats = frozenset(value if isinstance(value, int) else float(str(value)) for value in values)
        return at(literal(floats), right.span)
    return _const(emission, core.Const(right.span, kind, values))


def _contains(emission: Emission, node: core.Test) -> ast.expr:
    left, right = emission.emit(node.left), emission.emit(node.right)
    if isinstance(node.right, core.Const) and t.is_textual(node.left.type):
        return at(ast.Compare(right, [ast.In()], [left]), node.span)
    return call("contains", [left, right], node.span)


def _pattern(emission: Emission, node: core.Test) -> ast.expr:
    assert isinstance(node.right, core.Const)
    matcher = emission.constant(pattern_description(node.op, str(node.right.value)))
    return at(ast.Call(at(matcher, node.span), [_string(emission, node.left)], []), node.span)


def _string(emission: Emission, node: core.Core) -> ast.expr:
    """A text that a pattern is tried on; for a field, which is a text or a poison, the check is a glance."""
    value = emission.emit(node)
    if not isinstance(node, core.Load) or node.type != t.STRING:
        return checked(value, t.STRING, node.span)
    is_text = ast.Compare(
        ast.Attribute(value, "__class__", ast.Load()), [ast.Is()], [ast.Name("str", ast.Load())]
    )
    return at(ast.IfExp(is_text, value, checked(value, t.STRING, node.span)), node.span)


def pattern_description(op: str, text: str) -> object:
    """How a pattern is run; analysing it is the slow part, so that is done once, here."""
    plan = _PLANS[op](text)
    return ("pattern", plan.engine, plan.source, plan.whole)


_PLANS = {"matches": patterns.plan_full, "finds": patterns.plan_search, "like": plan_glob}


def _within(emission: Emission, node: core.Test) -> ast.expr:
    inner, outer = emission.emit(node.left), emission.emit(node.right)
    if node.right.type == t.WINDOW:
        return at(
            ast.Call(at(ast.Attribute(outer, "contains", ast.Load()), node.span), [inner], []), node.span
        )
    return at(ast.Call(at(ast.Attribute(inner, "within", ast.Load()), node.span), [outer], []), node.span)


_TESTS = {
    "in": _in, "contains": _contains, "matches": _pattern, "finds": _pattern, "like": _pattern, "within": _within,
}  # fmt: skip


# --- logic, quantifiers, bindings --------------------------------------------------------------


def _all(emission: Emission, node: core.All) -> ast.expr:
    return at(ast.BoolOp(ast.And(), [_truth(emission, part) for part in node.operands]), node.span)


def _any_of(emission: Emission, node: core.AnyOf) -> ast.expr:
    return at(ast.BoolOp(ast.Or(), [_truth(emission, part) for part in node.operands]), node.span)


def _truth(emission: Emission, node: core.Core) -> ast.expr:
    return emission.emit(node)


def _negation(emission: Emission, node: core.Negation) -> ast.expr:
    return at(ast.UnaryOp(ast.Not(), emission.emit(node.operand)), node.span)


def _present(emission: Emission, node: core.Present) -> ast.expr:
    if isinstance(node.value, core.Load) and not holds_canonical(node.value.type):
        return call("present", [emission.load(node.value)], node.span)
    if isinstance(node.value, core.Load):
        return call("present_at", [_thunk(emission, lambda: emission.emit(node.value), node.span)], node.span)
    return call("present_at", [_thunk(emission, lambda: emission.raw(node.value), node.span)], node.span)


def _thunk(emission: Emission, emit: Callable[[], ast.expr], span: Span) -> ast.expr:
    """An expression that is evaluated when it is asked for."""
    return at(ast.Lambda(_parameters([]), emission.nested(emit)), span)


def _fallback(emission: Emission, node: core.Fallback) -> ast.expr:
    if isinstance(node.value, core.Load):
        missing = call("absent", [emission.load(node.value)], node.span)
        value = _exact_number(emission.emit(node.value), node)
        return at(ast.IfExp(missing, emission.emit(node.default), value), node.span)
    thunks = [
        _thunk(emission, lambda: _exact_number(emission.emit(node.value), node), node.span),
        _thunk(emission, lambda: emission.emit(node.default), node.span),
    ]
    return call("first_present", thunks, node.span)


def _exact_number(value: ast.expr, node: core.Fallback) -> ast.expr:
    return call("as_number", [value], node.span) if node.type in t.NUMERIC else value


def _session_fact(emission: Emission, node: core.SessionFact) -> ast.expr:
    event = [at(_name(part), node.span) for part in ("s", "tool", "args", "now")]
    return call("session_fact", [at(ast.Constant(node.kind), node.span), *event], node.span)


def _recall(emission: Emission, node: core.Recall) -> ast.expr:
    value = _recalled(emission, node)
    return from_data(value, node.type, node.span) if node.question.kind == "last" else value


def _recalled(emission: Emission, node: core.Recall) -> ast.expr:
    """A question about the past. One that speaks of nothing around it is asked once in a decision: `asked`
    keeps its answer."""
    asked: ast.expr = ast.Constant(None)
    key = None
    if _is_closed(node):
        emission.uses_host = True
        asked, key = _name("asked"), emission.recalls.setdefault(node, len(emission.recalls))
    test: ast.expr = ast.Constant(None)
    if node.where is not None:
        where = node.where
        body = emission.nested(lambda: emission.emit(where))
        test = at(ast.Lambda(_parameters([node.variable]), body), node.span)
    question = literal(tuple(node.question))
    return call("recalled", [_name("s"), asked, ast.Constant(key), question, _name("now"), test], node.span)


def _happened(emission: Emission, node: core.Happened) -> ast.expr:
    value = emission.raw(node)
    return value if node.name in {"call", "tool", "at"} else from_data(value, node.type, node.span)


def _in_task(emission: Emission, node: core.InTask) -> ast.expr:
    return call("in_task", [_name("s"), ast.Constant(node.task)], node.span)


def _origin(emission: Emission, node: core.Origin) -> ast.expr:
    """The value is looked up as the event has it, not as its type reads it."""
    value = ast.Constant(None) if node.value is None else _as_given(emission, node.value)
    asked = literal((node.op, node.labels, node.named, _place_of(node)))
    function = "context_has" if node.value is None else "originated"
    return call(function, [_name("s"), asked, value], node.span)


def _as_given(emission: Emission, node: core.Core) -> ast.expr:
    if isinstance(node, core.Load | core.Field | core.Item | core.Happened):
        return call("as_value", [emission.raw(node)], node.span)
    return argument(emission, node)


def _place_of(node: core.Origin) -> tuple[object, ...]:
    span = node.span
    what = node.value.where if isinstance(node.value, core.Load) else ""
    return (what, span.file, span.line, span.column, span.end_line, span.end_column)


def _detect(emission: Emission, node: core.Detect) -> ast.expr:
    detector = at(emission.constant(("plain", node.detector)), node.span)
    return call("detected", [at(_name("s"), node.span), detector, argument(emission, node.value)], node.span)


def _conforms(emission: Emission, node: core.Conforms) -> ast.expr:
    schema = at(emission.constant(("plain", node.schema)), node.span)
    return call("conforming", [schema, argument(emission, node.value)], node.span)


def _each(emission: Emission, node: core.Each) -> ast.expr:
    walked = call("elements", [emission.nested(lambda: emission.emit(node.collection))], node.collection.span)
    element = t.item_of(node.collection.type)
    if not isinstance(node.collection, core.Const) and element not in t.CANONICAL and element != t.TIME:
        walked = _checked_elements(walked, element, node.collection.span)
    return emission.nested(lambda: _walk(emission, node, walked))


def _checked_elements(walked: ast.expr, element: t.Type, span: Span) -> ast.expr:
    """The elements of something from outside, each checked when its turn comes. Those of a canonical type
    were read with their collection."""
    check = checker_of(element)
    if holds_canonical(element) or isinstance(element, t.Enum):
        item = from_data(at(ast.Name("each", ast.Load()), span), element, span)
        return call("map", [at(ast.Lambda(_parameters(["each"]), item), span), walked], span)
    return call("map", [at(_name(check), span), walked], span) if check else walked


def _walk(emission: Emission, node: core.Each, walked: ast.expr) -> ast.expr:
    tests = [emission.emit(node.where)] if node.where is not None else []
    body = emission.emit(node.body) if node.body is not None else ast.Constant(1)
    if node.kind == "list":
        assert node.where is None
        variable = node.variable
        item = node.type.item if isinstance(node.type, t.ListOf) else t.ANY
        body = call("read", [ast.Constant(str(item)), _name(variable)], node.span)
    target = at(ast.Name(node.variable, ast.Store()), node.span)
    generator = at(ast.GeneratorExp(body, [ast.comprehension(target, walked, tests, 0)]), node.span)
    return call({"any": "any", "all": "all", "list": "list", **FOLDS}[node.kind], [generator], node.span)


def _collect(emission: Emission, node: core.Collect) -> ast.expr:
    items = [argument(emission, item) for item in node.items]
    listed = at(ast.List(items, ast.Load()), node.span)
    return call("as_set", [listed], node.span) if isinstance(node.type, t.SetOf) else listed


def _bind(emission: Emission, node: core.Bind) -> ast.expr:
    value = argument(emission, node.value)
    body = emission.nested(lambda: emission.emit(node.body))
    function = at(ast.Lambda(_parameters([node.variable]), body), node.span)
    return at(ast.Call(function, [value], []), node.span)


def _parameters(names: list[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


_EMITTERS: dict[type, Callable[[Emission, Any], ast.expr]] = {
    core.Const: _const,
    core.ConstMap: _const_map,
    core.Load: _load,
    core.Var: _var,
    core.Field: _field,
    core.Property: _property,
    core.Item: _checked_item,
    core.Narrow: _narrow,
    core.Convert: _convert,
    core.Invoke: _invoke,
    core.HostCall: _host_call,
    core.Compute: _compute,
    core.Compare: _compare,
    core.Test: _test,
    core.All: _all,
    core.AnyOf: _any_of,
    core.Negation: _negation,
    core.Present: _present,
    core.Fallback: _fallback,
    core.Each: _each,
    core.Collect: _collect,
    core.Bind: _bind,
    core.SessionFact: _session_fact,
    core.Detect: _detect,
    core.Conforms: _conforms,
    core.Recall: _recall,
    core.Origin: _origin,
    core.InTask: _in_task,
    core.Happened: _happened,
}
