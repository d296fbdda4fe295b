"""Counters that a new version of a policy would lose: a limit that is renamed or changed begins at nothing.

Takes a policy as it was and as it is, gives a warning for every limit, budget and breaker whose counter the
new one no longer uses. A store knows a counter by the statement's label, what stands after `by`, and the
window; how much is let through may change freely.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from guardrails.diagnostics import Diagnostic, Span
from guardrails.language.checked import Checked
from guardrails.language.compiler import Compiler
from guardrails.runtime.refusals import span_of

RULE = "counter-lost"
CODE = "G076"


class Counter(NamedTuple):
    """What a store counts for one statement: its `name` there, and the `shape` that counters keep."""

    name: str
    statement: str
    was: str | None
    measure: str
    by: tuple[str, ...]
    windows: frozenset[tuple[object, ...]]
    span: Span


def lost_counters(old: Checked, new: Checked) -> Iterator[Diagnostic]:
    """A warning for each counter of `old` that `new` does not go on with."""
    before, after = _counters(old), _counters(new)
    by_name = {counter.name: counter for counter in after}
    taken_over = {counter.was: counter for counter in after if counter.was}
    fresh = [counter for counter in after if counter.name not in {each.name for each in before}]
    for counter in before:
        kept = by_name.get(counter.name) or taken_over.get(counter.name)
        if kept is None:
            yield _gone(counter, fresh, after)
        elif difference := _difference(counter, kept):
            help = "finish what the old one counts under its own label, and give the new one another"
            message = f"`{kept.statement}` begins to count anew: {difference}"
            yield Diagnostic(RULE, message, kept.span, "warning", help, code=CODE)


def _gone(counter: Counter, fresh: list[Counter], after: list[Counter]) -> Diagnostic:
    """A counter that nothing goes on with, with the statement that may have been meant to."""
    heir = next((each for each in fresh if _difference(counter, each) is None and not each.was), None)
    if heir is not None:
        message = f"`{heir.statement}` begins to count anew: its label was `{counter.statement}`"
        label = counter.name.partition(".")[2]
        help = "" if label.startswith("~") else f"write `was {label}` at its end"
        return Diagnostic(RULE, message, heir.span, "warning", help, code=CODE)
    place = after[0].span if after else counter.span
    message = f"`{counter.statement}` is gone, and what it has counted with it"
    return Diagnostic(RULE, message, place, "warning", "if that is meant, there is nothing to do", code=CODE)


def _difference(old: Counter, new: Counter) -> str | None:
    """What tells the counters apart; None when the new one counts on."""
    if old.measure != new.measure:
        return f"it counted {old.measure} and counts {new.measure}"
    if old.by != new.by:
        return f"it counted {_by(old.by)} and counts {_by(new.by)}"
    if missing := old.windows - new.windows:
        added = ", ".join(sorted(map(_window, new.windows - old.windows))) or "no other"
        return f"the window {', '.join(sorted(map(_window, missing)))} is gone, there is {added} now"
    return None


def _by(keys: tuple[str, ...]) -> str:
    return f"by {', '.join(f'`{key}`' for key in keys)}" if keys else "everything together"


def _window(window: tuple[Any, ...]) -> str:
    if window[0] == "sliding":
        return f"`{span_of(window[1] / 1_000_000)}`"
    return f"`{window[1]}` in {window[2]}" if window[0] == "calendar" else "`session`"


def _counters(checked: Checked) -> list[Counter]:
    compiler = Compiler(checked)
    spans = {checked.counters[rule.index]: rule for rule in checked.rules if rule.index in checked.counters}
    found = []
    for data in compiler.meters():
        kind, name, statement, by, _, measure, unit, _, windows = data[:9]
        rule = spans[str(name)]
        old = getattr(rule.statement.effect, "was", None)
        found.append(
            Counter(
                str(name), str(statement), f"{rule.policy}.{old}" if old else None, f"{kind} {measure} {unit}".strip(),
                tuple(by), frozenset(windows), rule.statement.span,  # type: ignore[arg-type, call-overload]  # plain data
            )
        )  # fmt: skip
    return found
