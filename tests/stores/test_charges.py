"""What every store promises about charges of a special kind: those that stay, members, `left` and `was`."""

from __future__ import annotations

from decimal import Decimal

import pytest
from times import HOUR, MINUTE, NOW, SECOND, TTL, Answer, amounts, granted, refused, used

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import LIFETIME, Calendar, Demand, Level, Quota, RequestReused, Sliding, Store

DAY = 24 * HOUR


def test_a_charge_without_an_end_stays_and_is_settled_for_an_hour(store: Store) -> None:
    demand = Demand("a", 2, 9)
    early, late, kept = (granted(store.reserve([demand], now=NOW, ttl=None)).reservation for _ in range(3))
    assert amounts(store, demand, NOW + HOUR - 1) == (6, 6)
    assert store.release(early, now=NOW + HOUR - 1)
    assert store.commit(late, {"a": 1}, now=NOW + HOUR - 1)
    assert amounts(store, demand, NOW + HOUR) == (3, 0)
    assert not store.release(kept, now=NOW + HOUR)
    assert not store.commit(kept, now=NOW + HOUR)
    assert amounts(store, demand, NOW + 1_000 * HOUR) == (3, 0)


def test_a_charge_without_an_end_leaves_its_window(store: Store) -> None:
    demand = Demand("a", 1, 1, MINUTE)
    granted(store.reserve([demand], now=NOW, ttl=None))
    assert refused(store.reserve([demand], now=NOW + 59 * SECOND, ttl=None)).retry_after == SECOND
    granted(store.reserve([demand], now=NOW + 60 * SECOND, ttl=None))


def test_short_reservations_run_out_behind_one_that_does_not(store: Store) -> None:
    demand = Demand("a", 1, 9)
    granted(store.reserve([demand], now=NOW, ttl=None))
    granted(store.reserve([demand], now=NOW + 1, ttl=TTL))
    granted(store.reserve([demand], now=NOW + 2, ttl=None))
    assert amounts(store, demand, NOW + TTL) == (3, 3)
    assert amounts(store, demand, NOW + 1 + TTL) == (2, 2)
    granted(store.reserve([demand], now=NOW + 1 + TTL, ttl=TTL))
    assert amounts(store, demand, NOW + 1 + TTL) == (3, 3)


def test_a_request_with_a_charge_without_an_end_is_recognised(store: Store) -> None:
    demand = Demand("a", 1, 9)
    first = granted(store.reserve([demand], now=NOW, ttl=None, request="r"))
    assert store.reserve([demand], now=NOW + HOUR - 1, ttl=None, request="r") == first
    store.release(first.reservation, now=NOW + HOUR - 1)
    assert granted(store.reserve([demand], now=NOW + HOUR - 1, ttl=None, request="r")) != first
    assert used(store, demand, NOW + HOUR) == 1


def test_releasing_goes_by_its_own_time(store: Store) -> None:
    demand = Demand("a", 1, 9)
    first, second = (granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation for _ in range(2))
    assert store.release(first, now=NOW + TTL - 1)
    assert not store.release(second, now=NOW + TTL)
    assert amounts(store, demand, NOW) == (0, 0)


def test_members_are_counted_once_each(store: Store) -> None:
    def ask(name: str, now: int = NOW) -> Answer:
        return store.reserve([Demand("to", 1, 2, MINUTE, member=name)], now=now, ttl=TTL * 9)

    assert granted(ask("ana")).fills == (1,)
    assert granted(ask("bo", NOW + SECOND)).fills == (2,)
    assert granted(ask("ana", NOW + 2 * SECOND)).fills == (2,)
    # `ana` was seen again, so `bo` is the first to leave.
    answer = refused(ask("cy", NOW + 3 * SECOND))
    assert (answer.index, answer.fills, answer.retry_after) == (0, (2,), 58 * SECOND)
    assert granted(ask("cy", NOW + 61 * SECOND)).fills == (2,)


def test_a_member_that_is_given_back_counts_as_before(store: Store) -> None:
    demand = Demand("to", 1, 1, MINUTE, member="ana")
    first = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    store.commit(first, now=NOW)
    again = granted(store.reserve([demand], now=NOW + 10 * SECOND, ttl=TTL)).reservation
    assert amounts(store, demand, NOW + 10 * SECOND) == (1, 0)
    assert store.release(again, now=NOW + 20 * SECOND)
    assert used(store, demand, NOW + 60 * SECOND - 1) == 1
    assert used(store, demand, NOW + 60 * SECOND) == 0


def test_a_member_counts_as_long_as_one_of_its_charges_does(store: Store) -> None:
    demand = Demand("to", 1, 5, MINUTE, member="ana")
    first, second, third = (
        granted(store.reserve([demand], now=NOW + n * SECOND, ttl=TTL)).reservation for n in range(3)
    )
    assert amounts(store, demand, NOW + 2 * SECOND) == (1, 1)
    store.release(first, now=NOW + 2 * SECOND)
    store.commit(second, now=NOW + 2 * SECOND)
    store.release(third, now=NOW + 2 * SECOND)
    assert amounts(store, demand, NOW + 61 * SECOND - 1) == (1, 0)
    assert used(store, demand, NOW + 61 * SECOND) == 0


def test_a_member_whose_reservation_ran_out_is_forgotten(store: Store) -> None:
    ana, bo = (Demand("to", 1, 1, member=name) for name in ("ana", "bo"))
    lost = granted(store.reserve([ana], now=NOW, ttl=TTL)).reservation
    refused(store.reserve([bo], now=NOW + TTL - 1, ttl=TTL))
    granted(store.reserve([bo], now=NOW + TTL, ttl=TTL))
    assert store.commit(lost, now=NOW + TTL)
    assert used(store, ana, NOW + TTL) == 2


def test_a_member_that_was_given_back_counts_when_its_call_is_committed_after_all(store: Store) -> None:
    for ttl, key in ((TTL, "to"), (None, "cc")):
        demand = Demand(key, 1, 1, member="ana")
        held = granted(store.reserve([demand], now=NOW, ttl=ttl)).reservation
        store.release(held, now=NOW)
        assert amounts(store, demand) == (0, 0)
        assert store.commit(held, now=NOW)
        assert amounts(store, demand) == (1, 0)


def test_a_member_that_was_not_used_is_given_back(store: Store) -> None:
    demand = Demand("to", 1, 1, member="ana")
    held = granted(store.reserve([demand], now=NOW, ttl=TTL)).reservation
    assert store.commit(held, {"to": 0}, now=NOW)
    assert amounts(store, demand) == (0, 0)


def test_many_members_of_one_call(store: Store) -> None:
    def to(*names: str) -> list[Demand]:
        return [Demand("to", 1, 3, MINUTE, member=name) for name in names]

    assert granted(store.reserve(to("a", "b", "a"), now=NOW, ttl=TTL * 9)).fills == (1, 2, 2)
    answer = refused(store.reserve(to("b", "c", "d"), now=NOW + SECOND, ttl=TTL))
    # Once `a` has left there is room for both; `b` is asked for and stays.
    assert (answer.index, answer.fills, answer.retry_after) == (2, (2, 3, 3), 59 * SECOND)
    assert refused(store.reserve(to(*"wxyz"), now=NOW, ttl=TTL)).retry_after == 59 * SECOND
    crowd = [Demand("to", 1, 3, MINUTE, member=str(n)) for n in range(4)]
    store.reserve(crowd, now=NOW + HOUR, ttl=TTL)
    assert refused(store.reserve(crowd, now=NOW + HOUR, ttl=TTL)).retry_after is None
    assert used(store, crowd[0], NOW + HOUR) == 0


def test_members_of_a_calendar_day_leave_together(store: Store) -> None:
    def demand(name: str) -> Demand:
        return Demand("to", 1, 2, Calendar("day"), member=name)

    midnight = NOW - NOW % DAY
    for hour, name in enumerate("aba"):
        store.commit(
            granted(store.reserve([demand(name)], now=midnight + hour, ttl=TTL)).reservation,
            now=midnight + hour,
        )
    assert refused(store.reserve([demand("c")], now=midnight + 9, ttl=TTL)).retry_after == DAY - 9
    assert used(store, demand("c"), midnight + DAY) == 0


def test_a_request_names_its_members(store: Store) -> None:
    store.reserve([Demand("to", 1, 9, member="ana")], now=NOW, ttl=TTL, request="r")
    with pytest.raises(RequestReused):
        store.reserve([Demand("to", 1, 9, member="bo")], now=NOW, ttl=TTL, request="r")


def test_member_names_are_any_text(store: Store) -> None:
    names = ["", " ", "a b;c", "ü☂", "|60#0", "'", "\n"]
    asked = [Demand("to", 1, 99, member=name) for name in names]
    assert granted(store.reserve([*asked, *asked], now=NOW, ttl=TTL)).fills == (1, 2, 3, 4, 5, 6, *[7] * 8)
    assert used(store, asked[0]) == len(names)


def test_something_must_be_left(store: Store) -> None:
    left = Demand("tokens", 0, 5, MINUTE, left=True)
    held = granted(store.reserve([left], now=NOW, ttl=TTL)).reservation
    assert amounts(store, left) == (0, 0)
    granted(store.reserve([Demand("tokens", 4, 5, MINUTE), left], now=NOW, ttl=TTL * 9))
    assert store.commit(held, {"tokens": 7}, now=NOW + SECOND)
    assert used(store, left, NOW + SECOND) == 11
    answer = refused(store.reserve([left], now=NOW + 2 * SECOND, ttl=TTL))
    assert (answer.fills, answer.retry_after) == ((11,), 59 * SECOND)


def test_a_limit_that_is_used_up_exactly_leaves_nothing(store: Store) -> None:
    demand, left = Demand("a", 5, 5), Demand("a", 0, 5, left=True)
    answer = refused(store.reserve([demand, left], now=NOW, ttl=TTL))
    assert (answer.index, answer.retry_after) == (1, None)
    granted(store.reserve([Demand("a", 0, 0)], now=NOW, ttl=TTL))
    refused(store.reserve([Demand("a", 0, 0, left=True)], now=NOW, ttl=TTL))


def test_a_renamed_counter_keeps_what_it_counted(store: Store) -> None:
    old, new = Demand("old", 1, 3, MINUTE), Demand("new", 1, 3, MINUTE, was="old")
    kept = granted(store.reserve([old], now=NOW, ttl=TTL)).reservation
    lost = granted(store.reserve([old], now=NOW, ttl=TTL)).reservation
    assert used(store, new) == 2
    assert granted(store.reserve([new], now=NOW + SECOND, ttl=TTL)).fills == (3,)
    assert used(store, old) == 0
    # What was reserved under the old key is settled under it.
    assert store.commit(kept, {"old": 2}, now=NOW + SECOND)
    assert store.release(lost, now=NOW + SECOND)
    assert used(store, new, NOW + SECOND) == 3


def test_a_name_that_is_taken_is_not_taken_again(store: Store) -> None:
    old, new = Demand("old", 1, 9), Demand("new", 1, 9, was="old")
    store.reserve([Demand("new", 2, 9), old], now=NOW, ttl=TTL)
    assert granted(store.reserve([new], now=NOW, ttl=TTL)).fills == (3,)
    assert used(store, old) == 1
    granted(store.reserve([Demand("other", 1, 9, was="never")], now=NOW, ttl=TTL))


def test_renamed_members_and_decimals(store: Store) -> None:
    store.reserve(
        [Demand("to", 1, 9, member="ana"), Demand("cost", Decimal("0.5"), 9, decimals=2)], now=NOW, ttl=TTL
    )
    answer = store.reserve(
        [Demand("t", 1, 9, member="ana", was="to"), Demand("c", 1, 9, decimals=2, was="cost"),
         Demand("d", 1, 9, decimals=1, was="cost")], now=NOW, ttl=TTL,
    )  # fmt: skip
    assert granted(answer).fills == (1, Decimal("1.5"), 1)


def test_levels_show_what_is_in_use(store: Store) -> None:
    minute, cost = Demand("b/1", 2, 9, MINUTE), Demand("a", Decimal("0.25"), 9, decimals=2)
    held = granted(store.reserve([minute, cost, Demand("b/1", 1, 9)], now=NOW, ttl=None)).reservation
    store.reserve([Demand("b", 1, 9, Calendar("day", "Europe/Berlin"))], now=NOW, ttl=TTL)
    everything = store.levels("", now=NOW)
    assert everything == (
        Level("a", LIFETIME, 2, Decimal("0.25"), Decimal("0.25")),
        Level("b", Calendar("day", "Europe/Berlin"), 0, 1, 1),
        Level("b/1", LIFETIME, 0, 1, 1),
        Level("b/1", MINUTE, 0, 2, 2),
    )
    assert store.levels("b", now=NOW) == everything[1:]
    assert store.levels("b/", now=NOW) == everything[2:]
    assert store.levels("b|", now=NOW) == ()
    store.commit(held, now=NOW)
    assert store.levels("b", now=NOW + 60 * SECOND) == (Level("b/1", LIFETIME, 0, 1, 0),)


def test_amounts_that_members_and_what_is_left_do_not_have() -> None:
    with pytest.raises(EvaluationError, match="has the amount 1"):
        Demand("a", 2, 9, member="x")
    with pytest.raises(EvaluationError, match="has the amount 0"):
        Demand("a", 1, 9, left=True)
    with pytest.raises(EvaluationError, match="nothing else"):
        Demand("a", 0, 9, left=True, member="x")
    with pytest.raises(EvaluationError, match="has the amount 0"):
        Quota(9, left=True).demand("a", 1)


@pytest.mark.parametrize(
    ("amount", "decimals"),
    [(1, 0), (0, 9), (7, 9), (Decimal("0.5"), 1), (Decimal("1.50"), 2), (Decimal("1E+3"), 0), (2**62 - 1, 0)],
)
def test_a_quota_makes_the_same_demands(amount: Decimal, decimals: int) -> None:
    quota = Quota(Decimal(8), MINUTE, decimals)
    made, plain = (
        quota.demand("a", amount, was="b"),
        Demand("a", amount, Decimal(8), MINUTE, decimals, was="b"),
    )
    assert made == plain
    assert (made.units, made.ceiling, made.counter) == (plain.units, plain.ceiling, plain.counter)


def test_a_quota_refuses_the_same_amounts() -> None:
    with pytest.raises(EvaluationError, match="negative"):
        Quota(1).demand("a", -1)
    with pytest.raises(TooLarge):
        Quota(1, decimals=9).demand("a", 2**60)
    with pytest.raises(EvaluationError, match="more than 1 decimals"):
        Quota(1, decimals=1).demand("a", Decimal("0.25"))
    with pytest.raises(EvaluationError, match="decimals"):
        Quota(1, Sliding(5), 19)


def test_a_member_that_is_given_back_late_leaves_its_place(store: Store) -> None:
    """It falls back on a stamp that has left the window, so it counts no more."""
    first, other = (Demand("m", 1, 1, MINUTE, member=name) for name in "xy")
    granted(store.reserve([first], now=NOW, ttl=HOUR))
    late = granted(store.reserve([first], now=NOW + 50 * SECOND, ttl=HOUR)).reservation
    assert store.release(late, now=NOW + 70 * SECOND)
    assert store.fill([first], now=NOW + 70 * SECOND)[0].used == 0
    granted(store.reserve([other], now=NOW + 70 * SECOND, ttl=TTL))
