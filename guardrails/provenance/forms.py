"""Forms: values that are the same although they are written in more than one way.

Takes a text, gives for a kind of value the stretches of the text that are such values, each with a key: two
stretches are the same value exactly if their keys are equal. The one idea: a reading that two careful people
could disagree about (`11/12/2026`, `1.000,50`) has no key, so it can never be the same as anything but itself.
"""

from __future__ import annotations

from guardrails.provenance.addresses import email_spans, host_spans, url_spans
from guardrails.provenance.dates import date_spans
from guardrails.provenance.numbers import grouped_spans, iban_spans, number_spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Span: TypeAlias = tuple[int, int, str]
    Finder: TypeAlias = Callable[[str], Iterator[Span]]

KINDS: dict[str, Finder] = {
    "email": email_spans,
    "url": url_spans,
    "iban": iban_spans,
    "date": date_spans,
    "number": number_spans,
    "grouped": grouped_spans,
    "host": host_spans,
}

INSIDE = ("email", "url", "iban", "date", "grouped", "number")
"""Kinds that are parts of their own inside a longer text; an earlier one keeps its place from later ones."""

POSTED = ("email", "iban", "date", "grouped", "number")
"""Kinds whose keys are indexed, because their words alone would not lead to them."""


class Form:
    """A value of a kind: `key` is equal for all its spellings."""

    __slots__ = ("key", "kind")

    def __init__(self, kind: str, key: str) -> None:
        self.kind = kind
        self.key = key


def read(text: str) -> Form | None:
    """The form of a text that is one value as a whole."""
    for kind, spans in KINDS.items():
        for start, end, key in spans(text):
            if start == 0 and end == len(text):
                return Form(kind, key)
    return None


def inside(text: str) -> list[tuple[int, int, Form]]:
    """The values inside `text`, in order and without overlaps."""
    found: list[tuple[int, int, Form]] = []
    for kind in INSIDE:
        for start, end, key in KINDS[kind](text):
            if all(end <= first or start >= last for first, last, _ in found):
                found.append((start, end, Form(kind, key)))
    return sorted(found, key=lambda each: each[0])


def anchors(kind: str, key: str) -> tuple[str, ...]:
    """Under which entries of the index a value is found: days without the time, phone numbers by what all
    their spellings share."""
    if kind == "date":
        return (key[:10],)
    if kind == "grouped" and len(key) <= 16:
        return (key, "+" + key[-7:])
    return (key,)


def posted(text: str) -> Iterator[str]:
    """What is indexed for the values in `text`, beside its words."""
    for kind in POSTED:
        for start, end, key in KINDS[kind](text):
            if key != text[start:end] or not key.isalnum():
                yield from anchors(kind, key)
