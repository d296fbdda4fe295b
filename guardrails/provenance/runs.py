"""Runs: the longest stretches of a long text that stand in a source.

Takes a text, gives its runs from left to right with their sources. The one idea: a run begins where a few words in a
row stand in a source, and goes on for as long as some source goes on. Every run is as long as any source
allows, so what an untrusted text adds can only join what was apart, and never make a stretch look trusted.
"""

from __future__ import annotations

from guardrails.provenance.aligned import one_blank, stands_alone
from guardrails.provenance.sources import Gathering, chosen
from guardrails.provenance.words import ENOUGH, LONGEST, WORD, bits, composed, is_telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.provenance.archive import Window
    from guardrails.provenance.lookup import Lookup
    from guardrails.provenance.parts import Source

STRONG = 4
"""Words in a row that are taken as a run."""

MOST_WORDS = 4_000
"""Words of a text that are compared; what follows is left over."""


class Run:
    """A stretch of the text and where it appeared."""

    __slots__ = ("end", "sources", "start")

    def __init__(self, start: int, end: int, sources: tuple[Source, ...]) -> None:
        self.start = start
        self.end = end
        self.sources = sources


class _Words:
    """The words of a text, folded, and their places."""

    __slots__ = ("folded", "spans", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans = [found.span() for found in WORD.finditer(text)]
        self.folded = [text[start:end].casefold() for start, end in self.spans]


def runs_of(text: str, lookup: Lookup) -> list[Run]:
    """The runs of a text, longest first at every place."""
    words = _Words(text)
    runs = []
    place, last = 0, min(len(words.folded), MOST_WORDS)
    while place + STRONG <= last:
        run, length = _longest(words, place, lookup)
        if run is not None:
            runs.append(run)
        place += length or 1
    return runs


def _longest(words: _Words, place: int, lookup: Lookup) -> tuple[Run | None, int]:
    telling = [word[:LONGEST] for word in words.folded[place : place + STRONG] if is_telling(word)]
    blocks = chosen(lookup.archive, lookup.with_all(telling)) if telling else ()
    best = 0
    found: list[tuple[Window, int, int]] = []
    for block in blocks:
        window = lookup.archive.window(block, 4 * len(words.text) + 256)
        length, spans = _in_window(words, place, window)
        if length > best:
            best, found = length, []
        if length == best and length:
            found += [(window, start, end) for start, end in spans]
    start, end = words.spans[place][0], words.spans[place + max(best, 1) - 1][1]
    if best < STRONG or bits(words.text[start:end][:256]) < ENOUGH:
        return None, 0
    return Run(start, end, _sources(words.text[start:end], found, lookup)), best


def _in_window(words: _Words, place: int, window: Window) -> tuple[int, list[tuple[int, int]]]:
    """The longest run from `place` in a window: its words, and its spans there."""
    window.text = composed(window.text)
    best, spans = 0, list[tuple[int, int]]()
    for first, last in _leaf_spans(window.text):
        there = [found.span() for found in WORD.finditer(window.text, first, last)]
        folded = [window.text[start:end].casefold() for start, end in there]
        for at in range(len(folded) - STRONG + 1):
            length = _shared(words.folded, place, folded, at)
            if length > best:
                best, spans = length, []
            if length == best >= STRONG:
                spans.append((there[at][0], there[at + length - 1][1]))
    return best, spans


def _shared(left: list[str], place: int, right: list[str], at: int) -> int:
    """How many words are the same from two places on."""
    if left[place] != right[at]:
        return 0
    length, most = 1, min(len(left) - place, len(right) - at)
    while length < most and left[place + length] == right[at + length]:
        length += 1
    return length


def _leaf_spans(text: str) -> list[tuple[int, int]]:
    spans, last = [], 0
    while (end := text.find("\x00", last)) >= 0:
        spans.append((last, end))
        last = end + 1
    return [*spans, (last, len(text))]


def _sources(text: str, found: Sequence[tuple[Window, int, int]], lookup: Lookup) -> tuple[Source, ...]:
    gathering = Gathering(lookup.archive)
    wanted = one_blank(composed(text))
    for window, start, end in found:
        same = one_blank(window.text[start:end]) == wanted and stands_alone(window.text, start, end)
        gathering.take(window, start, end, exact=same)
    return gathering.sources()
