"""What it costs to format a policy; for information."""

from __future__ import annotations

from measuring import seconds_of
from parsing import policy_of
from tables import Seconds, Table

from guardrails.language.formatter import format_text

SIZES = (100, 1_000, 10_000)


def run() -> list[Table]:
    table = Table("formatting a policy", ("lines", "time", "a line"))
    for size in SIZES:
        text = policy_of(size)
        if format_text(text, "big.guard")[0] is None:
            raise SystemExit("the generated policy cannot be formatted")
        taken = seconds_of(lambda text=text: format_text(text, "big.guard"), times=3)
        table.add(size, Seconds(taken), Seconds(taken / size))
    return [table]
