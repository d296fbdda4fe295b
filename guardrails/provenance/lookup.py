"""Look-ups: the sources of one piece of a value.

Takes a piece, gives its sources. The one idea: first the strict question, and the generous one only where the
strict one has no answer. A piece is found through its rarest word, and read where its other words stand near.
"""

from __future__ import annotations

from bisect import bisect_left

from guardrails.provenance.aligned import occurrences, one_blank
from guardrails.provenance.forms import anchors, same
from guardrails.provenance.related import related
from guardrails.provenance.sources import Gathering
from guardrails.provenance.words import LONGEST, composed, folded_words, is_telling, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guardrails.provenance.archive import Archive, Window
    from guardrails.provenance.forms import Form
    from guardrails.provenance.parts import Source
    from guardrails.provenance.postings import Postings

MANY = 1_024
"""Blocks of a word that are considered."""

ANCHORS = 8
"""Words of a piece by which it is looked for."""

REMEMBERED = 256
"""Words whose counts are kept until something is added."""

AROUND = 96
"""Bytes that are read on either side of a block, beside the length of what is looked for."""

LITERAL = frozenset({"url", "grouped", "date", "iban"})
"""Kinds whose values are also looked for as they are written: where they have no reading that is certain."""


class Lookup:
    """Finds pieces in an archive."""

    __slots__ = ("_counts", "archive", "postings")

    def __init__(self, archive: Archive, postings: Postings) -> None:
        self.archive = archive
        self.postings = postings
        self._counts: dict[str, int] = {}

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
        for words in anchors(form, alone=alone) or [telling_words(text)]:
            for window in self.windows(words, found, around):
                window.text = composed(window.text)
                for start, end in same(window.text, form):
                    found.take(window, start, end, exact=True)

    def _same_text(self, text: str, found: Gathering) -> None:
        words = names_in(text)[:ANCHORS] or telling_words(text)
        for window in self.windows(words, found, len(text) * 4 + AROUND):
            window.text = one_blank(composed(window.text))
            for start, end in occurrences(window.text, text):
                found.take(window, start, end, exact=True)

    def windows(
        self, words: Iterable[str], found: Gathering, around: int, most: int = MANY
    ) -> Iterator[Window]:
        """What stands around the blocks with one of the words and the others near, as long as sources with their
        labels are wanted. `most` bounds the blocks of the rarest word that are considered."""
        counts = []
        for word in words:
            count = self.count(word)
            if not count:
                return
            counts.append((count, word))
        counts.sort()
        others = [word for _, word in counts[1:]]
        blocks = self.postings.blocks(counts[0][1], most) if counts else []
        place = 0
        while place < len(blocks):
            block = blocks[place]
            place += 1
            if not found.wants(block):
                place = bisect_left(blocks, self.archive.after_labels_of(block), place)
            elif all(self.postings.is_near(word, block) for word in others):
                found.read(block)
                yield self.archive.window(block, around)

    def count(self, word: str) -> int:
        """In how many blocks a word is."""
        count = self._counts.get(word)
        if count is None:
            if len(self._counts) >= REMEMBERED:
                self._counts.clear()
            count = self._counts[word] = self.postings.count(word)
        return count

    def forget(self) -> None:
        """Something was added."""
        self._counts.clear()


def telling_words(text: str) -> list[str]:
    """The words by which a text is found."""
    words = [word[:LONGEST] for word in folded_words(text[:1_024]) if is_telling(word)]
    return list(dict.fromkeys(words))[:ANCHORS]
