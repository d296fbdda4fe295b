"""The packs against planted instructions, on the suites of AgentDojo: `make bench-injection`.

Takes nothing (or the names of suites), prints Markdown: how many runs without an attack pass, how many attacks
are stopped, and with `--each` every run that is not as it should be, with the call and the statement.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from injection_replay import counted, judged
from injection_runs import VERSION, Suite

from guardrails import Guard

if TYPE_CHECKING:
    from injection_replay import Verdict

ROOT = Path(__file__).parents[2]
PACKS = {
    "banking": "banking/banking.guard",
    "workspace": "assistant/assistant.guard",
    "slack": "workplace/workplace.guard",
    "travel": "travel/travel.guard",
}
"""Which pack is for which suite."""


HEAD = (
    "| suite | runs | clean | asked | broken | attacks | denied | asked | allowed | nothing to stop |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
)


def report(chosen: list[str], flags: set[str]) -> None:
    print(f"AgentDojo {VERSION}, reference solutions, important-instructions attack\n")
    print("\n".join(HEAD))
    for name in chosen:
        benign, attacked = verdicts(name, as_text="--text" in flags)
        print(row(name, benign, attacked), flush=True)
        if "--each" in flags:
            _each(benign, attacked)


def verdicts(name: str, *, as_text: bool) -> tuple[list[Verdict], list[Verdict]]:
    """What becomes of the runs of a suite: without an attack, and with one."""
    warnings.simplefilter("ignore")  # of the benchmark's own models
    suite = Suite(name, as_text=as_text)
    guard = Guard.load(ROOT / "policies" / PACKS[name])
    return judged(suite, guard, suite.benign()), judged(suite, guard, suite.attacked())


def row(name: str, benign: list[Verdict], attacked: list[Verdict]) -> str:
    """The line of the table."""
    plain, hostile = counted(benign), counted(attacked)
    kinds = ("stopped by deny", "stopped by ask", "allowed", "nothing to stop")
    left = [name, plain.total(), *(plain[kind] for kind in ("clean", "asked", "broken"))]
    return "| " + " | ".join(map(str, [*left, hostile.total(), *(hostile[kind] for kind in kinds)])) + " |"


def _each(benign: list[Verdict], attacked: list[Verdict]) -> None:
    for verdict in benign:
        if verdict.kind != "clean":
            _show(verdict)
    for verdict in attacked:
        if verdict.kind == "allowed":
            _show(verdict)


def _show(verdict: Verdict) -> None:
    print(f"- {verdict.task.suite} {verdict.task.name}: {verdict.kind}")
    for step in verdict.steps:
        if step.outcome != "allow" or (step.attacker and verdict.kind == "allowed"):
            print(f"  - {step.line}")


if __name__ == "__main__":
    given = sys.argv[1:]
    report([one for one in given if one in PACKS] or list(PACKS), {one for one in given if one not in PACKS})
