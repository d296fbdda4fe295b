"""What is special about the store in a file."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import Demand, Granted, Sliding, StoreUnavailable, open_store

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
