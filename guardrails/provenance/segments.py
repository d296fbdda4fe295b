"""Segments: stretches of kept text in the spellings that a plain search needs.

Takes some blocks of an archive, gives their bytes in other spellings and the place of each block in them. The one
idea: a search through memory is so fast that text which is asked about a few times needs no index. Spellings are
made when they are needed, in one pass of compiled code wherever the text is ASCII.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from guardrails.provenance.words import composed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from guardrails.provenance.archive import Archive

    Stream: TypeAlias = tuple[bytes, list[int]]

BLOCKS = 48
"""Blocks of a segment at most."""

OVER = 96
"""Bytes behind a segment that belong to it, for what begins in it."""

GAPS = b" \t().-/,'_\xc2\xa0\xe2\x80\xaf\x99"
"""What may stand between the digits of one number, and the bytes of such marks."""

_LETTERS = tuple(bytes.maketrans(b"0134578", row) for row in (b"oleastb", b"oieastb"))


class Room:
    """How many bytes of other spellings may still be kept for the next search, and how many were made."""

    __slots__ = ("left", "made")

    def __init__(self, left: int) -> None:
        self.left = left
        self.made = 0


class Segment:
    """The blocks from `first` to before `last`."""

    __slots__ = ("_archive", "_room", "_streams", "first", "last", "size")

    def __init__(self, archive: Archive, room: Room, first: int, last: int) -> None:
        self._archive = archive
        self._room = room
        self._streams: dict[str, Stream] = {}
        self.first = first
        self.last = last
        starts = archive.starts(first, last)
        self.size = starts[-1] - starts[0]

    def forget(self) -> None:
        """Keep no spellings."""
        self._room.left += sum(len(data) for data, _ in self._streams.values())
        self._streams.clear()

    def stream(self, spelling: str) -> Stream:
        """The text in a spelling (`folded`, `squeezed`, `leet` or `leeter`) with the place of each block in it and
        the end of the last."""
        found = self._streams.get(spelling)
        if found is None:
            found = _MADE[spelling](self)
            self._room.made += len(found[0])
            if self._room.left >= len(found[0]):
                self._room.left -= len(found[0])
                self._streams[spelling] = found
        return found

    def raw(self) -> Stream:
        starts = [*self._archive.starts(self.first, self.last)]
        base = starts[0]
        return self._archive.data(base, starts[-1] + OVER), [start - base for start in starts]

    def blocks_at(self, stream: Stream, places: Iterable[int]) -> Iterator[int]:
        """The blocks in which places of a stream are, in order as these are, and the one before where it is near."""
        _, starts = stream
        at, last, end = 0, -1, len(starts) - 1
        for place in places:
            at = bisect_right(starts, place, max(0, last), end) - 1
            if at and at - 1 > last and place - starts[at] < OVER:
                yield self.first + at - 1
            if at > last:
                yield self.first + at
            last = at


def every(data: bytes, wanted: bytes) -> Iterator[int]:
    """Where `wanted` stands in `data`."""
    place = data.find(wanted)
    while place >= 0:
        yield place
        place = data.find(wanted, place + len(wanted))


def _folded(segment: Segment) -> Stream:
    data, starts = segment.raw()
    if data.isascii():
        return data.lower(), starts
    return _pieced((data, starts), _fold)


def _fold(piece: bytes) -> bytes:
    if piece.isascii():
        return piece.lower()
    text = piece.decode("utf-8", "surrogatepass")
    return composed(text).casefold().encode("utf-8", "surrogatepass")


def _squeezed(segment: Segment) -> Stream:
    return _pieced(segment.stream("folded"), lambda piece: piece.translate(None, GAPS))


def _pieced(stream: Stream, change: Callable[[bytes], bytes]) -> Stream:
    data, starts = stream
    pieces = [change(data[start:end]) for start, end in pairwise(starts)]
    places = [0]
    for piece in pieces:
        places.append(places[-1] + len(piece))
    return b"".join([*pieces, change(data[starts[-1] :])]), places


def _leet(segment: Segment) -> Stream:
    data, starts = segment.stream("folded")
    return data.translate(_LETTERS[0]), starts


def _leeter(segment: Segment) -> Stream:
    data, starts = segment.stream("folded")
    return data.translate(_LETTERS[1]), starts


_MADE: dict[str, Callable[[Segment], Stream]] = {
    "folded": _folded,
    "squeezed": _squeezed,
    "leet": _leet,
    "leeter": _leeter,
}
