"""Cutting: from a value to the parts that are looked up.

Takes a leaf of a value as text, gives its parts with their sources. The one idea: a short value must be found as a
whole, but a long one is mostly put together from pieces, so it is cut into the longest stretches that some
source has, the values inside it, and one rest that nobody supplied.
"""

from __future__ import annotations

from guardrails.provenance.forms import inside, read
from guardrails.provenance.parts import Part
from guardrails.provenance.runs import Runs
from guardrails.provenance.words import ENOUGH, STOP, WORD, bits, is_weak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.provenance.lookup import Lookup

SHORT_WORDS = 6
SHORT = 80
"""Words and characters up to which a value without values inside it is one part."""

_QUOTES = "\"'`“”‘’«»‹›"


def parts_of(text: str, lookup: Lookup) -> Iterator[Part]:
    """The parts of one leaf of a value."""
    plain = _bare(text)
    form = read(plain) if len(plain) <= 2_048 else None
    if form is not None or _is_short(plain):
        yield Part(
            text, lookup.sources(plain, form), weak=is_weak(plain) if form is None else _is_weak_form(plain)
        )
    else:
        yield from _pieces(plain, lookup)


def _bare(text: str) -> str:
    text = text.strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _is_short(text: str) -> bool:
    if (len(text) <= SHORT and len(WORD.findall(text)) <= SHORT_WORDS) or (
        " " not in text and len(text) <= 1_024
    ):
        return not inside(text) or " " not in text
    return False


def _is_weak_form(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    if digits and not any(character.isalpha() for character in text):
        return len(text.strip("0").replace(".", "").replace(",", "").lstrip("+-$0")) < 6 and digits < 7
    return is_weak(text)


def _pieces(text: str, lookup: Lookup) -> Iterator[Part]:
    values = inside(text)
    places = [(start, end) for start, end, _ in values]
    runs = [run for run in Runs(text, lookup).found() if not _within(run.start, run.end, places)]
    covered = [(run.start, run.end) for run in runs]
    for run in runs:
        yield Part(text[run.start : run.end], run.sources, weak=False)
    for start, end, form in values:
        weak = _is_weak_form(text[start:end])
        if not weak or not _within(start, end, covered):
            yield Part(text[start:end], lookup.sources(text[start:end], form), weak=weak)
    rest = _rest(text, covered + places)
    if rest:
        yield Part(rest, (), weak=bits(rest[:256]) < ENOUGH)


def _within(start: int, end: int, covered: list[tuple[int, int]]) -> bool:
    return any(first <= start and end <= last for first, last in covered)


def _rest(text: str, covered: list[tuple[int, int]]) -> str:
    """The words that nothing covers, if one of them matters."""
    left = [found for found in WORD.finditer(text) if not _within(*found.span(), covered)]
    if all(found.group().casefold() in STOP for found in left):
        return ""
    return " ".join(found.group() for found in left)
