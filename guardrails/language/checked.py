"""What the checker gives: rules with their meaning resolved, ready to be compiled.

A `Rule` is one statement with all that surrounds it. Its meaning may differ from tool to tool, because
`args` does, so a rule is lowered for one tool at a time (`checker.Lowering`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.schema import Tool
from guardrails.language.scope import Namespace
from guardrails.model import Outcome


def keyword_of(effect: syntax.Effect) -> str:
    """The word that a statement begins with, for people."""
    names = {"OnlyFields": "only fields", "OnlyRows": "only rows", "DropFields": "drop fields",
        "OnlyCalls": "only call",
    }  # fmt: skip
    name = type(effect).__name__
    return names.get(name, name.lower())


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement. `index` orders all rules of a policy by file and place."""

    index: int
    policy: str
    block: syntax.Block
    statement: syntax.Statement
    shadow: bool
    task: syntax.Task | None = None

    @property
    def spared(self) -> tuple[syntax.ToolPattern, ...]:
        """Tools that a block of all tools does not speak of: those that a task is left with."""
        effect = self.statement.effect
        return effect.tools if isinstance(effect, syntax.OnlyCalls) else ()

    @property
    def name(self) -> str:
        """`policy.label`, or its place."""
        label = self.statement.label
        return f"{self.policy}.{label}" if label else str(self.statement.span)


@dataclass(frozen=True, slots=True)
class ReuseBound:
    """What the calls of one approval may come to: each of them, or in total (`per`). `text` is the amount as it
    is written, `unit` its currency (empty for a number)."""

    span: Span
    text: str
    amount: core.Core
    per: str
    most: int | Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Reuse:
    """How far one approval goes: so many calls of the tool in the session, within these bounds."""

    calls: int
    bounds: tuple[ReuseBound, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Who decides an `ask`, by when (microseconds), and who else then. Without `reuse` an approval is for one
    call."""

    reviewers: tuple[str, ...]
    quorum: int
    within: int | None
    otherwise: tuple[str, ...]
    reuse: Reuse | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """allow, ask, deny or halt."""

    outcome: Outcome
    ask: Ask | None = None

    @property
    def grants(self) -> bool:
        return self.outcome in (Outcome.ALLOW, Outcome.ASK)

    @property
    def restricts(self) -> bool:
        return self.outcome is not Outcome.ALLOW


@dataclass(frozen=True, slots=True)
class Requirement:
    """deny unless `condition` is definitely true."""

    condition: core.Core


@dataclass(frozen=True, slots=True)
class Step:
    """A row of a threshold: up to `bound` (None: above all others) this verdict holds."""

    bound: core.Core | None
    verdict: Verdict
    because: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Steps:
    value: core.Core
    rows: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Duty:
    """An obligation: `flag` or `review`, with its details."""

    kind: str
    details: tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A transform of the payload.

    `kind`: redact, only fields, only rows or drop fields; `paths` below the payload, `*` for every element;
    `pattern` or `detector` what is redacted inside texts (neither: the whole value); `method` and `argument`
    how; `rows` the condition of `only rows`, with the row as `Load("row", ...)`.
    """

    kind: str
    paths: tuple[tuple[str, ...], ...] = ()
    pattern: str | None = None
    method: str = "mask"
    argument: object = None
    rows: core.Core | None = None
    detector: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """`label`: what comes in has these labels; only at `paths` below it (none: all of it), and only in the
    `rows` for which the condition holds."""

    labels: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...] = ()
    rows: core.Core | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """deny where `test` holds: something of the session is over what a limit lets it be."""

    test: core.Core


@dataclass(frozen=True, slots=True)
class Ceiling:
    """At most `limit` within `window`: `("sliding", microseconds, buckets)`, `("calendar", unit, zone)`, or
    `("session",)`."""

    limit: core.Core
    window: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit or budget that a store counts.

    `amount` is what one event adds; for `distinct` the value whose distinct values are counted, for a budget
    what a usage report says. `keys` tell counters of the same meter apart. Amounts have up to `decimals`
    digits after the point, in `unit` (a currency, or empty). `by_session`: each session counts for itself.
    """

    measure: str
    amount: core.Core
    ceilings: tuple[Ceiling, ...]
    keys: tuple[core.Core, ...]
    decimals: int
    unit: str = ""
    by_session: bool = False
    is_budget: bool = False
    degrade: bool = False
    was: str | None = None
    warn_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fuse:
    """A circuit breaker: `openings` as `(failures, window, share)`, times in microseconds, the share as
    `(numerator, denominator)`."""

    openings: tuple[tuple[int, int | None, tuple[int, int] | None], ...]
    retry_after: int
    fallback: str | None
    keys: tuple[core.Core, ...]


Meaning: TypeAlias = Verdict | Requirement | Steps | Duty | Change | Mark | Excess | Meter | Fuse


@dataclass(frozen=True, slots=True)
class Lowered:
    """A rule for one tool: it applies when `condition` is true (None: always)."""

    rule: Rule
    condition: core.Core | None
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Fallback:
    """A declared default: what holds at a point where nothing grants."""

    point: syntax.Point
    verdict: Verdict
    because: str | None
    span: Span
    policy: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A whole policy without errors: all files, one namespace."""

    name: str
    rules: tuple[Rule, ...]
    namespace: Namespace
    tools: Mapping[str, Tool]
    defaults: tuple[Fallback, ...]
    principal: t.Type
    agent: t.Type
    reveals: tuple[tuple[str | None, tuple[str, ...]], ...] = ()
    """Where reversible tokens are turned back: `(tool, path)`, or `(None, ())` for outputs."""
    counters: Mapping[int, str] = field(default_factory=dict)
    """The names under which a store counts for each limit, budget and breaker, by the index of its rule."""
    forms: dict[tuple[int, str | None], Lowered] = field(default_factory=dict, compare=False, repr=False)
    """What each rule means for each tool it was checked for, by its index and the tool's name."""
    tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Every task with the names of its parameters."""
    features: set[str] = field(default_factory=set, compare=False, repr=False)
    """What the policy needs to know beside the event: `trace` (the session's past), `age` (when it began)
    and `origin` (where values came from)."""
