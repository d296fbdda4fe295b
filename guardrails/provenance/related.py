"""Related: where a value came from that no source has as it is.

Takes a value, adds sources that are not exact. The one idea: put the value into other words, one way after the
other, and compare the letters and digits in a row, so that no mark, blank or boundary of leaves matters. This
explains where something may have come from. It proves nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

from guardrails.provenance.alike import camel_parts, decoded, encoded, joined, plain_letters, skeleton, turned
from guardrails.provenance.forms import Form, same
from guardrails.provenance.layers import ALIKE, LOOSE
from guardrails.provenance.loose import SIGN, loose_spans
from guardrails.provenance.words import LONGEST, WORD, folded_words, is_telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.provenance.lookup import Lookup
    from guardrails.provenance.sources import Gathering

LEAST = 5
"""Letters and digits of a value for which something related is looked for."""

MOST = 512
"""Characters of such a value."""

NEAR = 48
"""Bytes that are read on either side of a block, beside three times the length of the value."""

FEW = 48
"""Blocks of the rarest word of a value that are considered."""

DAY = 10
"""Characters of the day in the key of a point in time."""

LAST = 16_384
"""Bytes of the newest text that are searched for a value inside a longer word."""

_LETTER = re.compile(r"[^\W\d_]")
_LEAF = re.compile(r"[^\x00]+")
_SPLIT = range(6, 25)
_AT = re.compile(r"\s*[\[({<]?\s*\bat\b\s*[\])}>]?\s*", re.I)
_DOT = re.compile(r"\s*[\[({<]?\s*\bdot\b\s*[\])}>]?\s*", re.I)


def related(text: str, forms: tuple[Form, ...], lookup: Lookup, found: Gathering) -> None:
    """Add what `text` may have been made from, by the first way that leads anywhere."""
    text = text[:MOST]
    if len(joined(text)) < LEAST and not forms:
        return
    for way in (_loosely, _in_other_words, _inside_words):
        way(text, forms, lookup, found)
        if found:
            return


def _loosely(text: str, forms: tuple[Form, ...], lookup: Lookup, found: Gathering) -> None:
    keys = {key for start, end, key in loose_spans(text) if end - start == len(text)}
    for key in keys:
        _of_form(Form("date" if key[4:5] == "-" else "number", key), lookup, found)
    for form in forms:
        if form.kind == "date" and len(form.key) > DAY:
            _of_form(Form("date", form.key[:DAY]), lookup, found)
    for key in keys.union(*map(_loose_keys, forms)):
        for window in lookup.windows([SIGN + key], LOOSE, found, NEAR, FEW):
            for start, end, there in loose_spans(window.text):
                if there == key:
                    found.take(window, start, end, exact=False)


def _of_form(form: Form, lookup: Lookup, found: Gathering) -> None:
    for window in lookup.windows([form.key], (form.kind,), found, NEAR, FEW):
        for start, end in same(window.text, form):
            found.take(window, start, end, exact=False)


def _loose_keys(form: Form) -> set[str]:
    if form.kind == "date":
        return {form.key, form.key[5:10]}
    if form.kind in ("number", "grouped"):
        return {form.key.lstrip("+-")}
    return {form.key[2:]} if form.kind == "iban" else set()


def _in_other_words(text: str, forms: tuple[Form, ...], lookup: Lookup, found: Gathering) -> None:
    tried = set[tuple[str, str]]()
    for words, letters in _ways(text, forms, lookup):
        way = (" ".join(words), letters)
        if len(letters) < LEAST or not words or way in tried:
            continue
        tried.add(way)
        for window in lookup.windows(words, ALIKE, found, 3 * len(letters) + NEAR, FEW):
            place = _in_a_row(window.text, letters)
            if place is not None:
                found.take(window, *place, exact=False)
        if found:
            return


def _ways(text: str, forms: tuple[Form, ...], lookup: Lookup) -> Iterator[tuple[list[str], str]]:
    """Other words for a value, and its letters and digits in them."""
    plain = skeleton(text)
    yield _told(plain)
    yield [joined(plain)[:LONGEST]], joined(plain)
    if not _LETTER.search(plain):
        yield from map(_told, (plain[::-1], *map(str.lower, encoded(text))))
        return
    yield _told(skeleton(camel_parts(text)))
    for form in forms:
        if form.kind == "iban":
            yield [form.key[at : at + 4] for at in range(0, len(form.key) - 3, 4)], form.key
    yield from _addresses(plain)
    for letters in plain_letters(plain):
        yield _told(letters)
    for piece in (*turned(plain), *decoded(text, 8), *encoded(text)):
        yield _told(skeleton(piece))
    if len(plain) in _SPLIT and plain.isalpha():
        yield from _split(plain, lookup)


def _told(plain: str) -> tuple[list[str], str]:
    telling = [word[:LONGEST] for word in dict.fromkeys(folded_words(plain)) if is_telling(word)]
    return telling[:8], joined(plain)


def _addresses(plain: str) -> Iterator[tuple[list[str], str]]:
    """An address with `at` and `dot` for its marks, and the other way round."""
    if "@" in plain:
        telling, _ = _told(plain)
        local, _, domain = plain.rpartition("@")
        for spelled in (domain.replace(".", "dot"), domain):
            yield telling, joined(f"{local}at{spelled}")
    elif _AT.search(plain):
        yield _told(_DOT.sub(".", _AT.sub("@", plain)))


def _split(word: str, lookup: Lookup) -> Iterator[tuple[list[str], str]]:
    """A word as two."""
    for at in range(3, len(word) - 2):
        longer_first = sorted((word[:at], word[at:]), key=len, reverse=True)
        if all(lookup.finder.count(part, ALIKE) for part in longer_first):
            yield [word[:at], word[at:]], word


def _in_a_row(text: str, letters: str) -> tuple[int, int] | None:
    """Where `letters` stand in a row in `text`, or in something in it that can be read in another way."""
    spans = [found.span() for found in WORD.finditer(text)]
    words = [skeleton(text[start:end]) for start, end in spans]
    place = _across(words, spans, letters)
    if place is not None:
        return place
    for leaf in _LEAF.finditer(text):
        if any(letters in joined(piece) for piece in _readings(leaf.group())):
            return leaf.span()
    return None


def _readings(text: str) -> Iterator[str]:
    plain = skeleton(text)
    yield plain
    yield from plain_letters(plain)
    for piece in decoded(text):
        yield skeleton(piece)


def _across(words: list[str], spans: list[tuple[int, int]], letters: str) -> tuple[int, int] | None:
    at = "".join(words).find(letters)
    if at < 0:
        return None
    begins = [0, *accumulate(map(len, words))]
    first = bisect_right(begins, at) - 1
    last = bisect_right(begins, at + len(letters) - 1) - 1
    return spans[first][0], spans[last][1]


def _inside_words(text: str, forms: tuple[Form, ...], lookup: Lookup, found: Gathering) -> None:
    window = lookup.archive.newest(LAST)
    at = window.text.lower().find(text.lower())
    if at >= 0:
        found.take(window, at, min(at + len(text), len(window.text)), exact=False)
