"""Whether the rules of other tools cost anything: 10 rules over one tool against 10,000 over 1,000 tools.

`same tool` asks about one tool again and again, `any tool` about another one each time. The latter also
meets a processor whose caches do not hold 1,000 functions; what that alone costs is told by the last row,
which does the same with 1,000 copies of the function by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import by_hand
import refunds
from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails import Guard

SIZES = (1, 1_000)
"""Tools; each has ten rules."""

Decide = Callable[[str, Any], Any]
Pair = tuple[Contender, Contender]

WARM_UP = 3
"""How often every tool meets every case before the clock runs."""


def run() -> list[Table]:
    table = Table(
        "a decision under more and more rules",
        ("rules", "tools", "load", "first decision", "same tool", "ratio", "any tool", "ratio "),
        aim="at most 1.3x",
    )
    guards = {size: _loaded(size) for size in SIZES}
    timed = {size: _contenders(size, _check(guard, size)) for size, (guard, _, _) in guards.items()}
    control = _contenders(SIZES[-1], _by_hand(SIZES[-1]))
    compare([*control, *(contender for pair in timed.values() for contender in pair)])
    base = timed[SIZES[0]][0]
    for size, (_, load, first) in guards.items():
        table.add(size * 10, size, Seconds(load), Seconds(first), *_figures(timed[size], base))
    table.add("by hand", SIZES[-1], "-", "-", *_figures(control, control[0]))
    return [table]


def _figures(pair: Pair, base: Contender) -> tuple[Seconds | Ratio, ...]:
    same, mixed = pair
    return Seconds(same.cost), Ratio(same.ratio_to(base)), Seconds(mixed.cost), Ratio(mixed.ratio_to(base))


def _check(guard: Guard, size: int) -> Decide:
    check = guard.session(principal=refunds.PRINCIPAL).check_call
    verdicts = refunds.CASES + refunds.MORE_CASES
    refunds.verify("guard", lambda t, a: check(t, a).outcome.value, refunds.names(size)[::50], verdicts)
    return check


def _by_hand(size: int) -> Decide:
    """As many functions as tools, none of which shares its code with another."""
    source = Path(by_hand.__file__).read_text(encoding="utf-8")
    checks = {}
    for tool in refunds.names(size):
        module: dict[str, Any] = {"__name__": tool, "__file__": tool}
        exec(compile(source, tool, "exec"), module)
        module["TOOL"] = tool
        checks[tool] = module["refunds_for"](refunds.PRINCIPAL)
    refunds.verify("by hand", lambda t, a: checks[t](t, a).outcome.value, [*checks][::50], refunds.CASES)
    return lambda tool, args: checks[tool](tool, args)


def _contenders(size: int, decide: Decide) -> Pair:
    """The same work on one tool and on all of them, warmed up."""
    tools = refunds.names(size)
    for tool, args in refunds.calls(tools, refunds.CASES) * WARM_UP:
        decide(tool, args)
    same = refunds.calls([tools[size // 2]], refunds.CASES)
    return Contender("same", decide, same), Contender("any", decide, _mixed(tools))


def _loaded(size: int) -> tuple[Guard, float, float]:
    """A guard over so many tools, the seconds that loading took, and those of the first decision."""
    tools = refunds.names(size)
    text, described = refunds.policy(tools, refunds.FIVE + refunds.FIVE_MORE), refunds.tool_file(tools)
    start = perf_counter()
    guard = Guard.from_text(text, tools=described)
    load = perf_counter() - start
    session = guard.session(principal=refunds.PRINCIPAL)
    start = perf_counter()
    session.check_call(tools[0], refunds.GOOD)
    return guard, load, perf_counter() - start


def _mixed(tools: list[str]) -> list[tuple[str, dict[str, object]]]:
    """The cases, each on another tool than the one before."""
    step = 617
    return [
        (tools[(number * step) % len(tools)], refunds.CASES[number % len(refunds.CASES)][0])
        for number in range(len(refunds.CASES) * len(tools))
    ]
