"""Documents in every home: one answer each, whoever asks at the same time."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.errors import EvaluationError, TooLarge
from guardrails.stores import Changed, Document, Store, StoreUnavailable, open_async_store, open_store
from guardrails.stores.documents import MOST_KEY, MOST_SCANNED, MOST_TEXT

NOW = 1_800_000_000_000_000
DAY = 86_400_000_000
SPAWN = multiprocessing.get_context("spawn")


def put(store: Store, key: str, text: str, version: int = 0, **more: Any) -> Document | Changed:
    return store.swap(key, text, version=version, **{"keep": DAY, "now": NOW, **more})


def test_a_document_is_changed_by_who_knows_its_version(store: Store) -> None:
    assert store.read("a", now=NOW) is None
    assert put(store, "a", "one ☂") == Document("a", 1, "one ☂")
    assert put(store, "a", "two", 1) == Document("a", 2, "two")
    assert put(store, "a", "three", 1) == Changed(2)
    assert put(store, "a", "three", 3) == Changed(2)
    assert put(store, "a", "three") == Changed(2)
    assert store.read("a", now=NOW) == Document("a", 2, "two")
    assert put(store, "b", "x", 1) == Changed(0)


def test_a_document_is_over_when_it_was_said_to_be(store: Store) -> None:
    put(store, "a", "one", keep=10)
    assert store.read("a", now=NOW + 9) == Document("a", 1, "one")
    assert store.read("a", now=NOW + 10) is None
    assert store.scan("", now=NOW + 10) == ()
    assert put(store, "a", "two", 1, now=NOW + 10) == Changed(0)
    assert put(store, "a", "two", now=NOW + 10, keep=10) == Document("a", 1, "two")


def test_a_change_never_shortens_its_life(store: Store) -> None:
    put(store, "a", "one", keep=10)
    put(store, "a", "two", 1, keep=5)
    assert store.read("a", now=NOW + 9) == Document("a", 2, "two")
    put(store, "a", "three", 2, keep=20)
    assert store.read("a", now=NOW + 19) == Document("a", 3, "three")


def test_documents_are_listed_by_key_in_pages(store: Store) -> None:
    keys = ["p/ä", "p/a", "p/b", "p/", "p", "q/a", "p/😀", "o/z"]
    for key in keys:
        put(store, key, f"text of {key}")
    wanted = sorted(key for key in keys if key.startswith("p/"))
    assert [document.key for document in store.scan("p/", now=NOW)] == wanted
    pages, after = [], ""
    while page := store.scan("p/", now=NOW, after=after, most=2):
        pages.append([document.key for document in page])
        after = page[-1].key
    assert pages == [wanted[:2], wanted[2:4], wanted[4:]]
    assert store.scan("p/", now=NOW, after="p/", most=1) == (Document("p/a", 1, "text of p/a"),)
    assert [document.key for document in store.scan("p/", now=NOW, after="a")] == wanted
    assert store.scan("p/", now=NOW, after="q") == ()


@pytest.mark.parametrize("last", ["\U0010ffff", "\ud7ff", "z", "\x7f"])
def test_what_begins_with_any_character_is_found(store: Store, last: str) -> None:
    keys = [f"p{last}", f"p{last}a", f"p{last}\U0010ffff\U0010ffff"]
    for key in (*keys, "p", "q", "o"):
        put(store, key, "x")
    assert [document.key for document in store.scan(f"p{last}", now=NOW)] == keys


def test_a_page_is_full_although_some_are_over(store: Store) -> None:
    for number in range(12):
        put(store, f"k{number:02}", "x", keep=10 if number % 3 else DAY)
    assert [d.key for d in store.scan("k", now=NOW + 10, most=3)] == ["k00", "k03", "k06"]


def test_a_page_has_a_bound(store: Store) -> None:
    for number in range(MOST_SCANNED + 1):
        put(store, f"k{number:04}", "x")
    assert len(store.scan("k", now=NOW, most=10_000)) == MOST_SCANNED


def test_what_is_too_large_is_not_kept(store: Store) -> None:
    with pytest.raises(TooLarge):
        put(store, "a", "x" * (MOST_TEXT + 1))
    for key in ("", "k" * (MOST_KEY + 1)):
        with pytest.raises(EvaluationError):
            put(store, key, "x")
    assert isinstance(put(store, "k" * MOST_KEY, "ß" * (MOST_TEXT // 2)), Document)


def test_what_is_over_is_cleared_away_in_the_end(store: Store) -> None:
    for number in range(3_000):
        put(store, f"k{number:04}", "x", now=NOW + number, keep=5)
    left, after = 0, ""
    while page := store.scan("k", now=NOW - 1, after=after):  # an earlier clock sees what still lies around
        left, after = left + len(page), page[-1].key
    assert left <= 1_100


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["swap", "read", "scan"]),
            st.sampled_from("ab"),
            st.integers(0, 3),
            st.integers(0, 20),
        ),
        max_size=30,
    )
)
def test_every_home_answers_like_memory(redis_url: str, steps: list[tuple[str, str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        urls = [
            "memory:",
            f"sqlite://{folder}/s.db",
            f"{redis_url}?clock=caller&timeout=10&prefix=t-{uuid4().hex}",
        ]
        answers = [_answers(open_store(url), steps) for url in urls]
    assert answers[0] == answers[1] == answers[2]


def _answers(store: Store, steps: list[tuple[str, str, int, int]]) -> list[Any]:
    found: list[Any] = []
    now = NOW
    for kind, key, number, time in steps:
        now += time
        if kind == "swap":
            found.append(store.swap(key, str(len(found)), version=number, keep=15, now=now))
        else:
            found.append(
                store.read(key, now=now) if kind == "read" else store.scan("", now=now, most=1 + number)
            )
    store.close()
    return found


def test_documents_awaited(store_url: str) -> None:
    async def use() -> list[Any]:
        store = open_async_store(store_url)
        found: list[Any] = [await store.read("a", now=NOW)]
        for version in (0, 0, 1):
            found.append(await store.swap("a", "x", version=version, keep=DAY, now=NOW))
        found += [await store.read("a", now=NOW), await store.scan("a", now=NOW)]
        await store.close()
        return found

    last = Document("a", 2, "x")
    assert asyncio.run(use()) == [None, Document("a", 1, "x"), Changed(1), last, last, (last,)]


def claim(url: str, name: str) -> bool:
    store = open_store(url)
    try:
        return isinstance(store.swap("one", name, version=0, keep=DAY, now=NOW), Document)
    finally:
        store.close()


def test_one_of_many_processes_wins(store_url: str) -> None:
    if store_url == "memory:":
        pytest.skip("memory is of one process")
    with SPAWN.Pool(8) as pool:
        assert sum(pool.starmap(claim, [(store_url, str(number)) for number in range(32)])) == 1


def test_every_count_of_many_threads_is_kept(store: Store) -> None:
    def count(_: int) -> None:
        while True:
            found = store.read("n", now=NOW)
            version, text = (found.version, found.text) if found else (0, "0")
            if isinstance(put(store, "n", str(int(text) + 1), version), Document):
                return

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(count, range(64)))
    assert store.read("n", now=NOW) == Document("n", 64, "64")


def test_documents_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/s.db"
    store = open_store(url)
    put(store, "a", "kept")
    store.close()
    assert open_store(url).read("a", now=NOW) == Document("a", 1, "kept")


def test_a_file_of_the_version_before_gets_documents(tmp_path: Path) -> None:
    import sqlite3

    url = f"sqlite://{tmp_path}/s.db"
    store = open_store(url)
    store.halt("all", "ana", "drill", now=NOW)
    store.close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("DROP TABLE document")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    older = open_store(url)
    assert isinstance(put(older, "a", "x"), Document)
    assert [halt.scope for halt in older.halts(now=NOW)] == ["all"]


class Repeated:
    """A call whose first answer was lost on the way."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def packed(self) -> bytes:
        return bytes(self._call.packed_again(whole=False, repeated=True))


def test_a_change_that_the_network_repeats_is_made_once(redis_url: str) -> None:
    store: Any = open_store(f"{redis_url}?clock=caller&timeout=10&prefix=test-{uuid4().hex}")
    run, calls = store._lines.run, store._calls
    first, second = calls.swap("a", "one", 0, DAY, NOW), calls.swap("a", "two", 1, DAY, NOW)
    assert run(first) == run(Repeated(first)) == [1, 1]
    assert run(second) == [1, 2]
    assert run(Repeated(second)) == [1, 2]
    with pytest.raises(StoreUnavailable, match="nobody knows whether the document was written"):
        run(Repeated(first))
    lost = calls.swap("a", "else", 1, DAY, NOW)
    assert run(Repeated(lost)) == [0, 2]
    store.close()
