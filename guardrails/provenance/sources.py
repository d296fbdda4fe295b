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
    from guardrails.provenance.archive import Archive, Window

EACH = 3
"""Sources with the same labels."""

READ = 12
"""Blocks that are read in vain for one set of labels."""

GROUPS = 6
"""Sets of labels whose blocks are read."""

SHOWN = 120


class Gathering:
    """The sources of one part as they are found."""

    __slots__ = ("_archive", "_found", "_left", "_reads")

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._found: dict[int, Source] = {}
        self._left: dict[frozenset[str], int] = {}
        self._reads: dict[frozenset[frozenset[str]], int] = {}

    def wants(self, block: int) -> bool:
        """Whether a block should be read: it may have labels that too few sources have, and not too many blocks with
        the same labels were read."""
        if self._archive.only_leaf(block) in self._found:
            return False
        group = self._archive.labels_of_block(block)
        reads = self._reads.get(group, 0)
        if reads >= READ or (not reads and len(self._reads) >= GROUPS):
            return False
        return any(self._left.get(labels, EACH) for labels in group)

    def read(self, block: int) -> None:
        """Note that a block is read."""
        group = self._archive.labels_of_block(block)
        self._reads[group] = self._reads.get(group, 0) + 1

    def take(self, window: Window, start: int, end: int, *, exact: bool) -> None:
        if exact and not window.shows(start, end):
            return
        leaf = window.first + window.text.count("\x00", 0, start)
        if leaf in self._found:
            return
        labels = self._archive.labels(leaf)
        left = self._left.get(labels, EACH)
        if not left:
            return
        self._left[labels] = left - 1
        event, point, tool = self._archive.event(leaf)
        words = shown(window.text, start, end)
        self._found[leaf] = Source(
            event, point, tool, self._archive.pointer(leaf), labels, words, exact=exact
        )

    def __bool__(self) -> bool:
        return bool(self._found)

    def sources(self) -> tuple[Source, ...]:
        return tuple(self._found[leaf] for leaf in sorted(self._found))


def shown(text: str, start: int, end: int) -> str:
    """Up to 120 characters of the leaf around `text[start:end]`."""
    first, last = text.rfind("\x00", 0, start) + 1, text.find("\x00", start)
    last = len(text) if last < 0 else last
    room = max(0, SHOWN - (end - start)) // 2
    words = one_blank(text[max(first, start - room) : min(last, end + room)])
    return words.strip()[:SHOWN]
