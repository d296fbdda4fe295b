"""A policy that counts, and ways to ask `guard check` about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Result

POLICY = """\
policy pay

type principal { id: string }

on call pay {
  allow
  daily: limit 2 per 1d by args.customer
  value: limit sum(args.amount) to 100.50 per 1d by principal.id
}

on call fetch { allow }

on session {
  calls: limit 20 calls
  money: budget cost 5.00 USD per month by principal.id
}

breaker fetching on call "fetch" {
  open after 2 consecutive failures
  retry after 30s
  fallback "Use the form."
}
"""
STATELESS = "policy plain\non call pay { allow }\n"
PRICES = "currency: USD\nmodels:\n  small: {input: 1_000_000, output: 2_000_000}\n"
FORMS = ("`memory:`", "`sqlite:///path", "`redis://host")


@pytest.fixture
def pay(guard: Command, tmp_path: Path) -> Pay:
    (tmp_path / "pay.guard").write_text(POLICY)
    (tmp_path / "plain.guard").write_text(STATELESS)
    return Pay(guard)


class Pay:
    """Asks about payments and events by the policy above."""

    def __init__(self, guard: Command) -> None:
        self.guard = guard

    def __call__(self, *words: str, customer: str = "c1", amount: float = 1) -> Result:
        args = json.dumps({"customer": customer, "amount": amount})
        who = ("--principal", '{"id": "ana"}', "--session", "s1")
        return self.guard("check", "pay.guard", "--call", "pay", "--args", args, *who, *words)

    def event(self, *words: str, **fields: Any) -> Result:
        event = json.dumps({"principal": {"id": "ana"}, "session": "s1", **fields})
        return self.guard("check", "pay.guard", "--format", "json", *words, stdin=event)

    def codes(self, number: int, *words: str) -> list[int]:
        """The exit codes of so many payments, one after the other."""
        return [self(*words).code for _ in range(number)]
