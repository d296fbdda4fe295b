"""Parts of the engine that are given something else than they take: nothing of it is a looser rule."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from odd_values import FROM_NOTHING, MAPPINGS, ODD, POSITIVE, TEXTS, WORDS, Place, Sub, judge

from guardrails import Decision, Guard, Outcome
from guardrails.delegation import Grant
from guardrails.errors import EvaluationError
from guardrails.narrowing import Narrowing, allow_list, task_record
from guardrails.runtime.host import HostFunction, secret_of
from guardrails.runtime.switch import KillSwitch, checked_scope
from guardrails.runtime.usage import Usage

POLICY = """
policy p
task help(customer: string) { only call pay }
task plain { only call pay }
on call pay { allow }
on call "*" { deny when args.n > 5 }
on result "*" { redact /[0-9]{16}/ }
on input { deny when text contains "bad" }
on output { deny when text contains "bad" }
on session { tokens: budget tokens 100 }
"""


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.from_text(POLICY)


# --- a point and its tool ----------------------------------------------------------------------


def judged(guard: Guard, point: str, tool: Any, payload: Any) -> Any:
    return guard.engine.judge(point, tool, {"n": 9}, payload, guard.session()._subject, 0)


@pytest.mark.parametrize("point", ["call", "result"])
@pytest.mark.parametrize("what", ["None", *(what for what in ODD if what != "a word")])
def test_a_call_of_no_tool_is_none_that_no_rule_is_about(guard: Guard, point: str, what: str) -> None:
    decision = judged(guard, point, ODD.get(what), {"card": "4111111111111111"})
    assert isinstance(decision, Decision)
    assert decision.outcome is Outcome.DENY
    assert "a tool's name is a string of 1 to 256 characters" in decision.errors[0].message


@pytest.mark.parametrize("point", ["input", "output"])
@pytest.mark.parametrize("tool", [None, "pay", "", 3], ids=repr)
def test_a_text_is_judged_whatever_stands_beside_it(guard: Guard, point: str, tool: Any) -> None:
    for text in ("a bad word", "a word"):
        found = judged(guard, point, tool, text)
        decision = found if isinstance(found, Decision) else guard.engine.conclude(found)
        is_let_through = text == "a word" and tool in (None, "pay")
        assert decision.outcome is (Outcome.ALLOW if is_let_through else Outcome.DENY)


def test_usage_has_a_tool_or_none(guard: Guard) -> None:
    assert judged(guard, "usage", None, {"tokens": 1}).claims
    assert judged(guard, "usage", "pay", {"tokens": 1}).claims
    for odd in ("", 3, Sub("pay"), "x" * 257):
        assert judged(guard, "usage", odd, {"tokens": 1}).outcome is Outcome.DENY


@pytest.mark.parametrize("ask", ["session", "delegated", "ledger", "looked"])
def test_a_result_of_no_tool_is_not_let_out_by_anybody(guard: Guard, ask: str) -> None:
    result = {"card": "4111111111111111"}
    session = guard.session()
    asked: dict[str, Callable[[], Decision]] = {
        "session": lambda: session.check_result(None, result),  # type: ignore[arg-type]  # that is what is tried
        "delegated": lambda: session.delegate().check_result(None, result),  # type: ignore[arg-type]  # the same
        "ledger": lambda: session.ledger.result(None, {}, result, call_id=None, reservation=""),  # type: ignore[arg-type]
        "looked": lambda: session.ledger.look("result", None, {}, result),
    }
    assert asked[ask]().outcome is Outcome.DENY


# --- usage -------------------------------------------------------------------------------------

USAGE = {
    "model": Place("model", lambda odd: Usage(odd), TEXTS),
    "tool": Place("tool", lambda odd: Usage(tool=odd), ("a word",)),
    "input_tokens": Place("input_tokens", lambda odd: Usage(input_tokens=odd), FROM_NOTHING),
    "cached_tokens": Place("cached_tokens", lambda odd: Usage(cached_tokens=odd), FROM_NOTHING),
    "output_tokens": Place("output_tokens", lambda odd: Usage(output_tokens=odd), FROM_NOTHING),
    "tool_time": Place("tool_time", lambda odd: Usage(tool_time=odd), FROM_NOTHING),
    "cost": Place("cost", lambda odd: Usage(cost=odd)),
    "amount": Place("cost", lambda odd: Usage(cost=(odd, "USD")), FROM_NOTHING),
    "currency": Place("cost", lambda odd: Usage(cost=(1, odd)), WORDS),
}


@pytest.mark.parametrize("place", USAGE.values(), ids=USAGE.keys())
def test_usage_is_what_can_be_charged(place: Place) -> None:
    judge(place)


def test_a_cost_is_an_amount_and_a_currency() -> None:
    odd: Any
    for odd in ((), (1,), (1, "USD", 2), "5 USD", [1, 3], {1: "USD"}, {"amount": 1, "currency": "USD"}):
        with pytest.raises(
            EvaluationError, match=r"`cost` is an amount and its currency, such as `\(0\.05, \"USD\"\)`"
        ):
            Usage(cost=odd)
    odd = [Decimal("0.05"), "USD"]
    assert Usage(cost=odd) == Usage(cost=(Decimal("0.05"), "USD"))
    assert Usage(tool="x" * 256).tool == "x" * 256


# --- what a session is opened for --------------------------------------------------------------

LISTS = ("a list", "a list in a list", "pairs", "an empty list")

OPENED = {
    "allow": Place("allow", allow_list, ("an empty mapping", "an empty list")),
    "a tool": Place("allow", lambda odd: allow_list([odd]), ("a word", "a long word")),
    "values of arguments": Place("allow", lambda odd: allow_list({"pay": odd}), MAPPINGS),
    "a session's": Place("allow", lambda odd: Narrowing(odd, "sha256:x"), ("an empty mapping", "an empty list")),
    "values of one argument": Place("to", lambda odd: Narrowing({"pay": {"to": odd}}, "sha256:x"), LISTS),
    "the name of an argument": Place("allow", lambda odd: Narrowing({"pay": named(odd)}, "sha256:x"), TEXTS),
    "a sub-agent's": Place("tools", Grant, ("an empty list",)),
    "a sub-agent's tool": Place("tools", lambda odd: Grant([odd]), WORDS),
}  # fmt: skip


def named(odd: Any) -> dict[Any, Any]:
    return {odd if odd.__hash__ else 3: [1]}


@pytest.mark.parametrize("place", OPENED.values(), ids=OPENED.keys())
def test_a_session_is_left_with_what_somebody_named(place: Place) -> None:
    judge(place)


def test_the_values_of_a_task_have_names(guard: Guard) -> None:
    """What was empty or nothing was taken for no values."""
    program = guard.engine.program
    for task in ("help", "plain", None):
        for what, odd in ODD.items():
            if what not in MAPPINGS:
                with pytest.raises(EvaluationError, match="`given` is a mapping with the values of the task"):
                    task_record(program, task, odd)
    assert (
        task_record(program, "plain", {})
        == task_record(program, "plain", None)
        == {"task": "plain", "given": {}}
    )
    given = MappingProxyType({"customer": "c1"})
    assert task_record(program, "help", given) == {"task": "help", "given": {"customer": "c1"}}


class Payee(StrEnum):
    ANA = "ana"
    EVE = "eve"


@pytest.mark.parametrize(
    ("meant", "other"),
    [(b"ana", b"eve"), (UUID(int=1), UUID(int=2)), (Payee.ANA, Payee.EVE), (Sub("ana"), Sub("eve")), ({1}, {2}),
     ([UUID(int=1)], [UUID(int=2)]), ({"to": b"ana"}, {"to": b"eve"})],
    ids=repr,
)  # fmt: skip
def test_values_that_are_no_data_stand_for_no_others(guard: Guard, meant: Any, other: Any) -> None:
    """All values of such a class were taken for one another."""
    with pytest.raises(EvaluationError, match="the values that `pay` may have for `to`"):
        guard.session(allow={"pay": {"to": [meant]}})
    for allowed in (["ana"], [1], [None]):
        session = guard.session(allow={"pay": {"to": allowed, "n": [1]}})
        assert session.check_call("pay", {"to": other, "n": 1}).outcome is Outcome.DENY


def test_values_may_stand_in_any_mapping(guard: Guard) -> None:
    session = guard.session(
        allow=MappingProxyType({"pay": MappingProxyType({"to": ("ana", {"x": [1, None]})})})
    )
    assert session.check_call("pay", {"to": "ana", "n": 1}).allowed
    assert session.check_call("pay", {"to": {"x": [1.0, None]}, "n": 1}).allowed
    assert session.check_call("pay", {"to": "eve", "n": 1}).outcome is Outcome.DENY


def test_a_grant_with_values_of_arguments_is_none() -> None:
    """The names in it were taken, and the values were not."""
    for tools in ({"pay": {"to": ["ana"]}}, MappingProxyType({"pay": None})):
        with pytest.raises(EvaluationError, match="`tools` is a list of names or patterns"):
            Grant(tools)
    assert Grant(name for name in ("pay", "docs.*")).tools == ("pay", "docs.*")


# --- the host and the kill switch --------------------------------------------------------------


def hosted(**given: Any) -> HostFunction:
    usual: dict[str, Any] = {
        "name": "known", "function": len, "parameters": (("c", "string"),), "result": "bool", "budget": 1, "pure": True,
    }  # fmt: skip
    return HostFunction(**usual | given)


def scope_of(odd: Any) -> str:
    scope: Any = f"tool:{odd}" if isinstance(odd, str) and odd else odd or 0
    return checked_scope(scope)


HOST = {
    "name": Place("name", lambda odd: hosted(name=odd), WORDS),
    "function": Place("function", lambda odd: hosted(function=odd), ("a class",)),
    "parameters": Place("parameters", lambda odd: hosted(parameters=odd), ("an empty list",)),
    "a parameter": Place("parameters", lambda odd: hosted(parameters=[odd])),
    "the name of a parameter": Place("parameters", lambda odd: hosted(parameters=[(odd, "string")]), WORDS),
    "the type of a parameter": Place("parameters", lambda odd: hosted(parameters=[("c", odd)]), TEXTS),
    "result": Place("result", lambda odd: hosted(result=odd), TEXTS),
    "pure": Place("pure", lambda odd: hosted(pure=odd), ("true",)),
    "budget": Place("budget", lambda odd: hosted(budget=odd), POSITIVE),
    "key": Place("key", secret_of, ("a long word",)),
    "scope": Place("scope", scope_of, WORDS),
    "staleness": Place("staleness", lambda odd: KillSwitch(dict, odd), FROM_NOTHING),  # type: ignore[arg-type]  # no store is asked
}  # fmt: skip


@pytest.mark.parametrize("place", HOST.values(), ids=HOST.keys())
def test_a_host_says_what_holds(place: Place) -> None:
    judge(place)


def test_a_scope_is_a_text_of_a_known_kind() -> None:
    for scope in ("all", "tool:pay", "agent:a:b"):
        assert checked_scope(scope) == scope
    for wrong in ("tool:", ":x", "tools:x"):
        with pytest.raises(EvaluationError, match=f"`{wrong}` names nothing to halt"):
            checked_scope(wrong)


def test_a_secret_is_taken_as_text_or_bytes() -> None:
    assert secret_of("k" * 16) == secret_of(b"k" * 16)
