"""Postings: from a word to the blocks of text that have it.

Takes words with the number of a block, gives blocks for a word. The one idea: an entry is one integer, the hash
of the word above the number of the block, kept in a few sorted arrays, each several times as long as the
next. An array is merged into its neighbour when it has grown too near, so every entry is moved only a few times,
a look-up is one search in each array, and an entry costs eight bytes.

Hashes are Python's own, which differ from process to process, so that nobody can choose words that meet; what
is found is checked against the text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

GROWTH = 6
"""How many times as long as the next an array is at least."""

STEP = 1 << 15
"""Entries that are merged at a time, which bounds what a merge needs on the side."""

_MASK = 0xFFFFFFFF


class Postings:
    """Which blocks have a word. Blocks are numbered from 0, below 2**32."""

    __slots__ = ("_arrays",)

    def __init__(self) -> None:
        self._arrays: list[array[int]] = []

    def __len__(self) -> int:
        return sum(map(len, self._arrays))

    def add(self, entries: Iterable[int]) -> None:
        """Take in entries made by `entry`, each at most once."""
        arrays = self._arrays
        arrays.append(array("Q", sorted(entries)))
        if not arrays[-1]:
            arrays.pop()
        while len(arrays) > 1 and len(arrays[-2]) < GROWTH * len(arrays[-1]):
            small, large = arrays.pop(), arrays.pop()
            arrays.append(_merged(large, small))

    def count(self, word: str) -> int:
        """How many blocks have `word`, or a few more."""
        low = (hash(word) & _MASK) << 32
        high = low + _MASK
        count = 0
        for entries in self._arrays:
            start = bisect_left(entries, low)
            if start < len(entries) and entries[start] <= high:
                count += bisect_left(entries, high, start) - start
        return count

    def is_near(self, word: str, block: int) -> bool:
        """Whether the block or one beside it has `word`."""
        first = (hash(word) & _MASK) << 32 | max(0, block - 1)
        last = (hash(word) & _MASK) << 32 | block + 1
        for entries in self._arrays:
            place = bisect_left(entries, first)
            if place < len(entries) and entries[place] <= last:
                return True
        return False

    def blocks(self, word: str, most: int) -> list[int]:
        """The blocks with `word` in order, and perhaps some without; of more than `most`, the first and last."""
        found: list[int] = []
        low = (hash(word) & _MASK) << 32
        high = low + _MASK
        for entries in self._arrays:
            start = bisect_left(entries, low)
            if start < len(entries) and entries[start] <= high:
                found += _limited(entries, start, bisect_left(entries, high, start), most)
        found.sort()
        return found if len(found) <= most else found[: most // 2] + found[-(most // 2) :]


def entry(word: str, block: int) -> int:
    return (hash(word) & _MASK) << 32 | block


def entries_of(words: Iterable[str], block: int) -> list[int]:
    return [(hash(word) & _MASK) << 32 | block for word in words]


def _limited(entries: array[int], start: int, end: int, most: int) -> list[int]:
    if end - start <= most:
        return [each & _MASK for each in entries[start:end]]
    half = most // 2
    return [each & _MASK for each in entries[start : start + half] + entries[end - half : end]]


def _merged(large: array[int], small: array[int]) -> array[int]:
    """Both in order, a stretch at a time."""
    if len(large) < len(small):
        large, small = small, large
    whole = array("Q")
    done = 0
    for start in range(0, len(large), STEP):
        piece = large[start : start + STEP]
        after = start + STEP
        end = bisect_left(small, large[after], done) if after < len(large) else len(small)
        whole.extend(sorted(piece + small[done:end]))
        done = end
    return whole
