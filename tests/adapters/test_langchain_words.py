"""What stands beside a text in LangChain's messages: its words are judged, whatever they lie in."""

from __future__ import annotations

import pytest

pytest.importorskip("langchain_core")

from pydantic import BaseModel

from guardrails.integrations.langchain.messages import may_stay


class Note(BaseModel):
    said: str


@pytest.mark.parametrize(
    "value", [{"note": "KEY-1"}, [{"a": ("KEY-1",)}], Note(said="KEY-1"), {"notes": [Note(said="KEY-1")]}]
)
def test_words_that_the_policy_refuses_do_not_stay(value: object) -> None:
    assert not may_stay(value, lambda words: None if "KEY-" in words else words)
    assert may_stay(value, lambda words: words)
