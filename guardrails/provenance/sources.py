"""Sources: from places in the text to the sources of a part.

Takes windows of the archive and spans in them, gives at most a handful of `Source`s. The one idea: what matters is
which labels a part came with, so of leaves with the same labels only the first few are kept, and a flood of
copies with one label cannot hide a copy with another.
"""

from __future__ import annotations

from guardrails.provenance.aligned import one_blank
from guardrails.provenance.parts import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.provenance.archive import Archive, Window

EACH = 3
"""Sources with the same labels."""

MOST = 24
"""Blocks that are read for one part without regard to labels, when it has no more."""

GROUPS = 6
"""Different labels whose blocks are read."""

SHOWN = 120


class Gathering:
    """The sources of one part as they are found."""

    __slots__ = ("_archive", "_counts", "_found")

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._found: dict[int, Source] = {}
        self._counts: dict[frozenset[str], int] = {}

    def take(self, window: Window, start: int, end: int, *, exact: bool) -> None:
        leaf = window.first + window.text.count("\x00", 0, start)
        if leaf in self._found:
            return
        labels = self._archive.labels(leaf)
        count = self._counts.get(labels, 0)
        if count >= EACH:
            return
        self._counts[labels] = count + 1
        event, point, tool = self._archive.event(leaf)
        words = shown(window.text, start, end)
        self._found[leaf] = Source(
            event, point, tool, self._archive.pointer(leaf), labels, words, exact=exact
        )

    def __bool__(self) -> bool:
        return bool(self._found)

    def sources(self) -> tuple[Source, ...]:
        return tuple(self._found[leaf] for leaf in sorted(self._found))


def chosen(archive: Archive, blocks: Sequence[int]) -> Sequence[int]:
    """The blocks to read: all of a few, of many the first of every kind of label."""
    if len(blocks) <= MOST:
        return blocks
    counts: dict[int, int] = {}
    taken = []
    for block in blocks:
        group = archive.group(block)
        count = counts.get(group, 0)
        if count < MOST // 3 and (count or len(counts) < GROUPS):
            counts[group] = count + 1
            taken.append(block)
    return taken


def shown(text: str, start: int, end: int) -> str:
    """Up to 120 characters of the leaf around `text[start:end]`."""
    first, last = text.rfind("\x00", 0, start) + 1, text.find("\x00", start)
    last = len(text) if last < 0 else last
    room = max(0, SHOWN - (end - start)) // 2
    words = one_blank(text[max(first, start - room) : min(last, end + room)])
    return words.strip()[:SHOWN]
