"""Personal data written so that it is not seen: what is caught, and what is out of scope by decision.

A case is caught when matches of its entity cover most letters and digits of the value. The tables in the docs
count the same cases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.detectors.pii import PiiDetector

FAMILIES = json.loads((Path(__file__).parent / "pii_adversarial.json").read_text("utf-8"))
CORRECTIONS = json.loads((Path(__file__).parent / "pii_corrections.json").read_text("utf-8"))
DOCS = Path(__file__).parents[2] / "grammar" / "DETECTORS.md"
DETECTOR = PiiDetector()
MOST = 0.6


def covered(case: dict[str, str]) -> float:
    """The share of the letters and digits of the value that matches of its entity cover."""
    text, value = case["text"], case["value"]
    start = text.index(value)
    spans = [(m.start, m.end) for m in DETECTOR.find(text) if m.entity == case["entity"]]
    places = [start + i for i, c in enumerate(value) if c.isalnum()]
    return sum(any(a <= place < b for a, b in spans) for place in places) / max(1, len(places))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda row: f"{row['family']}, {row['expected']}")
def test_cases(family: dict[str, Any]) -> None:
    caught = family["expected"] == "caught"
    wrong = [case["text"] for case in family["cases"] if (covered(case) >= MOST) != caught]
    assert wrong == []


def test_there_are_enough_cases() -> None:
    assert sum(len(family["cases"]) for family in FAMILIES) >= 200


def adversarial_table() -> str:
    """The table of the docs: families, and how many of their cases are caught."""
    names = sorted({family["family"] for family in FAMILIES})
    rows = [f"| {name} | {_count(name, 'caught')} | {_count(name, 'out of scope')} |" for name in names]
    total = f"| **all** | {_count(None, 'caught')} | {_count(None, 'out of scope')} |"
    return "\n".join(["| written with | caught | out of scope |", "|---|---:|---:|", *rows, total])


def _count(name: str | None, expected: str) -> int:
    return sum(len(f["cases"]) for f in FAMILIES if name in (None, f["family"]) and f["expected"] == expected)


def corrections_table() -> str:
    """The table of the docs: what Presidio reports and we do not."""
    rows = [f"| {row['entity']} | {row['name']} | {row['reason']} |" for row in CORRECTIONS]
    return "\n".join(["| entity | not reported | because |", "|---|---|---|", *rows])


def test_the_docs_count_the_same_cases() -> None:
    text = DOCS.read_text("utf-8")
    assert adversarial_table() in text
    assert corrections_table() in text
