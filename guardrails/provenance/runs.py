"""Runs: the longest stretches of a long text that stand in a source.

Takes a text, gives its runs from left to right with their sources. The one idea: a run begins where a few words in a
row stand in a source as they are written, and goes on for as long as some source goes on. Every run is as long
as any source allows, so what an untrusted text adds can only join what was apart, and never make a stretch
look trusted.
"""

from __future__ import annotations

from itertools import islice, pairwise

from guardrails.provenance.aligned import one_blank, stands_alone
from guardrails.provenance.layers import WORDS
from guardrails.provenance.sources import Gathering
from guardrails.provenance.words import ENOUGH, LONGEST, WORD, bits, composed, is_telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.provenance.archive import Window
    from guardrails.provenance.lookup import Lookup
    from guardrails.provenance.parts import Source

STRONG = 4
"""Words in a row that are taken as a run."""

MOST_WORDS = 4_000
"""Words of a text that are compared; what follows is left over."""

COMMON = 128
"""Blocks of a word from which on it is too common to look for; a run is looked for by its other words."""

SIDE = 96
"""Bytes on either side of a block that the first words of a run may reach over."""


class Run:
    """A stretch of the text and where it appeared."""

    __slots__ = ("end", "sources", "start")

    def __init__(self, start: int, end: int, sources: tuple[Source, ...]) -> None:
        self.start = start
        self.end = end
        self.sources = sources


class _Blocks:
    """The blocks of a word, and the pairs of neighbours that they belong to, of which the first is even or odd. What
    two blocks have together, one of the pairs has."""

    __slots__ = ("blocks", "even", "odd")

    def __init__(self, blocks: list[int]) -> None:
        self.blocks = blocks
        self.even = {block >> 1 for block in blocks}
        self.odd = {block + 1 >> 1 for block in blocks}

    def __len__(self) -> int:
        return len(self.blocks)


class Runs:
    """The runs of one text. `plain` is the text with single blanks, in which words have other places."""

    __slots__ = ("_blocks", "_folded", "_keys", "_lookup", "_places", "_plain", "_spans", "_text")

    def __init__(self, text: str, lookup: Lookup) -> None:
        self._text = text
        self._lookup = lookup
        self._plain = one_blank(composed(text))
        self._folded = lowered(self._plain)
        self._places = [found.span() for found in islice(WORD.finditer(self._plain), MOST_WORDS)]
        self._spans = self._places
        if self._plain != text:
            self._spans = [found.span() for found in islice(WORD.finditer(text), MOST_WORDS)]
        self._keys = [self._plain[start:end].casefold()[:LONGEST] for start, end in self._places]
        self._blocks: dict[str, _Blocks | None] = {}

    def found(self) -> Iterator[Run]:
        """The runs, each as long as can be."""
        place = 0
        while place + STRONG <= len(self._places):
            unknown = self._unknown(place)
            if unknown >= 0:
                place = unknown + 1
                continue
            length, gathering = self._longest(place)
            if length:
                last = place + length - 1
                yield Run(self._spans[place][0], self._spans[last][1], gathering.sources())
            place += length or 1

    def _unknown(self, place: int) -> int:
        """The last of the first words of a run that is in no source, so that no run has it; -1 if there is none."""
        for at in range(place + STRONG - 1, place - 1, -1):
            key = self._keys[at]
            if _leads(key) and not self._lookup.finder.count(key, WORDS):
                return at
        return -1

    def _longest(self, place: int) -> tuple[int, Gathering]:
        best, gathering = 0, Gathering(self._lookup.archive)
        start, end = self._places[place][0], self._places[place + STRONG - 1][1]
        blocks = self._candidates(place) if end - start <= SIDE * 4 else []
        if not blocks or bits(self._plain[start:end]) < ENOUGH:
            return best, gathering
        seed = self._folded[start:end]
        for window in self._windows(blocks, place, gathering):
            for at, length in self._matches(window, place, seed):
                if length > best:
                    best, gathering = length, Gathering(self._lookup.archive)
                if length == best:
                    self._take(gathering, window, at, place, length)
        return best, gathering

    def _windows(self, blocks: list[int], place: int, reading: Gathering) -> Iterator[Window]:
        """The windows that have the first words of a run, with room for all of it."""
        start, end = self._places[place][0], self._places[place + STRONG - 1][1]
        seed, pairs = self._folded[start:end], self._pairs(place)
        for block in blocks:
            if not reading.wants(block):
                continue
            if not self._lookup.archive.has_any(block, pairs, SIDE):
                continue
            reading.read(block)
            if seed in lowered(self._window(block, len(seed)).text):
                yield self._window(block, 4 * len(self._plain))

    def _pairs(self, place: int) -> set[bytes]:
        """Each two neighbours of the first words of a run, as written and in lower case. One of these pairs stands
        on one line of a source, wherever its lines are broken."""
        spans = self._places[place : place + STRONG]
        texts = [self._plain[first[0] : second[1]] for first, second in pairwise(spans)]
        return {each.encode("utf-8", "surrogatepass") for text in texts for each in (text, text.lower())}

    def _window(self, block: int, around: int) -> Window:
        window = self._lookup.archive.window(block, around + SIDE)
        window.text = one_blank(composed(window.text))
        return window

    def _candidates(self, place: int) -> list[int]:
        """Blocks that, or whose neighbours, have all words that a run from `place` begins with, but for the common
        ones."""
        keys = self._keys[place : place + STRONG]
        found = [blocks for key in keys if _leads(key) and (blocks := self._blocks_of(key)) is not None]
        if not found or not all(found):
            return []
        rarest = min(found, key=len)
        even = rarest.even.intersection(*(blocks.even for blocks in found))
        odd = rarest.odd.intersection(*(blocks.odd for blocks in found))
        if not even and not odd:
            return []
        return [block for block in rarest.blocks if block >> 1 in even or block + 1 >> 1 in odd]

    def _blocks_of(self, key: str) -> _Blocks | None:
        """The blocks of a word; None for one that is in too many."""
        if key not in self._blocks:
            finder = self._lookup.finder
            many = finder.count(key, WORDS) > COMMON
            self._blocks[key] = None if many else _Blocks(finder.blocks(key, WORDS, COMMON))
        return self._blocks[key]

    def _matches(self, window: Window, place: int, seed: str) -> Iterator[tuple[int, int]]:
        """Where a run from `place` stands in a window, and for how many words it goes on."""
        there = lowered(window.text)
        at = there.find(seed)
        while at >= 0:
            length = self._length(there, at, place)
            if length >= STRONG:
                yield at, length
            at = there.find(seed, at + 1)

    def _length(self, there: str, at: int, place: int) -> int:
        start = self._places[place][0]
        same = shared(self._folded, start, there, at)
        if at and there[at - 1].isalnum():
            return 0
        length = 0
        for _, end in self._places[place:]:
            if end - start > same or there[at + end - start : at + end - start + 1].isalnum():
                break
            length += 1
        return length

    def _take(self, gathering: Gathering, window: Window, at: int, place: int, length: int) -> None:
        start, end = self._places[place][0], self._places[place + length - 1][1]
        stop = at + end - start
        exact = window.text[at:stop] == self._plain[start:end] and stands_alone(window.text, at, stop)
        gathering.take(window, at, stop, exact=exact)


def _leads(key: str) -> bool:
    """Whether a run is looked for by a word; digits can be a part of a number, which is not indexed by its parts."""
    return is_telling(key) and not key.isdigit()


def lowered(text: str) -> str:
    """`text` in lower case, or as it is where that would move its characters."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text


def shared(left: str, start: int, right: str, at: int) -> int:
    """How many characters are the same from two places on."""
    low, high = 0, min(len(left) - start, len(right) - at)
    while low < high:
        middle = (low + high + 1) // 2
        if right.startswith(left[start + low : start + middle], at + low):
            low = middle
        else:
            high = middle - 1
    return low
