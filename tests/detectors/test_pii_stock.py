"""Beside Presidio as it comes: nothing that it finds is missed, but for the corrections, each with its reason.

The corrections are data. A correction speaks about a match and what stands right around it, written as
`before⟦match⟧after`, and none of them may excuse a miss of what the corpus says is personal data.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from detectors import pii_stock
from detectors.pii_corpus import Labelled, texts
from guardrails.detectors.entities import DEFAULT
from guardrails.detectors.pii import PiiDetector

CORRECTIONS = json.loads((Path(__file__).parent / "pii_corrections.json").read_text("utf-8"))
SEED = 4_711
COUNT = 6000 if os.environ.get("GUARD_SOAK") else 600
AROUND = 24


class Miss(NamedTuple):
    """What Presidio found and the detector did not."""

    entity: str
    shown: str
    labelled: bool
    instead: frozenset[str]


@lru_cache(maxsize=1)
def misses() -> tuple[Miss, ...]:
    detector = PiiDetector(threshold=pii_stock.THRESHOLD)
    return tuple(miss for text in texts(SEED, COUNT) for miss in _missed(text, detector))


def _missed(text: Labelled, detector: PiiDetector) -> list[Miss]:
    ours = detector.find(text.text)
    found = pii_stock.spans(text.text)
    return [
        Miss(
            entity,
            _shown(text.text, start, end),
            (start, end, entity) in text.labels,
            frozenset(m.entity for m in ours if m.start <= start and end <= m.end),
        )
        for start, end, entity in found
        if not any(m.entity == entity and m.start < end and start < m.end for m in ours)
    ]


def _shown(text: str, start: int, end: int) -> str:
    return f"{text[max(0, start - AROUND) : start]}⟦{text[start:end]}⟧{text[end : end + AROUND]}"


def _excuse(miss: Miss) -> str | None:
    for row in CORRECTIONS:
        if row["entity"] == miss.entity and _applies(row, miss):
            return str(row["name"])
    return None


def _applies(row: dict[str, Any], miss: Miss) -> bool:
    """A correction names what is found there instead, or describes the match and what is around it."""
    if "inside" in row:
        return not miss.instead.isdisjoint(row["inside"])
    return re.search(row["match"], miss.shown) is not None


def test_nothing_that_presidio_finds_is_missed_without_a_reason() -> None:
    assert [miss for miss in misses() if _excuse(miss) is None] == []


def test_no_label_is_missed() -> None:
    assert [miss for miss in misses() if miss.labelled] == []


def test_the_comparison_compares() -> None:
    """Presidio does find things in these texts, and does differ."""
    excused = Counter(miss.entity for miss in misses())
    assert len(excused) >= 5
    assert sum(len(pii_stock.spans(text.text)) for text in texts(SEED, 30)) > 30


@pytest.mark.parametrize("row", CORRECTIONS, ids=lambda row: f"{row['entity']}: {row['name']}")
def test_corrections_are_complete(row: dict[str, Any]) -> None:
    assert row["entity"] in DEFAULT
    assert row["reason"]
    assert set(row.get("inside", ())) <= DEFAULT
    assert ("inside" in row) != ("match" in row)


def test_every_label_is_found_whole() -> None:
    """The default threshold finds all labelled values, from their first character to their last."""
    detector = PiiDetector()
    for text in texts(SEED + 1, COUNT // 2):
        found = {(m.entity, m.start, m.end) for m in detector.find(text.text)}
        for start, end, entity in text.labels:
            assert any(e == entity and s <= start and end <= t for e, s, t in found), text.text[start:end]
