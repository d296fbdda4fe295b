"""Numbers: what is counted, that its text is what Prometheus reads, and that it cannot grow without end."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from telemetry_guards import Sdk, busy, shop

from guardrails.telemetry import catalogue as of
from guardrails.telemetry.exposition import exposition
from guardrails.telemetry.numbers import OTHER, Numbers
from guardrails.telemetry.otel import export
from guardrails.telemetry.spenders import Spenders


def series(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Prometheus's own reading of an exposition."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(text: str, name: str, **labels: str) -> float:
    """The sum of all series with these labels."""
    return sum(
        amount for had, amount in series(text).get(name, {}).items() if labels.items() <= dict(had).items()
    )


@pytest.fixture
def text() -> str:
    guard = shop()
    busy(guard)
    assert guard.telemetry is not None
    return guard.telemetry.prometheus()


# --- what is counted ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, 11),
        ({"guard_point": "call"}, 8),
        ({"guard_outcome": "allow", "guard_point": "call"}, 3),
        ({"guard_outcome": "ask"}, 1),
        ({"guard_outcome": "halt"}, 1),
        ({"gen_ai_tool_name": "refund", "guard_outcome": "deny"}, 2),
        ({"gen_ai_tool_name": "mail.*"}, 1),
        ({"gen_ai_tool_name": OTHER}, 1),
        ({"guard_policy": "shop"}, 11),
    ],
)
def test_decisions_are_counted_by_policy_point_tool_and_outcome(
    text: str, labels: dict[str, str], expected: int
) -> None:
    assert value(text, "guard_decisions_total", **labels) == expected


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("guard_statements_total", {"guard_statement": "shop.big", "guard_mode": "enforced"}, 1),
        ("guard_statements_total", {"guard_statement": "shop.big", "guard_mode": "error"}, 1),
        ("guard_statements_total", {"guard_statement": "shop.tried", "guard_mode": "shadow"}, 2),
        ("guard_errors_total", {"guard_statement": "shop.big", "error_type": "type"}, 1),
        ("guard_transforms_total", {"guard_statement": "shop.hidden", "guard_transform": "redact"}, 1),
        ("guard_transforms_total", {"guard_transform": "drop fields"}, 1),
        ("guard_tokens_total", {"gen_ai_token_type": "input", "gen_ai_request_model": "small"}, 100),
        ("guard_tokens_total", {"gen_ai_token_type": "cached"}, 30),
        ("guard_tokens_total", {"gen_ai_token_type": "output"}, 20),
        ("guard_cost_total", {"guard_currency": "USD"}, 0.25),
        (
            "gen_ai_client_token_usage_sum",
            {"gen_ai_token_type": "input", "gen_ai_operation_name": "chat"},
            130,
        ),
        ("guard_top_tokens", {"guard_by": "session", "guard_id": "s-1"}, 150),
        ("guard_top_tokens", {"guard_by": "workflow", "guard_id": "returns"}, 150),
        ("guard_top_tokens", {"guard_by": "principal"}, 150),
        ("guard_top_cost", {"guard_by": "workflow", "guard_currency": "USD"}, 0.25),
        ("guard_halts", {"guard_scope": "session"}, 1),
        ("guard_store_up", {"guard_policy": "shop"}, 1),
        ("guard_breakers", {"guard_statement": "shop.mailing", "guard_state": "closed"}, 1),
        ("guard_approvals_pending", {"guard_reviewers": "finance"}, 1),
        ("guard_policy_info", {"guard_policy": "shop"}, 1),
        ("guard_decision_duration_seconds_count", {"guard_point": "call"}, 8),
        ("guard_phase_duration_seconds_count", {"guard_phase": "engine"}, 11),
        ("guard_phase_duration_seconds_count", {"guard_phase": "detectors"}, 1),
    ],
)
def test_what_else_is_counted(text: str, name: str, labels: dict[str, str], expected: float) -> None:
    assert value(text, name, **labels) == expected


def test_the_store_is_told_apart_where_there_is_one(text: str) -> None:
    assert value(text, "guard_phase_duration_seconds_count", guard_phase="store") > 3


def test_the_parts_of_a_check_are_not_more_than_the_whole(text: str) -> None:
    whole = value(text, "guard_decision_duration_seconds_sum")
    assert 0 < value(text, "guard_phase_duration_seconds_sum") <= whole * 1.000_001


def test_what_stands_is_read_when_somebody_looks() -> None:
    guard = shop()
    assert guard.telemetry is not None
    clock: Any = guard.clock
    session = guard.session(principal={"id": "ana"})
    session.check_call("wait", {})
    clock.advance(90_000_000)
    assert (
        value(guard.telemetry.prometheus(), "guard_approvals_oldest_seconds", guard_reviewers="finance") == 90
    )
    guard.halt("tool:refund", by="ana", why="it pays twice")
    assert value(guard.telemetry.prometheus(), "guard_halts", guard_scope="tool") == 1
    guard.resume("tool:refund")
    assert value(guard.telemetry.prometheus(), "guard_halts") == 0
    for number in range(2):
        decision = session.check_call("mail.send", {"n": number}, call_id=f"m{number}")
        session.failed("mail.send", {"n": number}, decision=decision, call_id=f"m{number}")
    text = guard.telemetry.prometheus()
    assert value(text, "guard_breakers", guard_statement="shop.mailing", guard_state="open") == 1
    assert value(text, "guard_breakers") == 1


def test_a_store_that_is_away_takes_no_other_number_with_it() -> None:
    from guardrails.stores.port import StoreUnavailable

    guard = shop()
    busy(guard)
    assert guard.telemetry is not None

    class Away:
        def __getattr__(self, name: str) -> Any:
            def refuse(*_: Any, **__: Any) -> Any:
                raise StoreUnavailable("nobody is there")

            return refuse

    guard.state._store = Away()
    text = guard.telemetry.prometheus()
    assert value(text, "guard_store_up") == 0
    assert "guard_halts{" not in text
    assert value(text, "guard_decisions_total") == 11


def test_an_event_as_data_is_counted_like_a_check() -> None:
    guard = shop()
    assert guard.telemetry is not None
    for amount in (5, 500):
        who = {"principal": {"id": "ana"}, "session": "s-1"}
        guard.decide({"type": "call", "tool": "refund", "args": {"amount": amount}, **who})
    guard.decide({"type": "usage", "model": "small", "input_tokens": 9, "session": "s-1", "cost": "1 USD"})
    text = guard.telemetry.prometheus()
    assert value(text, "guard_decisions_total", gen_ai_tool_name="refund") == 2
    assert value(text, "guard_tokens_total") == 9


def test_a_sub_agents_check_counts_once() -> None:
    guard = shop()
    assert guard.telemetry is not None
    child = guard.session(principal={"id": "ana"}).delegate(agent={"id": "helper"}, tools=["refund"])
    child.check_call("refund", {"amount": 5})
    child.check_call("mail.send", {})
    text = guard.telemetry.prometheus()
    assert value(text, "guard_decisions_total") == 2
    assert value(text, "guard_decisions_total", guard_outcome="deny") == 1


# --- the text ----------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(label=WORDS, amount=st.floats(0, 1e18) | st.integers(0, 10**12))
def test_prometheus_reads_what_was_counted_whatever_stands_in_a_label(label: str, amount: float) -> None:
    numbers = Numbers()
    numbers.add(of.COST, ("m", label), amount)
    read = series(exposition(numbers))["guard_cost_total"]
    labels = {"gen_ai_request_model": "m"} | ({"guard_currency": label} if label else {})
    assert read == {tuple(sorted(labels.items())): pytest.approx(amount)}


@given(values=st.lists(st.floats(0, 10) | st.sampled_from(of.SECONDS), max_size=30))
def test_a_histogram_says_how_many_values_are_at_most_each_bound(values: list[float]) -> None:
    numbers = Numbers()
    for seconds in values:
        numbers.observe(of.PHASES, ("engine",), seconds)
    text = exposition(numbers)
    found = series(text).get("guard_phase_duration_seconds_bucket", {})
    below = {float(dict(labels)["le"]): count for labels, count in found.items()}
    bounds = (*of.SECONDS, math.inf) if values else ()
    assert below == {bound: sum(seconds <= bound for seconds in values) for bound in bounds}
    assert value(text, "guard_phase_duration_seconds_count") == len(values)
    assert value(text, "guard_phase_duration_seconds_sum") == pytest.approx(math.fsum(values))


def test_numbers_that_are_none_do_not_break_the_page() -> None:
    numbers = Numbers()
    for currency, amount in (("A", math.inf), ("B", math.nan)):
        numbers.add(of.COST, ("m", currency), amount)
    read = series(exposition(numbers))["guard_cost_total"]
    assert sorted(map(str, read.values())) == ["inf", "nan"]


def test_opentelemetrys_own_exporter_gives_the_same_names_and_labels() -> None:
    """A dashboard works whether Prometheus asks the guard, or a collector in between."""
    guard = shop()
    assert guard.telemetry is not None
    reader = PrometheusMetricReader(disable_target_info=True)
    export(guard.telemetry.numbers, MeterProvider([reader]))
    busy(guard)
    registry = CollectorRegistry()
    registry.register(reader._collector)
    theirs = series(generate_latest(registry).decode())
    ours = series(guard.telemetry.prometheus())
    scope = {"otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
    plain = {
        name: {
            tuple(pair for pair in labels if pair[0] not in scope and pair[0] != "le" and pair[1])
            for labels in found
        }
        for name, found in theirs.items()
        if not name.endswith("_created")
    }
    assert plain == {
        name: {tuple(pair for pair in labels if pair[0] != "le") for labels in found}
        for name, found in ours.items()
    }


def test_every_measure_of_the_catalogue_is_exported_to_opentelemetry() -> None:
    sdk = Sdk()
    guard = shop(sdk.telemetry)
    busy(guard)
    known = {measure.name: measure for measure in of.MEASURES}
    assert set(sdk.points()) <= set(known)
    missing = set(known) - set(sdk.points())
    assert missing == {
        "gen_ai.execute_tool.duration", "guard.obligations", "guard.alarms", "guard.alarms.active",
        "guard.telemetry.errors", "guard.telemetry.folded",
    }  # fmt: skip
    for name, points in sdk.points().items():
        for labels in points:
            assert {label for label, _ in labels} <= set(known[name].labels)


# --- bounds ------------------------------------------------------------------------------------


def test_a_measure_has_a_most_number_of_series() -> None:
    numbers = Numbers(most_series=10)
    for number in range(1_000):
        numbers.add(of.COST, ("m", str(number)))
        numbers.observe(of.PHASES, (str(number),), 1)
    assert len(numbers.counted(of.COST)) == 11
    assert numbers.counted(of.COST)[OTHER, OTHER] == 990
    assert sum(found[2] for found in numbers.measured(of.PHASES).values()) == 1_000
    assert numbers.counted(of.FOLDED) == {(of.COST.name,): 990, (of.PHASES.name,): 990}


def test_names_from_outside_cannot_make_series() -> None:
    guard = shop()
    assert guard.telemetry is not None
    for number in range(500):
        session = guard.session(
            principal={"id": f"p{number}"}, agent={"id": f"agent{number}"}, id=f"s{number}"
        )
        session.check_call(f"tool-{number}", {})
        session.check_call(f"mail.{number}", {})
        guard.decide(
            {
                "type": "usage",
                "model": f"model{number}",
                "input_tokens": 1 + number,
                "cost": "1 USD",
                "session": f"s{number}",
            }
        )
    read = series(guard.telemetry.prometheus())
    tools = {dict(labels).get("gen_ai_tool_name") for labels in read["guard_decisions_total"]}
    assert tools == {OTHER, "mail.*", None}
    models = {dict(labels)["gen_ai_request_model"] for labels in read["guard_tokens_total"]}
    assert len(models) == 101
    assert OTHER in models
    assert len(read["guard_top_tokens"]) == 20
    assert value(guard.telemetry.prometheus(), "guard_telemetry_folded_total", guard_label=of.MODEL) == 400
    assert value(guard.telemetry.prometheus(), "guard_tokens_total") == sum(range(1, 501))


def test_the_top_are_those_that_used_the_most() -> None:
    spenders = Spenders(remembered=50, shown=3)
    for number in range(40):
        for _ in range(number):
            spenders.spend({"session": f"s{number}"}, 10, 0, "")
    found = {labels: amount for _, labels, amount in spenders.read()}
    assert found == {("session", "s39"): 390, ("session", "s38"): 380, ("session", "s37"): 370}
    for number in range(1_000):
        spenders.spend({"session": f"new{number}"}, 1, 0, "")
    assert sum(len(used) for used in spenders._used.values()) == 50


def test_threads_lose_no_count() -> None:
    guard = shop()
    assert guard.telemetry is not None

    def work(number: int) -> None:
        session = guard.session(principal={"id": f"p{number}"})
        for _ in range(200):
            session.check_output("hello")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    text = guard.telemetry.prometheus()
    assert value(text, "guard_decisions_total", guard_point="output") == 1_600
    assert value(text, "guard_decision_duration_seconds_count", guard_point="output") == 1_600
