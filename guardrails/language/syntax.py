"""The syntax tree: what a policy file says, node by node, before anything is known about its meaning.

Every node is frozen and carries the `Span` it was read from. Nothing here computes; the parser builds
these nodes, the formatter prints them back, the checker gives them types.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal as Choice
from typing import TypeAlias

from guardrails.diagnostics import Span

Point: TypeAlias = Choice["call", "result", "input", "output", "session"]
LiteralKind: TypeAlias = Choice[
    "number", "string", "bool", "null", "duration", "size", "money", "percent", "pattern"
]


@dataclass(frozen=True, slots=True)
class Node:
    span: Span


# --- expressions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant. `value` by kind: number `int | Decimal`, duration `int` microseconds, size `int` bytes,
    money `(Decimal, currency)`, percent `Decimal` fraction (80% is 0.8), pattern and string `str`."""

    kind: LiteralKind
    value: object
    text: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    id: str


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    base: Expr
    key: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`function` is dotted as written (`sql.read_only`); `name_span` covers just the name."""

    function: str
    arguments: tuple[Expr, ...]
    named: tuple[tuple[str, Expr], ...]
    name_span: Span


@dataclass(frozen=True, slots=True)
class Negate(Node):
    operand: Expr


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`op` is one of `+ - * / %` on numbers, times and durations, or `| & -` on sets."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`op`: `== != < <= > >= in matches like contains within is has`; `negated` for `not in`, `is not`, ..."""

    op: str
    left: Expr
    right: Expr
    negated: bool = False


@dataclass(frozen=True, slots=True)
class And(Node):
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    operand: Expr


@dataclass(frozen=True, slots=True)
class Has(Node):
    """`has args.note`: the field is there and not null."""

    path: Expr


@dataclass(frozen=True, slots=True)
class Else(Node):
    """`args.n else 10`: the left value, or the right one where the left is missing or null."""

    value: Expr
    default: Expr


@dataclass(frozen=True, slots=True)
class Quantifier(Node):
    """`any x in xs where c: body`, `all x in xs: body`."""

    kind: Choice["any", "all"]
    variable: str
    collection: Expr
    where: Expr | None
    body: Expr


@dataclass(frozen=True, slots=True)
class Aggregate(Node):
    """`count(x in xs where c)`, `sum(x.price for x in xs where c)`, and `min` / `max` likewise.

    `count(xs)`, `sum(xs)`, `min(a, b)` without a variable are plain calls, not aggregates.
    """

    kind: Choice["count", "sum", "min", "max"]
    variable: str
    collection: Expr
    value: Expr | None
    where: Expr | None


@dataclass(frozen=True, slots=True)
class SetLiteral(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Node):
    entries: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True)
class Event(Node):
    """Events of the session's past: `call a, b.*`, `result a`, `input`, `output`. No tools: of all."""

    point: Point
    tools: tuple[ToolPattern, ...]


@dataclass(frozen=True, slots=True)
class Beside(Node):
    """`after call X` (the latest one) or `before input` (the first one)."""

    order: Choice["after", "before"]
    event: Event


@dataclass(frozen=True, slots=True)
class Trace(Node):
    """The session's past: `seen(call X where c after input within 30m)`, `count(call X)`,
    `last result of X where c` (which has neither `beside` nor `within`)."""

    kind: Choice["seen", "count", "last"]
    event: Event
    where: Expr | None
    beside: Beside | None
    within: Literal | None


@dataclass(frozen=True, slots=True)
class InTask(Node):
    """The session was opened for this task. Nobody writes it: the blocks of a task hold under it."""

    task: str


Expr: TypeAlias = (
    Literal
    | Name
    | Attribute
    | Index
    | Call
    | Negate
    | Arithmetic
    | Comparison
    | And
    | Or
    | Not
    | Has
    | Else
    | Quantifier
    | Aggregate
    | SetLiteral
    | ListLiteral
    | MapLiteral
    | Trace
    | InTask
)


# --- types as written --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """`string`, `set<string>`, `map<string, decimal>`, a declared name."""

    name: str
    arguments: tuple[TypeExpr, ...]


@dataclass(frozen=True, slots=True)
class TypeChoice(Node):
    """`"draft" | "sent"`: one of these strings."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypeField(Node):
    name: str
    type: TypeExpr
    optional: bool


@dataclass(frozen=True, slots=True)
class TypeRecord(Node):
    fields: tuple[TypeField, ...]


TypeExpr: TypeAlias = TypeName | TypeChoice | TypeRecord


# --- statements --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolPattern(Node):
    """A tool name, or a quoted wildcard in which `*` stands for any run of characters."""

    text: str
    quoted: bool

    @property
    def is_wildcard(self) -> bool:
        return self.quoted and "*" in self.text


@dataclass(frozen=True, slots=True)
class FieldPath(Node):
    """`id`, `orders.*`, `customer.email`: a path of field names, where `*` stands for every element."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allow(Node):
    pass


@dataclass(frozen=True, slots=True)
class ReuseBound(Node):
    """`args.amount up to 200 each`: what the calls of one approval may come to, each of them or in total."""

    amount: Expr
    most: Expr
    per: Choice["each", "total"]


@dataclass(frozen=True, slots=True)
class Reuse(Node):
    """`for 3 calls in session, args.amount up to 200 each`: how far one approval goes."""

    calls: Expr
    bounds: tuple[ReuseBound, ...]


@dataclass(frozen=True, slots=True)
class Ask(Node):
    """`ask 2 of finance within 4h else security`; reviewers empty means whoever the host asks. Without `reuse`
    an approval is for one call."""

    reviewers: tuple[str, ...]
    quorum: int
    within: Literal | None
    otherwise: tuple[str, ...]
    reuse: Reuse | None = None


@dataclass(frozen=True, slots=True)
class Deny(Node):
    pass


@dataclass(frozen=True, slots=True)
class Halt(Node):
    pass


@dataclass(frozen=True, slots=True)
class Flag(Node):
    """`flag large_refund`: allowed, and marked."""

    name: str


@dataclass(frozen=True, slots=True)
class Review(Node):
    """`review by quality within 24h sample 5%`: allowed now, looked at later."""

    reviewers: tuple[str, ...]
    within: Literal | None
    sample: Literal | None


@dataclass(frozen=True, slots=True)
class Require(Node):
    condition: Expr


@dataclass(frozen=True, slots=True)
class Row(Node):
    """One line of a threshold. `bound` is the inclusive upper bound; None for `above`."""

    bound: Expr | None
    effect: Allow | Ask | Deny | Halt
    because: str | None


@dataclass(frozen=True, slots=True)
class Threshold(Node):
    value: Expr
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Bound(Node):
    """`3 per 1d`: an amount and the window it holds for; window None means the session."""

    amount: Expr
    per: Literal | None


@dataclass(frozen=True, slots=True)
class Limit(Node):
    """`limit 3 per 1d by key`, `limit sum(e) to 100 per 1d`, `limit 200 calls`, `limit retries 3`.

    `measure`: count, sum, distinct, calls, inputs, outputs, results, duration, retries or thrashing;
    `subject` is the expression of sum and distinct.
    """

    measure: str
    subject: Expr | None
    bounds: tuple[Bound, ...]
    by: tuple[Expr, ...]
    burst: Expr | None
    degrade: bool
    was: str | None


@dataclass(frozen=True, slots=True)
class Budget(Node):
    """`budget cost 5.00 USD per month in "Europe/Berlin" by principal.tenant warn at 80%`."""

    resource: str
    amount: Expr
    per: Literal | str | None
    zone: str | None
    by: tuple[Expr, ...]
    warn_at: tuple[Literal, ...]
    was: str | None


@dataclass(frozen=True, slots=True)
class OpenAfter(Node):
    """`open after 5 failures in 1m`, `open after 3 consecutive failures`, `open after 50% failures of 20 in 1m`."""

    amount: Literal
    consecutive: bool
    minimum: Literal | None
    window: Literal | None


@dataclass(frozen=True, slots=True)
class Breaker(Node):
    """In a block it watches the block's tools; at file level it names its own."""

    open_after: tuple[OpenAfter, ...]
    retry_after: Literal
    fallback: str | None
    by: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Redact(Node):
    """`redact pii(EMAIL) in args.body with mask`.

    `what`: a detector call or name (`pii`, `secrets`, a declared detector), a pattern literal, or None,
    which redacts the whole target. `targets` empty means the event's own text. `method` is the word after
    `with` (mask, hash, drop, replace, token, last), `argument` its operand (`last 4`, `replace "x"`).
    """

    what: Expr | None
    targets: tuple[Expr, ...]
    method: str | None
    argument: Literal | None


@dataclass(frozen=True, slots=True)
class OnlyFields(Node):
    fields: tuple[FieldPath, ...]


@dataclass(frozen=True, slots=True)
class OnlyRows(Node):
    """Each row of the result is bound to `row`; a row whose condition is false or errs is left out."""

    where: Expr


@dataclass(frozen=True, slots=True)
class DropFields(Node):
    fields: tuple[FieldPath, ...]


@dataclass(frozen=True, slots=True)
class Schema(Node):
    path: str


@dataclass(frozen=True, slots=True)
class Label(Node):
    """`label untrusted in result.*.body`, `label records where row.owner == principal.id`."""

    labels: tuple[str, ...]
    targets: tuple[Expr, ...] = ()
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class OnlyCalls(Node):
    """`only call get_order, "docs.*"`: while its task is on, no other tool is called."""

    tools: tuple[ToolPattern, ...]


@dataclass(frozen=True, slots=True)
class Flow(Node):
    """`flow confidential to call send_email only when c because "..."`; the checker sees it as the effect of
    a statement of its own (see `labels.flow_block`)."""

    labels: tuple[str, ...]
    tools: tuple[ToolPattern, ...]
    when: Expr | None
    because: str | None


Effect: TypeAlias = (
    Allow
    | Ask
    | Deny
    | Halt
    | Flag
    | Review
    | Require
    | Threshold
    | Limit
    | Budget
    | Breaker
    | Redact
    | OnlyFields
    | OnlyRows
    | DropFields
    | Schema
    | Label
    | Flow
    | OnlyCalls
)


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """One line of a block: an effect, when it holds, and why."""

    label: str | None
    shadow: bool
    effect: Effect
    when: Expr | None
    unless: Expr | None
    because: str | None


# --- items -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PolicyHeader(Node):
    """`policy support_refunds`; `shadow policy x` puts the whole file in shadow."""

    name: str
    shadow: bool


@dataclass(frozen=True, slots=True)
class UseTools(Node):
    path: str


@dataclass(frozen=True, slots=True)
class Setting(Node):
    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class UsePolicy(Node):
    path: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class TypeItem(Node):
    """`type principal { ... }` or `type currency = "EUR" | "USD"`."""

    name: str
    definition: TypeExpr


@dataclass(frozen=True, slots=True)
class LabelOrder(Node):
    """`type label { public < internal < confidential; trusted < untrusted }`: chains, low to high."""

    chains: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Param(Node):
    name: str
    type: TypeExpr
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    name: str
    type: TypeExpr


@dataclass(frozen=True, slots=True)
class Let(Node):
    """A named value; with `parameters` (None: none at all) a named condition. At file or block level."""

    name: str
    parameters: tuple[Parameter, ...] | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Default(Node):
    """`default call ask security because "..."`: what holds where nothing grants."""

    point: Point
    effect: Allow | Ask | Deny
    because: str | None


@dataclass(frozen=True, slots=True)
class Block(Node):
    """`on call a, "b.*" when c { ... }`; `header` spans the line up to the brace."""

    point: Point
    tools: tuple[ToolPattern, ...]
    shadow: bool
    when: Expr | None
    unless: Expr | None
    body: tuple[Statement | Let, ...]
    header: Span


@dataclass(frozen=True, slots=True)
class BreakerItem(Node):
    name: str
    tools: tuple[ToolPattern, ...]
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class Detector(Node):
    """`detector badge = pattern /[A-Z]{2}\\d{6}/ checksum luhn context "badge", "pass"`."""

    name: str
    pattern: Literal
    checksum: str | None
    context: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task(Node):
    """`task refund(order: string) { only call get_order, issue_refund; on call issue_refund { ... } }`."""

    name: str
    parameters: tuple[Parameter, ...]
    parts: tuple[OnlyCalls | Block, ...]


@dataclass(frozen=True, slots=True)
class Reveal(Node):
    """`reveal in call send_email.to`, `reveal in output`: where reversible tokens are turned back. Both parts
    are None for outputs."""

    tool: ToolPattern | None
    field: FieldPath | None


@dataclass(frozen=True, slots=True)
class Audit(Node):
    """`audit durable`, `audit buffered else spill`."""

    mode: str
    otherwise: str | None


Item: TypeAlias = (
    PolicyHeader
    | UseTools
    | UsePolicy
    | TypeItem
    | LabelOrder
    | Param
    | Let
    | Default
    | Block
    | BreakerItem
    | Detector
    | Flow
    | Task
    | Reveal
    | Audit
)


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """`# ...` as written; `own_line` is false when code stands before it on its line."""

    text: str
    own_line: bool


@dataclass(frozen=True, slots=True)
class File(Node):
    """One policy file: its items in order and its comments in order."""

    items: tuple[Item, ...]
    comments: tuple[Comment, ...]
    text: str

    @property
    def header(self) -> PolicyHeader | None:
        return next((item for item in self.items if isinstance(item, PolicyHeader)), None)


def quantity_of(literal: Literal) -> int | Decimal:
    """The numeric value of a number, duration, size or percent literal."""
    value = literal.value
    if not isinstance(value, int | Decimal):
        raise TypeError(f"{literal.kind} has no single quantity")
    return value
