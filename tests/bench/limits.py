"""What a limit costs: the same call decided without limits, with one, with three, and refused.

All policies say the same of the call otherwise. The limits are far away, so that every call of a turn fits; the
last row is a call that a limit refuses, with all that it says.
"""

from __future__ import annotations

from typing import Any

from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails import Guard

PLAIN = """
policy bench
type principal { id: string }
on call pay {
  allow when args.amount <= 500
  deny when args.amount > 500
  LIMITS
}
"""
ONE = "a: limit 1_000_000_000 per 1h by args.customer"
THREE = f"""{ONE}
  b: limit 1_000_000_000 per 1d by principal.id
  c: limit sum(args.amount) to 1_000_000_000 per 1d by principal.id"""
WAYS = {
    "no limit": "",
    "one limit": ONE,
    "three limits": THREE,
    "refused": "a: limit 0 per 1h by args.customer",
}
ARGS: dict[str, Any] = {"amount": 40, "customer": "c-1"}


def run() -> list[Table]:
    contenders = []
    for name, limits in WAYS.items():
        guard = Guard.from_text(PLAIN.replace("LIMITS", limits), store="memory:")
        session = guard.session(principal={"id": "ana"})
        if session.check_call("pay", ARGS).allowed == (name == "refused"):
            raise SystemExit(f"`{name}` is not decided as it should be")
        contenders.append(Contender(name, session.check_call, [("pay", ARGS)]))
    compare(contenders)
    plain = contenders[0]
    table = Table(
        "a call checked in a session whose store is memory",
        ("", "cost", "on top", "ratio"),
        aim="three limits at most 6 µs on top",
    )
    for way in contenders:
        table.add(
            way.name, Seconds(way.cost), Seconds(max(way.cost - plain.cost, 0)), Ratio(way.ratio_to(plain))
        )
    return [table]
