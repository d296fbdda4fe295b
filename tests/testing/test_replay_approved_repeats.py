"""Replays of logs in which an approved call was told again by its id, after it had filled a limit itself."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails import Guard, Outcome
from guardrails.testing.replay_deciding import Decider
from guardrails.testing.replay_items import APPROVED, REJECTED

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
POLICY = """
on call pay { each: ask finance; few: limit 1 per 1h }
"""


def call(to: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": "call", "tool": "pay", "args": {"to": to}, "session": "s", **more}


@pytest.fixture
def decider() -> Decider:
    return Decider(Guard.from_text(POLICY))


def test_a_call_that_filled_the_limit_has_its_answer_again(decider: Decider) -> None:
    first = decider.decide(call(call_id="c"), NOW, said=APPROVED)
    again = decider.decide(call(call_id="c"), NOW + SECOND, said=APPROVED)
    assert first.outcome is again.outcome is Outcome.ALLOW
    assert first.reservation == again.reservation


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (call(call_id="d"), APPROVED),
        (call(), APPROVED),
        (call("b", call_id="c"), APPROVED),
        (call(call_id="c"), REJECTED),
        (call(call_id="c"), ""),
    ],
    ids=["another id", "no id", "other arguments", "rejected", "nobody said anything"],
)
def test_any_other_is_denied_by_the_limit(decider: Decider, other: dict[str, Any], said: str) -> None:
    assert decider.decide(call(call_id="c"), NOW, said=APPROVED).allowed
    assert decider.decide(other, NOW + SECOND, said=said).outcome is Outcome.DENY


def test_one_that_is_over_is_denied_by_the_limit(decider: Decider) -> None:
    first = decider.decide(call(call_id="c"), NOW, said=APPROVED, reservation="r")
    assert first.allowed
    result = {"type": "result", "tool": "pay", "result": "done", "session": "s", "call_id": "c"}
    decider.decide({**result, "reservation": "r"}, NOW + SECOND)
    assert decider.decide(call(call_id="c"), NOW + 2 * SECOND, said=APPROVED).outcome is Outcome.DENY
