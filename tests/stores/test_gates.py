"""What every store promises about circuit breakers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from times import HOUR, NOW, SECOND, TTL, granted, refused, used

from guardrails.errors import EvaluationError
from guardrails.stores import Demand, Gate, Gauge, Granted, Opening, Shut, Store
from guardrails.stores.breakers import FORGOTTEN, MOST_OUTCOMES, PROBE

WAIT = 10 * SECOND
THREE_IN_A_ROW = Gate("api", (Opening(3),), WAIT)
TWO_A_MINUTE = Gate("api", (Opening(2, 60 * SECOND),), WAIT)
HALF_OF_FOUR = Gate("api", (Opening(4, 60 * SECOND, (1, 2)),), WAIT)


def ask(store: Store, gate: Gate, now: int, ttl: int | None = TTL) -> str:
    """The reservation of a call that is let through."""
    return granted(store.reserve([], now=now, ttl=ttl, gates=[gate])).reservation


def play(store: Store, gate: Gate, outcomes: str, now: int = NOW) -> None:
    """One call after another, a second apart: `+` succeeds, `-` fails, `.` is not run."""
    for second, outcome in enumerate(outcomes):
        at = now + second * SECOND
        end(store, ask(store, gate, at), outcome, at)


def end(store: Store, reservation: str, outcome: str, now: int) -> None:
    if outcome == "+":
        store.commit(reservation, now=now)
    else:
        store.release(reservation, now=now, failed=outcome == "-")


def gauge(store: Store, gate: Gate, now: int) -> tuple[str, int, int, int | None]:
    (found,) = store.gauges([gate], now=now)
    assert found.key == gate.key
    return found.state, found.failures, found.outcomes, found.retry_after


def test_it_opens_after_failures_in_a_row(store: Store) -> None:
    play(store, THREE_IN_A_ROW, "--+--.")
    assert gauge(store, THREE_IN_A_ROW, NOW + 6 * SECOND) == ("closed", 2, 2, None)
    play(store, THREE_IN_A_ROW, "-", NOW + 6 * SECOND)
    answer = store.reserve([], now=NOW + 7 * SECOND, ttl=TTL, gates=[THREE_IN_A_ROW])
    assert answer == Shut(0, WAIT - SECOND)
    assert gauge(store, THREE_IN_A_ROW, NOW + 7 * SECOND) == ("open", 3, 3, WAIT - SECOND)


def test_it_opens_after_failures_in_a_window(store: Store) -> None:
    play(store, TWO_A_MINUTE, "-+++")
    play(store, TWO_A_MINUTE, "-", NOW + 60 * SECOND)
    # (t - window, t]: the first failure has just left.
    assert gauge(store, TWO_A_MINUTE, NOW + 60 * SECOND) == ("closed", 1, 4, None)
    play(store, TWO_A_MINUTE, "-", NOW + 119 * SECOND)
    assert gauge(store, TWO_A_MINUTE, NOW + 119 * SECOND) == ("open", 2, 2, WAIT)


def test_it_opens_at_a_share_of_enough_outcomes(store: Store) -> None:
    play(store, HALF_OF_FOUR, "--+")
    assert gauge(store, HALF_OF_FOUR, NOW + 3 * SECOND)[0] == "closed"
    # The fourth outcome is a success, and makes the volume that is asked for.
    play(store, HALF_OF_FOUR, "+", NOW + 3 * SECOND)
    assert gauge(store, HALF_OF_FOUR, NOW + 3 * SECOND) == ("open", 2, 4, WAIT)


def test_a_share_below_the_mark_stays_closed(store: Store) -> None:
    play(store, HALF_OF_FOUR, "+++--")
    assert gauge(store, HALF_OF_FOUR, NOW + 5 * SECOND) == ("closed", 2, 5, None)


def test_any_of_several_openings_opens_it(store: Store) -> None:
    gate = Gate("api", (Opening(9, HOUR), Opening(2)), WAIT)
    play(store, gate, "-+-+--")
    assert gauge(store, gate, NOW + 5 * SECOND) == ("open", 4, 6, WAIT)


def opened(store: Store, gate: Gate = TWO_A_MINUTE) -> int:
    """Open the breaker; the time from which it is half open."""
    play(store, gate, "-" * gate.openings[0].failures)
    return NOW + (gate.openings[0].failures - 1) * SECOND + gate.retry_after


def test_half_open_it_lets_one_call_through(store: Store) -> None:
    half = opened(store)
    assert store.reserve([], now=half - 1, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, 1)
    assert gauge(store, TWO_A_MINUTE, half)[0] == "half open"
    probe = ask(store, TWO_A_MINUTE, half)
    assert store.reserve([], now=half, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, None)
    assert store.commit(probe, now=half + 1)
    assert gauge(store, TWO_A_MINUTE, half + 1) == ("closed", 0, 0, None)
    play(store, TWO_A_MINUTE, "-", half + 2)
    assert gauge(store, TWO_A_MINUTE, half + 2) == ("closed", 1, 1, None)


def test_a_probe_that_fails_opens_it_again(store: Store) -> None:
    half = opened(store)
    probe = ask(store, TWO_A_MINUTE, half + 5)
    assert not store.release(probe, now=half + 7, failed=True)
    assert store.reserve([], now=half + 8, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, WAIT - 1)
    ask(store, TWO_A_MINUTE, half + 7 + WAIT)


def test_a_probe_that_was_not_run_makes_room_for_the_next(store: Store) -> None:
    half = opened(store)
    probe = ask(store, TWO_A_MINUTE, half)
    store.release(probe, now=half)
    assert gauge(store, TWO_A_MINUTE, half)[0] == "half open"
    ask(store, TWO_A_MINUTE, half)


@pytest.mark.parametrize(("ttl", "lost"), [(TTL, TTL), (None, PROBE)])
def test_a_probe_that_nobody_hears_of_again_is_lost(store: Store, ttl: int | None, lost: int) -> None:
    half = opened(store)
    probe = ask(store, TWO_A_MINUTE, half, ttl)
    assert store.reserve([], now=half + lost - 1, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, None)
    second = ask(store, TWO_A_MINUTE, half + lost)
    # What became of the first says nothing any more.
    store.commit(probe, now=half + lost)
    assert store.reserve([], now=half + lost, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, None)
    store.commit(second, now=half + lost)
    assert gauge(store, TWO_A_MINUTE, half + lost)[0] == "closed"


def test_a_probe_that_the_limits_refuse_is_none(store: Store) -> None:
    half = opened(store)
    refused(store.reserve([Demand("a", 2, 1)], now=half, ttl=TTL, gates=[TWO_A_MINUTE]))
    ask(store, TWO_A_MINUTE, half)


def test_outcomes_that_come_in_late_count_only_while_it_is_closed(store: Store) -> None:
    early = [ask(store, TWO_A_MINUTE, NOW) for _ in range(4)]
    for reservation in early[:3]:
        store.release(reservation, now=NOW + SECOND, failed=True)
    assert gauge(store, TWO_A_MINUTE, NOW + SECOND) == ("open", 2, 2, WAIT)
    half = NOW + SECOND + WAIT
    probe = ask(store, TWO_A_MINUTE, half)
    store.commit(early[3], now=half)
    assert store.reserve([], now=half, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, None)
    store.commit(probe, now=half)
    assert gauge(store, TWO_A_MINUTE, half) == ("closed", 0, 0, None)


def test_a_reservation_has_one_outcome(store: Store) -> None:
    failed, given_back = (ask(store, TWO_A_MINUTE, NOW) for _ in range(2))
    for _ in range(3):
        store.release(failed, now=NOW, failed=True)
    store.commit(failed, now=NOW)
    assert gauge(store, TWO_A_MINUTE, NOW) == ("closed", 1, 1, None)
    store.release(given_back, now=NOW)
    store.release(given_back, now=NOW, failed=True)
    assert gauge(store, TWO_A_MINUTE, NOW)[:3] == ("open", 2, 2)


def test_a_reservation_that_ran_out_still_reports(store: Store) -> None:
    gate, demand = Gate("api", (Opening(1),), WAIT), Demand("a", 1, 9)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL, gates=[gate])).reservation
    assert not store.release(held, now=NOW + TTL, failed=True)
    assert gauge(store, gate, NOW + TTL)[0] == "open"


def test_failures_give_back_what_was_reserved(store: Store) -> None:
    demand = Demand("a", 1, 1)
    held = granted(store.reserve([demand], now=NOW, ttl=TTL, gates=[TWO_A_MINUTE])).reservation
    assert store.release(held, now=NOW, failed=True)
    assert used(store, demand) == 0
    assert gauge(store, TWO_A_MINUTE, NOW)[1] == 1


def test_a_shut_gate_charges_nothing_and_is_named_by_its_place(store: Store) -> None:
    half, demand = opened(store), Demand("a", 1, 9)
    other = Gate("other", (Opening(1),), WAIT)
    answer = store.reserve([demand], now=half - 1, ttl=TTL, gates=[other, TWO_A_MINUTE])
    assert answer == Shut(1, 1)
    assert used(store, demand) == 0


def test_every_gate_of_a_call_learns_its_outcome(store: Store) -> None:
    gates = [Gate("x", (Opening(1),), WAIT), Gate("y", (Opening(2),), WAIT), Gate("y", (Opening(2),), WAIT)]
    held = granted(store.reserve([], now=NOW, ttl=TTL, gates=gates)).reservation
    store.release(held, now=NOW, failed=True)
    assert store.gauges(gates[:2], now=NOW) == (
        Gauge("x", "open", 1, 1, WAIT),
        Gauge("y", "closed", 1, 1, None),
    )


def test_a_repeated_request_passes_no_gate_again(store: Store) -> None:
    half, demand = opened(store), Demand("a", 1, 9)
    probe = store.reserve([demand], now=half, ttl=TTL, request="r", gates=[TWO_A_MINUTE])
    assert store.reserve([demand], now=half, ttl=TTL, request="r", gates=[TWO_A_MINUTE]) == probe


def test_a_clock_that_steps_back_does_not_reopen_or_shorten_anything(store: Store) -> None:
    half = opened(store)
    opened_at = half - WAIT
    assert store.reserve([], now=opened_at - HOUR, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, WAIT)
    probe = ask(store, TWO_A_MINUTE, half)
    assert store.reserve([], now=NOW, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, None)
    store.release(probe, now=NOW, failed=True)
    assert store.reserve([], now=NOW, ttl=TTL, gates=[TWO_A_MINUTE]) == Shut(0, WAIT)


def test_outcomes_beyond_the_most_that_are_kept_no_longer_count() -> None:
    from guardrails.stores.breaker_states import Breaker, MemoryLog

    breaker, gate = Breaker(MemoryLog()), Gate("api", (Opening(MOST_OUTCOMES, HOUR, (1, 1)),), WAIT)
    for number in range(MOST_OUTCOMES + 9):
        breaker.settle(gate, "1", NOW, "success" if number < 10 else "failure")
    assert breaker.gauge(gate, NOW) == Gauge("api", "closed", MOST_OUTCOMES - 1, MOST_OUTCOMES, None)
    breaker.settle(gate, "1", NOW, "failure")
    assert breaker.gauge(gate, NOW).state == "open"


def test_a_breaker_that_nothing_happens_to_is_forgotten(store: Store) -> None:
    play(store, THREE_IN_A_ROW, "--")
    last = NOW + SECOND
    assert gauge(store, THREE_IN_A_ROW, last + FORGOTTEN - 1) == ("closed", 2, 2, None)
    assert gauge(store, THREE_IN_A_ROW, last + FORGOTTEN) == ("closed", 0, 0, None)
    play(store, THREE_IN_A_ROW, "-", last + FORGOTTEN)
    assert gauge(store, THREE_IN_A_ROW, last + FORGOTTEN) == ("closed", 1, 1, None)


@pytest.mark.parametrize(
    ("failures", "window", "share"),
    [(0, None, None), (1, 0, None), (1, None, (1, 2)), (MOST_OUTCOMES + 1, 5, None)],
)
def test_openings_that_cannot_be(failures: int, window: int | None, share: tuple[int, int] | None) -> None:
    with pytest.raises(EvaluationError):
        Opening(failures, window, share)


def test_one_probe_among_many_threads(store: Store) -> None:
    half = opened(store)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: store.reserve([], now=half, ttl=TTL, gates=[TWO_A_MINUTE]), range(64))
        )
    assert sum(isinstance(answer, Granted) for answer in answers) == 1
    assert answers.count(Shut(0, None)) == 63
