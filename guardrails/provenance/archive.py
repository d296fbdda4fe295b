"""The archive: all texts of a session, cut into blocks, with what is known about their leaves.

Takes the payloads of events, gives windows of text around a block and the source of a match in it. The one idea:
all leaves stand one behind the other in one run of bytes, parted by a character that no value has. A leaf is
then known by counting those marks, and no table of offsets is needed.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right

from guardrails.provenance.leaves import Walk, Ways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

MARK = "\x00"
"""Stands behind every leaf."""

BLOCK = 1_280
"""Characters of a block, about; blocks end between words."""

REACH = 512
"""How much longer a block may get until a word ends."""

OVER = 48
"""Characters of the next block that belong to a block, for what begins in it."""

EDGE = 12
"""Characters next to a value that decide whether it is a whole."""

_BLANK = re.compile(r"[\s\x00]")
_GAP = re.compile(r"[\W_]")


class Window:
    """A stretch of text around a block. `first` is the number of its first leaf; `opens` and `closes` say
    whether the text begins and ends with a whole leaf."""

    __slots__ = ("closes", "first", "opens", "text")

    def __init__(self, text: str, first: int, *, opens: bool, closes: bool) -> None:
        self.text = text
        self.first = first
        self.opens = opens
        self.closes = closes

    def shows(self, start: int, end: int) -> bool:
        """Whether enough stands around a stretch of the text to see that it is not a part of something longer."""
        return (start >= EDGE or self.opens) and (end <= len(self.text) - EDGE or self.closes)


class Archive:
    """The texts of a session."""

    __slots__ = (
        "_alone",
        "_bytes",
        "_events",
        "_firsts",
        "_label_numbers",
        "_label_starts",
        "_labels",
        "_last_blocks",
        "_leaf_starts",
        "_starts",
        "_ways",
        "label_sets",
    )  # fmt: skip

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._starts, self._firsts = array("I", [0]), array("I", [0])
        self._ways = Ways()
        self._events: list[tuple[int, str, str | None]] = []
        self._leaf_starts = array("I")
        self._last_blocks = array("I")
        self._label_starts, self._labels = array("I"), array("I")
        self.label_sets: list[frozenset[str]] = []
        self._alone: list[frozenset[frozenset[str]]] = []
        self._label_numbers: dict[frozenset[str], int] = {}

    @property
    def size(self) -> int:
        return len(self._bytes)

    def take(self, event: tuple[int, str, str | None], payload: Any, labels_of: Any) -> None:
        """Keep a payload."""
        self._events.append(event)
        self._leaf_starts.append(len(self._ways))
        first = len(self._ways)
        if callable(labels_of):
            texts = Walk(payload, self._ways, lambda way: self._label(labels_of(way))).texts
        else:
            texts = Walk(payload, self._ways, None).texts
            if texts:
                self._label(labels_of, first)
        if texts:
            self._cut(_marked(texts))
            self._last_blocks.append(len(self) - 1)

    def _cut(self, whole: str) -> None:
        leaf, last = self._firsts[-1], 0
        for end in _cuts(whole):
            piece = whole[last:end]
            self._bytes += piece.encode("utf-8", "surrogatepass")
            leaf += piece.count(MARK)
            self._starts.append(len(self._bytes))
            self._firsts.append(leaf)
            last = end

    def _label(self, labels: frozenset[str], leaf: int = -1) -> None:
        """Note the labels of a leaf, or the next one, and those behind it."""
        if not self._labels or labels != self.label_sets[self._labels[-1]]:
            self._label_starts.append(len(self._ways) if leaf < 0 else leaf)
            self._labels.append(self._number(labels))

    def _number(self, labels: frozenset[str]) -> int:
        number = self._label_numbers.setdefault(labels, len(self.label_sets))
        if number == len(self.label_sets):
            self.label_sets.append(labels)
            self._alone.append(frozenset({labels}))
        return number

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self._starts) - 1

    def starts(self, first: int, last: int) -> array[int]:
        """Where the blocks from `first` to `last` begin, and the end of `last - 1`."""
        return self._starts[first : last + 1]

    def data(self, start: int, end: int) -> bytes:
        """The bytes of the texts from one place to another, or to the last whole character before it."""
        return bytes(self._bytes[start : self._edge(min(end, len(self._bytes)))])

    def text(self, block: int) -> str:
        """The text of a block, which goes on a little into the next one of the event."""
        start, end = self._starts[block], self._starts[block + 1]
        text = self._bytes[start:end].decode("utf-8", "surrogatepass")
        if self._is_last(block):
            return text
        more = self._bytes[end : self._edge(end + 4 * OVER)].decode("utf-8", "surrogatepass")
        return text + more[:OVER]

    def _is_last(self, block: int) -> bool:
        return self._last_blocks[bisect_left(self._last_blocks, block)] == block

    def window(self, block: int, around: int) -> Window:
        """The text of a block and at least `around` bytes on either side."""
        low, high = self._starts[block], self._starts[block + 1]
        start, end = self._edge(max(0, low - around)), self._edge(min(len(self._bytes), high + around))
        before = bytes(self._bytes[start:low]) if start < low else b""
        first = self._firsts[block] - before.count(0)
        text = (before + self._bytes[low:end]).decode("utf-8", "surrogatepass")
        opens = start == 0 or self._bytes[start - 1] == 0
        return Window(text, first, opens=opens, closes=self._bytes[end - 1] == 0)

    def has_any(self, block: int, pieces: Iterable[bytes], around: int) -> bool:
        """Whether one of some pieces of text stands in a block or at most `around` bytes beside it."""
        low, high = self._starts[block] - around, self._starts[block + 1] + around
        there = self._bytes[low if low > 0 else 0 : high]
        return any(map(there.__contains__, pieces))

    def _edge(self, place: int) -> int:
        """`place`, or a little before it where it is inside a character."""
        while 0 < place < len(self._bytes) and self._bytes[place] & 0xC0 == 0x80:
            place -= 1
        return place

    def newest(self, most: int) -> Window:
        """About the last `most` bytes."""
        block = max(0, bisect_right(self._starts, max(0, len(self._bytes) - most)) - 1)
        block = min(block, max(0, len(self._starts) - 2))
        text = self._bytes[self._starts[block] :].decode("utf-8", "surrogatepass")
        return Window(text, self._firsts[block], opens=True, closes=True)

    def only_leaf(self, block: int) -> int:
        """The leaf that a block is a part of; -1 where it holds the end of one."""
        leaf = self._firsts[block]
        return leaf if leaf == self._firsts[block + 1] else -1

    def labels_of_block(self, block: int) -> frozenset[frozenset[str]]:
        """The sets of labels that the leaves of a block have."""
        first = bisect_right(self._label_starts, self._firsts[block]) - 1
        last = bisect_right(self._label_starts, self._firsts[block + 1]) - 1
        if first == last:
            return self._alone[self._labels[first]]
        return frozenset(self.label_sets[number] for number in self._labels[first : last + 1])

    def after_labels_of(self, block: int) -> int:
        """The first block behind this one that may have other labels; if the block is a part of one leaf, the first
        that has something else."""
        leaf = self.only_leaf(block)
        run = bisect_right(self._label_starts, self._firsts[block + 1])
        end = len(self._ways) if run == len(self._label_starts) else self._label_starts[run]
        if leaf >= 0:
            end = min(end, leaf + 1)
        return bisect_right(self._firsts, end) - 1

    def labels(self, leaf: int) -> frozenset[str]:
        return self.label_sets[self._labels[bisect_right(self._label_starts, leaf) - 1]]

    def event(self, leaf: int) -> tuple[int, str, str | None]:
        return self._events[bisect_right(self._leaf_starts, leaf) - 1]

    def pointer(self, leaf: int) -> str:
        return self._ways.pointer(leaf)


def _marked(texts: list[str]) -> str:
    """The texts in a row, each with the mark behind it and none inside."""
    whole = MARK.join(texts) + MARK
    if whole.count(MARK) == len(texts):
        return whole
    return MARK.join(text.replace(MARK, "\ufffd") for text in texts) + MARK


def _cuts(text: str) -> Iterator[int]:
    """Where blocks end: behind a blank if there is one near, else behind a word, else anywhere."""
    place = 0
    while len(text) - place > BLOCK + REACH:
        near = place + BLOCK
        found = _BLANK.search(text, near, near + REACH) or _GAP.search(text, near, near + REACH)
        place = found.end() if found else near + REACH
        yield place
    if text:
        yield len(text)
