"""A recording replayed in parts gives what it gives as a whole: the same sums, examples and people."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay_pools import Apart, order, recipe, written
from soaking import drawn

from guardrails import Guard
from guardrails.testing import replay_files, replay_spool
from guardrails.testing.replay_items import session_name
from guardrails.testing.replay_review import Review
from guardrails.testing.replay_running import Processes, replay

SHARED = """policy shop
type principal { id: string }
on call pay {
  allow
  person: limit 2 per 1h by principal.id
  customer: limit sum(args.amount) to 20 per 1d by args.customer
}
on call mail {
  allow
  everybody: limit 3 per 10m
}
on call look { allow when args.amount < 8 }
on call ring {
  allow
  address: limit 1 per 1h by args.to
}
on session { limit 6 calls }
"""
TYPED = SHARED.replace("by args.to", "by email(args.to)")
LOOSER = SHARED.replace("limit 2 per", "limit 3 per").replace("to 20", "to 30")


def event(minute: int | None, session: int | None, tool: str, value: int) -> dict[str, Any]:
    args = {"amount": value, "customer": f"c{value % 3}", "to": f"A{value % 2}@X.test"}
    found: dict[str, Any] = {
        "type": "call", "tool": tool, "args": args, "principal": {"id": f"p{(session or 0) % 3}"},
    }  # fmt: skip
    if session is not None:
        found["session"] = f"s{session}"
    if minute is not None:
        found["time"] = datetime.fromtimestamp(1_767_268_800 + minute * 60, UTC).isoformat()
    return found


EVENTS = st.lists(
    st.builds(
        event,
        st.none() | st.integers(0, 200),
        st.none() | st.integers(0, 8),
        st.sampled_from(["pay", "mail", "look", "ring"]),
        st.integers(0, 9),
    ),
    max_size=40,
)


def in_turn(policy: str, events: list[dict[str, Any]]) -> Counter[str]:
    """The outcomes of deciding one event after the other, in order of time, by the guard itself."""
    now, timed = 1_767_268_800_000_000, []
    for place, each in enumerate(events):
        if "time" in each:
            now = int(datetime.fromisoformat(each["time"]).timestamp()) * 1_000_000
        timed.append((now, place, each))
    guard = Guard.from_text(policy)
    return Counter(
        guard.decide(each, now=at).outcome.value for at, _, each in sorted(timed, key=lambda t: t[:2])
    )


@settings(max_examples=drawn(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, size=st.integers(2, 5), stretch=st.integers(60, 900), shares_files=st.booleans())
def test_parts_are_the_whole(
    tmp_path: Path, *, events: list[dict[str, Any]], size: int, stretch: int, shares_files: bool
) -> None:
    path = written(tmp_path / "events.jsonl", events)
    wanted = replay(order(path, LOOSER, SHARED)).review
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(replay_files.chunks_of.__kwdefaults__, "size", stretch)
        patch.setattr(replay_spool, "BLOCK", 3)
        found = replay(order(path, LOOSER, SHARED), Apart(size, shares_files=shares_files)).review
    assert told(found) == told(wanted)
    assert wanted.outcomes == in_turn(LOOSER, events)
    assert wanted.before == in_turn(SHARED, events)


def told(review: Review) -> dict[str, Any]:
    """A review without the numbers of stretches, which are no part of the result."""

    def tallies(found: dict[Any, Any]) -> dict[Any, Any]:
        return {name: (t.count, t.example.line, t.example.event, t.example.file) for name, t in found.items()}

    return {
        "sums": (review.outcomes, review.before, review.moves, review.changed, review.altered, review.errors),
        "statements": tallies(review.statements),
        "changes": tallies(review.changes),
        "affected": (review.affected, review.everybody),
    }


def test_sessions_without_anything_in_common_stay_apart(tmp_path: Path) -> None:
    """And those that share a limit do not; what cannot be told from the event joins all who charge it."""
    looks = [event(n, n, "look", n) for n in range(9)]
    path = written(tmp_path / "looks.jsonl", looks)
    assert replay(order(path, SHARED), Apart(4)).largest == 0
    rings = [event(n, n, "ring", n) for n in range(8)]
    path = written(tmp_path / "rings.jsonl", rings)
    assert replay(order(path, SHARED), Apart(4)).largest == 4, "two addresses, four sessions each"
    typed = replay(order(path, TYPED), Apart(4))
    assert typed.largest == 8, "an address has a canonical form, so its counter is not known before"
    assert "shop.address" in typed.shared
    assert typed.review.outcomes == in_turn(TYPED, rings)


def test_events_without_a_session_are_kept_with_their_counter(tmp_path: Path) -> None:
    events = [event(n, None, "pay", n % 10) for n in range(60)]
    path = written(tmp_path / "events.jsonl", events)
    found = replay(order(path, SHARED), Apart(3))
    assert found.review.outcomes == in_turn(SHARED, events)


def test_processes_give_the_same(tmp_path: Path) -> None:
    events = [event(n * 7 % 200, n % 11, ["pay", "mail", "look"][n % 3], n % 10) for n in range(400)]
    path = written(tmp_path / "events.jsonl", events)
    wanted = replay(order(path, LOOSER, SHARED))
    with pytest.MonkeyPatch.context() as patch, Processes(2) as pool:
        patch.setitem(replay_files.chunks_of.__kwdefaults__, "size", 4_000)
        found = replay(order(path, LOOSER, SHARED), pool)
    assert told(found.review) == told(wanted.review)
    assert wanted.review.changes


def test_a_policy_without_state_is_cut_anywhere(tmp_path: Path) -> None:
    """Also where it reads the time, which an event may have from the one before it."""
    policy = 'policy p\non call pay { allow when now < time("2026-01-01T14:00:00Z") }\n'
    events = [event(n if n % 5 == 0 else None, n, "pay", 1) for n in range(200)]
    path = written(tmp_path / "events.jsonl", events)
    wanted = replay(order(path, policy)).review
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(replay_files.chunks_of.__kwdefaults__, "size", 250)
        found = replay(order(path, policy), Apart(2)).review
    assert told(found) == told(wanted)
    assert 0 < wanted.outcomes["allow"] < 200


def test_bad_lines_are_named_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    good = json.dumps(event(1, 1, "look", 1))
    lines = [good if n % 7 else "{broken" for n in range(1, 60)]
    path.write_text("\n".join([*lines, json.dumps({"type": "call", "tool": "look"})]), encoding="utf-8")
    for policy in (SHARED, "policy p\non call look { allow }\n"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(replay_files.chunks_of.__kwdefaults__, "size", 500)
            found = replay(order(path, policy), Apart(2))
        assert [bad.line for bad in found.bad] == [*range(7, 60, 7), 60]
        assert "needs `args`" in found.bad[-1].message
        assert found.review.events == 59 - 8
        assert {bad.file for bad in found.bad} == {str(path)}


def test_a_recipe_is_the_policy_wherever_it_is_made() -> None:
    made = recipe(SHARED)
    assert made.guard().digest == Guard.from_text([("shop.guard", SHARED)]).digest
    assert [shared.said for shared in made.shared] == [
        "shop.person",
        "shop.customer",
        "shop.everybody",
        "shop.address",
    ]
    assert session_name({"session": {"id": "x"}}) == "x"
