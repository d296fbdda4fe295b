"""Scenes of what limits, budgets, breakers, halts and stores do to a session: one rule, one scene."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from guardrails import Decision, Guard, Outcome, Session
from guardrails.runtime import switch
from guardrails.runtime.clock import FrozenClock
from guardrails.runtime.prices import Price, Prices
from guardrails.runtime.usage import Usage
from guardrails.stores.port import StoreUnavailable

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND  # 2027-01-15 08:00 UTC
A, K, D, H = Outcome.ALLOW, Outcome.ASK, Outcome.DENY, Outcome.HALT


def guard_of(rules: str, **more: Any) -> Guard:
    return Guard.from_text(f"policy p\n{rules}", clock=FrozenClock(NOW), **more)


def wait(guard: Guard, seconds: float) -> None:
    assert isinstance(guard.clock, FrozenClock)
    guard.clock.advance(int(seconds * SECOND))


def calls(session: Session, *args: dict[str, Any], tool: str = "pay") -> list[Outcome]:
    return [session.check_call(tool, each).outcome for each in args]


def used(guard: Guard, label: str) -> list[Any]:
    assert isinstance(guard.clock, FrozenClock)
    return [level.used for level in guard.state.store.levels(f"p.{label}", now=guard.clock.at)]


# --- limits ------------------------------------------------------------------------------------


def test_any_expression_can_be_counted_by() -> None:
    session = guard_of("on call pay { allow; l: limit 1 per 1h by lower(args.x) }").session()
    assert calls(session, {"x": "A"}, {"x": "a"}, {"x": "b"}) == [A, D, A]


def test_values_of_different_kinds_are_counted_apart() -> None:
    session = guard_of("on call pay { allow; l: limit 1 per 1h by args.x }").session()
    apart = [{"x": each} for each in (1, True, "1", "#1", "", "\x1f", "@s", False, 0)]
    assert calls(session, *apart) == [A] * len(apart)
    assert calls(session, {"x": 1.0}, {"x": "1"}, {"x": False}) == [D, D, D]


def test_two_limits_over_one_window_count_once() -> None:
    session = guard_of(
        "on call pay { allow; l: limit 2 per 1h, 3 per 1h; b: limit 4 per 1h burst 4 }"
    ).session()
    assert calls(session, {}, {}, {}) == [A, A, D]


def test_whole_numbers_are_summed_to_a_fraction() -> None:
    tools = (
        '{"tools": [{"name": "pay", "description": "", '
        '"inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}}]}'
    )
    session = guard_of("on call pay { allow; l: limit sum(args.n) to 2.5 per 1h }", tools=tools).session()
    assert calls(session, {"n": 1}, {"n": 2}, {"n": 1}) == [A, D, A]


def test_a_member_that_counts_is_let_through_when_the_set_is_full() -> None:
    guard = guard_of("on call pay { ask when args.big; allow; l: limit distinct(args.to) to 1 per 1h }")
    a, b = {"to": "a", "big": False}, {"to": "b", "big": True}
    assert calls(guard.session(), a, b, a | {"big": True}, a) == [A, D, K, A]


def test_an_ask_charges_nothing_and_is_refused_when_nothing_is_left() -> None:
    guard = guard_of("on call pay { ask when args.big; allow unless args.big; l: limit 1 per 1h }")
    big, small = {"big": True}, {"big": False}
    assert calls(guard.session(), big, big, small, big) == [K, K, A, D]


def test_a_denial_charges_nothing() -> None:
    guard = guard_of("on call pay { allow; deny when args.bad; l: limit 1 per 1h; m: limit 5 per 1h }")
    assert calls(guard.session(), {"bad": True}, {"bad": True}, {"bad": False}, {"bad": False}) == [
        D,
        D,
        A,
        D,
    ]
    assert (used(guard, "l"), used(guard, "m")) == ([1], [1])


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "1e-10", 1e-10, None, True, [], 10**30])
def test_what_cannot_be_summed_is_denied(amount: Any) -> None:
    guard = guard_of("on call pay { allow; l: limit sum(args.n) to 10 per 1h }")
    decision = guard.session().check_call("pay", {"n": amount})
    assert (decision.outcome, used(guard, "l")) == (D, [])
    assert [failure.statement for failure in decision.errors] == ["p.l"]


def test_a_shadow_limit_only_reports() -> None:
    guard = guard_of(
        "on call pay { allow; l: shadow limit 1 per 1h; s: shadow limit sum(args.n) to 3 per 1h }"
    )
    found = [guard.session().check_call("pay", {"n": n}) for n in (1, 1, -1)]
    assert [each.outcome for each in found] == [A, A, A]
    assert [[shadow.label for shadow in each.shadow] for each in found] == [[], ["l"], ["l", "s"]]
    assert [error.statement for error in found[2].errors] == ["p.s"]


def test_what_is_held_comes_back_unless_it_is_settled() -> None:
    guard = guard_of("on call pay { allow; l: limit 1 per 1h }")
    session = guard.session()
    assert session.check_call("pay", {}, hold=10).allowed
    assert calls(session, {}) == [D]
    wait(guard, 10)
    held = session.check_call("pay", {}, hold=10)
    assert session.settle(held)
    assert not session.settle(held)
    wait(guard, 10)
    assert calls(session, {}) == [D]


def test_a_repeated_call_id_is_charged_once() -> None:
    guard = guard_of("on call pay { allow; l: limit 2 per 1h }")
    session, other = guard.session(), guard.session()
    assert [session.check_call("pay", {}, call_id="c").outcome for _ in range(3)] == [A, A, A]
    assert other.check_call("pay", {}, call_id="c").allowed
    assert used(guard, "l") == [2]


def test_a_session_ends_by_its_length() -> None:
    guard = guard_of('on call "*" { allow }\non session { limit duration 15m }')
    session = guard.session(id="s")
    assert calls(session, {}) == [A]
    wait(guard, 900)
    assert calls(session, {}) == [A]
    wait(guard, 0.000001)
    assert calls(session, {}) == [D]
    assert session.check_input("x").outcome is D
    assert session.check_output("x").allowed


def test_a_session_has_so_many_of_each() -> None:
    rules = "limit 1 calls; limit 2 inputs; limit 3 outputs; limit 1 results".replace("; ", "\n")
    session = guard_of(f'on call "*" {{ allow }}\non session {{\n{rules}\n}}').session()
    assert calls(session, {}, {}) == [A, D]
    assert [session.check_input("x").outcome for _ in range(3)] == [A, A, D]
    assert [session.check_output("x").outcome for _ in range(4)] == [A, A, A, D]
    assert [session.check_result("pay", 1).outcome for _ in range(2)] == [A, D]


# --- budgets -----------------------------------------------------------------------------------

OPEN = 'on call "*" { allow }\n'
PRICES = Prices("USD", {"small": Price(Decimal("1"), Decimal("0.1"), Decimal("5"))})


def test_usage_is_charged_in_full_and_the_next_call_is_stopped() -> None:
    session = guard_of(OPEN + "on session { b: budget tokens 100 warn at 50%, 90% }").session()
    found = [session.report(Usage(output_tokens=each)) for each in (49, 1, 45, 10)]
    assert [each.outcome for each in found] == [A, A, A, D]
    warned = [[dict(duty.details)["level"] for duty in each.obligations] for each in found[:3]]
    assert warned == [[], ["50%"], ["90%"]]
    assert calls(session, {}) == [D]


def test_cost_comes_from_the_price_table_exactly() -> None:
    guard = guard_of(OPEN + "on session { b: budget cost 0.0021 USD }", prices=PRICES)
    session = guard.session()
    assert session.report(Usage("small", input_tokens=1_000, cached_tokens=1_000, output_tokens=190)).allowed
    assert [str(each) for each in used(guard, "b")] == ["0.002050000"]
    assert session.report(Usage("small", output_tokens=10)).outcome is D


def test_what_has_no_price_stops_the_session() -> None:
    guard = guard_of(OPEN + "on session { b: budget cost 5.00 USD }", prices=PRICES)
    session = guard.session(id="s")
    assert session.report(Usage("unheard-of", input_tokens=1)).outcome is D
    assert calls(session, {}) == [D]
    assert calls(guard.session(id="t"), {}) == [A]


def test_a_month_ends_at_midnight_in_its_zone() -> None:
    guard = guard_of(OPEN + 'on session { b: budget tokens 10 per month in "Europe/Berlin" by principal.id }')
    session = guard.session(principal={"id": "ana"})
    wait(guard, 16 * 86_400 + 15 * 3_600 - 1)  # 2027-01-31 22:59:59 UTC
    assert session.report(Usage(input_tokens=10)).outcome is D
    assert calls(session, {}) == [D]
    wait(guard, 1)
    assert calls(session, {}) == [A]


def test_an_estimate_is_held_and_what_was_used_replaces_it() -> None:
    guard = guard_of(OPEN + "on session { b: budget tokens 100 }")
    session = guard.session()
    first = session.reserve(Usage(output_tokens=80))
    assert (first.allowed, session.reserve(Usage(output_tokens=30)).outcome) == (True, D)
    session.settle(first, Usage(output_tokens=20))
    assert used(guard, "b") == [20]
    low = session.reserve(Usage(output_tokens=50))
    session.settle(low, Usage(output_tokens=90))
    assert used(guard, "b") == [110]
    assert calls(session, {}) == [D]


def test_a_budget_of_calls_counts_calls() -> None:
    assert calls(guard_of(OPEN + "on session { b: budget calls 2 }").session(), {}, {}, {}) == [A, A, D]


# --- breakers ----------------------------------------------------------------------------------

BREAKER = """
on call "pay*" { allow }
breaker pay on call "pay*" { %s; retry after 60s; fallback "Later." }
"""


def fail(session: Session, times: int = 1) -> Decision:
    for _ in range(times):
        decision = session.check_call("pay", {})
        session.failed("pay", {}, decision=decision)
    return decision


def test_a_breaker_opens_lets_one_through_and_closes() -> None:
    guard = guard_of(BREAKER % "open after 2 consecutive failures")
    session = guard.session()
    fail(session, 2)
    refused = session.check_call("pay.x", {})
    assert [duty.kind for duty in refused.obligations] == ["fallback"]
    assert refused.denial is not None
    assert refused.denial.retry_after == 60
    wait(guard, 60)
    probe = session.check_call("pay", {})
    assert (probe.outcome, *calls(guard.session(), {})) == (A, D)
    session.failed("pay", {}, decision=probe)
    assert calls(session, {}) == [D]
    wait(guard, 60)
    probe = session.check_call("pay", {})
    session.check_result("pay", "ok", args={}, reservation=probe.reservation)
    assert calls(session, {}, {}) == [A, A]


@pytest.mark.parametrize(
    ("rule", "pause", "failures"),
    [("open after 3 failures in 1m", 1, 3), ("open after 3 consecutive failures", 100, 3),
     ("open after 100% failures of 4 in 1m", 1, 4)],
)  # fmt: skip
def test_a_breaker_opens_at_its_condition(rule: str, pause: float, failures: int) -> None:
    guard = guard_of(BREAKER % rule)
    for _ in range(failures):
        wait(guard, pause)
        assert fail(guard.session()).allowed
    assert calls(guard.session(), {}) == [D]


def test_failures_out_of_the_window_do_not_open_it() -> None:
    guard = guard_of(BREAKER % "open after 3 failures in 1m")
    for _ in range(6):
        assert fail(guard.session()).allowed
        wait(guard, 31)


# --- the kill switch ---------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["all", "agent:bot", "principal:ana", "session:s", "tool:pay", "tool:p*"])
def test_a_halt_stops_its_scope_at_once_and_everywhere(scope: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    here, there = guard_of(OPEN, store=url), guard_of(OPEN, store=url, strict_halts=True)
    who: dict[str, Any] = {"principal": {"id": "ana"}, "agent": {"id": "bot"}, "id": "s"}
    other: dict[str, Any] = {"principal": {"id": "bob"}, "agent": {"id": "man"}, "id": "t"}
    here.halt(scope, by="op", why="looks wrong")
    for guard in (here, there):
        decision = guard.session(**who).check_call("pay", {})
        assert (decision.outcome, "looks wrong" in decision.message) == (D, True)
        assert calls(guard.session(**other), {}, tool="note") == [D if scope == "all" else A]
    here.resume(scope)
    assert calls(here.session(**who), {}) == calls(there.session(**who), {}) == [A]


def test_a_halt_is_seen_within_a_tenth_of_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [1000.0]
    monkeypatch.setattr(switch, "monotonic", lambda: ticks[0])
    url = f"sqlite:///{tmp_path}/s.db"
    here, there = guard_of(OPEN, store=url), guard_of(OPEN, store=url)
    assert calls(there.session(id="s"), {}) == [A]
    here.halt("session:s", by="op", why="looks wrong")
    ticks[0] += 0.1
    assert calls(there.session(id="s"), {}) == [D]


def test_a_rule_that_halts_stops_the_session_in_other_processes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    rules = OPEN + 'on call wipe { halt because "never" }'
    here, there = guard_of(rules, store=url), guard_of(rules, store=url, strict_halts=True)
    assert calls(here.session(id="s"), {}, tool="wipe") == [H]
    assert calls(there.session(id="s"), {}) == [D]
    assert calls(there.session(id="t"), {}) == [A]


# --- without the store, and with another policy ------------------------------------------------


class Broken:
    """A store that does not answer."""

    def __getattr__(self, name: str) -> Any:
        def asked(*_: Any, **__: Any) -> Any:
            if name == "halts":
                return ()
            raise StoreUnavailable("the store is away")

        return asked


def test_without_the_store_what_needs_it_is_denied() -> None:
    guard = guard_of("on call pay { allow; l: limit 1 per 1h }\non call note { allow }", store=Broken())  # type: ignore[arg-type]  # it stands in for one
    decision = guard.session().check_call("pay", {})
    assert (decision.outcome, [error.kind for error in decision.errors]) == (D, ["unavailable"])
    assert calls(guard.session(), {}, tool="note") == [A]


def test_degraded_calls_are_marked_and_stay_within_the_share() -> None:
    rules = "on call pay { allow; l: limit 40 per 1h degrade to local }"
    guard = guard_of(rules, store=Broken(), local_share="0.1")
    found = [guard.session().check_call("pay", {}) for _ in range(8)]
    assert [each.outcome for each in found] == [A] * 4 + [D] * 4
    assert [duty.kind for each in found[:4] for duty in each.obligations] == ["degraded"] * 4


def reloaded(before: str, after: str, folder: Path) -> list[Outcome]:
    file = folder / "p.guard"
    file.write_text(f"policy p\n{before}")
    guard = Guard.load(file, clock=FrozenClock(NOW))
    session = guard.session()
    assert calls(session, {}) == [A]
    file.write_text(f"policy p\n{after}")
    assert guard.reload()
    return calls(session, {})


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        ("on call note { allow }\non call pay { allow; l: limit 1 per 1h because \"x\" }", D),
        ("on call pay { allow; new: limit 1 per 1h was l }", D),
        ("on call pay { allow; new: limit 1 per 1h }", A),
        ("on call pay { allow; l: limit 1 per 2h }", A),
    ],
)  # fmt: skip
def test_counters_stay_with_their_label(after: str, outcome: Outcome, tmp_path: Path) -> None:
    assert reloaded("on call pay { allow; l: limit 1 per 1h }", after, tmp_path) == [outcome]


# --- the session's past ------------------------------------------------------------------------


def test_a_failed_call_is_retried_so_often() -> None:
    session = guard_of(OPEN + "on session { limit retries 1 }").session()
    for expected in (A, A, D):
        decision = session.check_call("pay", {"n": 1})
        assert decision.outcome is expected
        if decision.allowed:
            session.failed("pay", {"n": 1}, decision=decision)
    assert calls(session, {"n": 2}) == [A]


def test_thrashing_ends_with_a_success_or_a_new_input() -> None:
    session = guard_of(OPEN + "on session { limit thrashing 2 }").session()
    for number in range(2):
        decision = session.check_call("pay", {"n": number})
        session.failed("pay", {"n": number}, decision=decision)
    assert calls(session, {"n": 9}) == [D]
    assert session.check_input("try something else").allowed
    assert calls(session, {"n": 9}) == [A]
