"""The counts on the page of the detectors are those of the cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails.detectors.secrets import ENTITIES
from guardrails.detectors.secrets.tokens import FORMATS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "grammar" / "DETECTORS.md").read_text(encoding="utf-8")
CASES = json.loads((ROOT / "tests/detectors/secrets_adversarial.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("family", ["secrets", "injection"])
def test_the_disguises_are_counted(family: str) -> None:
    expected = [case["expected"] for case in CASES[family]]
    caught = expected.count("caught")
    assert f"| {family} | {len(expected)} | {caught} | {len(expected) - caught} |" in PAGE


def test_every_entity_and_the_number_of_formats_are_told() -> None:
    assert [entity for entity in sorted(ENTITIES) if f"| `{entity}` |" not in PAGE] == []
    assert f"one of {len(FORMATS)} known formats" in PAGE
