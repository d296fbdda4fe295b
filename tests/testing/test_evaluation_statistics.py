"""The statistics of an evaluation are those of the books: held against sums over all cases, exact fractions and
published examples."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.testing.evaluation_statistics import (
    Paired,
    Share,
    change_interval,
    significant,
    wilson,
    worse_in_pairs,
    worse_in_samples,
)

COUNTS = st.integers(0, 40)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998), pages 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
    ],
)  # fmt: skip
def test_intervals_are_those_of_the_paper(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


@given(COUNTS, COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_an_interval_holds_its_share_and_grows_with_confidence(
    hits: int, rest: int, confidence: float
) -> None:
    share = Share(hits, hits + rest)
    low, high = share.interval(confidence)
    wider = share.interval(0.999)
    assert 0 <= wider[0] <= low <= high <= wider[1] <= 1
    assert share.value is None or low <= share.value <= high


@given(COUNTS, COUNTS)
def test_pairs_are_a_fair_coin(lost: int, gained: int) -> None:
    total = lost + gained
    exact = Fraction(sum(comb(total, count) for count in range(lost, total + 1)), 2**total)
    assert worse_in_pairs(lost, gained) == pytest.approx(float(exact), rel=1e-9)


@given(*[st.integers(0, 12)] * 4)
def test_samples_are_drawn_from_one_urn(a: int, b: int, c: int, d: int) -> None:
    before, now = Share(a, a + b), Share(c, c + d)
    hits, total = a + c, a + b + c + d
    ways = sum(
        comb(hits, k) * comb(total - hits, now.total - k)
        for k in range(c + 1)
        if now.total - k <= total - hits
    )
    exact = Fraction(ways, comb(total, now.total)) if before.total and now.total else Fraction(1)
    assert worse_in_samples(before, now) == pytest.approx(float(exact), rel=1e-9)


def test_a_tasting_of_tea_is_the_one_of_the_book() -> None:
    """R. A. Fisher, The Design of Experiments (1935): 3 of 4 cups told apart is 17 in 70."""
    assert worse_in_samples(Share(3, 4), Share(1, 4)) == pytest.approx(17 / 70)


@pytest.mark.parametrize(
    ("before", "now", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998), pages 873-890, table II, method 10, turned around
        ((48, 80), (56, 70), 0.0524, 0.3339), ((3, 10), (9, 10), 0.1705, 0.8090), ((0, 20), (10, 10), 0.6791, 1.0),
    ],
)  # fmt: skip
def test_changes_of_samples_are_those_of_the_paper(
    before: tuple[int, int], now: tuple[int, int], low: float, high: float
) -> None:
    assert change_interval(Share(*before), Share(*now)) == pytest.approx((low, high), abs=5e-5)


@given(*[COUNTS] * 4)
def test_changes_of_pairs_hold_the_change_that_was_seen(
    both: int, lost: int, gained: int, neither: int
) -> None:
    table = Paired(both, lost, gained, neither)
    low, high = change_interval(table.before, table.now, 0.95, table.correlation)
    if table.total:
        assert -1 - 1e-9 <= low <= (gained - lost) / table.total <= high <= 1 + 1e-9
    assert -1 <= table.correlation <= 1


def test_pairs_say_more_than_samples() -> None:
    """Where nearly all answers stayed, a change is told apart that two samples would hide."""
    table = Paired(900, 20, 0, 80)
    apart = change_interval(table.before, table.now)
    together = change_interval(table.before, table.now, 0.95, table.correlation)
    assert apart[0] < together[0] <= together[1] < 0 < apart[1]
    assert worse_in_pairs(20, 0) < 1e-5 < worse_in_samples(table.before, table.now)


@given(st.lists(st.sampled_from([0.001, 0.01, 0.02, 0.04, 0.2, 1.0]), max_size=5))
def test_many_questions_at_once_are_asked_as_holm_does(probabilities: list[float]) -> None:
    found = significant(probabilities, 0.05)
    asked = sorted(probabilities)
    for value, is_clear in zip(probabilities, found, strict=True):
        smaller = [each for each in asked if each < value]
        steps = [p <= 0.05 / (len(asked) - rank) for rank, p in enumerate(asked)]
        assert is_clear == all(steps[: len(smaller) + 1])


def test_one_in_twenty_of_no_changes_is_called_one_at_most() -> None:
    """Over all tables of a small set without a change, a drop is called with the promised probability at most."""
    for before, now in product(range(1, 8), repeat=2):
        chance = sum(
            Fraction(comb(before, a) * comb(now, c), 2 ** (before + now))
            for a, c in product(range(before + 1), range(now + 1))
            if worse_in_samples(Share(a, before), Share(c, now)) <= 0.05
        )
        assert chance <= Fraction(1, 20)
