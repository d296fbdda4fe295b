"""What is special about the store in a file."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import Demand, Granted, RequestReused, Sliding, StoreUnavailable, open_store
from guardrails.stores.sqlite import SqliteStore

NOW = 1_800_000_000_000_000
TTL = 30_000_000
KEEP = 3_600_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_another_process_settles_what_this_one_reserved(path: Path) -> None:
    first, second = open_store(f"sqlite://{path}"), open_store(f"sqlite://{path}")
    answer = first.reserve([Demand("a", 2, 5, Sliding(60))], now=NOW, ttl=TTL)
    assert isinstance(answer, Granted)
    first.close()
    assert second.commit(answer.reservation, {"a": 1}, now=NOW)
    assert second.fill([Demand("a", 0, 5, Sliding(60))], now=NOW)[0].used == 1


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_only_the_owner_may_read_the_file(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert len(list(path.parent.iterdir())) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes fork on POSIX")
def test_a_forked_process_opens_its_own_connection(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL)
    child = os.fork()
    if child == 0:
        granted = isinstance(store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL), Granted)
        os._exit(0 if granted else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.fill([Demand("a", 0, 5)], now=NOW)[0].used == 2


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreUnavailable, match="is not a store"):
        open_store(f"sqlite://{path}").reserve([], now=NOW, ttl=TTL)


def test_a_file_that_is_no_database_is_unavailable(path: Path) -> None:
    path.write_bytes(b"these are not the pages of a database at all" * 40)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(f"sqlite://{path}").reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL)


def test_a_directory_that_is_missing_is_unavailable(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        open_store(f"sqlite://{path}/nowhere/store.db").reserve([], now=NOW, ttl=TTL)


def test_a_locked_file_is_unavailable_after_the_time_out(path: Path) -> None:
    store = open_store(f"sqlite://{path}?timeout=0.05")
    store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL)
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL), Granted)


def test_durable_against_a_crash_of_the_machine(path: Path) -> None:
    store = open_store(f"sqlite://{path}?durable=os")
    assert isinstance(store.reserve([Demand("a", 1, 5)], now=NOW, ttl=TTL), Granted)
    with pytest.raises(EvaluationError, match="`maybe`"):
        open_store(f"sqlite://{path}?durable=maybe")


def test_a_sum_beyond_what_a_counter_holds_is_an_error_and_changes_nothing(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    most = 2**62 - 1
    held = []
    for _ in range(3):
        answer = store.reserve([Demand("a", 0, most)], now=NOW, ttl=TTL)
        assert isinstance(answer, Granted)
        held.append(answer.reservation)
    assert store.commit(held[0], {"a": most}, now=NOW)
    assert store.commit(held[1], {"a": most}, now=NOW)
    with pytest.raises(TooLarge):
        store.commit(held[2], {"a": most}, now=NOW)
    assert store.fill([Demand("a", 0, most)], now=NOW)[0].used == 2 * most


def test_what_is_over_is_cleared_away(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    for number in range(70):
        store.reserve([Demand(f"key {number}", 1, 5, Sliding(60))], now=NOW, ttl=TTL, request=str(number))
    later = NOW + 2 * KEEP
    for _ in range(64):
        store.reserve([Demand("other", 1, 99)], now=later, ttl=TTL)
    store.close()
    with sqlite3.connect(path) as connection:
        for table, most in (("counter", 1), ("reservation", 64), ("held", 64), ("entry", 1)):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] <= most, table


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:///x?mode=ro", "mysql://x", "", "sqlite:///x?timeout=0"])
def test_urls_that_name_no_store(url: str) -> None:
    with pytest.raises(EvaluationError):
        open_store(url)


def made_together(store: SqliteStore, calls: list[Callable[[], object]]) -> list[Future[object]]:
    """Make all calls but the first in one transaction: they come while the first is under way."""
    file = store._file
    with ThreadPoolExecutor(len(calls)) as pool, file._using:
        futures = [pool.submit(calls[0])]
        while not file._busy or file._waiting:
            time.sleep(0.001)
        futures += [pool.submit(call) for call in calls[1:]]
        while len(file._waiting) < len(calls) - 1:
            time.sleep(0.001)
    return futures


@pytest.mark.parametrize("durable", ["process", "os"])
def test_a_call_that_fails_takes_back_only_its_own_changes(path: Path, durable: str) -> None:
    store, demand = SqliteStore(str(path), durable), Demand("a", 1, 99)
    store.reserve([demand], now=NOW, ttl=TTL, request="r")
    reserve = [lambda: store.reserve([demand], now=NOW, ttl=TTL)] * 5
    spoil = [lambda: store.reserve([demand, demand], now=NOW, ttl=TTL, request="r")]
    futures = made_together(store, [*reserve[:2], *spoil, *reserve[2:]])
    assert [isinstance(future.exception(), RequestReused) for future in futures] == [
        False,
        False,
        True,
        *[False] * 3,
    ]
    granted = [future.result() for future in futures if future.exception() is None]
    assert len({answer.reservation for answer in granted if isinstance(answer, Granted)}) == 5
    assert sorted(answer.fills for answer in granted if isinstance(answer, Granted)) == [
        (n,) for n in range(2, 7)
    ]
    assert store.fill([demand], now=NOW)[0].used == 6


def test_calls_that_wait_are_made_in_one_transaction(path: Path) -> None:
    store, demand = SqliteStore(str(path)), Demand("a", 1, 3)
    store.fill([demand], now=NOW)
    statements: list[str] = []
    assert store._file._connection is not None
    store._file._connection.set_trace_callback(statements.append)
    futures = made_together(store, [lambda: store.reserve([demand], now=NOW, ttl=TTL)] * 9)
    assert statements.count("COMMIT") == 2
    assert sum(isinstance(future.result(), Granted) for future in futures) == 3


def test_nobody_is_answered_before_the_commit(path: Path) -> None:
    store, demand = SqliteStore(str(path)), Demand("a", 1, 99)
    store.reserve([demand], now=NOW, ttl=TTL)
    connection = store._file._connection
    assert connection is not None

    def refuse_commits(action: int, name: str | None, *_: str | None) -> int:
        commits = action == sqlite3.SQLITE_TRANSACTION and name == "COMMIT"
        return sqlite3.SQLITE_DENY if commits else sqlite3.SQLITE_OK

    connection.set_authorizer(refuse_commits)
    futures = made_together(store, [lambda: store.reserve([demand], now=NOW, ttl=TTL)] * 4)
    assert all(isinstance(future.exception(), StoreUnavailable) for future in futures)
    connection.set_authorizer(None)
    assert store.fill([demand], now=NOW)[0].used == 1


def test_a_call_that_is_interrupted_holds_nobody_up(path: Path) -> None:
    store, demand = SqliteStore(str(path)), Demand("a", 1, 99)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._file.write(interrupt)
    reserve = [lambda: store.reserve([demand], now=NOW, ttl=TTL)]
    futures = made_together(store, [*reserve, lambda: store._file.write(interrupt), *reserve])
    assert [type(future.exception()) for future in futures] == [
        type(None),
        KeyboardInterrupt,
        StoreUnavailable,
    ]
    assert isinstance(reserve[0](), Granted)
    assert store.fill([demand], now=NOW)[0].used == 2


def test_text_that_is_no_text_is_an_error_of_its_own(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    with pytest.raises(EvaluationError, match="surrogate"):
        store.reserve([Demand("\ud800", 1, 9)], now=NOW, ttl=TTL)
    assert isinstance(store.reserve([Demand("a", 1, 9)], now=NOW, ttl=TTL), Granted)
