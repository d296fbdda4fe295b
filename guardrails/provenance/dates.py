"""Dates in texts: days and points in time.

Takes a text, gives stretches with keys (see `forms`): `2026-11-21`, with `T10:00` behind it where a time is
given. The one idea: only an order of day and month that the text itself settles is read.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Span: TypeAlias = tuple[int, int, str]

_NAMES = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip
MONTHS = tuple(name[:3] for name in _NAMES)
_MONTHS = {name: number for number, name in enumerate(MONTHS, 1)}
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_TIME = r"(?:(?P<gap>[T ]|, )(?P<hours>\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?"
_END = r"(?![\w@]|[.,:/+-]\d|-\w)"
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME + _END)
_START = r"(?i)(?<![\w.,/:@+-])"
_DAY_FIRST = re.compile(
    _START + r"(\d{1,2})(?:st|nd|rd|th|\.)?[ -](?:of )?" + _MONTH + r"\.?,?[ -](\d{4})" + _TIME + _END
)
_MONTH_FIRST = re.compile(_START + _MONTH + r"\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})" + _TIME + _END)
_YEAR = re.compile(r"\d{4}(?<=[ -]\d{4})(?!\d)")
_MONTH_NAME = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_LONGEST_DAY = 24
_LONGEST_TIME = 32
_NOT_BEFORE = frozenset("_.,/:@+-")


def date_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Dates with a year; of a point in time, also its day."""
    end = len(text) if end is None else end
    for found in _ISO.finditer(text, start, end):
        if _opens(text, found.start()):
            year, _, month, day, *time = found.groups()
            yield from _span(found, (year, int(month), int(day)), time)
    for year_at in _YEAR.finditer(text, start, end):
        first = max(0, year_at.start() - _LONGEST_DAY)
        if _MONTH_NAME.search(text[first : year_at.start()].lower()):
            yield from _worded(text, first, min(end, year_at.end() + _LONGEST_TIME))


def _worded(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _DAY_FIRST.finditer(text, start, end):
        day, month, year, *time = found.groups()
        yield from _span(found, (year, _MONTHS[month[:3].lower()], int(day)), time)
    for found in _MONTH_FIRST.finditer(text, start, end):
        month, day, year, *time = found.groups()
        yield from _span(found, (year, _MONTHS[month[:3].lower()], int(day)), time)


def _opens(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    return not (before.isalnum() or before in _NOT_BEFORE)


def _span(found: re.Match[str], day: tuple[str, int, int], time: list[str | None]) -> Iterator[Span]:
    if not (1 <= day[1] <= 12 and 1 <= day[2] <= 31):
        return
    date = f"{day[0]}-{day[1]:02}-{day[2]:02}"
    _, hours, minutes, seconds, fraction, zone = time
    if hours is None:
        yield (*found.span(), date)
        return
    tail = "" if not fraction else fraction.rstrip("0").rstrip(".")
    exact = f":{seconds}" if seconds and (seconds != "00" or tail) else ""
    yield (*found.span(), f"{date}T{hours}:{minutes}{exact}{tail}{(zone or '').replace('+00:00', 'Z')}")
    yield found.start(), found.start("hours") - len(found["gap"]), date
