"""Look-ups: the sources of one piece of a value.

Takes a piece, gives its sources. The one idea: first the strict question, and the generous one only where the
strict one has no answer. A piece is found through its rarest word, and read where its other words stand near.
"""

from __future__ import annotations

from bisect import bisect_left

from guardrails.provenance.aligned import occurrences, one_blank
from guardrails.provenance.forms import anchors, same
from guardrails.provenance.layers import NAMES, PLAIN, WORDS
from guardrails.provenance.related import related
from guardrails.provenance.sources import Gathering
from guardrails.provenance.words import LONGEST, composed, folded_words, is_telling, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guardrails.provenance.archive import Archive, Window
    from guardrails.provenance.finder import Finder
    from guardrails.provenance.forms import Form
    from guardrails.provenance.layers import Layers
    from guardrails.provenance.parts import Source

MANY = 1_024
"""Blocks of a word that are considered."""

ANCHORS = 8
"""Words of a piece by which it is looked for."""

AROUND = 96
"""Bytes that are read on either side of a block, beside the length of what is looked for."""

LITERAL = frozenset({"url", "grouped", "date", "iban"})
"""Kinds whose values are also looked for as they are written: where they have no reading that is certain."""


class Lookup:
    """Finds pieces in an archive."""

    __slots__ = ("archive", "finder")

    def __init__(self, archive: Archive, finder: Finder) -> None:
        self.archive = archive
        self.finder = finder

    def sources(self, text: str, forms: tuple[Form, ...], *, weak: bool) -> tuple[Source, ...]:
        """Where a short value appeared. `text` has neither quotes nor blanks around it. For what is `weak` nothing
        related is looked for."""
        text = one_blank(composed(text))
        found = Gathering(self.archive)
        for form in forms:
            self._same_form(text, form, found, alone=len(forms) == 1)
        if not found and (not forms or forms[0].kind in LITERAL):
            self._same_text(text, found)
        if not found and not weak:
            related(text, forms, self, found)
        return found.sources()

    def _same_form(self, text: str, form: Form, found: Gathering, *, alone: bool) -> None:
        around = len(text) * 2 + AROUND
        ways: list[tuple[list[str], Layers]] = [([key], layers) for key, layers in anchors(form, alone=alone)]
        for words, layers in ways or [(telling_words(text), PLAIN)]:
            for window in self.windows(words, layers, found, around):
                window.text = composed(window.text)
                for start, end in same(window.text, form):
                    found.take(window, start, end, exact=True)

    def _same_text(self, text: str, found: Gathering) -> None:
        names = names_in(text)[:ANCHORS]
        words, layers = (names, NAMES) if names else (telling_words(text), WORDS)
        for window in self.windows(words, layers, found, len(text) * 4 + AROUND):
            window.text = one_blank(composed(window.text))
            for start, end in occurrences(window.text, text):
                found.take(window, start, end, exact=True)

    def windows(
        self, words: Iterable[str], layers: Layers, found: Gathering, around: int, most: int = MANY
    ) -> Iterator[Window]:
        """What stands around the blocks with one of the words and the others near, as long as sources with their
        labels are wanted. `most` bounds the blocks of the rarest word that are considered."""
        counts = []
        for word in words:
            count = self.finder.count(word, layers)
            if not count:
                return
            counts.append((count, word))
        counts.sort()
        others = [word for _, word in counts[1:]]
        blocks = self.finder.blocks(counts[0][1], layers, most) if counts else []
        place = 0
        while place < len(blocks):
            block = blocks[place]
            place += 1
            if not found.wants(block):
                place = bisect_left(blocks, self.archive.after_labels_of(block), place)
            elif all(self.finder.is_near(word, layers, block) for word in others):
                found.read(block)
                yield self.archive.window(block, around)


def telling_words(text: str) -> list[str]:
    """The words by which a text is found."""
    words = [word[:LONGEST] for word in folded_words(text[:1_024]) if is_telling(word)]
    return list(dict.fromkeys(words))[:ANCHORS]
