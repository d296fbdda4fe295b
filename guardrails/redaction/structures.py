"""Structures: redaction of any JSON value.

Takes a JSON value and the place of its top, gives a value of the same shape and counts of what was redacted.
Every text is looked at by itself, with the keys on the way as its context; keys are looked at too, and
numbers where they are card numbers or stand under a key that speaks of one. Nothing is changed in place.
"""

from __future__ import annotations

from guardrails.errors import TooLarge
from guardrails.model import Value
from guardrails.redaction.places import DROPPED, Dropped, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.redaction.passes import Counts

    Keys = tuple[str, ...]

MAX_DEPTH = 100
"""Levels of a value."""

MOST_PARTS = 1_000_000
"""Texts, numbers, lists and objects of a value."""

MOST_CHARACTERS = 16_000_000
"""Characters of all texts and keys of a value."""


class Redacted(Value):
    """A value after redaction, and how often each entity was redacted, by name: `(("EMAIL_ADDRESS", 2),)`."""

    __slots__ = ("counts", "value")

    def __init__(self, value: Any, counts: tuple[tuple[str, int], ...]) -> None:
        self.value = value
        self.counts = counts


class Bounds:
    """What of the bounds is left. Raises `TooLarge` when one is passed."""

    __slots__ = ("_characters", "_parts")

    def __init__(self) -> None:
        self._parts = MOST_PARTS
        self._characters = MOST_CHARACTERS

    def enter(self, depth: int) -> None:
        self._parts -= 1
        if depth > MAX_DEPTH:
            raise TooLarge(f"a value nested more than {MAX_DEPTH} levels deep cannot be redacted")
        if self._parts < 0:
            raise TooLarge(f"a value of more than {MOST_PARTS:,} parts cannot be redacted")

    def read(self, text: str) -> None:
        self._characters -= len(text)
        if self._characters < 0:
            raise TooLarge(f"a value of more than {MOST_CHARACTERS:,} characters cannot be redacted")


def redacted(value: Any, top: Place) -> Redacted:
    """`value` by the rules of `top`; null if all of it is dropped. Raises `EvaluationError` when a detector
    cannot judge a text, `TooLarge` beyond the bounds, `Unavailable` for a key or vault that is missing."""
    counts: Counts = {}
    done = _Walk(counts).value(value, top, (), 0)
    return Redacted(None if done.__class__ is Dropped else done, tuple(sorted(counts.items())))


class _Walk:
    """One walk over one value."""

    __slots__ = ("_bounds", "_counts")

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._bounds = Bounds()

    def value(self, value: Any, place: Place, keys: Keys, depth: int) -> Any:
        self._bounds.enter(depth)
        if value.__class__ is str:
            self._bounds.read(value)
            return place.text(value, keys, self._counts)
        if value.__class__ is dict or value.__class__ is list:
            return self._container(value, place, keys, depth)
        return place.plain(value, keys, self._counts)

    def _container(self, value: Any, place: Place, keys: Keys, depth: int) -> Any:
        whole = place.whole
        if whole is not None and whole.kind in ("drop", "replace"):
            return place.plain(None, keys, self._counts)
        if value.__class__ is dict:
            return self._fields(value, place, keys, depth)
        inner = place.element()
        done = [self.value(item, inner, keys, depth + 1) for item in value]
        return [None if item is DROPPED else item for item in done]

    def _fields(self, fields: dict[str, Any], place: Place, keys: Keys, depth: int) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for name, item in fields.items():
            self._bounds.read(name)
            shown = shown_key(name, place, keys, self._counts)
            if shown is None:
                continue
            inner = self.value(item, place.field(name), (*keys, name), depth + 1)
            if inner is not DROPPED:
                done[unused(shown, done)] = inner
        return done


def shown_key(name: str, place: Place, keys: Keys, counts: Counts) -> str | None:
    """A key as it goes on; None where its field goes, because part of it is dropped."""
    if place.passes is None:
        return name
    shown = place.passes.whole(name, keys, counts)
    if shown == name:
        return name
    drops = any(each.method.kind == "drop" for each in place.passes.find(name, keys))
    return None if drops else shown


def unused(name: str, used: dict[str, Any] | set[str]) -> str:
    """`name`, or with a number behind it if an earlier key of the object has become the same."""
    if name not in used:
        return name
    number = 2
    while f"{name} {number}" in used:
        number += 1
    return f"{name} {number}"
