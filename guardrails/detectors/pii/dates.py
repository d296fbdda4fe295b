"""Dates and times written with digits, or with the name of a month.

Takes a plain text, gives candidates. The one idea: a date stands alone. Digits that are joined to more digits
by the same kind of mark are a version, a path or an identifier.
"""

from __future__ import annotations

import re

from guardrails.detectors.pii.candidates import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH_NAMES = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)
_DAY = "(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH = "(?:0?[1-9]|1[0-2])"
_YEAR = "(?:1[6-9]|2[01])[0-9]{2}"
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[ ]?[+\-][0-2][0-9]:?[0-5][0-9])?"
_BEFORE = r"(?<![\w])(?<![0-9][.\-/])"
_AFTER = r"(?![\w])(?![.\-/][0-9])"

_START = re.compile(r"[0-9]{1,4}[./\-][0-9]")
_DIGITS = re.compile(
    rf"{_BEFORE}(?:(?P<iso>{_YEAR}-{_MONTH}-{_DAY}(?:{_TIME})?)|(?P<slash>{_YEAR}/{_MONTH}/{_DAY})"
    rf"|(?P<numeric>(?:{_MONTH}/{_DAY}|{_DAY}/{_MONTH})/(?:{_YEAR}|[0-9]{{2}}))"
    rf"|(?P<dashed>(?:{_MONTH}-{_DAY}|{_DAY}-{_MONTH})-{_YEAR})"
    rf"|(?P<dotted>{_DAY}\.{_MONTH}\.{_YEAR})|(?P<short>{_DAY}\.{_MONTH}\.[0-9]{{2}})"
    rf"|(?P<month>{_MONTH}/{_YEAR})|(?P<expiry>{_MONTH}/[0-9]{{2}})){_AFTER}"
)
_WORDED = re.compile(
    rf"{_BEFORE}(?:{_DAY}-(?:{_MONTHS})(?:-(?:{_YEAR}|[0-9]{{2}}))?|(?:{_MONTHS})-(?:{_YEAR}|[0-9]{{2}})"
    rf"|{_DAY}(?:st|nd|rd|th)?[ ](?:of[ ])?(?:{_MONTH_NAMES})\.?,?[ ]{_YEAR}"
    rf"|(?:{_MONTH_NAMES})\.?[ ]{_DAY}(?:st|nd|rd|th)?,?[ ]{_YEAR}){_AFTER}",
    re.IGNORECASE,
)
_MONTH_START = re.compile(_MONTHS)
_DAY_BEFORE = re.compile(r"[0-9]{1,2}(?:st|nd|rd|th|ST|ND|RD|TH)?[ \-](?:of )?\Z")
_SCORES = {
    "iso": (0.8, 0.95), "slash": (0.6, 0.9), "numeric": (0.6, 0.9), "dashed": (0.6, 0.9), "dotted": (0.6, 0.9),
    "short": (0.3, 0.7), "month": (0.2, 0.55), "expiry": (0.1, 0.45),
}  # fmt: skip


def dates(text: str) -> Iterator[Candidate]:
    """Calendar dates in digits, with the time of day where it follows as ISO 8601 has it."""
    for start in _START.finditer(text):
        found = _DIGITS.match(text, start.start())
        if found:
            yield Candidate(found.span(), "DATE_TIME", _SCORES[found.lastgroup or "iso"], "a calendar date")


def worded_dates(text: str) -> Iterator[Candidate]:
    """Calendar dates with the name of a month."""
    for month in _MONTH_START.finditer(_in_small_letters(text)):
        day = _DAY_BEFORE.search(text, max(0, month.start() - 9), month.start())
        found = (day and _WORDED.match(text, day.start())) or _WORDED.match(text, month.start())
        if found:
            yield Candidate(
                found.span(), "DATE_TIME", (0.65, 0.9), "a calendar date with the name of a month"
            )


def _in_small_letters(text: str) -> str:
    """`text` in small letters, every character where it was: a few characters would become two."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower()[0] for c in text)
