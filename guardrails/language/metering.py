"""Limits, budgets and breakers: a statement in; what it counts, by what and up to how much, out.

A store counts; here it is only settled what. Whatever can be known of a window or an amount is known when
the policy is checked, so that a decision has to do no more than to name its counters.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.checked import Ceiling, Excess, Fuse, Meaning, Meter, Rule
from guardrails.language.expressions import FAULTY, Typer, described
from guardrails.language.scope import Scope
from guardrails.language.syntax import Point

SESSION_WINDOW = ("session",)

EXACT_UP_TO = 10_000
"""Larger limits over a sliding window are counted in slots, to bound what a store keeps."""

SLOTS = 1_000
"""Slots of such a window: room comes back at most a thousandth of the window late, and never early."""

MOST_UNITS = 4 * 10**18
"""What a counter can hold, a little less than a signed 64-bit number."""

FINE, COARSE = 9, 3
"""Digits after the point of an amount that is summed; the larger the limit, the fewer."""

EVENTS: dict[str, Point] = {"calls": "call", "inputs": "input", "outputs": "output", "results": "result"}
FACTS: dict[str, Any] = {"duration": "elapsed", "retries": "failures", "thrashing": "streak"}
RESOURCES: dict[str, t.Type] = {
    "tokens": t.INT, "input_tokens": t.INT, "output_tokens": t.INT, "cached_tokens": t.INT, "cost": t.DECIMAL,
    "calls": t.INT, "tool_time": t.DURATION,
}  # fmt: skip
"""What a budget can be of. All but `calls` is known from usage reports."""

UNKEYED = (t.ListOf, t.SetOf, t.MapOf, t.Record)


# --- where a statement holds -------------------------------------------------------------------


def points_of(rule: Rule) -> tuple[str, ...]:
    """The points at which a rule is asked. A rule of `on session` holds for new work, calls and inputs; a
    budget where it could be exceeded, and where usage is reported."""
    effect, point = rule.statement.effect, rule.block.point
    if isinstance(effect, syntax.Budget):
        spent = ("call", "input") if point == "session" else ("call",)
        return ("call",) if effect.resource == "calls" else (*spent, "usage")
    if point != "session":
        return (point,)
    if isinstance(effect, syntax.Limit) and effect.measure in EVENTS:
        return (EVENTS[effect.measure],)
    if isinstance(effect, syntax.Limit) and effect.measure in ("retries", "thrashing"):
        return ("call",)
    return ("call", "input")


# --- limits ------------------------------------------------------------------------------------


def limit(typer: Typer, rule: Rule, effect: syntax.Limit, scope: Scope) -> Meaning | None:
    if effect.measure in FACTS:
        return _fact(typer, rule, effect, scope)
    if not _measure_fits(typer, rule, effect):
        return None
    amount = _amount(typer, effect, scope)
    keys = _keys(typer, effect.by, scope)
    if amount is None or keys is None:
        return None
    ceilings = _ceilings(typer, effect, amount.type, scope)
    if ceilings is None:
        return None
    return Meter(
        effect.measure if effect.measure in ("sum", "distinct") else "count",
        amount,
        ceilings,
        keys,
        _decimals(effect.measure, amount.type, ceilings),
        by_session=_is_by_session(rule, effect.by, ceilings),
        degrade=effect.degrade,
        was=effect.was,
    )


def _is_by_session(rule: Rule, by: tuple[syntax.Expr, ...], ceilings: tuple[Ceiling, ...]) -> bool:
    """In `on session` a limit counts each session for itself, unless `by` says by what."""
    if any(ceiling.window == SESSION_WINDOW for ceiling in ceilings):
        return rule.block.point != "session" or not by
    return rule.block.point == "session" and not by


def _measure_fits(typer: Typer, rule: Rule, effect: syntax.Limit) -> bool:
    in_session = rule.block.point == "session"
    if effect.measure in EVENTS and not in_session:
        word = effect.measure
        return _refuse(
            typer, "misplaced-statement", f"`limit ... {word}` stands in an `on session` block", effect,
            f"in this block every {word[:-1]} counts anyway: leave `{word}` out" if EVENTS[word] == rule.block.point else "",
        )  # fmt: skip
    if effect.measure == "count" and in_session:
        message = "a limit of a session says what it counts"
        return _refuse(typer, "wrong-argument", message, effect, "write `limit 200 calls`")
    if effect.measure in ("sum", "distinct") and in_session:
        message = f"`limit {effect.measure}(...)` stands in a block about calls, results, inputs or outputs"
        return _refuse(typer, "misplaced-statement", message, effect, "")
    return True


def _refuse(typer: Typer, name: str, message: str, node: syntax.Node, help: str) -> bool:
    typer.report(name, message, node.span, help)
    return False


def _amount(typer: Typer, effect: syntax.Limit, scope: Scope) -> core.Core | None:
    """What one event adds; for `distinct`, the value."""
    if effect.subject is None:
        return core.Const(effect.span, t.INT, 1)
    value = typer.lower(effect.subject, scope)
    if value.type == FAULTY:
        return None
    if effect.measure == "distinct":
        return None if _is_unkeyed(typer, value, "distinct values") else value
    if value.type in (t.DURATION, t.SIZE) or isinstance(value.type, t.Money):
        return value
    number = typer.expect(value, t.DECIMAL)
    return None if number.type == FAULTY else number


def _is_unkeyed(typer: Typer, value: core.Core, what: str) -> bool:
    if not isinstance(value.type, UNKEYED):
        return False
    typer.report(
        "wrong-type", f"{described(value)}, but {what} need a text, a number or a truth value", value.span
    )
    return True  # fmt: skip


def _keys(typer: Typer, by: tuple[syntax.Expr, ...], scope: Scope) -> tuple[core.Core, ...] | None:
    values = [typer.lower(part, scope) for part in by]
    if any(value.type == FAULTY or _is_unkeyed(typer, value, "keys after `by`") for value in values):
        return None
    return tuple(values)


def _ceilings(typer: Typer, effect: syntax.Limit, kind: t.Type, scope: Scope) -> tuple[Ceiling, ...] | None:
    found = []
    for bound in effect.bounds:
        value = _bound(typer, effect.measure, bound.amount, kind, scope)
        window = _width(typer, bound.per)
        if value is None or window == 0:
            return None
        found.append(Ceiling(value, _window(window, value, effect.measure)))
    if effect.burst is not None:
        paced = next((each for each in found if each.window != SESSION_WINDOW), found[0])
        smooth = _burst(typer, effect, paced, scope)
        if smooth is None:
            return None
        found.append(smooth)
    return tuple(found)


def _bound(typer: Typer, measure: str, node: syntax.Expr, kind: t.Type, scope: Scope) -> core.Core | None:
    """How much; a whole number of events or values, or an amount of what is summed."""
    value = typer.lower(node, scope)
    summed = measure == "sum" and (kind in (t.DURATION, t.SIZE) or isinstance(kind, t.Money))
    value = typer.expect(value, kind if summed else t.DECIMAL)
    if value.type == FAULTY:
        return None
    if isinstance(value, core.Const):
        number = _number(value)
        if number < 0 or (measure != "sum" and number % 1):
            words = "a limit is a whole number from 0" if measure != "sum" else "a limit is not negative"
            typer.report("wrong-argument", words, node.span)
            return None
    return value


def _number(value: core.Const) -> Any:
    return value.value[0] if isinstance(value.value, tuple) else value.value


def _width(typer: Typer, per: syntax.Literal | None) -> int | None:
    """Microseconds of a window; None for a whole session, 0 when reported."""
    if per is None:
        return None
    width = int(syntax.quantity_of(per))
    if width < 1:
        typer.report("wrong-argument", "a window has a length", per.span, "write one such as `1h`")
    return width


def _window(width: int | None, value: core.Core, measure: str) -> tuple[object, ...]:
    if width is None:
        return SESSION_WINDOW
    is_large = isinstance(value, core.Const) and _number(value) > EXACT_UP_TO
    slots = SLOTS if measure != "sum" and (is_large or not isinstance(value, core.Const)) else 0
    return ("sliding", width, min(slots, width))


def _burst(typer: Typer, effect: syntax.Limit, first: Ceiling, scope: Scope) -> Ceiling | None:
    """`limit 60 per 1h burst 5` is also 5 per 5 m: no more at once than the rate gives in that time."""
    assert effect.burst is not None
    value = typer.expect(typer.lower(effect.burst, scope), t.DECIMAL)
    if value.type == FAULTY:
        return None
    steady = isinstance(first.limit, core.Const) and isinstance(value, core.Const)
    if not steady or first.window == SESSION_WINDOW or effect.measure == "sum":
        message = "`burst` smooths a constant number of events per time"
        typer.report("wrong-argument", message, effect.burst.span, "write `limit 60 per 1h burst 5`")
        return None
    assert isinstance(first.limit, core.Const) and isinstance(value, core.Const)  # noqa: PT018 - one fact
    most, at_once = _number(first.limit), _number(value)
    if not 0 < at_once <= most or at_once % 1:
        message = f"a burst is a whole number from 1 to {most}, the limit itself"
        typer.report("wrong-argument", message, effect.burst.span)
        return None
    per: Any = first.window[1]
    return Ceiling(value, ("sliding", max(int(per * Fraction(at_once) / Fraction(most)), 1), 0))


def _decimals(measure: str, kind: t.Type, ceilings: tuple[Ceiling, ...]) -> int:
    if measure != "sum" or kind in (t.DURATION, t.SIZE):
        return 0
    known = [_number(c.limit) for c in ceilings if isinstance(c.limit, core.Const)]
    if kind == t.INT and all(_is_whole(ceiling.limit) for ceiling in ceilings):
        return 0
    return decimals_for(max(known, default=Decimal(0)))


def _is_whole(limit: core.Core) -> bool:
    return _number(limit) % 1 == 0 if isinstance(limit, core.Const) else limit.type == t.INT


def decimals_for(most: Any) -> int:
    """How fine amounts are counted where `most` must fit."""
    return next((digits for digits in (FINE, COARSE) if Decimal(most) * 10**digits <= MOST_UNITS), 0)


def _fact(typer: Typer, rule: Rule, effect: syntax.Limit, scope: Scope) -> Meaning | None:
    """`limit duration 15m`, `limit retries 3`, `limit thrashing 5`."""
    from guardrails.language.comparisons import _compare

    word = effect.measure
    if rule.block.point != "session":
        _refuse(typer, "misplaced-statement", f"`limit {word}` stands in an `on session` block", effect, "")
        return None
    if effect.by or effect.burst or effect.degrade or effect.was:
        message = f"`limit {word}` counts each session for itself and takes nothing else"
        _refuse(typer, "wrong-argument", message, effect, "")
        return None
    node = effect.bounds[0].amount
    kind = t.DURATION if word == "duration" else t.INT
    bound = typer.expect(typer.lower(node, scope), kind)
    if bound.type == FAULTY:
        return None
    fact = core.SessionFact(effect.span, kind, FACTS[word])
    comparison = syntax.Comparison(effect.span, ">=" if word == "thrashing" else ">", node, node)
    return Excess(_compare(typer, comparison, fact, bound))


# --- budgets -----------------------------------------------------------------------------------


def budget(typer: Typer, rule: Rule, effect: syntax.Budget, scope: Scope) -> Meaning | None:
    if rule.block.point not in ("session", "call"):
        message = "a budget stands in an `on session` or `on call` block"
        _refuse(typer, "misplaced-statement", message, effect, "")
        return None
    value = _budget_amount(typer, effect, scope)
    keys = _keys(typer, effect.by, scope)
    if effect.zone and not _is_zone(typer, effect):
        return None
    if value is None or keys is None or not _keys_last(typer, keys):
        return None
    kind, unit = RESOURCES[effect.resource], ""
    if isinstance(value.type, t.Money) and isinstance(value, core.Const):
        unit = str(value.value[1])  # type: ignore[index]  # money is a pair
    decimals = FINE if kind == t.DECIMAL else 0
    path = ("cost", unit) if effect.resource == "cost" else (effect.resource,)
    # Usage is a record of numbers; time in it is in microseconds, as durations are.
    reported = t.INT if kind == t.DURATION else kind
    amount: core.Core = core.Load(effect.span, reported, "usage", path)
    if effect.resource == "calls":
        amount = core.Const(effect.span, t.INT, 1)
    return Meter(
        effect.resource, amount, (Ceiling(value, _period(effect)),), keys, decimals, unit,
        by_session=not effect.by and (rule.block.point == "session" or effect.per is None),
        is_budget=True, was=effect.was, warn_at=tuple(str(syntax.quantity_of(level)) for level in effect.warn_at),
    )  # fmt: skip


def _is_zone(typer: Typer, effect: syntax.Budget) -> bool:
    from guardrails.canonical.window import day
    from guardrails.errors import EvaluationError

    try:
        day(0, effect.zone or "UTC")
    except EvaluationError as error:
        return _refuse(typer, "wrong-argument", str(error), effect, "")
    return True


def _budget_amount(typer: Typer, effect: syntax.Budget, scope: Scope) -> core.Core | None:
    from guardrails.diagnostics import did_you_mean

    if effect.resource not in RESOURCES:
        help = did_you_mean(effect.resource, RESOURCES) or f"there are budgets of {', '.join(RESOURCES)}"
        typer.report("unknown-resource", f"there is no budget of `{effect.resource}`", effect.span, help)
        return None
    value = typer.lower(effect.amount, scope)
    if value.type == FAULTY:
        return None
    if effect.resource == "cost":
        if isinstance(value.type, t.Money) and isinstance(value, core.Const):
            return value
        message = "a budget of cost is an amount of money"
        typer.report("wrong-type", message, effect.amount.span, "write it as `5.00 USD`")
        return None
    value = typer.expect(value, t.DURATION if effect.resource == "tool_time" else t.DECIMAL)
    if value.type != FAULTY and isinstance(value, core.Const) and (_number(value) < 0 or _number(value) % 1):
        typer.report("wrong-argument", "a budget is a whole number from 0", effect.amount.span)
        return None
    return None if value.type == FAULTY else value


def _keys_last(typer: Typer, keys: tuple[core.Core, ...]) -> bool:
    """A budget is also charged after the call, when its arguments are gone."""
    for key in keys:
        for node in core.walk(key):
            if isinstance(node, core.Load) and node.root not in ("principal", "agent", "session"):
                message = f"a budget cannot be kept by `{node.where}`: usage is reported after the call"
                typer.report(
                    "wrong-argument", message, key.span, "use a field of principal, agent or session"
                )
                return False
    return True


def _period(effect: syntax.Budget) -> tuple[object, ...]:
    if effect.per is None:
        return SESSION_WINDOW
    if isinstance(effect.per, str):
        return ("calendar", effect.per, effect.zone or "UTC")
    width = int(syntax.quantity_of(effect.per))
    return ("sliding", width, min(SLOTS, width))


# --- breakers ----------------------------------------------------------------------------------


def breaker(typer: Typer, rule: Rule, effect: syntax.Breaker, scope: Scope) -> Meaning | None:
    if rule.block.point != "call":
        _refuse(
            typer, "misplaced-statement", "a breaker watches calls: put it in an `on call` block", effect, ""
        )
        return None
    keys = _keys(typer, effect.by, scope)
    if keys is None:
        return None
    openings = tuple(_opening(typer, line) for line in effect.open_after)
    wait = int(syntax.quantity_of(effect.retry_after))
    if wait < 1:
        typer.report("wrong-argument", "`retry after` needs a time", effect.retry_after.span)
    known = tuple(opening for opening in openings if opening is not None)
    return Fuse(known, wait, effect.fallback, keys) if known == openings and wait > 0 else None


def _opening(typer: Typer, line: syntax.OpenAfter) -> tuple[int, int | None, tuple[int, int] | None] | None:
    share = None
    number: Any = syntax.quantity_of(line.amount)
    if line.minimum is not None:
        fraction = Fraction(str(number))
        share, number = (fraction.numerator, fraction.denominator), syntax.quantity_of(line.minimum)
        if not 0 < fraction <= 1:
            typer.report("wrong-argument", "a share of failures is more than 0% and at most 100%", line.span)
            return None
    window = int(syntax.quantity_of(line.window)) if line.window else None
    if number < 1 or number % 1 or (window is not None and window < 1):
        typer.report("wrong-argument", "a breaker opens after a whole number of failures", line.span)
        return None
    return (int(number), window, share)
