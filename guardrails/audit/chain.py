"""The chain: every record vouches for the one before it, by a key that a forger does not have.

    chain(n) = BLAKE2b-256(key, chain(n-1) || record n without its chain)

Takes bodies of records, gives lines. The chain of a record is looked at with the chain that is written in the
line before, not with the one that should be there: so a record can be judged by its neighbour alone, and what
is wrong can be told apart (see `guardrails.audit.damage`).
"""

from __future__ import annotations

from binascii import hexlify
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING

from guardrails.audit.merkle import Tree
from guardrails.audit.record import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FIRST = b"0" * 64
"""What stands for the chain before the first record."""

OPENING = b',"chain":"'
CLOSING = b'"}'
TAIL = len(OPENING) + 64 + len(CLOSING)
"""Bytes at the end of a line (without its line feed) that hold the chain."""


def unsaid(key: bytes) -> Any:
    """The keyed hash of nothing, which records are added to."""
    return blake2b(key=key, digest_size=32)


def linked(key: bytes, before: bytes, body: bytes) -> bytes:
    """The chain of a record: `before` is that of the record before, `body` the line up to its own chain."""
    return blake2b(before + body, key=key, digest_size=32).hexdigest().encode()


def chain_of(line: bytes) -> bytes:
    """The chain that is written in a line; empty where none is."""
    tail = line[-TAIL:]
    if len(line) <= TAIL or not tail.startswith(OPENING) or not tail.endswith(CLOSING):
        return b""
    return tail[len(OPENING) : -len(CLOSING)]


def is_linked(key: bytes, before: bytes, line: bytes) -> bool:
    """Whether a line follows a record of which the chain is `before`."""
    found = chain_of(line)
    return bool(found) and linked(key, before, line[:-TAIL]) == found


def seq_of(line: bytes) -> int:
    """The place that a line claims; -1 for a line that is no record."""
    start = b'{"v":%d,"seq":' % VERSION
    if not line.startswith(start):
        return -1
    digits = line[len(start) : len(start) + 20].partition(b",")[0]
    return int(digits) if digits.isdigit() and digits == b"%d" % int(digits) else -1


class Head:
    """The end of a log: how many records it has, the chain of the last one, the tree over all of them, and how
    many it had at its last checkpoint. Values are replaced, never changed."""

    __slots__ = ("chain", "checked", "peaks", "size")

    def __init__(
        self, size: int = 0, chain: bytes = FIRST, peaks: Sequence[bytes] = (), checked: int = 0
    ) -> None:
        self.size = size
        self.chain = chain
        self.peaks = tuple(peaks)
        self.checked = checked

    def tree(self) -> Tree:
        return Tree(self.size, self.peaks)


class Growing:
    """A head to which records are added; `lines` are those that were. `unsaid` is the keyed hash of nothing."""

    __slots__ = ("_tree", "_unsaid", "chain", "checked", "lines")

    def __init__(self, unsaid: Any, head: Head) -> None:
        self._unsaid = unsaid
        self._tree = head.tree()
        self.chain = head.chain
        self.checked = head.checked
        self.lines: list[bytes] = []

    @property
    def size(self) -> int:
        return self._tree.size

    def root(self) -> bytes:
        return self._tree.root()

    def peaks(self) -> tuple[bytes, ...]:
        return tuple(self._tree.peaks)

    def add(self, body: bytes) -> None:
        """Add a record; `body` is all of it but its place and its chain (see `record.body_of`)."""
        self.add_all((body,))

    def add_all(self, bodies: Sequence[bytes]) -> None:
        """Add records, as `add` does. The rate of a busy log depends on this loop, so it is written out."""
        tree, chain, lines, begun = self._tree, self.chain, self.lines, self._unsaid.copy
        peaks, size = tree.peaks, tree.size
        for body in bodies:
            whole = b'{"v":%d,"seq":%d,%s' % (VERSION, size, body)
            mac = begun()
            mac.update(chain + whole)
            chain = hexlify(mac.digest())
            line = whole + OPENING + chain + CLOSING
            node, left = sha256(b"\x00" + line).digest(), size
            while left & 1:
                node = sha256(b"\x01" + peaks.pop() + node).digest()
                left >>= 1
            peaks.append(node)
            size += 1
            tree.size, self.chain = size, chain
            lines.append(line + b"\n")

    def absorb(self, line: bytes) -> bool:
        """Take over a line (without its line feed) that somebody else wrote; False when it does not follow."""
        if seq_of(line) != self._tree.size or not self._follows(line):
            return False
        self._tree.add(line)
        self.chain = chain_of(line)
        if is_checkpoint(line):
            self.checked = self._tree.size
        return True

    def _follows(self, line: bytes) -> bool:
        found, mac = chain_of(line), self._unsaid.copy()
        mac.update(self.chain + line[:-TAIL])
        return bool(found) and hexlify(mac.digest()) == found

    def head(self) -> Head:
        return Head(self._tree.size, self.chain, self._tree.peaks, self.checked)


def is_checkpoint(line: bytes) -> bool:
    return b'"kind":"checkpoint"' in line[:160] or b'"kind":"log"' in line[:160]
