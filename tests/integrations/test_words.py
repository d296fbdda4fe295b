"""All words below a value: none is passed over because of what it lies in."""

from __future__ import annotations

from typing import Any

from guardrails.integrations.words import words_in


class Model:
    """As pydantic's models are: they give their fields when asked."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self) -> dict[str, Any]:
        return self.fields


OPAQUE = frozenset({"id", "data"})


def test_words_are_found_however_deep_they_lie() -> None:
    value = {
        "a": ["one", ("two", {"b": "three"})],
        "n": 4,
        "none": None,
        "c": Model(d=["four", Model(e="five")]),
    }
    assert list(words_in(value, OPAQUE)) == ["one", "two", "three", "four", "five"]


def test_fields_that_hold_no_words_are_left_out_everywhere() -> None:
    value = {"id": "x", "in": [{"data": "AAAA", "text": "seen"}, Model(id="y", text="too")]}
    assert list(words_in(value, OPAQUE)) == ["seen", "too"]
