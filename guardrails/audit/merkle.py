"""A Merkle tree that only grows, in the shape of RFC 6962 (section 2.1).

Takes lines, gives roots and proofs. The one idea: of a tree of n leaves only its peaks are kept, the roots of
the full subtrees that n is the sum of, so that a writer holds a few hashes however long the log is. A leaf is
hashed with 0 before it and a node with 1, so that no node passes for a leaf.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY = sha256().digest()
"""The root of a tree without leaves."""


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """The peaks of a tree, largest first. Mutable; `copy` before trying something."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    def add(self, data: bytes) -> None:
        """Add a leaf."""
        found, peaks, left = sha256(b"\x00" + data).digest(), self.peaks, self.size
        while left & 1:
            found = sha256(b"\x01" + peaks.pop() + found).digest()
            left >>= 1
        peaks.append(found)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node(peak, found)
        return found

    def copy(self) -> Tree:
        return Tree(self.size, self.peaks)


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that leaf `index` is among `leaves` (hashes): siblings from the leaf up."""
    if len(leaves) == 1:
        return []
    cut = _half(len(leaves))
    if index < cut:
        return [*path(leaves[:cut], index), _root(leaves[cut:])]
    return [*path(leaves[cut:], index - cut), _root(leaves[:cut])]


def _root(leaves: Sequence[bytes]) -> bytes:
    level = list(leaves)
    while len(level) > 1:
        # A node without a sibling moves up as it is, which gives the same tree as splitting from above.
        paired = [node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0] if level else EMPTY


def _half(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def root_from(found: bytes, index: int, size: int, siblings: Sequence[bytes]) -> bytes | None:
    """The root that a leaf hash and its proof lead to (RFC 9162, section 2.1.3.2); None for a proof of a
    wrong length."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for sibling in siblings:
        if last == 0:
            return None
        if index & 1 or index == last:
            found = node(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node(found, sibling)
        index, last = index >> 1, last >> 1
    return found if last == 0 else None
