"""Bounds: texts that are made to be slow or large cost no more than others, and nothing in them becomes the same."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.provenance import Index
from guardrails.provenance.archive import Archive
from guardrails.provenance.postings import Postings, entries_of

USER, BAD = frozenset({"user"}), frozenset({"untrusted"})
ADDRESS = "ann.lee@example.org"
MOST_READ = 400
"""Blocks that one look-up may read."""


class Counting:
    """How many blocks were read."""

    def __init__(self, monkeypatch):
        self.count = 0
        plain = Archive.window

        def window(archive, block, around):
            self.count += 1
            return plain(archive, block, around)

        monkeypatch.setattr(Archive, "window", window)


@pytest.fixture
def reads(monkeypatch):
    return Counting(monkeypatch)


def holding(payload, labels=BAD):
    index = Index()
    index.add(0, "result", "read", payload, labels)
    return index


def deep(depth, inner):
    for _ in range(depth):
        inner = [inner]
    return inner


ATTACKS = {
    "equal words": "transfer " * 100_000,
    "the value over and over": f"{ADDRESS} " * 20_000,
    "near misses": "".join(f"ann.lee{n}@example.org lee ann org example " for n in range(8_000)),
    "one long word": "a" * 500_000,
    "one long number": "1" * 300_000,
    "no blanks": "a@b.c/" * 60_000,
    "at signs": "@" * 200_000,
    "underscores": "_" * 200_000,
    "digits and blanks": "1 " * 150_000,
    "dots": "a." * 150_000,
    "dates": "2026-11-21 " * 30_000,
    "URLs": "http://a.b/c?d=e#f " * 5_000,
    "codes": "QUFB" * 80_000,
    "percent signs": "%41" * 80_000,
    "not ASCII": "ж" * 200_000,
    "marks": "a\u0301\u200b" * 60_000,
    "a list of small things": list(range(60_000)),
    "many names": {f"k{n}": n for n in range(60_000)},
    "deep": deep(20_000, "bottom"),
    "empty": [{}, [], "", None],
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_event_hides_nothing_and_is_read_a_little(name, reads):
    index = holding(ATTACKS[name])
    index.add(1, "input", None, f"Write to {ADDRESS} and to John Smithers.", USER)
    for value in (ADDRESS, "John Smithers"):
        reads.count = 0
        (part,) = index.look_up(value)
        assert "user" in {label for source in part.sources if source.exact for label in source.labels}
        assert reads.count <= MOST_READ


@pytest.mark.parametrize("name", ATTACKS)
def test_looking_up_a_hostile_value_reads_a_little(name, reads):
    index = holding(ATTACKS["near misses"])
    index.add(1, "input", None, "The quick brown fox jumps over the lazy dog.", USER)
    value = (
        ATTACKS[name]
        if isinstance(ATTACKS[name], str)
        else str(ATTACKS[name])[:2_000]
        if name != "deep"
        else "x"
    )
    index.look_up(value[:20_000])
    assert reads.count <= 60 * MOST_READ


def test_a_flood_of_one_label_does_not_hide_another():
    index = holding([f"mail {ADDRESS} {n}" for n in range(3_000)])
    index.add(1, "input", None, f"Write to {ADDRESS}", USER)
    for event in range(2, 40):
        index.add(event, "result", "read", f"so {ADDRESS} said " * 40, BAD)
    (part,) = index.look_up(ADDRESS)
    assert {label for source in part.sources for label in source.labels} == {"user", "untrusted"}
    assert len(part.sources) <= 8


@pytest.mark.parametrize("size", range(14, 30))
def test_what_is_cut_off_where_reading_ends_is_not_the_value(size):
    for piece in ("xJohn Smithers", "John Smithersx", "x.John Smithers", "John Smithers-x"):
        index = holding(f"{piece} {'-' * (size - 14)}" * 400, USER)
        (part,) = index.look_up("John Smithers")
        assert not [source for source in part.sources if source.exact]


def test_what_was_lost_leaves_its_labels():
    index = holding("hello", USER)
    index.lose(1, "result", "read", BAD)
    assert index.labels == USER | BAD
    assert index.size == len(b"hello\0")


def test_a_value_of_many_leaves_is_looked_up_in_part():
    index = holding([f"row-{n}-4711" for n in range(1_000)], USER)
    parts = index.look_up([f"row-{n}-4711" for n in range(1_000)])
    assert len(parts) == 257
    assert parts[-1].sources == ()
    assert not parts[-1].weak


def prose(size, seed=7):
    chance = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(4_000)]
    return " ".join(chance.choices(words, weights=[1 / (n + 10) for n in range(4_000)], k=size // 7))


def rows(size, seed=7):
    chance = random.Random(seed)
    names = prose(40_000).split()
    return [
        {"id": chance.randrange(10**8), "name": chance.choice(names).title(), "mail": f"{chance.choice(names)}@x.org",
         "sum": chance.randrange(10**6) / 100, "note": " ".join(chance.choices(names, k=8))}
        for _ in range(size // 130)
    ]  # fmt: skip


KINDS = ["Nobody Quorvex", "nobody@quorvex.example", 98765432, "DE89 3704 0044 0532 0130 00", "2026-11-21",
         "+49 30 12345678", "https://quorvex.example/a", prose(400, 99)]  # fmt: skip


@pytest.mark.parametrize("make", [prose, rows])
@pytest.mark.parametrize("asked", ["nothing", "names", "everything"])
def test_memory_stays_below_two_and_a_half_times_the_text(make, asked):
    events = [make(100_000, seed) for seed in range(8)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        index = Index(0)
        for number, event in enumerate(events):
            index.add(number, "result", "read", event, BAD)
        index.look_up({"nothing": [], "names": KINDS[:2], "everything": KINDS}[asked])
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert index.size > 500_000
    assert kept <= 2.5 * index.size


def test_other_spellings_of_the_text_are_kept_up_to_a_bound():
    index = Index(1e9)
    for number in range(30):
        index.add(number, "result", "read", prose(100_000, number), BAD)
    kept = index._finder._room.left
    index.look_up(KINDS)
    assert 0 <= index._finder._room.left < kept


@given(st.lists(st.sets(st.sampled_from("abcdefghij"), max_size=5), max_size=300))
def test_postings_know_all_blocks_of_a_word(blocks):
    postings = Postings()
    for block, words in enumerate(blocks):
        postings.add(entries_of(words, block))
    for word in "abcdefghijk":
        having = [block for block, words in enumerate(blocks) if word in words]
        assert postings.blocks(word, 1_000) == having
        assert postings.count(word) == len(having)
        assert postings.blocks(word, 4) == (having if len(having) <= 4 else having[:2] + having[-2:])
        for block in range(len(blocks)):
            assert postings.is_near(word, block) == any(abs(block - each) <= 1 for each in having)
