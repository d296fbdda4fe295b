"""Loose readings: dates and numbers that can be read in more than one way, or only in part.

Takes a text, gives stretches with the key of each reading. The one idea: who writes `11/12/2026` means one of two
days; it is worth telling that one of them was asked about, and not worth believing it.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Span: TypeAlias = tuple[int, int, str]

SIGN = "≈"
"""Stands before the entries of loose readings in the index."""

_NUMBER = re.compile(r"\d{1,3}(?:[.'\u2019 ]\d{3})+(?:,\d{1,9})?(?![\w])|\d{1,12},\d{1,9}(?![\w,])")
_DIGITS = re.compile(r"\d(?:[ ./_\u00a0-]{0,3}\d){6,30}")
_DATE = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?!\d)")
_MONTHS = {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}  # noqa: SIM905 - a year on one line
_NAMED = r"([JFMASOND][a-z]{2})[a-z]{0,6}\.?"
_PART = re.compile(rf"{_NAMED} (\d{{1,2}})(?:st|nd|rd|th)?\b|(\d{{1,2}})(?:st|nd|rd|th|\.)? (?:of )?{_NAMED}")
_NOT_DIGIT = re.compile(r"\D")


def loose_spans(text: str) -> Iterator[Span]:
    """All loose readings in `text`."""
    yield from _numbers(text)
    for found in _DIGITS.finditer(text):
        digits = _NOT_DIGIT.sub("", found.group())
        if digits != found.group():
            yield (*found.span(), digits)
    yield from _dates(text)


def _numbers(text: str) -> Iterator[Span]:
    for found in _NUMBER.finditer(text):
        if found.group().count(",") == 1 and found.group()[-4] == ",":
            yield (*found.span(), _NOT_DIGIT.sub("", found.group()))
        whole, comma, fraction = found.group().rpartition(",")
        if not comma:
            whole, fraction = fraction, ""
        plain = _NOT_DIGIT.sub("", whole)
        fraction = fraction.rstrip("0")
        yield (*found.span(), (plain.lstrip("0") or "0") + (f".{fraction}" if fraction else ""))


def _dates(text: str) -> Iterator[Span]:
    for found in _DATE.finditer(text):
        first, second, year = found.groups()
        century = year if len(year) == 4 else "20" + year
        for month, day in {(int(first), int(second)), (int(second), int(first))}:
            if 1 <= month <= 12 and 1 <= day <= 31:
                yield (*found.span(), f"{century}-{month:02}-{day:02}")
    for found in _PART.finditer(text):
        name, day_after, day_before, name_after = found.groups()
        named = _MONTHS.get((name or name_after).lower())
        if named:
            yield (*found.span(), f"{named:02}-{int(day_after or day_before):02}")
