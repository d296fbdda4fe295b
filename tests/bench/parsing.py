"""Reading policies: time for 1,000 and 10,000 lines, and whether it grows in line with them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import refunds
from measuring import seconds_of
from tables import Ratio, Seconds, Table

from guardrails.language.parser import parse
from guardrails.loading import load

SIZES = (1_000, 10_000)
TIMES = {1_000: 5, 10_000: 3}
GUARD = "import sys; from guardrails.cli import main; sys.exit(main())"


def run() -> list[Table]:
    table = Table(
        "reading a policy",
        ("lines", "parse", "read and check", "`guard lint`, whole process"),
        aim="10,000 lines linted in under 3 s; ten times the lines in about ten times the time",
    )
    found = {size: _times(size) for size in SIZES}
    for size, times in found.items():
        table.add(size, *map(Seconds, times))
    small, large = (found[size] for size in SIZES)
    table.add("growth", *(Ratio(after / before) for before, after in zip(small, large, strict=True)))
    return [table]


def _times(lines: int) -> tuple[float, float, float]:
    text = policy_of(lines)
    if parse(text, "big.guard")[0] is None:
        raise SystemExit("the generated policy does not parse")
    times = TIMES[lines]
    reading = seconds_of(lambda: parse(text, "big.guard"), times)
    checking = seconds_of(lambda: load(["big.guard"], read=lambda _: text), times)
    return reading, checking, _lint(text, times)


def policy_of(lines: int) -> str:
    """A policy of exactly so many lines, made of whole blocks and a comment or two."""
    rules = refunds.FIVE + refunds.FIVE_MORE
    block = rules.count("\n") + 2
    tools = refunds.names((lines - refunds.HEAD.count("\n")) // block)
    text = refunds.policy(tools, rules)
    return text + "# the end\n" * (lines - text.count("\n"))


def _lint(text: str, times: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "big.guard")
        path.write_text(text, encoding="utf-8")
        taken = []
        for _ in range(times):
            start = perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", GUARD, "lint", str(path)], capture_output=True, text=True
            )
            taken.append(perf_counter() - start)
            if done.returncode not in (0, 1):
                raise SystemExit(f"`guard lint` failed with {done.returncode}: {done.stderr[-2000:]}")
    return sorted(taken)[times // 2]
