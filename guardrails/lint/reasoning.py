"""Reasoning about conditions: what can never be true, and what one condition says about another.

Takes checked expressions, gives claims (an expression and the truth it is claimed to have) and what follows
from several at once. There is no solver: claims about one expression meet as domains, and a claim and its
opposite exclude each other. Parameters are never taken for constants, because others set them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import core
from guardrails.language import types as t
from guardrails.lint.domains import ANYTHING, Domain, of_comparison

Fixed: TypeAlias = Callable[[core.Const], bool]
"""Whether a constant stands in the policy itself (`Policy.is_fixed`)."""

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_PLAIN = frozenset({t.STRING, t.BOOL, t.INT, t.DECIMAL, t.DURATION, t.SIZE, t.TIME, t.PERCENT})
"""Kinds whose constants are equal exactly when their values are."""


MOST_ALIKE = 50
"""Conditions about one expression that are held against each other."""


class Claim(NamedTuple):
    """`node` is true, or is false."""

    node: core.Core
    truth: bool


class Reading(NamedTuple):
    """What a claim leaves to the expression it is about."""

    term: core.Core
    domain: Domain


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Why claims cannot hold together: one that is impossible by itself, or two that exclude each other."""

    first: Span
    second: Span | None = None


def never(node: core.Core, fixed: Fixed) -> Contradiction | None:
    """Why a condition is never true, or None when it may be."""
    return contradiction([Claim(node, True)], fixed)


def always(node: core.Core, fixed: Fixed) -> bool:
    """Whether a condition is true for every value (or an error, where one is missing)."""
    if isinstance(node, core.Load | core.Compare) and natural(_subject(node)) is ANYTHING:
        return False  # one comparison of something that can be anything
    return contradiction([Claim(node, False)], fixed) is not None


def contradiction(claims: Iterable[Claim], fixed: Fixed) -> Contradiction | None:
    """Why these claims never hold together, or None when they may."""
    return _Claims(fixed).add_all(claims)


@dataclass(slots=True)
class _Claims:
    """Claims that hold together so far, by the expression they are about."""

    fixed: Fixed
    domains: dict[object, tuple[Domain, Span]] = field(default_factory=dict)
    values: dict[str, core.Core] = field(default_factory=dict)

    def add_all(self, claims: Iterable[Claim]) -> Contradiction | None:
        for claim in claims:
            found = self.add(claim)
            if found is not None:
                return found
        return None

    def add(self, claim: Claim) -> Contradiction | None:
        node, truth = claim
        if isinstance(node, core.Negation):
            return self.add(Claim(node.operand, not truth))
        if isinstance(node, core.Bind):
            self.values[node.variable] = node.value
            return self.add(Claim(node.body, truth))
        if isinstance(node, core.All | core.AnyOf):
            return self._joined(node, claim)
        if isinstance(node, core.Each):
            return self._each(node, claim)
        if isinstance(node, core.Const):
            is_false = node.type == t.BOOL and self.fixed(node) and node.value is not truth
            return Contradiction(node.span) if is_false else None
        return self._meet(claim)

    def _joined(self, node: core.All | core.AnyOf, claim: Claim) -> Contradiction | None:
        parts = [Claim(part, claim.truth) for part in node.operands]
        if isinstance(node, core.All) is claim.truth:
            return self.add_all(parts)
        alone = [contradiction([part], self.fixed) for part in parts]
        return alone[0] if all(found is not None for found in alone) else None

    def _each(self, node: core.Each, claim: Claim) -> Contradiction | None:
        """`any` is never true, and `all` never false, when no element can make it so."""
        if node.kind not in ("any", "all") or (node.kind == "any") is not claim.truth or node.body is None:
            return None
        where = [Claim(node.where, True)] if node.where is not None else []
        return contradiction([*where, Claim(node.body, claim.truth)], self.fixed)

    def _meet(self, claim: Claim) -> Contradiction | None:
        read = reading(claim, self.fixed, self.values)
        span = claim.node.span
        key = key_of(read.term)
        before, place = self.domains.get(key, (natural(read.term), None))
        domain = before.meet(read.domain)
        if domain.is_empty:
            return Contradiction(span, None if read.domain.is_empty else place)
        self.domains[key] = (domain, span)
        return None


def reading(claim: Claim, fixed: Fixed, values: Mapping[str, core.Core] | None = None) -> Reading:
    """The claim as an expression and its domain; one that says nothing of the kind is about itself."""
    node = claim.node
    found = None
    if isinstance(node, core.Compare):
        found = _comparison(node, claim, fixed)
    elif isinstance(node, core.Test) and node.op == "in":
        found = _membership(node, claim, fixed)
    read = found or Reading(node, Domain(allowed=frozenset({claim.truth})))
    return Reading(_resolved(read.term, values or {}), read.domain)


def _resolved(term: core.Core, values: Mapping[str, core.Core]) -> core.Core:
    while isinstance(term, core.Var) and term.name in values:
        term = values[term.name]
    return term


def _comparison(node: core.Compare, claim: Claim, fixed: Fixed) -> Reading | None:
    left, right, op = node.left, node.right, node.op
    if isinstance(left, core.Const):
        left, right, op = right, left, _MIRRORED[op]
    if not isinstance(right, core.Const) or not _is_plain(right.type) or not fixed(right):
        return None
    if not claim.truth:
        op = _OPPOSITE[op]
    domain = of_comparison(op, right.value)
    return Reading(left, domain) if domain is not None else None


def _membership(node: core.Test, claim: Claim, fixed: Fixed) -> Reading | None:
    whole = node.right
    if not isinstance(whole, core.Const) or not fixed(whole):
        return None
    if not isinstance(whole.value, frozenset | tuple) or not _is_plain(t.item_of(whole.type)):
        return None
    values = frozenset(whole.value)
    domain = Domain(allowed=values) if claim.truth else Domain(excluded=values)
    return Reading(node.left, domain)


def _is_plain(kind: t.Type) -> bool:
    return kind in _PLAIN or isinstance(kind, t.Enum)


def key_of(term: core.Core) -> object:
    """What stands for an expression: a field is the same whatever kind it is taken for."""
    return term.where if isinstance(term, core.Load) else term


def natural(term: core.Core) -> Domain:
    """The values that an expression can have at all."""
    counts = (isinstance(term, core.Invoke) and term.function in ("count", "length")) or (
        isinstance(term, core.Each) and term.kind == "count"
    )
    return Domain(low=(0, True)) if counts else ANYTHING


def _subject(node: core.Core) -> core.Core:
    if isinstance(node, core.Compare | core.Test):
        return node.right if isinstance(node.left, core.Const) else node.left
    return node


def conjuncts(node: core.Core) -> Iterator[core.Core]:
    """The parts that must all be true."""
    if isinstance(node, core.All):
        for part in node.operands:
            yield from conjuncts(part)
    else:
        yield node


def implied(parts: Iterable[core.Core], fixed: Fixed) -> Iterator[tuple[core.Core, core.Core]]:
    """Parts of a conjunction that say less than another part about the same expression, with that part."""
    readings = [(part, reading(_claim_of(part), fixed)) for part in parts]
    by_term: dict[object, list[tuple[core.Core, Domain]]] = {}
    for part, read in readings:
        by_term.setdefault(key_of(read.term), []).append((part, read.domain))
    for whole in by_term.values():
        group = whole[:MOST_ALIKE]
        for part, domain in group:
            for other, stricter in group:
                if other is not part and domain != stricter and domain.covers(stricter):
                    yield part, other
                    break


def _claim_of(part: core.Core) -> Claim:
    return Claim(part.operand, False) if isinstance(part, core.Negation) else Claim(part, True)
