"""A check that is told again, with the same id, is counted once."""

from __future__ import annotations

from typing import Any

from telemetry_guards import shop

from guardrails.telemetry import catalogue as of

METRIC = of.DECISIONS.name.replace(".", "_")


def counted(guard: Any, *words: str) -> float:
    """How many decisions were counted of which the labels hold these words."""
    lines = guard.telemetry.prometheus().splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(METRIC) and all(f'"{word}"' in line for word in words)
    )


def test_a_call_and_its_result_count_once() -> None:
    guard = shop()
    session = guard.session(id="s-1", principal={"id": "ana"})
    for _ in range(3):
        session.check_call("refund", {"amount": 5}, call_id="c")
        session.check_result("refund", {"ok": True}, args={"amount": 5}, call_id="c")
    assert (counted(guard, "call", "allow"), counted(guard, "result", "allow")) == (1, 1)
    session.check_call("refund", {"amount": 500}, call_id="c")
    assert counted(guard, "call", "deny") == 1


def test_without_a_name_each_counts() -> None:
    guard = shop()
    session = guard.session(id="s-1", principal={"id": "ana"})
    for _ in range(3):
        session.check_call("refund", {"amount": 5})
    assert counted(guard, "call", "allow") == 3


def test_what_cannot_be_compared_counts_each_time() -> None:
    guard = shop()
    session = guard.session(id="s-1", principal={"id": "ana"})
    for _ in range(2):
        session.check_call("mail.send", {"to": object()}, call_id="c")
    assert counted(guard, "call", "allow") == 2
