"""Random calls against the oracle: arrivals, releases, commits, expiries, repeats and clocks that go back."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits_oracle import Oracle

from guardrails.stores import LIFETIME, Calendar, Demand, Granted, Sliding, Store

DAY = 86_400_000_000
START = 20_000 * DAY - 40
WINDOWS = [
    Sliding(10),
    Sliding(37),
    Sliding(40, buckets=4),
    Sliding(25, buckets=3),
    Calendar("day"),
    LIFETIME,
]

demands = st.builds(
    Demand,
    st.sampled_from(["a", "b"]),
    st.integers(0, 4),
    st.sampled_from([3, 6, 20]),
    st.sampled_from(WINDOWS),
)


class Pair:
    """A store and the oracle, given the same calls under names that no other run uses."""

    def __init__(self, store: Store, run: int) -> None:
        self.store = store
        self.oracle = Oracle()
        self.run = run
        self.names: list[tuple[str, list[Demand]]] = []
        self.now = START

    def own(self, wanted: list[Demand]) -> list[Demand]:
        return [Demand(f"{self.run}:{d.key}", d.amount, d.limit, d.window) for d in wanted]

    def reserve(self, wanted: list[Demand], ttl: int, request: str | None) -> None:
        wanted = self.own(wanted)
        request = request and f"{self.run}:{request}:{[(d.counter, d.units) for d in wanted]}"
        answer = self.store.reserve(wanted, now=self.now, ttl=ttl, request=request)
        name = answer.reservation if isinstance(answer, Granted) else "none"
        expected = self.oracle.reserve(name, wanted, self.now, ttl, request)
        if isinstance(answer, Granted):
            assert ("granted", answer.reservation, answer.fills) == expected
            self.names.append((name, wanted))
        else:
            assert ("refused", answer.index, answer.retry_after, answer.fills) == expected

    def commit(self, index: int, amount: int) -> None:
        name, wanted = self.names[index % len(self.names)]
        actual = {wanted[0].key: amount} if wanted and amount < 6 else {}
        assert self.store.commit(name, actual, now=self.now) == self.oracle.commit(
            name, actual, wanted, self.now
        )

    def release(self, index: int) -> None:
        name, _ = self.names[index % len(self.names)]
        assert self.store.release(name) == self.oracle.release(name)

    def fill(self, wanted: list[Demand]) -> None:
        wanted = self.own(wanted)
        for demand, fill in zip(wanted, self.store.fill(wanted, now=self.now), strict=True):
            assert (fill.used, fill.reserved) == self.oracle.fill(demand.counter, self.now)


calls = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "repeat", "commit", "release", "fill"]),
        st.integers(-15, 20),
        st.lists(demands, min_size=1, max_size=3),
        st.integers(1, 30),
    ),
    max_size=40,
)
runs = iter(range(10**9))


@settings(
    max_examples=5_000 if os.environ.get("GUARD_SOAK") else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls)
def test_no_difference_from_the_oracle(store: Store, steps: list[tuple[str, int, list[Demand], int]]) -> None:
    pair = Pair(store, next(runs))
    for kind, later, wanted, number in steps:
        pair.now += later
        if kind in ("reserve", "repeat"):
            pair.reserve(wanted, number, "again" if kind == "repeat" else None)
        elif kind == "fill":
            pair.fill(wanted)
        elif pair.names and kind == "commit":
            pair.commit(number, number % 9)
        elif pair.names:
            pair.release(number)
    pair.fill([Demand(key, 0, 1, window) for key in "ab" for window in WINDOWS])
