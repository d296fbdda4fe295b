"""Functions of the host: typed, asked once, bounded in time, and never a way to loosen a decision."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from guardrails import Guard, Outcome, PolicyError
from guardrails.errors import GuardError
from guardrails.hosting import host_function


def hosted(function: Any, *, pure: bool = True, budget: float = 0.5) -> Any:
    return host_function(function, function.__name__, pure=pure, budget=budget)


def decide(function: Any, condition: str, args: dict[str, Any]) -> Any:
    guard = Guard.from_text(f"policy x\non call a {{ allow when {condition} }}\n", functions=[function])
    return guard.session().check_call("a", args)


def test_a_function_of_the_host_is_a_word_of_the_policy() -> None:
    def limit_of(customer: str) -> Decimal:
        return Decimal("99.50") if customer == "c1" else Decimal(0)

    function = hosted(limit_of)
    assert decide(function, "args.n <= limit_of(args.c)", {"n": 99.5, "c": "c1"}).allowed
    assert not decide(function, "args.n <= limit_of(args.c)", {"n": 99.51, "c": "c1"}).allowed


def test_it_is_asked_once_in_a_decision() -> None:
    asked: list[str] = []

    def score(customer: str) -> int:
        asked.append(customer)
        return 3

    decision = decide(
        hosted(score),
        "score(args.c) > 1 and score(args.c) < 5 and score(args.d) == 3",
        {"c": "c1", "d": "c2"},
    )
    assert decision.allowed
    assert asked == ["c1", "c2"]


def test_a_policy_with_an_unregistered_function_does_not_load() -> None:
    with pytest.raises(PolicyError, match="there is no function `solvency`"):
        Guard.from_text("policy x\non call a { allow when solvency(args.c) > 1 }\n")


def test_arguments_are_checked_when_the_policy_loads() -> None:
    def known(customer: str) -> bool:
        return True

    with pytest.raises(PolicyError, match="`known` is not called so"):
        Guard.from_text("policy x\non call a { allow when known() }\n", functions=[hosted(known)])


def raising(customer: str) -> bool:
    raise KeyError(customer)


def mistyped(customer: str) -> bool:
    return "yes"  # type: ignore[return-value]  # the mistake that is tested


def nothing(customer: str) -> bool:
    return None  # type: ignore[return-value]  # the mistake that is tested


@pytest.mark.parametrize("function", [raising, mistyped, nothing])
def test_a_failing_function_denies_and_says_so(function: Any) -> None:
    name = function.__name__
    decision = decide(hosted(function), f"{name}(args.c)", {"c": "c1"})
    assert decision.outcome is Outcome.DENY
    assert len(decision.errors) == 1
    guard = Guard.from_text(
        f"policy x\non call a {{ allow\n deny when {name}(args.c) }}\n", functions=[hosted(function)]
    )
    assert guard.session().check_call("a", {"c": "c1"}).outcome is Outcome.DENY


def test_a_look_up_that_hangs_is_left_behind() -> None:
    def slow(customer: str) -> bool:
        time.sleep(5)
        return True

    started = time.monotonic()
    decision = decide(hosted(slow, pure=False, budget=0.05), "slow(args.c)", {"c": "c1"})
    assert decision.outcome is Outcome.DENY
    assert decision.errors[0].kind == "unavailable"
    assert time.monotonic() - started < 4


def test_types_must_be_written() -> None:
    def untyped(customer):  # type: ignore[no-untyped-def]  # the mistake that is tested
        return True

    with pytest.raises(GuardError, match="return type"):
        hosted(untyped)
