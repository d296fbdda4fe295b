"""The index: what a session has seen, and where a value in it came from.

Takes payloads of events in order, gives parts of values with their sources. The one idea: the words of a text and
the keys of the values in it lead to a few blocks of kept text, and only what stands there counts. Taking text
in only keeps it; what leads to it is worked out when somebody asks. Whatever is too much to look through is
left out, which takes sources away and never adds one.
"""

from __future__ import annotations

from guardrails.provenance.archive import Archive
from guardrails.provenance.cutting import parts_of
from guardrails.provenance.finder import Finder
from guardrails.provenance.leaves import values_of
from guardrails.provenance.lookup import Lookup
from guardrails.provenance.parts import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    LabelsOf: TypeAlias = frozenset[str] | Callable[[tuple[str, ...]], frozenset[str]]

__all__ = ["Index", "Part"]

MOST_VALUES = 256
"""Leaves of a value that are looked up; the rest is taken as one part that nobody supplied."""


class Index:
    """Everything a session has seen."""

    __slots__ = ("_archive", "_finder", "_given", "_lookup")

    def __init__(self, patience: float = 1.0) -> None:
        """With more `patience`, text is searched more often before it is sorted in; 0 sorts it in at once. What is
        found is the same."""
        self._archive = Archive()
        self._finder = Finder(self._archive, patience)
        self._lookup = Lookup(self._archive, self._finder)
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
        self._archive.take((event, point, tool), payload, labels_of)

    def lose(self, event: int, point: str, tool: str | None, labels: frozenset[str]) -> None:
        """Note an event whose payload was too large to keep: it may have held anything."""
        self._given |= labels

    def look_up(self, value: Any) -> tuple[Part, ...]:
        """The parts of a value, each with the places it appeared in."""
        self._finder.prepare()
        texts, more = values_of(value, MOST_VALUES)
        found = [part for text in texts for part in parts_of(text, self._lookup)]
        if more:
            found.append(Part("…", (), weak=False))
        return tuple(found)
