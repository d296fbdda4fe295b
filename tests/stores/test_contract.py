"""What every store promises, whichever home it has."""

from __future__ import annotations

from decimal import Decimal

import pytest
from times import MINUTE, NOW, SECOND, TTL, granted, refused, used

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import Calendar, Demand, Refused, RequestReused, Sliding, Store


def test_a_limit_admits_up_to_itself_and_says_when_there_is_room_again(store: Store) -> None:
    demand = Demand("a", 2, 5, MINUTE)
    assert granted(store.reserve([demand], now=NOW, ttl=TTL * 9)).fills == (2,)
    assert granted(store.reserve([demand], now=NOW + 10, ttl=TTL * 9)).fills == (4,)
    assert store.reserve([demand], now=NOW + 20, ttl=TTL) == Refused(0, 60 * SECOND - 20, (4,))
    assert granted(store.reserve([Demand("a", 1, 5, MINUTE)], now=NOW + 30, ttl=TTL * 9)).fills == (5,)


def test_a_window_is_open_on_the_left(store: Store) -> None:
    demand = Demand("a", 1, 1, MINUTE)
    store.commit(granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation, now=NOW)
    edge = NOW + MINUTE.width
    assert refused(store.reserve([demand], now=edge - 1, ttl=TTL)).retry_after == 1
    granted(store.reserve([demand], now=edge, ttl=TTL))


def test_all_demands_or_none(store: Store) -> None:
    roomy, tight = Demand("roomy", 1, 10, MINUTE), Demand("tight", 1, 0, MINUTE)
    answer = refused(store.reserve([roomy, tight], now=NOW, ttl=TTL))
    assert (answer.index, answer.fills, answer.retry_after) == (1, (1, 0), None)
    assert used(store, roomy) == 0


def test_demands_on_one_counter_add_up(store: Store) -> None:
    demand = Demand("a", 2, 3)
    assert refused(store.reserve([demand, demand], now=NOW, ttl=TTL)).index == 1
    single = Demand("a", 1, 3)
    assert granted(store.reserve([single, demand], now=NOW, ttl=TTL)).fills == (1, 3)


def test_one_key_has_a_counter_per_window(store: Store) -> None:
    burst, day = Demand("a", 1, 1, Sliding(SECOND)), Demand("a", 1, 2, Calendar("day"))
    for second in (0, 1):
        granted(store.reserve([burst, day], now=NOW + second * SECOND, ttl=TTL))
    assert refused(store.reserve([burst, day], now=NOW + 2 * SECOND, ttl=TTL)).index == 1


def test_release_gives_back_once(store: Store) -> None:
    demand = Demand("a", 3, 3)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    assert store.fill([demand], now=NOW)[0].reserved == 3
    assert store.release(held, now=NOW)
    assert not store.release(held, now=NOW)
    assert store.fill([demand], now=NOW)[0].used == 0
    granted(store.reserve([demand], now=NOW, ttl=TTL))


def test_commit_keeps_and_settles_once(store: Store) -> None:
    demand = Demand("a", 3, 3)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    assert store.commit(held, now=NOW)
    assert not store.commit(held, now=NOW)
    assert not store.release(held, now=NOW)
    fill = store.fill([demand], now=NOW + 2 * TTL)[0]
    assert (fill.used, fill.reserved, fill.limit) == (3, 0, 3)


def test_less_than_reserved_gives_back_the_rest(store: Store) -> None:
    demand = Demand("a", 3, 3)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    store.commit(held, {"a": 1}, now=NOW)
    assert used(store, demand) == 1


def test_more_than_reserved_is_charged_in_full_and_stops_the_next_call(store: Store) -> None:
    demand = Demand("a", 1, 3, MINUTE)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    store.commit(held, {"a": 7}, now=NOW + SECOND)
    assert used(store, demand, NOW + SECOND) == 7
    refused(store.reserve([Demand("a", 0, 3, MINUTE)], now=NOW + SECOND, ttl=TTL))
    # The estimate leaves a minute after it was reserved, the rest a minute after it became known.
    assert used(store, demand, NOW + 60 * SECOND) == 6
    assert used(store, demand, NOW + 61 * SECOND) == 0


def test_usage_of_something_that_was_not_reserved_is_an_error(store: Store) -> None:
    held = granted(store.reserve([Demand("a", 1, 3)], now=NOW, ttl=TTL)).reservation
    with pytest.raises(EvaluationError, match="nothing was reserved on `b`"):
        store.commit(held, {"b": 1}, now=NOW)
    assert store.release(held, now=NOW)


def test_a_reservation_runs_out(store: Store) -> None:
    demand = Demand("a", 1, 1)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    refused(store.reserve([demand], now=NOW + TTL - 1, ttl=TTL))
    assert used(store, demand, NOW + TTL) == 0
    granted(store.reserve([demand], now=NOW + TTL, ttl=TTL))
    assert not store.release(held, now=NOW)


def test_a_call_that_is_committed_too_late_is_charged_all_the_same(store: Store) -> None:
    demand = Demand("a", 1, 1)
    late = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    granted(store.reserve([demand], now=NOW + TTL, ttl=TTL))
    assert store.commit(late, now=NOW + TTL)
    assert used(store, demand, NOW + TTL) == 2


def test_a_repeated_request_is_charged_once(store: Store) -> None:
    demand = Demand("a", 1, 2)
    first = granted(store.reserve([demand], now=NOW, ttl=TTL, request="r"))
    assert store.reserve([demand], now=NOW, ttl=TTL, request="r") == first
    store.commit(first.reservation, now=NOW)
    assert store.reserve([demand], now=NOW + 2 * TTL, ttl=TTL, request="r") == first
    assert used(store, demand, NOW + 2 * TTL) == 1


def test_a_request_that_was_given_back_is_judged_anew(store: Store) -> None:
    demand = Demand("a", 1, 1)
    first = granted(store.reserve([demand], now=NOW, ttl=TTL, request="r"))
    store.release(first.reservation, now=NOW)
    second = granted(store.reserve([demand], now=NOW, ttl=TTL, request="r"))
    assert second.reservation != first.reservation
    third = granted(store.reserve([demand], now=NOW + TTL, ttl=TTL, request="r"))
    assert third.reservation != second.reservation
    refused(store.reserve([demand], now=NOW + TTL, ttl=TTL, request="other"))


def test_a_request_cannot_be_used_for_something_else(store: Store) -> None:
    store.reserve([Demand("a", 1, 9)], now=NOW, ttl=TTL, request="r")
    with pytest.raises(RequestReused):
        store.reserve([Demand("a", 2, 9)], now=NOW, ttl=TTL, request="r")
    assert used(store, Demand("a", 1, 9)) == 1


def test_a_clock_that_steps_back_frees_nothing(store: Store) -> None:
    demand = Demand("a", 1, 1, MINUTE)
    store.commit(granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation, now=NOW)
    for back in (1, 59, 61, 3600):
        refused(store.reserve([demand], now=NOW - back * SECOND, ttl=TTL))
    granted(store.reserve([demand], now=NOW + MINUTE.width, ttl=TTL))
    refused(store.reserve([demand], now=NOW, ttl=TTL))


def test_a_clock_that_is_behind_does_not_shorten_a_reservation(store: Store) -> None:
    ahead, behind = Demand("a", 0, 1), Demand("a", 1, 1)
    store.reserve([ahead], now=NOW, ttl=TTL)
    store.reserve([behind], now=NOW - 5 * SECOND, ttl=TTL)
    refused(store.reserve([behind], now=NOW + TTL - 1, ttl=TTL))


def test_calendar_days_follow_the_wall_clock_of_their_zone(store: Store) -> None:
    # 2026-03-29 has 23 hours in Berlin: from 23:00 UTC the day before to 22:00 UTC.
    midnight = 1_774_738_800 * SECOND
    demand = Demand("a", 1, 1, Calendar("day", "Europe/Berlin"))
    store.commit(granted(store.reserve([demand], now=midnight, ttl=TTL)).reservation, now=midnight)
    answer = refused(store.reserve([demand], now=midnight + SECOND, ttl=TTL))
    assert answer.retry_after == (23 * 3600 - 1) * SECOND
    granted(store.reserve([demand], now=midnight + 23 * 3600 * SECOND, ttl=TTL))


def test_buckets_never_admit_more_and_free_at_most_one_bucket_later(store: Store) -> None:
    demand = Demand("a", 1, 1, Sliding(60 * SECOND, buckets=60))
    store.commit(granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation, now=NOW)
    assert refused(store.reserve([demand], now=NOW + 60 * SECOND, ttl=TTL)).retry_after == SECOND - 1
    granted(store.reserve([demand], now=NOW + 61 * SECOND, ttl=TTL))


def test_decimal_amounts_add_up_exactly(store: Store) -> None:
    demand = Demand("cost", Decimal("0.1"), Decimal("0.3"), decimals=6)
    for _ in range(3):
        granted(store.reserve([demand], now=NOW, ttl=TTL))
    assert used(store, demand) == Decimal("0.3")
    refused(
        store.reserve([Demand("cost", Decimal("0.000001"), Decimal("0.3"), decimals=6)], now=NOW, ttl=TTL)
    )


def test_numbers_beyond_53_bits_are_exact(store: Store) -> None:
    limit = 2**60 + 1
    granted(store.reserve([Demand("a", 2**60 - 1, limit)], now=NOW, ttl=TTL))
    granted(store.reserve([Demand("a", 1, limit)], now=NOW, ttl=TTL))
    granted(store.reserve([Demand("a", 1, limit)], now=NOW, ttl=TTL))
    refused(store.reserve([Demand("a", 1, limit)], now=NOW, ttl=TTL))
    assert used(store, Demand("a", 1, limit)) == limit


def test_no_demands_are_granted(store: Store) -> None:
    assert granted(store.reserve([], now=NOW, ttl=TTL)).fills == ()


def test_what_was_never_reserved_cannot_be_settled(store: Store) -> None:
    assert not store.commit("77", now=NOW)
    assert not store.release("77", now=NOW)


@pytest.mark.parametrize("amount", [-1, Decimal("0.5"), Decimal("-0.0000001"), Decimal("NaN")])
def test_amounts_that_do_not_fit_the_counter(amount: Decimal) -> None:
    with pytest.raises(EvaluationError):
        Demand("a", amount, 10)


def test_amounts_too_large_for_any_counter() -> None:
    with pytest.raises(TooLarge):
        Demand("a", 2**62, 10)
    with pytest.raises(TooLarge):
        Demand("a", Decimal("1e400"), 10)


def test_periods_and_zones_that_do_not_exist() -> None:
    with pytest.raises(EvaluationError, match="`fortnight`"):
        Calendar("fortnight")
    with pytest.raises(EvaluationError, match="`Mars/Base`"):
        Calendar("day", "Mars/Base").bounds(NOW)


@pytest.mark.parametrize(
    ("unit", "start", "days"),
    [
        ("day", 1_800_000_000 - 28_800, 1),
        ("week", 1_799_625_600, 7),
        ("month", 1_798_761_600, 31),
        ("year", 1_798_761_600, 365),
    ],
)
def test_bounds_of_calendar_periods(unit: str, start: int, days: int) -> None:
    assert Calendar(unit).bounds(NOW) == (start * SECOND, (start + days * 86_400) * SECOND)


def test_tidying_up_does_not_forget_how_late_it_was(store: Store) -> None:
    demand = Demand("a", 1, 1, MINUTE)
    refused(store.reserve([Demand("a", 2, 1, MINUTE)], now=NOW, ttl=TTL))
    for number in range(1_100):
        store.reserve([Demand(f"other {number}", 1, 1)], now=NOW, ttl=TTL)
    store.reserve([demand], now=NOW - 50 * SECOND, ttl=2 * TTL)
    assert refused(store.reserve([demand], now=NOW, ttl=TTL)).retry_after == 60 * SECOND
