"""`guard limits`: the table, and the same as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from counting import POLICY, Pay, pay

from guardrails import Guard
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.usage import Usage

__all__ = ["pay"]

NOON = 1_795_262_400_000_000
"""2026-11-21T12:00:00Z in microseconds."""

GOLDEN = Path(__file__).parents[1] / "golden" / "limits.txt"

OTHER = """
on call mail {
  allow
  people: limit distinct(args.to) to 4 per 1h by args.team
  quota: limit principal.quota per 1d by principal.id
}

on call tried { allow; trial: shadow limit 1 per 1h }

breaker mailing on call mail { open after 2 consecutive failures; retry after 30s; by args.team }
"""


@pytest.fixture
def busy() -> Guard:
    """A guard whose counters are used in every way."""
    policy = POLICY.replace("id: string", "id: string\n  quota: int") + OTHER
    guard = Guard.from_text(policy, clock=FrozenClock(NOON), store="memory:")
    ana = guard.session(principal={"id": "ana", "quota": 3}, id="s1")
    for amount in (1, 40.25):
        assert ana.check_call("pay", {"customer": "c1", "amount": amount}).allowed
    for to in ("a", "b", "c", "a"):
        ana.check_call("mail", {"to": to, "team": "blue"})
    ana.check_call("tried", {})
    ana.report(Usage(cost=(6, "USD")))
    bob = guard.session(principal={"id": "bob", "quota": 3}, id="s2\x1b[2J")
    for customer in [f"c{number}" for number in range(2, 15)]:
        assert bob.check_call("pay", {"customer": customer, "amount": 1}).allowed
    for _ in range(2):
        bob.check_call("fetch", {})
        bob.failed("fetch", {})
    return guard


def shown(busy: Guard, width: int, **asked: Any) -> str:
    table = import_module("guardrails.cli.limits_table").table
    text: str = table(busy.limits(**asked), width, color=False)
    return text


CASES: Mapping[str, tuple[int, dict[str, str]]] = {
    "as wide as needed": (1_000, {}),
    "100 columns": (100, {}),
    "72 columns": (72, {}),
    "a session": (1_000, {"session": "s1"}),
    "a session that did nothing": (1_000, {"session": "s9"}),
    "a principal": (1_000, {"principal": "ana"}),
    "a principal and a session": (1_000, {"principal": "bob", "session": "s2\x1b[2J"}),
    "nobody": (1_000, {"principal": "eve"}),
}


def test_the_table_is_as_it_was(busy: Guard) -> None:
    """Write the file anew by hand only: what is in it is what people see."""
    actual = "".join(f"--- {name}\n{shown(busy, *case[:1], **case[1])}" for name, case in CASES.items())
    assert actual == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [72, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(busy: Guard, width: int) -> None:
    assert max(map(len, shown(busy, width).splitlines())) <= width


def test_looking_changes_nothing(busy: Guard) -> None:
    first = busy.limits()
    assert busy.limits() == first
    session = busy.session(principal={"id": "ana", "quota": 3}, id="s1")
    assert not session.check_call("pay", {"customer": "c1", "amount": 1}).allowed
    assert busy.limits() == first


def test_a_full_limit_says_when_there_is_room(busy: Guard) -> None:
    (full,) = [state for state in busy.limits() if state.name == "pay.daily" and state.is_full]
    assert (full.values, full.used, full.room_in) == (("c1",), 2, 86_400.0)
    assert isinstance(busy.clock, FrozenClock)
    busy.clock.advance(86_400_000_000)
    assert [state for state in busy.limits() if state.name == "pay.daily" and state.used] == []


def test_a_full_count_of_different_ones_says_it_too(busy: Guard) -> None:
    session = busy.session(principal={"id": "cyd", "quota": 9})
    assert isinstance(busy.clock, FrozenClock)
    busy.clock.advance(60_000_000)
    assert session.check_call("mail", {"to": "d", "team": "blue"}).allowed
    (full,) = [state for state in busy.limits() if state.name == "pay.people"]
    assert (full.used, full.limit, full.room_in) == (4, 4, 3_540.0)


def test_colors_are_for_terminals(busy: Guard) -> None:
    table = import_module("guardrails.cli.limits_table").table
    painted = table(busy.limits(), 120, color=True)
    assert "\x1b[31m" in painted
    assert "\x1b[32m" in painted
    assert "\x1b[" not in shown(busy, 120)


def test_the_same_as_data(pay: Pay) -> None:
    pay(amount=0.5)
    pay(amount=2)
    found = json.loads(pay.guard("limits", "pay.guard", "--format", "json").out)
    by_name = {each.pop("statement"): each for each in found["limits"]}
    assert list(by_name) == ["pay.daily", "pay.value", "pay.calls", "pay.money", "pay.fetching"]
    daily = by_name["pay.daily"]
    assert 86_300 < daily.pop("room_in") <= 86_400
    assert daily == {
        "kind": "limit", "by": {"args.customer": "c1"}, "shadow": False, "session": None, "measure": "count",
        "unit": None, "per": "1d", "limit": 2, "used": 2, "reserved": 2,
        "span": {"file": "pay.guard", "line": 7, "column": 3},
    }  # fmt: skip
    assert (by_name["pay.value"]["used"], by_name["pay.value"]["limit"]) == ("2.5", "100.50")
    assert by_name["pay.money"]["by"] == {"principal.id": None}
    assert (by_name["pay.money"]["unit"], by_name["pay.money"]["used"]) == ("USD", 0)
    assert by_name["pay.fetching"]["state"] == "closed"


def test_a_policy_without_limits_says_so(pay: Pay) -> None:
    assert pay.guard("limits", "plain.guard").out == "the policy limits nothing\n"
    assert pay.guard("limits", "pay.guard", "--principal", "zoe").code == 0


def test_it_reads_the_store_that_checks_use(pay: Pay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    pay()
    assert "1 of 20" in pay.guard("limits", "pay.guard", "--session", "s1").out
    assert "1 of" not in pay.guard("limits", "pay.guard", "--store", "sqlite:other.db").out


def test_a_policy_that_does_not_load_is_shown(pay: Pay, tmp_path: Path) -> None:
    (tmp_path / "bad.guard").write_text("policy bad\non call x { limit }\n")
    assert pay.guard("limits", "bad.guard").code == 66
