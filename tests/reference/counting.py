"""Limits, the plain way: every charge is kept for ever, and every answer is a sum over all of them.

Takes files and events in the order of their times, gives a `Verdict` for each. What the statements of the
policy say is left to the evaluator; here is only what has been used up. Nothing is shared with the engine's
accounts, meters and stores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from guardrails.errors import EvaluationError, MissingField, TooLarge, WrongType
from guardrails.exact import exact
from guardrails.language import syntax
from guardrails.language.schema import Tool
from reference import deciding
from reference.deciding import Draft, Hold, Rule, Verdict
from reference.expressions import Environment, value

SLOTS = 1_000
HOUR = 3_600_000_000
EXACT_UP_TO = 10_000
MOST = 2**62 - 1
FINE = 9
EVENTS = {"calls": "call", "inputs": "input", "outputs": "output", "results": "result"}


@dataclass(frozen=True)
class Ask:
    """What one event wants of one window of one limit; `width` None: of the session, `slot` its grain."""

    rule: Rule
    counter: tuple[Any, ...]
    amount: Fraction
    member: Any
    limit: Fraction
    width: int | None
    slot: int


@dataclass(frozen=True)
class Charge:
    ask: Ask
    at: int
    number: int

    def counts_at(self, now: int) -> bool:
        if self.ask.width is None:
            return True
        filed = self.at - self.at % self.ask.slot + self.ask.slot - 1
        return now - self.ask.width < filed


@dataclass
class Book:
    """All charges there ever were. `now` never runs backwards."""

    files: Sequence[syntax.File]
    tools: Mapping[str, Tool]
    charges: list[Charge] = field(default_factory=list)
    events: int = 0

    def decide(self, event: Mapping[str, Any], now: int) -> Verdict:
        """The verdict on an event, charged when it is an allow; `self.events` is its number."""
        self.events += 1
        env = deciding.environment(self.files, event, self.tools, {}, {}, now)
        draft, asks = Draft(), list[list[Ask]]()
        for rule in rules(self.files, event):
            inner = deciding.inside(rule.block, env)
            if not isinstance(rule.statement.effect, syntax.Limit):
                deciding._judge(rule, inner, draft)
                continue
            asked = self._asks(rule, inner, event, draft)
            if asked:
                asks.append(asked)
        outcome = deciding.outcome(draft, self.files, event["type"])
        if outcome in ("allow", "ask"):
            outcome = self._counted(asks, draft, outcome, event, now)
        return Verdict(
            outcome,
            tuple(sorted(line_of(hold) for hold in draft.active())),
            tuple(sorted(set(draft.errors))),
            tuple(sorted(line_of(hold) for hold in draft.holds if hold.rule.shadow)),
            (), None, tuple(sorted(deciding._obligations(draft))),
        )  # fmt: skip

    def give_back(self, number: int, now: int) -> None:
        """What event `number` was charged is given back, if it is known for less than an hour."""
        self.charges = [c for c in self.charges if c.number != number or now - c.at >= HOUR]

    def _counted(
        self, asks: list[list[Ask]], draft: Draft, outcome: str, event: Mapping[str, Any], now: int
    ) -> str:
        in_force = [one for asked in asks for one in asked if not one.rule.shadow]
        full = [one for one in in_force if not self._fits(one, now)]
        for rule in {id(one.rule): one.rule for one in full}.values():
            draft.holds.append(refusal(rule))
        if full:
            return deciding.outcome(draft, self.files, event["type"])
        if outcome == "allow":
            self.charges += [Charge(one, now, self.events) for one in in_force]
            for asked in (each for each in asks if each[0].rule.shadow):
                if all(self._fits(one, now) for one in asked):
                    self.charges += [Charge(one, now, -1) for one in asked]
                else:
                    draft.holds.append(refusal(asked[0].rule))
        return outcome

    def _fits(self, ask: Ask, now: int) -> bool:
        there = [c.ask for c in self.charges if c.ask.counter == ask.counter and c.counts_at(now)]
        if ask.member is not None:
            return len({other.member for other in there} | {ask.member}) <= ask.limit
        return sum(other.amount for other in there) + ask.amount <= ask.limit

    def _asks(self, rule: Rule, env: Environment, event: Mapping[str, Any], draft: Draft) -> list[Ask]:
        try:
            return list(asks_of(rule, env, event)) if deciding._applies(rule, env) else []
        except (EvaluationError, RecursionError) as error:
            draft.errors.append((rule.name, deciding.kind_of_error(error)))
            draft.holds.append(refusal(rule, by_error=True))
            return []


def rules(files: Sequence[syntax.File], event: Mapping[str, Any]) -> Iterator[Rule]:
    """The statements that speak of the event, and those of `on session` that count it."""
    yield from deciding.rules(files, event)
    for file in files:
        in_shadow = bool(file.header and file.header.shadow)
        for block in file.items:
            if isinstance(block, syntax.Block) and block.point == "session":
                for part in block.body:
                    if isinstance(part, syntax.Statement) and _counts(part.effect, event["type"]):
                        yield Rule(part, block, in_shadow or block.shadow or part.shadow)


def _counts(effect: syntax.Effect, point: str) -> bool:
    return isinstance(effect, syntax.Limit) and EVENTS[effect.measure] == point


def refusal(rule: Rule, *, by_error: bool = False) -> Hold:
    return Hold(rule, syntax.Deny(rule.statement.span), rule.statement.span, by_error)


def line_of(hold: Hold) -> tuple[str, str, bool]:
    return hold.line


# --- what a limit counts -----------------------------------------------------------------------


def asks_of(rule: Rule, env: Environment, event: Mapping[str, Any]) -> Iterator[Ask]:
    limit = rule.statement.effect
    assert isinstance(limit, syntax.Limit)
    keys = tuple(key_of(value(part, env)) for part in limit.by)
    amount, member, places = Fraction(1), None, 0
    if limit.measure == "sum":
        assert limit.subject is not None
        places = FINE
        amount = units(value(limit.subject, env), places)
    elif limit.measure == "distinct":
        assert limit.subject is not None
        member = key_of(value(limit.subject, env))
    per_session = any(bound.per is None for bound in limit.bounds) or rule.block.point == "session"
    if rule.block.point == "session" and limit.by:
        per_session = False
    owner = (rule.name, event["session"] if per_session else None, keys)
    for index, bound in enumerate(limit.bounds):
        most = units(value(bound.amount, env), places)
        width = None if bound.per is None else int(syntax.quantity_of(bound.per))
        yield Ask(rule, (*owner, index), amount, member, most, width, _slot(limit, bound, width))
    if limit.burst is not None:
        yield _burst(rule, limit, owner, env, amount, member)


def _slot(limit: syntax.Limit, bound: syntax.Bound, width: int | None) -> int:
    """Limits that are not known beforehand are counted in slots."""
    is_small = isinstance(bound.amount, syntax.Literal) and syntax.quantity_of(bound.amount) <= EXACT_UP_TO
    if width is None or limit.measure == "sum" or is_small:
        return 1
    return -(-width // SLOTS)


def _burst(
    rule: Rule, limit: syntax.Limit, owner: tuple[Any, ...], env: Environment, amount: Fraction, member: Any
) -> Ask:  # fmt: skip
    """`60 per 1h burst 5`: also 5 in the time in which the rate gives 5."""
    paced = next(bound for bound in limit.bounds if bound.per is not None)
    assert limit.burst is not None and paced.per is not None  # noqa: PT018 - one fact
    at_once, most = units(value(limit.burst, env), 0), units(value(paced.amount, env), 0)
    width = int(int(syntax.quantity_of(paced.per)) * at_once / most)
    return Ask(rule, (*owner, "burst"), amount, member, at_once, width, 1)


def units(found: Any, places: int) -> Fraction:
    """An amount that can be counted, or the error that it cannot."""
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        raise WrongType("a number is expected")
    number = Fraction(exact(found))
    if number < 0:
        raise EvaluationError("it is negative")
    if number * 10**places > MOST:
        raise TooLarge("it is too large")
    if (number * 10**places).denominator != 1:
        raise EvaluationError("it is too fine")
    return number


def key_of(found: Any) -> tuple[str, Any]:
    """A value to count by: 5 and 5.0 are one, 5, "5" and true are three."""
    if isinstance(found, bool):
        return "bool", found
    if isinstance(found, int | float | Decimal):
        return "number", Fraction(exact(found))
    if isinstance(found, str):
        return "text", found
    text = getattr(found, "text", None)
    if isinstance(text, str):
        return "text", text
    if found is None:
        raise MissingField("there is nothing to count by")
    raise WrongType("a list or an object is nothing to count by")
