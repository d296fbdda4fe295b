"""Alarms: a change is seen soon, the same behaviour raises none, and what is new becomes normal."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_guards import Sdk, shop

from guardrails.telemetry.alarms import (
    DENIAL_RATE,
    DENIED,
    LET_THROUGH,
    OUTPUT_LENGTH,
    TOOL_MIX,
    Alarm,
    Behaviour,
    Sensitivity,
)
from guardrails.telemetry.baselines import Kinds, Lengths, distance, score_of

MIX = ["search"] * 6 + ["read"] * 3 + ["write"]


def _calls(agent: Behaviour, draw: random.Random, count: int, tools: list[str], denied: float) -> list[Alarm]:
    found: list[Alarm] = []
    for _ in range(count):
        found += agent.called(draw.choice(tools), DENIED if draw.random() < denied else LET_THROUGH)
    return found


# --- false alarms, and alarms that are due -------------------------------------------------------


def _raised_by_nothing(seeds: range, calls: int) -> list[Alarm]:
    """The alarms of agents whose behaviour stays the same: from one tool to dozens, from no denial to half."""
    found: list[Alarm] = []
    for seed in seeds:
        draw, agent = random.Random(seed), Behaviour("bot", Sensitivity())
        tools = [f"tool{number}" for number in range(seed + 1) for _ in range(1 + number % 7)]
        found += _calls(agent, draw, calls, tools, denied=(seed % 40) / 80)
        for _ in range(calls // 10):
            found += agent.wrote(int(draw.lognormvariate(6, 1)))
    return [alarm for alarm in found if alarm.state == "raised"]


def test_the_same_behaviour_raises_no_alarm() -> None:
    assert _raised_by_nothing(range(0, 40, 4), 4_000) == []


@pytest.mark.soak
def test_the_same_behaviour_hardly_ever_raises_an_alarm() -> None:
    """Of a million calls and a hundred thousand outputs, at most one is taken for a change."""
    assert len(_raised_by_nothing(range(50), 20_000)) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_other_tools_raise_an_alarm_within_a_window(seed: int) -> None:
    draw, agent = random.Random(seed), Behaviour("bot", Sensitivity())
    assert _calls(agent, draw, 800, MIX, 0.05) == []
    found = _calls(agent, draw, 50, ["export", "delete"], 0.05)
    assert [(alarm.kind, alarm.state) for alarm in found] == [(TOOL_MIX, "raised")]
    assert {"export", "delete"} & set(found[0].tools)
    assert found[0].score >= 5
    assert 0.25 <= found[0].now <= 1


@pytest.mark.parametrize("seed", range(20))
def test_a_rising_and_a_falling_denial_rate_raise_an_alarm(seed: int) -> None:
    for before, now in ((0.02, 0.7), (0.7, 0.02)):
        draw, agent = random.Random(seed), Behaviour("bot", Sensitivity())
        assert _calls(agent, draw, 800, MIX, before) == []
        found = _calls(agent, draw, 50, MIX, now)
        assert [(alarm.kind, alarm.state) for alarm in found] == [(DENIAL_RATE, "raised")]
        assert found[0].before == pytest.approx(before, abs=0.08)
        assert (found[0].now > found[0].before) == (now > before)


@pytest.mark.parametrize("seed", range(20))
def test_outputs_that_are_much_longer_or_shorter_raise_an_alarm(seed: int) -> None:
    for factor in (10.0, 0.1):
        draw, agent = random.Random(seed), Behaviour("bot", Sensitivity())
        before = [alarm for _ in range(400) for alarm in agent.wrote(int(draw.lognormvariate(7, 0.7)))]
        assert before == []
        found = [alarm for _ in range(50) for alarm in agent.wrote(int(draw.lognormvariate(7, 0.7) * factor))]
        assert [(alarm.kind, alarm.state) for alarm in found] == [(OUTPUT_LENGTH, "raised")]
        assert (found[0].now > found[0].before) == (factor > 1)


def test_what_is_new_is_normal_after_a_while() -> None:
    draw, agent = random.Random(1), Behaviour("bot", Sensitivity())
    _calls(agent, draw, 800, MIX, 0.05)
    found = _calls(agent, draw, 2_000, ["export"], 0.05)
    assert [(alarm.kind, alarm.state) for alarm in found] == [(TOOL_MIX, "raised"), (TOOL_MIX, "cleared")]
    assert agent.standing == {TOOL_MIX: False}


def test_a_few_events_are_no_baseline() -> None:
    draw, agent = random.Random(1), Behaviour("bot", Sensitivity())
    assert _calls(agent, draw, 100, MIX, 0.05) + _calls(agent, draw, 99, ["delete"], 1) == []


# --- the statistics ----------------------------------------------------------------------------

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 500), min_size=1)


@given(counts=COUNTS, factor=st.integers(1, 5))
def test_the_same_shares_are_no_change(counts: dict[str, int], factor: int) -> None:
    more = {kind: number * factor for kind, number in counts.items()}
    assert distance(counts, more) == pytest.approx(0, abs=1e-6)
    assert score_of(counts, more) < 1.5


@given(one=COUNTS, other=COUNTS)
def test_a_distance_is_from_0_to_1_and_goes_both_ways(one: dict[str, int], other: dict[str, int]) -> None:
    found = distance(one, other)
    assert 0 <= found <= 1 + 1e-9
    assert found == pytest.approx(distance(other, one))
    renamed = {kind.upper(): number for kind, number in other.items()}
    assert distance(one, renamed) == pytest.approx(1)


def test_the_score_is_that_of_a_normal_distribution() -> None:
    """Where nothing changed, 95 of 100 scores are under 1.645."""
    draw = random.Random(7)
    below = 0
    for _ in range(4_000):
        before, now = (Counter(draw.choices("abcd", (4, 3, 2, 1), k=count)) for count in (500, 50))
        below += score_of(before, now) < 1.645
    assert 0.93 <= below / 4_000 <= 0.97


@given(
    events=st.lists(st.sampled_from("abc"), max_size=80),
    window=st.integers(1, 9),
    baseline=st.integers(1, 20),
)
def test_a_window_rolls(events: list[str], window: int, baseline: int) -> None:
    kinds, lengths = Kinds(window, baseline), Lengths(window, baseline)
    for event in events:
        kinds.add(event)
        lengths.add(len(event))
    assert kinds.now == Counter(events[-window:])
    assert kinds.before == Counter(events[:-window][-baseline:])
    assert kinds.known == lengths.known == len(events[:-window][-baseline:])


# --- as events ---------------------------------------------------------------------------------


def test_an_alarm_is_an_event_a_number_and_a_call_of_the_host() -> None:
    heard: list[Alarm] = []
    sdk = Sdk(sensitivity=Sensitivity(window=20, baseline=100, least=60), on_alarm=heard.append)
    session = shop(sdk.telemetry).session(principal={"id": "ana"}, agent={"id": "bot"})
    for _ in range(100):
        session.check_call("mail.send", {})
    for number in range(20):
        session.check_call("refund", {"amount": 500 + number})
    kinds = {alarm.kind for alarm in heard}
    assert kinds == {TOOL_MIX, DENIAL_RATE}
    events = [event for event in sdk.events if event.event_name == "guard.alarm"]
    assert len(events) == len(heard)
    found: dict[str, Any] = next(
        dict(e.attributes) for e in events if e.attributes["guard.alarm"] == DENIAL_RATE
    )
    assert found["gen_ai.agent.id"] == "bot"
    assert found["guard.alarm.state"] == "raised"
    assert found["guard.alarm.before"] == 0
    assert events[0].severity_number.name == "WARN"
    text = sdk.telemetry.prometheus()
    assert 'guard_alarms_total{guard_alarm="denial rate",gen_ai_agent_id="bot"} 1' in text
    assert 'guard_alarms_active{guard_alarm="tool mix",gen_ai_agent_id="bot"} 1' in text


def test_agents_are_compared_with_themselves_alone() -> None:
    heard: list[Alarm] = []
    sdk = Sdk(sensitivity=Sensitivity(window=20, baseline=100, least=60), on_alarm=heard.append)
    guard = shop(sdk.telemetry)
    one, other = (guard.session(principal={"id": "ana"}, agent={"id": name}) for name in ("one", "other"))
    for _ in range(200):
        one.check_call("mail.send", {})
        other.check_call("refund", {"amount": 900})
    assert heard == []
