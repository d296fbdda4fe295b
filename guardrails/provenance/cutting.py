"""Cutting: from a value to the parts that are looked up.

Takes a leaf of a value as text, gives its parts with their sources. The one idea: a short value must be found as a
whole, but a long one is mostly put together from pieces, so it is cut into the longest stretches that some
source has, the values inside it, and one rest that nobody supplied.
"""

from __future__ import annotations

import re

from guardrails.provenance.forms import inside, is_address, read
from guardrails.provenance.parts import Part
from guardrails.provenance.runs import Runs
from guardrails.provenance.words import ENOUGH, STOP, WORD, bits, is_weak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from guardrails.provenance.forms import Form
    from guardrails.provenance.lookup import Lookup

    Inside: TypeAlias = list[tuple[int, int, tuple[Form, ...]]]
    Spans: TypeAlias = list[tuple[int, int]]

SHORT_WORDS = 6
SHORT = 80
"""Words and characters up to which a value without values inside it is one part."""

DIGITS = 6
"""Significant digits below which a number is weak."""

_HIDDEN = re.compile(r"[^\w\s!-~\u2010-\u2027\u20a0-\u20bf\xa1-\xac\xae-\xbf]")
"""What is neither a word, a blank, an ordinary mark nor a currency, and may not be seen by whoever approves it."""

_QUOTES = "\"'`“”‘’«»‹›"


def parts_of(text: str, lookup: Lookup) -> Iterator[Part]:
    """The parts of one leaf of a value."""
    plain = _bare(text)
    forms = read(plain) if len(plain) <= 2_048 else ()
    if forms or _is_short(plain):
        weak = _is_weak(plain, forms)
        yield Part(text, lookup.sources(plain, forms, weak=weak), weak=weak)
    else:
        yield from _pieces(plain, lookup)


def _bare(text: str) -> str:
    text = text.strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _is_short(text: str) -> bool:
    if " " in text and (len(text) > SHORT or len(WORD.findall(text)) > SHORT_WORDS):
        return False
    return len(text) <= 1_024 and not any(is_address(form) for _, _, forms in inside(text) for form in forms)


def _is_weak(text: str, forms: tuple[Form, ...]) -> bool:
    if forms and forms[0].kind == "number":
        return len(forms[0].key.lstrip("-").replace(".", "").replace(",", "").strip("0")) < DIGITS
    return is_weak(text)


def _pieces(text: str, lookup: Lookup) -> Iterator[Part]:
    values = inside(text)
    places = [(start, end) for start, end, _ in values]
    runs = [run for run in Runs(text, lookup).found() if not _within(run.start, run.end, places)]
    covered = [(run.start, run.end) for run in runs]
    for run in runs:
        yield Part(text[run.start : run.end], run.sources, weak=False)
    yield from _inner(text, values, covered, lookup)
    rest = _rest(text, covered + places)
    if rest:
        yield Part(rest, (), weak=bits(rest[:256]) < ENOUGH)


def _inner(text: str, values: Inside, covered: Spans, lookup: Lookup) -> Iterator[Part]:
    """The values inside a text, each once; those that are weak only where no run holds them."""
    seen = set[str]()
    for start, end, forms in values:
        value = text[start:end]
        weak = _is_weak(value, forms)
        if value in seen or (weak and _within(start, end, covered)):
            continue
        seen.add(value)
        yield Part(value, lookup.sources(value, forms, weak=weak), weak=weak)


def _within(start: int, end: int, covered: Spans) -> bool:
    return any(first <= start and end <= last for first, last in covered)


def _rest(text: str, covered: Spans) -> str:
    """The words that nothing covers, if one of them matters."""
    left, last, hidden = [], 0, False
    for start, end in [*sorted(covered), (len(text), len(text))]:
        left += WORD.findall(text, last, max(last, start))
        hidden = hidden or _HIDDEN.search(text[last:start]) is not None
        last = max(last, end)
    if not hidden and all(word.casefold() in STOP for word in left):
        return ""
    return " ".join(left) or text
