"""Mutants: a parsed policy file in, small changes of it out, each of which a good test would notice.

A mutant is made on the syntax tree: a node is replaced, printed, and put in the place of the old one, so that
all else stays as it was written. The number of lines stays too: tests may name a statement by its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import syntax
from guardrails.language.layout import flat
from guardrails.language.printing import expression
from guardrails.language.printing_statements import effect
from guardrails.language.tree import children

LIMITS = (syntax.Limit, syntax.Budget, syntax.Breaker)
OUTCOMES = (syntax.Allow, syntax.Ask, syntax.Deny, syntax.Halt)
"""In shadow these have no consequence, so that another one is no other policy."""

MOST_OF_A_LIST = 4
"""How many members of a long list or set are left out, one at a time."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: which operator made it, what it did in words, and the new text of a stretch of the file.
    `block` is the block that it is in (None: it may matter anywhere)."""

    operator: str
    what: str
    span: Span
    text: str
    block: Span | None = None

    @property
    def id(self) -> str:
        return f"{self.span.file}:{self.span.start}-{self.span.end}:{self.text.strip()}"

    def applied(self, source: str) -> str:
        """The file with the change in it."""
        return source[: self.span.start] + self.text + source[self.span.end :]


Made: TypeAlias = tuple[str, str, Span, str]
"""Operator, what it did, where, and the text that stands there now."""


def mutants_of(file: syntax.File) -> Iterator[Mutant]:
    """All mutants of a file in the order of its text, each once."""
    seen: set[tuple[int, int, str]] = set()
    found = sorted(
        _all(file), key=lambda mutant: (mutant.span.start, mutant.span.end, mutant.operator, mutant.text)
    )
    for mutant in found:
        key = (mutant.span.start, mutant.span.end, mutant.text.strip())
        if key not in seen and mutant.text.strip() != file.text[mutant.span.start : mutant.span.end].strip():
            seen.add(key)
            yield mutant


def _all(file: syntax.File) -> Iterator[Mutant]:
    for item in file.items:
        block = item.span if isinstance(item, syntax.Block) else None
        for operator, what, span, text in _of_item(item, file.text):
            lines = file.text[span.start : span.end].count("\n") - text.count("\n")
            yield Mutant(operator, what, span, text + "\n" * max(0, lines), block)


def _of_item(item: syntax.Item, source: str) -> Iterator[Made]:
    if isinstance(item, syntax.Block):
        yield from _block(item, source)
    elif isinstance(item, syntax.Default):
        yield from _outcomes(item.effect)
    elif isinstance(item, syntax.Param | syntax.Let):
        value = item.default if isinstance(item, syntax.Param) else item.value
        if value is not None:
            yield from _value(value)
    elif isinstance(item, syntax.BreakerItem):
        yield from _effect(item.breaker)


# --- blocks and statements ---------------------------------------------------------------------


def _block(block: syntax.Block, source: str) -> Iterator[Made]:
    yield from _clauses(block, source, block.header.start)
    for part in block.body:
        if isinstance(part, syntax.Let):
            yield from _value(part.value)
            continue
        yield "dropped statement", f"`{_shown(part, source)}` is gone", part.span, ""
        yield from _clauses(part, source, part.effect.span.end)
        if not (isinstance(part.effect, OUTCOMES) and (part.shadow or block.shadow)):
            yield from _effect(part.effect)


def _clauses(owner: syntax.Block | syntax.Statement, source: str, start: int) -> Iterator[Made]:
    for word, condition in (("when", owner.when), ("unless", owner.unless)):
        if condition is None:
            continue
        span = _with_word(source, word, condition.span, start)
        if span is not None:
            yield f"dropped {word}", f"`{_shown(condition, source)}` is no longer asked", span, ""
        yield from _condition(condition)


def _with_word(source: str, word: str, span: Span, start: int) -> Span | None:
    """The clause with its word and with the parentheses around the whole of it."""
    begin, end = span.start, span.end
    while source[start:begin].rstrip().endswith("(") and source[end:].lstrip().startswith(")"):
        begin, end = source.rindex("(", start, begin), source.index(")", end) + 1
    found = source.rfind(word, start, begin)
    if found < 0 or source[found + len(word) : begin].strip():
        return None
    return span._replace(start=found, end=end)


def _shown(node: syntax.Node, source: str) -> str:
    text = " ".join(source[node.span.start : node.span.end].split())
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- effects -----------------------------------------------------------------------------------


def _effect(node: syntax.Effect) -> Iterator[Made]:
    if isinstance(node, OUTCOMES):
        yield from _outcomes(node)
        if isinstance(node, syntax.Ask):
            yield from _ask(node)
    elif isinstance(node, syntax.Review) and node.within is not None:
        yield _printed("changed window", "twice the time", replace(node, within=_times(node.within, 2)))
    elif isinstance(node, syntax.Require):
        yield from _condition(node.condition)
    elif isinstance(node, syntax.Threshold):
        yield from _value(node.value)
        for row in node.rows:
            yield from () if row.bound is None else _value(row.bound)
            yield from _effect(row.effect)
    elif isinstance(node, syntax.OnlyRows):
        yield from _condition(node.where)
    elif isinstance(node, LIMITS):
        yield from _counting(node)
    elif isinstance(node, syntax.Redact):
        yield from _redact(node)
    elif isinstance(node, syntax.OnlyFields | syntax.DropFields):
        for field in _some(node.fields):
            fields = tuple(other for other in node.fields if other is not field)
            if fields:
                yield _printed(
                    "narrowed set", f"`{'.'.join(field.parts)}` is left out", replace(node, fields=fields)
                )


SWAPS: dict[type, tuple[type, ...]] = {
    syntax.Allow: (syntax.Deny,),
    syntax.Ask: (syntax.Allow, syntax.Deny),
    syntax.Deny: (syntax.Allow,),
    syntax.Halt: (syntax.Deny,),
}


def _outcomes(node: syntax.Allow | syntax.Ask | syntax.Deny | syntax.Halt) -> Iterator[Made]:
    was = type(node).__name__.lower()
    for kind in SWAPS[type(node)]:
        word = kind.__name__.lower()
        yield "swapped outcome", f"`{word}` instead of `{was}`", node.span, word


def _ask(node: syntax.Ask) -> Iterator[Made]:
    if node.within is not None:
        yield _printed("changed window", "twice the time", replace(node, within=_times(node.within, 2)))
    if node.quorum > 1:
        yield _printed("boundary shift", "one approval fewer", replace(node, quorum=node.quorum - 1))
    if node.otherwise:
        yield _printed("narrowed set", "nobody else is asked", replace(node, otherwise=()))


def _redact(node: syntax.Redact) -> Iterator[Made]:
    for target in _some(node.targets) if len(node.targets) > 1 else ():
        targets = tuple(other for other in node.targets if other is not target)
        yield _printed("removed redaction", "one place is no longer redacted", replace(node, targets=targets))
    if node.method not in (None, "mask"):
        yield _printed("removed redaction", "`mask` instead", replace(node, method="mask", argument=None))
    if isinstance(node.what, syntax.Literal):
        yield from _pattern(node.what)


def _printed(operator: str, what: str, node: syntax.Effect) -> Made:
    return operator, what, node.span, flat(effect(node))


# --- limits ------------------------------------------------------------------------------------


def _counting(node: Any) -> Iterator[Made]:
    for index, key in enumerate(node.by):
        by = (*node.by[:index], *node.by[index + 1 :])
        yield _printed("changed key", f"not counted by `{flat(expression(key))}`", replace(node, by=by))
    if isinstance(node, syntax.Limit):
        for bound in node.bounds:
            yield from _value(bound.amount)
            yield from () if bound.per is None else _window(bound.per)
        if node.burst is not None:
            yield _printed("changed window", "no burst", replace(node, burst=None))
    elif isinstance(node, syntax.Budget):
        yield from _value(node.amount)
        if isinstance(node.per, syntax.Literal):
            yield from _window(node.per)
        yield from (
            () if node.per != "month" else [_printed("changed window", "by day", replace(node, per="day"))]
        )
    else:
        yield from _window(node.retry_after)
        for opening in node.open_after:
            yield from _number(opening.amount)


def _window(literal: syntax.Literal) -> Iterator[Made]:
    for times in (2, Decimal("0.5")):
        other = _times(literal, times)
        if other.value != literal.value:
            yield "changed window", f"`{other.text}` instead of `{literal.text}`", literal.span, other.text


def _times(literal: syntax.Literal, factor: int | Decimal) -> syntax.Literal:
    """A duration that is longer or shorter, in the unit it is written in; itself where that is no whole number."""
    found = re.fullmatch(r"(\d+)([a-z]+)", literal.text)
    amount = Decimal(found[1]) * factor if found else Decimal("0.5")
    if found is None or amount != int(amount) or amount < 1:
        return literal
    return replace(literal, text=f"{int(amount)}{found[2]}", value=int(int(str(literal.value)) * factor))


# --- expressions -------------------------------------------------------------------------------


def _condition(node: syntax.Expr) -> Iterator[Made]:
    """A whole condition: it and its parts, and its opposite."""
    if not isinstance(node, syntax.Not):
        yield "negation", "the opposite", node.span, f"not ({flat(expression(node))})"
    yield from _value(node)


def _value(node: syntax.Node) -> Iterator[Made]:
    """An expression and all below it."""
    yield from _EXPRESSIONS.get(type(node), _nothing)(node)
    for child in children(node):
        yield from _value(child)


def _nothing(node: Any) -> Iterator[Made]:
    return iter(())


def _replaced(operator: str, what: str, old: syntax.Node, new: syntax.Expr) -> Made:
    """The new expression in parentheses, which the old one may have needed none of."""
    return operator, what, old.span, f"({flat(expression(new))})"


SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "!=", "!=": "=="}


def _comparison(node: syntax.Comparison) -> Iterator[Made]:
    for operator, others in (("boundary shift", SHIFTED), ("comparison flip", FLIPPED)):
        if node.op in others:
            other = others[node.op]
            yield _replaced(operator, f"`{other}` instead of `{node.op}`", node, replace(node, op=other))
    if node.op not in FLIPPED:
        word = "without" if node.negated else "with"
        yield _replaced("comparison flip", f"{word} `not`", node, _negated(node))
    if node.op in ("in", "like", "within", "matches") and not node.negated:
        yield "widened set", "whatever it is", node.span, "true"


def _negated(node: syntax.Comparison) -> syntax.Expr:
    """`has` is the one word that has no `not` of its own."""
    if node.op == "has":
        return syntax.Not(node.span, node)
    return replace(node, negated=not node.negated)


def _chain(node: syntax.And | syntax.Or) -> Iterator[Made]:
    word = "conjunct" if isinstance(node, syntax.And) else "disjunct"
    for index, part in enumerate(node.operands):
        rest = (*node.operands[:index], *node.operands[index + 1 :])
        smaller = rest[0] if len(rest) == 1 else replace(node, operands=rest)
        yield _replaced(f"dropped {word}", f"without `{_brief(part)}`", node, smaller)


def _brief(node: syntax.Expr) -> str:
    text = flat(expression(node))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _not(node: syntax.Not) -> Iterator[Made]:
    yield _replaced("negation", "without `not`", node, node.operand)


def _set(node: syntax.SetLiteral | syntax.ListLiteral) -> Iterator[Made]:
    for item in _some(node.items) if len(node.items) > 1 else ():
        items = tuple(other for other in node.items if other is not item)
        yield _replaced("narrowed set", f"without `{_brief(item)}`", node, replace(node, items=items))


def _some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items, or of a long list the outermost."""
    half = MOST_OF_A_LIST // 2
    return items if len(items) <= MOST_OF_A_LIST else (*items[:half], *items[-half:])


def _quantifier(node: syntax.Quantifier) -> Iterator[Made]:
    kind: Literal["any", "all"] = "all" if node.kind == "any" else "any"
    yield _replaced(
        "changed quantifier", f"`{kind}` instead of `{node.kind}`", node, replace(node, kind=kind)
    )
    if node.where is not None:
        yield _replaced("dropped conjunct", "without its `where`", node, replace(node, where=None))


def _aggregate(node: syntax.Aggregate) -> Iterator[Made]:
    others = {"min": "max", "max": "min"}
    if node.kind in others:
        other: Any = others[node.kind]
        yield _replaced(
            "changed quantifier", f"`{other}` instead of `{node.kind}`", node, replace(node, kind=other)
        )
    if node.where is not None:
        yield _replaced("dropped conjunct", "without its `where`", node, replace(node, where=None))


def _trace(node: syntax.Trace) -> Iterator[Made]:
    if node.where is not None:
        yield _replaced("dropped conjunct", "without its `where`", node, replace(node, where=None))
    if node.beside is not None:
        yield _replaced(
            "dropped conjunct", f"without `{node.beside.order}`", node, replace(node, beside=None)
        )
    if node.within is not None:
        yield _replaced("changed window", "however long ago", node, replace(node, within=None))


def _literal(node: syntax.Literal) -> Iterator[Made]:
    if node.kind == "number":
        yield from _number(node)
    elif node.kind == "pattern":
        yield from _pattern(node)
    elif node.kind == "bool":
        word = "false" if node.value else "true"
        yield "negation", f"`{word}` instead of `{node.text}`", node.span, word
    elif node.kind == "money":
        amount, currency = node.text.split()
        other = "EUR" if currency != "EUR" else "USD"
        yield "changed unit", f"`{other}` instead of `{currency}`", node.span, f"{amount} {other}"


def _number(node: syntax.Literal) -> Iterator[Made]:
    """One unit of the last digit more and less."""
    if node.kind != "number" or not isinstance(node.value, int | Decimal):
        return
    exponent = Decimal(node.value).as_tuple().exponent
    step = Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else Decimal(1)
    for other in (node.value + step, node.value - step):
        if other >= 0:
            text = f"{other:f}"
            yield "boundary shift", f"`{text}` instead of `{node.text}`", node.span, text


LOOSER = (
    (re.compile(r"\\b"), ""),
    (re.compile(r"(?<!\\)\{\d+(?:,\d*)?\}"), "+"),
    (re.compile(r"\[(?!\^)[^\]\\]+\](?=[+*{])"), "."),
    (re.compile(r"\(\?i\)"), ""),
    (re.compile(r"(?<![\[\\])[\^$]"), ""),
)
"""Parts of a pattern, and what stands there in one that is looser (or, for `(?i)`, tighter)."""


def _pattern(node: syntax.Literal) -> Iterator[Made]:
    for part, other in LOOSER:
        text, count = part.subn(other, node.text, count=1)
        if count and text != "//":
            yield "loosened regex", f"`{text}`", node.span, text


_EXPRESSIONS: dict[type, Callable[[Any], Iterator[Made]]] = {
    syntax.Comparison: _comparison,
    syntax.And: _chain,
    syntax.Or: _chain,
    syntax.Not: _not,
    syntax.SetLiteral: _set,
    syntax.ListLiteral: _set,
    syntax.Quantifier: _quantifier,
    syntax.Aggregate: _aggregate,
    syntax.Trace: _trace,
    syntax.Literal: _literal,
}
"""Kind of expression -> what can be made of it itself; its parts are looked at on their own."""
