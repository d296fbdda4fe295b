"""The same refund decision in other engines, at 10 rules and at 10,000; every verdict is checked first."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import refunds
from measuring import Contender, compare
from rivals import rivals
from tables import Ratio, Seconds, Table

from guardrails import Guard

SIZES = (1, 1_000)
ASKED = 12
"""Tools that are asked about, spread evenly; the rules of all are there."""

VERDICTS = refunds.CASES + refunds.MORE_CASES


def run() -> list[Table]:
    return [_table(size) for size in SIZES]


def _table(size: int) -> Table:
    tools = refunds.names(size)
    asked = tools[:: max(1, size // ASKED)][:ASKED]
    table = Table(
        f"the same decision elsewhere, {size * 10:,} rules over {size:,} tools",
        ("engine", "version", "kind", "form", "a decision", "ours beside it", "ratio"),
        aim="the fastest complete policy engine takes at least 5x, better 8x",
    )
    decide = _guard(tools)
    best: list[float] = []
    for module, version in rivals():
        if version is None:
            table.add(module.NAME, "missing", _kind(module), "-", "-", "-", "-")
            continue
        for form, rival in _forms(module, tools).items():
            theirs, ours = _beside(f"{module.NAME}, {form}", rival, decide, asked)
            ratio = theirs.ratio_to(ours)
            best += [ratio] if module.COMPLETE else []
            row = (module.NAME, version, _kind(module), form)
            table.add(*row, Seconds(theirs.cost), Seconds(ours.cost), Ratio(ratio))
    table.add("fastest complete policy engine", "", "", "", "", "", Ratio(min(best)) if best else "-")
    return table


def _kind(module: ModuleType) -> str:
    return "policy engine" if module.COMPLETE else "expressions"


def _forms(module: ModuleType, tools: list[str]) -> dict[str, Any]:
    """The ways in which an engine can hold the rules; with one tool they are the same."""
    forms = {"by tool": module.by_tool()}
    if len(tools) > 1 and hasattr(module, "in_one"):
        forms["in one"] = module.in_one(tools)
    return forms


def _guard(tools: list[str]) -> Any:
    text = refunds.policy(tools, refunds.FIVE + refunds.FIVE_MORE)
    guard = Guard.from_text(text, tools=refunds.tool_file(tools))
    check = guard.session(principal=refunds.PRINCIPAL).check_call
    refunds.verify("guard", lambda tool, args: check(tool, args).outcome.value, tools[::100], VERDICTS)
    return check


def _beside(name: str, rival: Any, decide: Any, asked: list[str]) -> tuple[Contender, Contender]:
    """A rival and Guard, timed in turns on the same calls."""
    refunds.verify(name, rival, asked, VERDICTS)
    calls = refunds.calls(asked, refunds.CASES)
    for tool, args in calls * 3:
        decide(tool, args)
    theirs, ours = Contender(name, rival, calls), Contender("guard", decide, calls)
    compare([theirs, ours])
    return theirs, ours
