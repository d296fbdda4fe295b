"""Many threads through one guard: never more than the limit, and all of it when more is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from guardrails import Guard, Session
from guardrails.runtime.clock import FrozenClock

NOW = 1_800_000_000_000_000
THREADS, EACH = 16, 12
POLICY = """
policy busy
on call pay {
  allow
  count: limit 40 per 1h
  value: limit sum(args.amount) to 100 per 1d by args.who
  people: limit distinct(args.who) to 3 per 1d
}
on session { calls: limit 30 calls }
"""
TRACED = "policy traced\non call pay { allow; few: limit 9; deny when count(call pay) >= 7 }"


@pytest.fixture(params=["memory:", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory:" else f"sqlite:///{tmp_path}/state.db"


def all_at_once(guard: Guard, args: Any, session: Any) -> list[tuple[str, str]]:
    """What was allowed, as (who, session)."""

    def work(thread: int) -> list[tuple[str, str]]:
        own: Session = guard.session(id=session(thread))
        calls = [args(thread, number) for number in range(EACH)]
        return [(each["who"], own.id) for each in calls if own.check_call("pay", each).allowed]

    with ThreadPoolExecutor(THREADS) as pool:
        return [done for allowed in pool.map(work, range(THREADS)) for done in allowed]


def test_a_limit_for_all_is_reached_and_not_passed(store: str) -> None:
    guard = Guard.from_text(POLICY, store=store, clock=FrozenClock(NOW))
    done = all_at_once(guard, lambda *_: {"amount": 1, "who": "a"}, str)
    assert len(done) == 40


def test_a_limit_for_each_is_reached_and_not_passed(store: str) -> None:
    guard = Guard.from_text(POLICY, store=store, clock=FrozenClock(NOW))
    done = all_at_once(guard, lambda thread, _: {"amount": 10, "who": "abc"[thread % 3]}, str)
    assert sorted(who for who, _ in done) == ["a"] * 10 + ["b"] * 10 + ["c"] * 10


def test_a_session_of_many_threads_has_one_limit(store: str) -> None:
    guard = Guard.from_text(POLICY, store=store, clock=FrozenClock(NOW))
    assert len(all_at_once(guard, lambda *_: {"amount": 0, "who": "a"}, lambda _: "one")) == 30


def test_no_more_members_than_the_limit(store: str) -> None:
    guard = Guard.from_text(POLICY, store=store, clock=FrozenClock(NOW))
    done = all_at_once(guard, lambda thread, _: {"amount": 0, "who": str(thread)}, str)
    assert len({who for who, _ in done}) == 3


def test_children_of_one_session_share_its_limit(store: str) -> None:
    guard = Guard.from_text(POLICY, store=store, clock=FrozenClock(NOW))
    own = Guard.from_text(
        "policy own\non call pay { allow; mine: limit 1000 per 1h }", clock=FrozenClock(NOW)
    )
    parent = guard.session(id="one")

    def work(_: int) -> int:
        child = parent.delegate(guard=own)
        return sum(child.check_call("pay", {"amount": 1, "who": "a"}).allowed for _ in range(EACH))

    with ThreadPoolExecutor(THREADS) as pool:
        done = sum(pool.map(work, range(THREADS)))
    assert done == 30
    levels = {level.key: level.used for level in own.state.store.levels("own.mine", now=NOW)}
    assert levels == {"own.mine": 30}
