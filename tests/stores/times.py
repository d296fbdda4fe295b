"""The times that tests count in, and how they take answers apart."""

from __future__ import annotations

from guardrails.stores import Demand, Granted, Moved, Refused, Shut, Sliding, Store

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NOW = 1_800_000_000 * SECOND
TTL = 30 * SECOND
MINUTE = Sliding(60 * SECOND)

Answer = Granted | Refused | Shut | Moved


def granted(answer: Answer) -> Granted:
    assert isinstance(answer, Granted), answer
    return answer


def refused(answer: Answer) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


def used(store: Store, demand: Demand, now: int = NOW) -> object:
    return store.fill([demand], now=now)[0].used


def amounts(store: Store, demand: Demand, now: int = NOW) -> tuple[object, object]:
    """What is used and what of it is reserved."""
    fill = store.fill([demand], now=now)[0]
    return fill.used, fill.reserved
