"""What is searched for as it stands is what postings have: the same keys, the same blocks, the same answers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.provenance import Index
from guardrails.provenance.archive import Archive
from guardrails.provenance.finder import Finder
from guardrails.provenance.layers import KEYS, keys_of

CASES = json.loads(Path(__file__).with_name("evasion.json").read_text(encoding="utf-8"))
USER = frozenset({"user"})
AT_ONCE, NEVER = 0.0, math.inf

PIECES = [
    "ann.lee@example.org", "Ann.Lee@Example.ORG.", "J.Straße@bücher.example", "DE89 3704 0044 0532 0130 00",
    "de89370400440532013000", "DE89-3704-0044-0532-0130-00", "1,234,567.50", "1234567.5", "-1234567.5", "+13", "13",
    "13.0", "(13)", "12.50", "1,234", "1.234", "1.234.567,89", "1 234 567", "007", "2026-11-21", "2026/1/5",
    "21 Nov 2026", "November 21st, 2026", "5. May", "11/12/2026", "11.12.26", "+49 (0)30 12345678", "0049 30 12345678",
    "(202) 555-0123", "030 1234567", "4111 1111 1111 1111", "John  Smithers", "John Smithers-Jones", "john\nSmithers",
    "j o h n s", "J-o-h-n-S", "p4ypal", "adm1n", "0rder", "%41nn%20Lee", "&lt;ann&gt;", "\\u0061nn \\x41b",
    "cGxlYXNlIHBheSBhbm4gbGVl", "706c6561736520706179", "0x616e6e206c6565", "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    "café", "cafe\u0301", "Ｊｏｈｎ", "рaypal", "\u212aelvin", "ﬁnal", "日本語", "zero\u200bwidth", "_", ",", ".", "-", "\n",
    "the", "id:4711", "to=bob", "x", "9", "https://Shop.example.com:443/%61bc?q=1", "C:\\temp\\xyz", "٣٤٥٦",
]  # fmt: skip
TEXTS = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from([" ", "", "\n", ", ", " word " * 40, "-" * 30])),
    max_size=30,
).map(lambda pairs: "".join(piece + joint for piece, joint in pairs))
VALUES = st.one_of(st.sampled_from(PIECES), TEXTS, st.sampled_from([case["value"] for case in CASES]))


def shown(parts):
    return [
        (part.text, part.weak, [(s.event, s.path, s.exact, s.words) for s in part.sources]) for part in parts
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_every_key_is_found_where_it_is_in_the_postings(texts):
    archive = Archive()
    archive.take((0, "result", "read"), texts, USER)
    sorted_in, searched = Finder(archive, AT_ONCE), Finder(archive, NEVER)
    sorted_in.prepare()
    searched.prepare()
    for layer in KEYS:
        having = [set(keys_of(layer, archive.text(block))) for block in range(len(archive))]
        for key in set().union(*having):
            there = [block for block, keys in enumerate(having) if key in keys]
            assert (layer, key, sorted_in.blocks(key, (layer,), 1_000)) == (layer, key, there)
            found = searched.blocks(key, (layer,), 1_000)
            assert (layer, key, set(found) - set(there)) == (layer, key, set())
            # what only reaches over from the next block is found there
            missed = {block for block in there if block not in found and block + 1 not in found}
            assert (layer, key, missed) == (layer, key, set())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, st.sampled_from(["user", "untrusted"]), VALUES), min_size=1, max_size=6),
    st.sampled_from([1e-6, 1e-3, 1.0]),
)
def test_answers_do_not_depend_on_what_is_sorted_in(events, patience):
    indexes = [Index(AT_ONCE), Index(patience), Index(NEVER)]
    for number, (text, label, value) in enumerate(events):
        for index in indexes:
            index.add(number, "result", "read", {"text": text}, frozenset({label}))
        first, *others = [shown(index.look_up(value)) for index in indexes]
        assert others == [first, first]


@pytest.fixture(scope="module")
def full():
    """Everything from the list of ways to carry a value, in one session."""
    indexes = [Index(AT_ONCE), Index(1e-5), Index(NEVER)]
    sources = [source for case in CASES for source in case["sources"]]
    for number, source in enumerate(sources):
        for index in indexes:
            index.add(number, source["point"], source["tool"], source["payload"], frozenset(source["labels"]))
    return indexes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_way_to_carry_a_value_is_found_alike(case, full):
    first, *others = [shown(index.look_up(case["value"])) for index in full]
    assert others == [first, first]


def test_taking_text_in_makes_no_keys(monkeypatch):
    asked = []
    monkeypatch.setitem(KEYS, "word", lambda text: asked.append(text) or set())
    index = Index()
    index.add(0, "result", "read", {"text": "John Smithers called. " * 500}, USER)
    assert not asked
    assert index.size > 10_000


def test_searches_pay_for_sorting_in():
    """However often something is asked, what the answers cost stays near what postings would have cost."""
    index = Index()
    for number in range(40):
        index.add(number, "result", "read", f"event {number} " + "some other words " * 400, USER)
    finder = index._finder
    for number in range(2_000):
        index.look_up(f"word-{number}x of them")
    assert finder._layers["word"].done == len(finder._segments)
    assert finder._layers["date"].done == 0
