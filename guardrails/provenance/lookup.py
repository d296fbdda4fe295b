"""Look-ups: the sources of one piece of a value.

Takes a piece, gives its sources. The one idea: first the strict question, and the generous one only where the
strict one has no answer. A piece is found through its rarest words, and read where these stand together.
"""

from __future__ import annotations

from guardrails.provenance.aligned import occurrences, one_blank
from guardrails.provenance.forms import KINDS, anchors, read
from guardrails.provenance.numbers import same_number
from guardrails.provenance.sources import Gathering, chosen
from guardrails.provenance.words import LONGEST, composed, folded_words, is_telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guardrails.provenance.archive import Archive, Window
    from guardrails.provenance.forms import Form
    from guardrails.provenance.parts import Source
    from guardrails.provenance.postings import Postings

MANY = 1_024
"""Blocks of a word that are considered."""

FEW = 6
"""Blocks that are read without asking whether the other words stand there as well."""

ANCHORS = 8
"""Words of a piece by which it is looked for."""

AROUND = 96
"""Bytes that are read on either side of a block, beside the length of what is looked for."""


class Lookup:
    """Finds pieces in an archive."""

    __slots__ = ("archive", "postings")

    def __init__(self, archive: Archive, postings: Postings) -> None:
        self.archive = archive
        self.postings = postings

    def sources(self, text: str, form: Form | None = None) -> tuple[Source, ...]:
        """Where a short value appeared. `text` has neither quotes nor blanks around it."""
        text = one_blank(composed(text))
        form = form or read(text)
        found = Gathering(self.archive)
        if form is not None:
            self._same_form(text, form, found)
        if not found and (form is None or form.kind in ("url", "grouped", "date", "iban")):
            self._same_text(text, found)
        return found.sources()

    def _same_form(self, text: str, form: Form, found: Gathering) -> None:
        words = anchors(form.kind, form.key) if form.kind not in ("url", "host") else ()
        blocks = {block for word in words for block in self.postings.blocks(word, MANY)}
        if form.kind in ("url", "host"):
            blocks = set(self.together(text))
        for block in chosen(self.archive, sorted(blocks)):
            window = self.archive.window(block, len(text.encode()) + AROUND)
            for start, end in _of_form(window.text, form):
                found.take(window, start, end, exact=True)

    def _same_text(self, text: str, found: Gathering) -> None:
        for block in chosen(self.archive, self.together(text)):
            window = self.archive.window(block, len(text.encode()) + AROUND)
            for start, end in _of_text(window, text):
                found.take(window, start, end, exact=True)

    def together(self, text: str) -> Sequence[int]:
        """Blocks with all the telling words of `text`, or next to each other."""
        words = [word[:LONGEST] for word in dict.fromkeys(folded_words(text[:2_000])) if is_telling(word)]
        return self.with_all(words[:ANCHORS])

    def with_all(self, words: Sequence[str]) -> Sequence[int]:
        """Blocks with one of the words and the others near."""
        lists = []
        for word in words:
            blocks = self.postings.blocks(word, MANY)
            if not blocks:
                return ()
            lists.append(blocks)
        if not lists:
            return ()
        lists.sort(key=len)
        found: Sequence[int] = lists[0]
        for others in lists[1:]:
            if len(found) <= FEW or len(others) >= MANY:
                break
            near = set(others)
            found = [block for block in found if block in near or block + 1 in near or block - 1 in near]
        return found


def _of_form(text: str, form: Form) -> Iterator[tuple[int, int]]:
    for start, end, key in KINDS[form.kind](text):
        if key == form.key or (form.kind == "grouped" and same_number(key, form.key)):
            yield start, end


def _of_text(window: Window, text: str) -> Iterator[tuple[int, int]]:
    plain = one_blank(composed(window.text))
    window.text = plain
    yield from occurrences(plain, text)
