"""What every store promises about the logs of sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from times import HOUR, NOW, SECOND, TTL, granted, refused, used

from guardrails.stores import Demand, Gate, Granted, Moved, Note, Opening, Past, Shut, Store
from guardrails.stores.sessions import MOST_NOTES


def note(text: str, after: int | None = None, session: str = "s") -> Note:
    return Note(session, text, HOUR, after)


def test_notes_are_numbered_from_one(store: Store) -> None:
    assert store.recall("s", after=0, now=NOW) == Past(0, ())
    assert [store.remember(note(text), now=NOW) for text in ("a", "b ☂", "")] == [1, 2, 3]
    assert store.remember(note("x", session="other"), now=NOW) == 1
    assert store.recall("s", after=0, now=NOW) == Past(3, ("a", "b ☂", ""))
    assert store.recall("s", after=2, now=NOW) == Past(3, ("",))
    assert store.recall("s", after=3, now=NOW) == Past(3, ())
    assert store.recall("s", after=9, now=NOW) == Past(3, ())


def test_a_writer_that_missed_a_note_is_told(store: Store) -> None:
    assert store.remember(note("a", 0), now=NOW) == 1
    assert store.remember(note("b", 0), now=NOW) == Moved(1)
    assert store.remember(note("b", 1), now=NOW) == 2
    assert store.remember(note("c", 7), now=NOW) == Moved(2)
    assert store.recall("s", after=0, now=NOW).texts == ("a", "b")


def test_a_note_comes_with_its_reservation_or_not_at_all(store: Store) -> None:
    demand = Demand("a", 1, 1)
    granted(store.reserve([demand], now=NOW, ttl=TTL, note=note("first", 0)))
    refused(store.reserve([demand], now=NOW, ttl=TTL, note=note("second", 1)))
    assert store.reserve([demand], now=NOW, ttl=TTL, note=note("third", 0)) == Moved(1)
    assert store.recall("s", after=0, now=NOW) == Past(1, ("first",))
    # A note stays when its reservation is given back or runs out: it says what was decided.
    granted(store.reserve([demand], now=NOW + TTL, ttl=TTL, note=note("fourth", 1)))
    assert store.recall("s", after=1, now=NOW + TTL) == Past(2, ("fourth",))


def test_whoever_missed_a_note_charges_nothing(store: Store) -> None:
    store.remember(note("a"), now=NOW)
    demand, gate = Demand("a", 1, 9), Gate("api", (Opening(1),), SECOND)
    broken = granted(store.reserve([], now=NOW, ttl=TTL, gates=[gate])).reservation
    store.release(broken, now=NOW, failed=True)
    both = {"gates": [gate], "note": note("b", 0)}
    assert store.reserve([demand], now=NOW, ttl=TTL, **both) == Moved(1)  # type: ignore[arg-type]  # as named
    assert store.reserve([demand], now=NOW, ttl=TTL, gates=[gate], note=note("b", 1)) == Shut(0, SECOND)
    assert store.reserve([demand], now=NOW + SECOND, ttl=TTL, **both) == Moved(1)  # type: ignore[arg-type]  # as named
    granted(store.reserve([demand], now=NOW + SECOND, ttl=TTL, gates=[gate], note=note("b", 1)))
    assert used(store, demand, NOW + SECOND) == 1
    assert store.recall("s", after=0, now=NOW + SECOND) == Past(2, ("a", "b"))


def test_a_repeated_request_is_noted_once(store: Store) -> None:
    demand = Demand("a", 1, 9)
    first = store.reserve([demand], now=NOW, ttl=TTL, request="r", note=note("a", 0))
    assert store.reserve([demand], now=NOW, ttl=TTL, request="r", note=note("a", 0)) == first
    assert store.recall("s", after=0, now=NOW) == Past(1, ("a",))


def test_a_log_expires_and_begins_anew(store: Store) -> None:
    store.remember(note("a"), now=NOW)
    store.remember(note("b"), now=NOW + SECOND)
    end = NOW + SECOND + HOUR
    assert store.recall("s", after=0, now=end - 1).last == 2
    assert store.recall("s", after=0, now=end) == Past(0, ())
    assert store.remember(note("c", 2), now=end) == Moved(0)
    assert store.remember(note("c", 0), now=end) == 1
    assert store.recall("s", after=0, now=end) == Past(1, ("c",))


def test_a_log_is_forgotten(store: Store) -> None:
    store.remember(note("a"), now=NOW)
    assert store.forget("s")
    assert not store.forget("s")
    assert store.recall("s", after=0, now=NOW) == Past(0, ())
    assert store.remember(note("b", 0), now=NOW) == 1


def test_a_clock_that_steps_back_does_not_shorten_a_log(store: Store) -> None:
    store.remember(note("a"), now=NOW)
    store.remember(note("b"), now=NOW - 30 * SECOND)
    assert store.recall("s", after=0, now=NOW + HOUR - 1) == Past(2, ("a", "b"))


def test_the_oldest_notes_go_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 8):
        store.remember(note("☂" * 2_000_000 if number < 7 else "last"), now=NOW)
    past = store.recall("s", after=0, now=NOW)
    # Six million bytes each: two fit into sixteen millions, and the short one does too.
    assert past.last == 7
    assert [len(text) for text in past.texts] == [2_000_000, 2_000_000, 4]


def test_no_more_notes_are_kept_than_that(store: Store) -> None:
    for _ in range(MOST_NOTES + 5):
        store.remember(note("."), now=NOW)
    past = store.recall("s", after=0, now=NOW)
    assert (past.last, len(past.texts)) == (MOST_NOTES + 5, MOST_NOTES)
    assert store.recall("s", after=MOST_NOTES + 3, now=NOW) == Past(MOST_NOTES + 5, (".", "."))


def test_the_newest_note_stays_however_long_it_is(store: Store) -> None:
    store.remember(note("a"), now=NOW)
    store.remember(note("x" * 16_000_001), now=NOW)
    past = store.recall("s", after=0, now=NOW)
    assert (past.last, [len(text) for text in past.texts]) == (2, [16_000_001])


def write(store: Store, worker: int, count: int) -> int:
    """Write `count` notes, each knowing all before it; how often somebody was faster."""
    last = moved = written = 0
    while written < count:
        answer = store.reserve([Demand("n", 1, 10_000)], now=NOW, ttl=None, note=note(f"{worker}", last))
        if isinstance(answer, Granted):
            last, written = last + 1, written + 1
        else:
            assert isinstance(answer, Moved)
            last, moved = answer.last, moved + 1
    return moved


def test_writers_that_race_leave_no_gap_and_charge_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda worker: write(store, worker, 25), range(8)))
    past = store.recall("s", after=0, now=NOW)
    assert past.last == 200
    assert sorted(past.texts) == sorted(str(worker) for worker in range(8) for _ in range(25))
    assert used(store, Demand("n", 0, 1)) == 200
