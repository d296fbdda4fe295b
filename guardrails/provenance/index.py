"""The index: what a session has seen, and where a value in it came from.

Takes payloads of events in order, gives parts of values with their sources. The one idea: the words of a text and
the keys of the values in it lead to a few blocks of kept text, and only what stands there counts. Whatever
is too much to look through is left out, which takes sources away and never adds one.
"""

from __future__ import annotations

from guardrails.provenance.alike import other_words
from guardrails.provenance.archive import Archive
from guardrails.provenance.cutting import parts_of
from guardrails.provenance.forms import posted
from guardrails.provenance.leaves import values_of
from guardrails.provenance.lookup import Lookup
from guardrails.provenance.loose import SIGN, loose_spans
from guardrails.provenance.parts import Part
from guardrails.provenance.postings import Postings, entries_of
from guardrails.provenance.words import LONGEST, composed, folded_words, is_telling, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    LabelsOf: TypeAlias = frozenset[str] | Callable[[tuple[str, ...]], frozenset[str]]

__all__ = ["Index", "Part"]

MOST_VALUES = 256
"""Leaves of a value that are looked up; the rest is taken as one part that nobody supplied."""

FLUSH = 1 << 14
"""Entries that wait to be sorted in while an event is taken in."""


class Index:
    """Everything a session has seen."""

    __slots__ = ("_archive", "_given", "_lookup", "_postings")

    def __init__(self) -> None:
        self._archive = Archive()
        self._postings = Postings()
        self._lookup = Lookup(self._archive, self._postings)
        self._given: frozenset[str] = frozenset()

    @property
    def labels(self) -> frozenset[str]:
        """The labels of everything that was added or lost."""
        return self._given.union(*self._archive.label_sets)

    @property
    def size(self) -> int:
        """Bytes of text taken in."""
        return self._archive.size

    def add(self, event: int, point: str, tool: str | None, payload: Any, labels_of: LabelsOf) -> None:
        """Take in the payload of an event. `labels_of` gives the labels of the leaf at a pointer, or is the labels
        of all leaves. Add every event once, in order."""
        if not callable(labels_of):
            self._given |= labels_of
        self._lookup.forget()
        waiting: list[int] = []
        for block, text in self._archive.take((event, point, tool), payload, labels_of):
            waiting += entries_of(indexed(text), block)
            if len(waiting) > FLUSH:
                self._postings.add(waiting)
                waiting = []
        if waiting:
            self._postings.add(waiting)

    def lose(self, event: int, point: str, tool: str | None, labels: frozenset[str]) -> None:
        """Note an event whose payload was too large to keep: it may have held anything."""
        self._given |= labels

    def look_up(self, value: Any) -> tuple[Part, ...]:
        """The parts of a value, each with the places it appeared in."""
        texts, more = values_of(value, MOST_VALUES)
        found = [part for text in texts for part in parts_of(text, self._lookup)]
        if more:
            found.append(Part("…", (), weak=False))
        return tuple(found)


def indexed(text: str) -> set[str]:
    """What a block is found by."""
    text = composed(text)
    words = {word[:LONGEST] for word in folded_words(text) if is_telling(word)}
    words.update(posted(text))
    words.update(names_in(text))
    words.update(word[:LONGEST] for word in other_words(text) if is_telling(word))
    words.update(SIGN + key for _, _, key in loose_spans(text))
    return words
