"""What is special about the store in Redis: its clock, its terms, and what it leaves behind."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import (
    LIFETIME,
    Calendar,
    Demand,
    Fill,
    Gate,
    Granted,
    Note,
    Opening,
    Past,
    Refused,
    Sliding,
    Store,
    StoreUnavailable,
    open_async_store,
    open_store,
)

SECOND = 1_000_000
TTL = 30 * SECOND
MINUTE = Sliding(60 * SECOND)


@pytest.fixture
def url(redis_url: str) -> str:
    return f"{redis_url}?prefix=test-{uuid4().hex}&timeout=10"


def test_the_clock_is_the_servers(url: str) -> None:
    store = open_store(url)
    demand = Demand("a", 1, 1, MINUTE)
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    far = int(time.time() + 3_600) * SECOND
    answer = store.reserve([demand], now=far, ttl=TTL)
    assert isinstance(answer, Refused)
    assert answer.retry_after is not None
    assert 50 * SECOND < answer.retry_after <= 60 * SECOND


def test_two_clocks_five_seconds_apart_share_a_calendar_period(url: str) -> None:
    store = open_store(url)
    now = int(time.time()) * SECOND
    demand = Demand("a", 1, 1, Calendar("year"))
    assert isinstance(store.reserve([demand], now=now + 5 * SECOND, ttl=TTL), Granted)
    assert isinstance(store.reserve([demand], now=now, ttl=TTL), Refused)


def test_a_clock_that_is_periods_away_is_unavailable(url: str) -> None:
    store = open_store(url)
    with pytest.raises(StoreUnavailable, match="far apart"):
        store.reserve([Demand("a", 1, 1, Calendar("day"))], now=SECOND, ttl=TTL)


def test_a_script_that_the_server_forgot_is_sent_again(url: str) -> None:
    store = open_store(url)
    store.reserve([Demand("a", 1, 9)], now=0, ttl=TTL)
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        client.script_flush()
    store.reserve([Demand("a", 1, 9)], now=0, ttl=TTL)
    assert store.fill([Demand("a", 0, 9)], now=0)[0].used == 2


def test_reported_amounts_are_exact(url: str) -> None:
    store = open_store(url)
    demand = Demand("cost", 1, 10**9, decimals=6)
    held = [store.reserve([demand], now=0, ttl=TTL) for _ in range(3)]
    names = [answer.reservation for answer in held if isinstance(answer, Granted)]
    with pytest.raises(EvaluationError, match="more decimals"):
        store.commit(names[0], {"cost": Decimal("0.0000001")}, now=0)
    with pytest.raises(TooLarge):
        store.commit(names[0], {"cost": 10**18}, now=0)
    with pytest.raises(EvaluationError, match="negative"):
        store.commit(names[0], {"cost": -1}, now=0)
    for name, amount in zip(names, ("999999999.000001", "0.1", "1E+3"), strict=True):
        assert store.commit(name, {"cost": Decimal(amount)}, now=0)
    assert store.fill([demand], now=0)[0].used == Decimal("1000000999.100001")


def test_nothing_is_left_on_the_server_for_ever(url: str) -> None:
    store = open_store(url)
    for request in (None, "r"):
        answer = store.reserve([Demand("a", 1, 9, MINUTE)], now=0, ttl=TTL, request=request)
        assert isinstance(answer, Granted)
        store.commit(answer.reservation, now=0)
    store.reserve([Demand("a", 1, 9, MINUTE), Demand("b", 9, 1, MINUTE)], now=0, ttl=TTL)
    gate = Gate("api", (Opening(2, SECOND), Opening(3)), SECOND)
    member = Demand("m", 1, 9, MINUTE, member="ana")
    note = Note("s", "text", SECOND)
    for ttl in (TTL, None):
        for _ in range(20):
            store.reserve([Demand("c", 1, 99, MINUTE), member], now=0, ttl=ttl, gates=[gate], note=note)
    store.reserve([Demand("d", 1, 9, MINUTE, was="c")], now=0, ttl=TTL)
    failed = store.reserve([member], now=0, ttl=TTL, gates=[gate])
    assert isinstance(failed, Granted)
    store.release(failed.reservation, now=0, failed=True)
    store.remember(note, now=0)
    prefix = url.split("prefix=")[1].split("&")[0]
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        keys = list(client.scan_iter(match=f"{{{prefix}}}*"))
        kinds = {key.decode().partition("}:")[2][:2] for key in keys}
        assert kinds >= {
            "c",
            "na",
            "h:",
            "r:",
            "s:",
            "d:",
            "m:",
            "k:",
            "o:",
            "a:",
            "b:",
            "g:",
            "n:",
            "l:",
        } - {"m:"}
        assert [key for key in keys if client.pttl(key) < 0] == []


def test_the_same_store_awaited(url: str) -> None:
    async def use() -> tuple[Fill, ...]:
        store = open_async_store(url)
        demand = Demand("a", 1, 5, MINUTE)
        answers = await asyncio.gather(*(store.reserve([demand], now=0, ttl=TTL) for _ in range(20)))
        granted = [answer.reservation for answer in answers if isinstance(answer, Granted)]
        assert len(granted) == 5
        assert await store.commit(granted[0], now=0)
        assert await store.release(granted[1], now=0)
        fills = await store.fill([demand], now=0)
        await store.close()
        return fills

    assert asyncio.run(use()) == (Fill("a", 4, 3, 5),)


@pytest.mark.parametrize("home", ["memory:", "sqlite:store.db"])
def test_stores_that_block_are_awaited_in_threads(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def use() -> int:
        store = open_async_store(home)
        demand = Demand("a", 1, 5)
        answers = await asyncio.gather(*(store.reserve([demand], now=0, ttl=TTL) for _ in range(20)))
        granted = [answer.reservation for answer in answers if isinstance(answer, Granted)]
        await store.commit(granted[0], now=0)
        await store.release(granted[1], now=0)
        assert (await store.fill([demand], now=0))[0].used == 4
        await store.close()
        return len(granted)

    assert asyncio.run(use()) == 5


def spend(store: Store, demand: Demand, times: int) -> int:
    """How many of so many calls were granted and committed."""
    granted = 0
    for _ in range(times):
        answer = store.reserve([demand], now=0, ttl=TTL)
        if isinstance(answer, Granted):
            granted += store.commit(answer.reservation, now=0)
    return granted


def test_one_reservation_is_one_command(url: str) -> None:
    store = open_store(url)
    gate = Gate("api", (Opening(2, SECOND),), SECOND)
    demands = [Demand("a", 1, 9, MINUTE), Demand("b", 1, 9), Demand("m", 1, 9, member="x", was="n")]
    note = Note("s", "text", SECOND)
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        spend(store, demands[0], 1)
        scripts = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        store.reserve(demands, now=0, ttl=TTL, request="r", gates=[gate], note=note)
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == scripts + 1


def test_a_window_that_slides_by_the_servers_clock_forgets(url: str) -> None:
    store = open_store(url)
    demand = Demand("a", 1, 30, Sliding(150_000))
    assert spend(store, demand, 40) >= 30
    time.sleep(0.2)
    assert store.fill([demand], now=0)[0].used == 0
    assert spend(store, demand, 30) == 30


def test_reservations_run_out_by_the_servers_clock(url: str) -> None:
    store, demand = open_store(url), Demand("a", 1, 40)
    for _ in range(40):
        assert isinstance(store.reserve([demand], now=0, ttl=50_000), Granted)
    assert store.fill([demand], now=0)[0].limit == 40
    time.sleep(0.1)
    assert store.fill([demand], now=0)[0].used == 0
    assert isinstance(store.reserve([demand], now=0, ttl=TTL), Granted)
    assert store.fill([demand], now=0)[0].used == 1


def test_what_was_charged_is_exact_wherever_it_lies(url: str) -> None:
    """Slots at both ends and in the middle of a queue, and held charges in the head and beside it."""
    store = open_store(url + "&clock=caller")
    demand, window = Demand("a", 3, 10**6, Sliding(1_000)), 1_000
    names = []
    for tick in range(100):
        answer = store.reserve([demand], now=window + tick, ttl=TTL)
        assert isinstance(answer, Granted)
        names.append(answer.reservation)
    for tick, name in enumerate(names):
        if tick % 3 == 0:
            assert store.release(name, now=window + 100)
        elif tick % 3 == 1:
            assert store.commit(name, {"a": 1}, now=window + 100)
    for gone in (0, 1, 2, 50, 51, 98, 99, 100):
        left = sum(1 if tick % 3 == 1 else 3 for tick in range(gone, 100) if tick % 3)
        assert store.fill([demand], now=2 * window + gone - 1)[0].used == left
    free = store.reserve([Demand("a", 10**6, 10**6, Sliding(1_000))], now=2 * window + 40, ttl=TTL)
    assert free == Refused(0, 58, (sum(1 if tick % 3 == 1 else 3 for tick in range(41, 100) if tick % 3),))


def test_sums_stay_exact_where_numbers_are_large(url: str) -> None:
    store, large = open_store(url + "&clock=caller"), 2**61 + 1
    windows = [Sliding(100), Sliding(100, buckets=5), Calendar("day"), LIFETIME]
    demands = [Demand("a", large, 2**62 - 1, window) for window in windows]
    held = store.reserve(demands, now=1_000, ttl=TTL)
    assert isinstance(held, Granted)
    assert held.fills == (large,) * 4
    ones = [Demand("a", 1, 2**62 - 1, window) for window in windows]
    for tick in range(30):
        assert isinstance(store.reserve(ones, now=1_001 + tick, ttl=TTL), Granted)
    assert [fill.used for fill in store.fill(ones, now=1_030)] == [large + 30] * 4
    refused = store.reserve([Demand("a", 2**61 - 30, 2**62 - 1)], now=1_030, ttl=TTL)
    assert refused == Refused(0, None, (large + 30,))
    assert store.release(held.reservation, now=1_030)
    assert [(fill.used, fill.reserved) for fill in store.fill(ones, now=1_030)] == [(30, 30)] * 4


def test_a_call_that_was_repeated_by_the_network_is_charged_once(url: str) -> None:
    """What a store says again when a connection broke off, said to the server as it would be."""
    from guardrails.stores.redis_address import Address
    from guardrails.stores.redis_calls import Calls

    store, demand = open_store(url), Demand("a", 1, 9, MINUTE)
    calls = Calls(Address(url))
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        line = client.connection_pool.get_connection()

        def say(command: bytes) -> object:
            line.send_packed_command([command])
            return line.read_response()

        note = Note("s", "text", 60 * SECOND)
        reserve = calls.reserve("ab12" * 6, [demand], 0, TTL, None, (), note)
        assert say(reserve.packed_again(whole=True, repeated=True)) == [1]
        assert say(reserve.packed_again(whole=False, repeated=True)) == [b"granted", b"ab12" * 6, 1]
        for settle in (calls.release("ab12" * 6, 0, failed=False), calls.commit("ab12" * 6, {"a": 3}, 0)):
            assert [say(settle.packed_again(whole=True, repeated=True)) for _ in range(2)] == [1, 1]
    assert store.fill([demand], now=0)[0].used == 3
    assert store.recall("s", after=0, now=0).texts == ("text",)


def test_whoever_knows_the_last_note_writes_it_once_over_a_bad_line(url: str) -> None:
    from guardrails.stores.redis_address import Address
    from guardrails.stores.redis_calls import Calls

    calls, store = Calls(Address(url)), open_store(url)
    note = Note("s", "text", 60 * SECOND, after=0)
    call = calls.remember(note, 0)
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        line = client.connection_pool.get_connection()
        line.send_packed_command([call.packed_again(whole=True, repeated=True)] * 2)
        assert [line.read_response() for _ in range(2)] == [1, 1]
    assert store.recall("s", after=0, now=0) == Past(1, ("text",))


def test_keys_members_and_notes_are_any_text(url: str) -> None:
    store = open_store(url)
    odd = "\ud800 ☂ \x00 |#: {x}\n"
    demands = [Demand(odd, 1, 9, MINUTE), Demand("m", 1, 9, member=odd), Demand("m", 1, 9, member="")]
    for fills in ((1, 1, 2), (2, 2, 2)):
        answer = store.reserve(demands, now=0, ttl=TTL, note=Note(odd, odd, 60 * SECOND))
        assert isinstance(answer, Granted)
        assert answer.fills == fills
        store.commit(answer.reservation, {odd: 1}, now=0)
    assert store.recall(odd, after=0, now=0) == Past(2, (odd, odd))
    assert [level.key for level in store.levels("", now=0)] == ["m", odd]
    store.halt(odd, odd, odd, now=0)
    assert [(halt.scope, halt.who, halt.why) for halt in store.halts(now=0)] == [(odd, odd, odd)]


def test_a_counter_that_expired_is_dropped_from_the_index(url: str) -> None:
    store = open_store(url + "&clock=caller")
    start = int(time.time()) * SECOND
    for number in range(30):
        store.reserve([Demand(f"old/{number}", 1, 9, MINUTE)], now=start, ttl=TTL)
    later = start + 3 * 3_600 * SECOND
    for number in range(3):
        store.reserve([Demand(f"new/{number}", 1, 9, MINUTE)], now=later, ttl=TTL)
    prefix = url.split("prefix=")[1].split("&")[0]
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        assert client.zcard(f"{{{prefix}}}:names") == 3
        assert client.hlen(f"{{{prefix}}}:c") == 3


@pytest.mark.parametrize(
    "option", ["clock=mine", "cluster=maybe", "timeout=never", "prefix={a}", "timeout=0"]
)
def test_options_that_mean_nothing(option: str) -> None:
    with pytest.raises(EvaluationError, match=option.partition("=")[2]):
        open_store(f"redis://127.0.0.1/0?{option}")


def test_commits_in_a_later_period_than_their_calls(url: str) -> None:
    store, day = open_store(url + "&clock=caller"), 86_400 * SECOND
    demand, midnight = Demand("a", 1, 9, Calendar("day")), 20_000 * day
    held = store.reserve([demand], now=midnight - 1, ttl=4 * day)
    assert isinstance(held, Granted)
    assert store.commit(held.reservation, {"a": 4}, now=midnight + 3 * day)
    assert store.fill([demand], now=midnight + 3 * day)[0].used == 3
    late = store.reserve([demand], now=midnight + 3 * day, ttl=1)
    assert isinstance(late, Granted)
