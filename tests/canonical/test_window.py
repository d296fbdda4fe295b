"""Instants and weekly hours: reading them, and what clocks do when they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.canonical.window import day, hour, parse_time, parse_window, weekday
from guardrails.errors import Ambiguous

CASES = json.loads((Path(__file__).parent / "corpus" / "time.json").read_text())


def numbered(group: str) -> list[Any]:
    return [pytest.param(case, id=f"{group}-{n}") for n, case in enumerate(CASES[group])]


@pytest.mark.parametrize("case", numbered("times"))
def test_time(case: dict[str, Any]) -> None:
    expected = case["expect"]
    if isinstance(expected, dict):
        with pytest.raises(Ambiguous) as caught:
            parse_time(case["input"], case.get("zone"))
        assert expected["error"] in str(caught.value), case["why"]
    else:
        assert parse_time(case["input"], case.get("zone")) == expected, case["why"]


@pytest.mark.parametrize("case", numbered("windows"))
def test_window(case: dict[str, Any]) -> None:
    expected = case["expect"]
    zone = case.get("zone", "Europe/Berlin")
    if "error" in expected:
        with pytest.raises(Ambiguous) as caught:
            parse_window(case["input"], zone)
        assert expected["error"] in str(caught.value), case["why"]
        return
    window = parse_window(case["input"], zone)
    assert {at: window.contains(parse_time(at)) for at in expected} == expected, case["why"]


def test_parts_of_an_instant() -> None:
    at = parse_time("2026-11-21T23:30:00Z")
    assert (weekday(at, "UTC"), hour(at, "UTC"), day(at, "UTC")) == ("sat", 23, "2026-11-21")
    assert (weekday(at, "Asia/Tokyo"), hour(at, "Asia/Tokyo"), day(at, "Asia/Tokyo")) == (
        "sun",
        8,
        "2026-11-22",
    )


def test_before_the_epoch() -> None:
    assert day(-1, "UTC") == "1969-12-31"
    assert parse_time("1969-12-31T23:59:59.999999Z") == -1


def test_beyond_the_calendar() -> None:
    with pytest.raises(Ambiguous, match="outside the calendar"):
        weekday(2**62, "UTC")


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../etc/passwd", "localtime", "Europe", "é", "a" * 100, "\x00"]
)
def test_unknown_zones(zone: str) -> None:
    with pytest.raises(Ambiguous, match="not a time zone"):
        hour(0, zone)


def test_windows_are_equal_when_they_mean_the_same() -> None:
    first = parse_window("Mon,Tue 09:00-17:00", "UTC")
    assert first == parse_window("tuesday 09:00-17:00; Monday 09:00-17:00", "UTC")
    assert first != parse_window("Mon,Tue 09:00-17:00", "Europe/Berlin")
