"""Random valid syntax trees, of every node type: what the parser could have built, without its places."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from guardrails.language import syntax
from guardrails.language.printing import quoted
from guardrails.language.scanner import RESERVED
from guardrails.language.tree import NOWHERE

NAMES = [
    "args",
    "x",
    "amount",
    "total",
    "customer",
    "to",
    "limit",
    "count",
    "last",
    "of",
    "up",
    "call",
    "sum",
]
PLAIN = ["finance", "security", "old_name", "large", "pii", "untrusted", "web"]
FIELDS = ["id", "in", "when", "name", "orders", "allow", "to", "not"]


def some(member: st.SearchStrategy[Any], low: int = 0, high: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(member, min_size=low, max_size=high).map(tuple)


def maybe(member: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | member


def node(kind: type[Any], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*parts).map(lambda given: kind(NOWHERE, *given))


def literal(kind: str, text: str, value: object) -> syntax.Literal:
    return syntax.Literal(NOWHERE, kind, value, text)  # type: ignore[arg-type]  # a kind of the table below


names = st.sampled_from(NAMES)
plain = st.sampled_from(PLAIN)
fields = st.sampled_from(FIELDS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)

counts = st.integers(0, 10**12).map(lambda n: literal("number", str(n), n))
fractions = st.decimals(0, 10**6, places=2).map(lambda d: literal("number", str(d), d))
strings = texts.map(lambda text: literal("string", quoted(text), text))
durations = st.integers(1, 90).map(lambda n: literal("duration", f"{n}m", n * 60_000_000))
sizes = st.integers(1, 90).map(lambda n: literal("size", f"{n}KiB", n * 1024))
money = st.integers(1, 900).map(lambda n: literal("money", f"{n}.50 EUR", (Decimal(f"{n}.50"), "EUR")))
percents = st.integers(1, 99).map(lambda n: literal("percent", f"{n}%", Decimal(n).scaleb(-2)))
patterns = st.sampled_from(["[a-z]+", "a/b", r"\d{2}"]).map(
    lambda text: literal("pattern", "/" + text.replace("/", "\\/") + "/", text)
)
constants = st.sampled_from(
    [literal("bool", "true", True), literal("bool", "false", False), literal("null", "null", None)]
)
literals = st.one_of(counts, fractions, strings, durations, sizes, money, percents, patterns, constants)

tools = st.one_of(
    fields.map(lambda text: syntax.ToolPattern(NOWHERE, text, False)),
    texts.map(lambda text: syntax.ToolPattern(NOWHERE, text, True)),
)
# Behind `call` an operator such as `in` goes on with a value of that name, so such a tool stands in quotes.
past_tools = tools.filter(lambda tool: tool.quoted or tool.text not in RESERVED)
events = st.one_of(
    node(syntax.Event, st.sampled_from(["call", "result"]), some(past_tools, 1, 2)),
    node(syntax.Event, st.sampled_from(["input", "output"]), st.just(())),
)
name_nodes = names.map(lambda text: syntax.Name(NOWHERE, text))


def _flat(kind: type[Any]) -> Any:
    """Chains are flat: an operand is never a chain of the same kind."""

    def build(operands: tuple[Any, ...]) -> Any:
        parts: list[Any] = []
        for operand in operands:
            parts.extend(operand.operands if type(operand) is kind else (operand,))
        return kind(NOWHERE, tuple(parts))

    return build


def _call(given: tuple[str, tuple[Any, ...], tuple[Any, ...]]) -> syntax.Call:
    function, arguments, named = given
    return syntax.Call(NOWHERE, function, arguments, named, NOWHERE)


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from
    positive = kinds(
        ["==", "!=", "<", "<=", ">", ">=", "in", "matches", "like", "contains", "within", "is", "has"]
    )
    negative = kinds(["in", "matches", "like", "contains", "within", "is"])
    functions = kinds(["origin", "sql.read_only", "lower", "min"])
    return st.one_of(
        node(syntax.Attribute, inner, fields),
        node(syntax.Index, inner, inner),
        st.tuples(functions, some(inner), some(st.tuples(plain, inner), 0, 2)).map(_call),
        node(syntax.Negate, inner),
        node(syntax.Arithmetic, kinds(["+", "-", "*", "/", "%", "|", "&"]), inner, inner),
        node(syntax.Comparison, positive, inner, inner, st.just(False)),
        node(syntax.Comparison, negative, inner, inner, st.just(True)),
        some(inner, 2, 4).map(_flat(syntax.And)),
        some(inner, 2, 4).map(_flat(syntax.Or)),
        node(syntax.Not, inner),
        node(syntax.Has, inner),
        node(syntax.Else, inner, inner),
        node(syntax.Quantifier, kinds(["any", "all"]), fields, inner, maybe(inner), inner),
        node(syntax.Aggregate, st.just("count"), plain, inner, st.none(), maybe(inner)),
        node(syntax.Aggregate, kinds(["sum", "min", "max"]), fields, inner, inner, maybe(inner)),
        node(syntax.SetLiteral, some(inner)),
        node(syntax.ListLiteral, some(inner)),
        node(syntax.MapLiteral, some(st.tuples(inner, inner), 1)),
        node(
            syntax.Trace,
            kinds(["seen", "count"]),
            events,
            maybe(inner),
            maybe(node(syntax.Beside, kinds(["after", "before"]), events)),
            maybe(durations),
        ),
        node(
            syntax.Trace,
            st.just("last"),
            node(syntax.Event, kinds(["input", "call", "result", "output"]), some(past_tools, 0, 1)),
            maybe(inner),
            st.none(),
            st.none(),
        ),
    )


expressions = st.recursive(literals | name_nodes, _compound, max_leaves=12)

types = st.recursive(
    st.one_of(
        st.sampled_from(["int", "string", "any", "own_type"]).map(
            lambda name: syntax.TypeName(NOWHERE, name, ())
        ),
        node(syntax.TypeChoice, some(texts, 1)),
    ),
    lambda inner: st.one_of(
        node(syntax.TypeName, st.sampled_from(["list", "map"]), some(inner, 1, 2)),
        node(syntax.TypeRecord, some(node(syntax.TypeField, fields, inner, st.booleans()))),
    ),
    max_leaves=5,
)


def _begins_with_pattern(tree: Any) -> bool:
    for part in ("left", "value", "base", "operands"):
        below = getattr(tree, part, None)
        if isinstance(below, tuple) and below:
            return _begins_with_pattern(below[0])
        if isinstance(below, syntax.Node) and not isinstance(tree, syntax.Aggregate):
            return _begins_with_pattern(below)
    return isinstance(tree, syntax.Literal) and tree.kind == "pattern"


# A slash right behind `threshold`, `up to`, `limit` or `by` divides; no amount or key is a pattern.
amounts = expressions.filter(lambda tree: not _begins_with_pattern(tree))

# --- statements --------------------------------------------------------------------------------

field_paths = st.tuples(fields, some(fields | st.just("*"))).map(
    lambda given: syntax.FieldPath(NOWHERE, (given[0], *given[1]))
)
reviewers = some(plain)
allow, deny, halt = (st.just(kind(NOWHERE)) for kind in (syntax.Allow, syntax.Deny, syntax.Halt))
reuse_bounds = node(syntax.ReuseBound, amounts, amounts, st.sampled_from(["each", "total"]))
reuses = node(syntax.Reuse, amounts, some(reuse_bounds))
asks = node(syntax.Ask, reviewers, st.integers(1, 3), maybe(durations), reviewers, maybe(reuses))
rows = node(syntax.Row, amounts, st.one_of(allow, asks, deny, halt), maybe(texts))
above = node(syntax.Row, st.none(), st.one_of(allow, asks, deny, halt), maybe(texts))
thresholds = node(syntax.Threshold, amounts, st.tuples(some(rows), above).map(lambda r: (*r[0], r[1])))
bounds = node(syntax.Bound, amounts, maybe(durations))
tail = (some(amounts, 0, 2), maybe(amounts), st.booleans(), maybe(plain))
limits = st.one_of(
    node(syntax.Limit, st.just("count"), st.none(), some(bounds, 1), *tail),
    node(syntax.Limit, st.sampled_from(["sum", "distinct"]), expressions, some(bounds, 1), *tail),
    node(
        syntax.Limit,
        st.sampled_from(["calls", "inputs", "outputs", "results"]),
        st.none(),
        some(bounds, 1, 1),
        *tail,
    ),
    node(
        syntax.Limit,
        st.sampled_from(["duration", "retries", "thrashing"]),
        st.none(),
        some(node(syntax.Bound, counts, st.none()), 1, 1),
        *tail,
    ),
)
periods = st.one_of(
    st.tuples(st.none() | durations, st.none()),
    st.tuples(st.sampled_from(["day", "week", "month", "year"]), maybe(texts)),
)


def _budget(given: tuple[Any, ...]) -> syntax.Budget:
    resource, amount, (per, zone), by, warn_at, was = given
    return syntax.Budget(NOWHERE, resource, amount, per, zone, by, warn_at, was)


budgets = st.tuples(plain, amounts, periods, some(amounts, 0, 2), some(percents), maybe(plain)).map(_budget)
opens = st.one_of(
    node(syntax.OpenAfter, counts, st.just(False), st.none(), durations),
    node(syntax.OpenAfter, counts, st.just(True), st.none(), st.none()),
    node(syntax.OpenAfter, percents, st.just(False), counts, durations),
)
breakers = node(syntax.Breaker, some(opens, 1), durations, maybe(texts), some(amounts, 0, 2))
targets = st.tuples(st.sampled_from(["args", "result"]), some(fields | st.just("*"), 1)).map(
    lambda given: _target(*given)
)


def _target(root: str, path: tuple[str, ...]) -> syntax.Expr:
    tree: syntax.Expr = syntax.Name(NOWHERE, root)
    for name in path:
        tree = syntax.Attribute(NOWHERE, tree, name)
    return tree


methods = st.one_of(
    st.tuples(st.none() | st.sampled_from(["mask", "hash", "drop", "token"]), st.none()),
    st.tuples(st.just("replace"), strings),
    st.tuples(st.just("last"), counts),
)
detectors = st.one_of(
    plain.map(lambda name: syntax.Name(NOWHERE, name)),
    patterns,
    st.tuples(plain, some(name_nodes), st.just(())).map(_call),
)
redactions = st.one_of(
    st.tuples(detectors, some(targets), methods), st.tuples(st.none(), some(targets, 1), methods)
).map(lambda given: syntax.Redact(NOWHERE, given[0], given[1], *given[2]))
effects = st.one_of(
    allow,
    deny,
    halt,
    asks,
    node(syntax.Flag, plain | texts),
    node(syntax.Review, reviewers, maybe(durations), maybe(percents)),
    node(syntax.Require, expressions),
    thresholds,
    limits,
    budgets,
    breakers,
    redactions,
    node(syntax.OnlyFields, some(field_paths, 1)),
    node(syntax.DropFields, some(field_paths, 1)),
    node(syntax.OnlyRows, expressions),
    node(syntax.Schema, texts),
    node(syntax.Label, some(plain, 1)),
)
marks = maybe(st.sampled_from(["daily", "allow", "when", "limit", "let"]))
statements = node(
    syntax.Statement,
    marks,
    st.booleans(),
    effects,
    maybe(expressions),
    maybe(expressions),
    maybe(texts),
)
parameters = maybe(some(node(syntax.Parameter, plain, types)))
lets = node(syntax.Let, plain, parameters, expressions)

# --- items -------------------------------------------------------------------------------------


def _block(given: tuple[Any, ...]) -> syntax.Block:
    (point, watched), shadow, when, unless, body = given
    return syntax.Block(NOWHERE, point, watched, shadow, when, unless, body, NOWHERE)


points = st.one_of(
    st.tuples(st.sampled_from(["call", "result"]), some(tools, 1)),
    st.tuples(st.sampled_from(["input", "output", "session"]), st.just(())),
)
blocks = st.tuples(
    points, st.booleans(), maybe(expressions), maybe(expressions), some(statements | lets)
).map(_block)
settings = node(syntax.Setting, plain, expressions)
chains = some(fields, 1)
items = st.one_of(
    node(syntax.PolicyHeader, plain, st.booleans()),
    node(syntax.UseTools, texts),
    node(syntax.UsePolicy, texts, some(settings)),
    node(syntax.TypeItem, plain, types),
    node(syntax.LabelOrder, some(chains)),
    node(syntax.Param, plain, types, maybe(expressions)),
    lets,
    node(
        syntax.Default,
        st.sampled_from(["call", "result", "input", "output"]),
        st.one_of(allow, asks, deny),
        maybe(texts),
    ),
    blocks,
    node(syntax.BreakerItem, plain, some(tools, 1), breakers),
    node(syntax.Detector, plain, patterns, maybe(plain), some(texts)),
    node(syntax.Flow, some(plain, 1), some(tools, 1), maybe(expressions), maybe(texts)),
    node(syntax.Reveal, tools, field_paths),
    node(syntax.Reveal, st.none(), st.none()),
    node(syntax.Audit, st.sampled_from(["durable", "buffered"]), maybe(st.sampled_from(["deny", "spill"]))),
)
files = some(items, 0, 5).map(lambda given: syntax.File(NOWHERE, given, (), ""))
