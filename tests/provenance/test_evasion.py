"""Ways to carry a value from one event to another, and what an index makes of each (`evasion.json`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails.provenance import Index

CASES = json.loads(Path(__file__).with_name("evasion.json").read_text(encoding="utf-8"))
TRUSTED = frozenset({"user", "records"})


def filled(sources):
    index = Index()
    for number, source in enumerate(sources):
        labels = frozenset(source["labels"])
        index.add(number, source["point"], source["tool"], source["payload"], labels)
    return index


def labels_of(parts, *, exact):
    return sorted({label for p in parts for s in p.sources if s.exact is exact for label in s.labels})


def is_trusted(part):
    return not part.weak and any(source.exact and source.labels & TRUSTED for source in part.sources)


def is_untrusted(part, context):
    exact = [source.labels for source in part.sources if source.exact]
    return all("untrusted" in labels for labels in exact) if exact else "untrusted" in context


def test_there_are_enough_ways():
    assert len(CASES) >= 200
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_found_of_a_value(case):
    index = filled(case["sources"])
    parts = index.look_up(case["value"])
    assert {
        "exact": labels_of(parts, exact=True),
        "related": labels_of(parts, exact=False),
        "weak": any(part.weak for part in parts),
        "in_trusted": all(map(is_trusted, parts)),
        "is_untrusted": any(is_untrusted(part, index.labels) for part in parts),
    } == {name: case[name] for name in ("exact", "related", "weak", "in_trusted", "is_untrusted")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_order_of_events_means_nothing(case):
    index, turned = filled(case["sources"]), filled(case["sources"][::-1])
    for exact in (True, False):
        there = labels_of(turned.look_up(case["value"]), exact=exact)
        assert labels_of(index.look_up(case["value"]), exact=exact) == there


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_untrusted_copy_never_makes_a_value_trusted(case):
    index = filled(case["sources"])
    before = all(map(is_trusted, index.look_up(case["value"])))
    index.add(99, "result", "fetch_url", {"copy": case["value"]}, frozenset({"untrusted"}))
    after = all(map(is_trusted, index.look_up(case["value"])))
    assert before or not after


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_source_shows_the_words_that_it_rests_on(case):
    for part in filled(case["sources"]).look_up(case["value"]):
        for source in part.sources:
            assert source.words
            assert len(source.words) <= 120
            assert source.words in shown_leaves(case["sources"][source.event]["payload"])


def shown_leaves(payload):
    import unicodedata

    found, stack = "", [payload]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack += [*value, *value.values()]
        elif isinstance(value, list):
            stack += value
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            found += f"\n{' '.join(text.split())}\n{unicodedata.normalize('NFC', ' '.join(text.split()))}"
    return found
