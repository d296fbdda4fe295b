"""Times and weekly hours: text → microseconds since the epoch, or a `Window`.

The one idea: an instant is a number, and what day or hour it is depends on a place, so nothing here guesses
a zone. Hours are wall-clock hours: `09:00-17:00` in Berlin is that all year round, and in the night when an
hour repeats, a window that covers it covers it twice.
"""

from __future__ import annotations

from guardrails.canonical.text import MAX_SHORT, ambiguous, is_decimal, require_bounded, shown
from guardrails.canonical.value import Canonical, remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS = {"daily": range(7), "weekdays": range(5), "weekends": range(5, 7)}
_DAY_MINUTES = 24 * 60
_UNPLACED_ZONES = frozenset({"localtime", "posixrules", "factory"})


class Window(Canonical):
    """Weekly hours in a zone."""

    __slots__ = ("spans", "zone")
    spans: tuple[tuple[int, int, int], ...]
    """Day of the week (0 is Monday), first minute, and the minute after the last; at most 2,880, for hours
    that end on the next day."""
    zone: str

    def contains(self, at: int) -> bool:
        """Whether the instant `at`, in microseconds since the epoch, lies in the window."""
        local = _local(at, self.zone)
        today = local.weekday()
        minute = local.hour * 60 + local.minute
        return any(
            (day == today and start <= minute < end)
            or ((day + 1) % 7 == today and start <= minute + _DAY_MINUTES < end)
            for day, start, end in self.spans
        )


@remembered
def parse_window(text: str, zone: str) -> Window:
    """Read weekly hours such as `Mon-Fri 09:00-17:00, Sat 10:00-12:00` or `22:00-06:00`.

    Parts are separated by `,` or `;`. Days stand before their hours; days alone are whole days, hours alone
    belong to the days before them, or to every day. Hours may run over midnight. Raises `Ambiguous`.
    """
    require_bounded(text, MAX_SHORT)
    _zone(zone)
    spans = tuple(sorted({span for part in text.split(";") for span in _spans(part, text)}))
    shown = "; ".join(f"{DAYS[day]} {_clock(start)}-{_clock(end)}" for day, start, end in spans)
    return Window(f"{shown} {zone}", spans=spans, zone=zone)


def parse_time(text: str, zone: str | None = None) -> int:
    """Microseconds since the epoch of an ISO 8601 date and time.

    One without an offset is taken in `zone`, a date alone is its midnight there. Raises `Ambiguous` when both
    are missing, and for a local time that the zone's clock skips or shows twice.
    """
    import re

    require_bounded(text, MAX_SHORT)
    pattern = (
        r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?([Zz]|[+-]\d\d:?\d\d))?)?"
    )
    match = re.fullmatch(pattern, text, re.ASCII)
    if match is None:
        raise ambiguous(text, "is not an ISO 8601 time")
    date, clock, second, fraction, offset = match.groups()
    local = _naive(f"{date}T{clock or '00:00'}:{second or '00'}", text)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    if offset is not None:
        return _micros(local) - _offset_seconds(offset, text) * 1_000_000 + micros
    if zone is None:
        raise ambiguous(text, "has no offset from UTC, and no zone is given")
    return _micros(local) - _zone_seconds(local, zone, text) * 1_000_000 + micros


def weekday(at: int, zone: str) -> str:
    """The day of the week of an instant: `mon`, `tue`, … `sun`."""
    return DAYS[_local(at, zone).weekday()]


def hour(at: int, zone: str) -> int:
    """The hour of the day of an instant, 0 to 23."""
    return _local(at, zone).hour


def day(at: int, zone: str) -> str:
    """The date of an instant, such as `2026-11-21`."""
    return _local(at, zone).date().isoformat()


# --- instants -----------------------------------------------------------------------------------


def _local(at: int, zone: str) -> datetime:
    from datetime import UTC, datetime, timedelta

    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(_zone(zone))
    except OverflowError:
        raise ambiguous(str(at), "is a time outside the calendar") from None


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    if not name or not name.isascii() or name.lower() in _UNPLACED_ZONES or len(name) > 64:
        raise ambiguous(name, "is not a time zone such as `Europe/Berlin`")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ambiguous(name, "is not a time zone such as `Europe/Berlin`") from None


def _naive(iso: str, text: str) -> datetime:
    from datetime import datetime

    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        raise ambiguous(text, "is not a date and time of the calendar") from None


def _micros(local: datetime) -> int:
    from datetime import datetime, timedelta

    return (local - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def _offset_seconds(offset: str, text: str) -> int:
    if offset in ("Z", "z"):
        return 0
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 23 or minutes > 59:
        raise ambiguous(text, "has an offset that does not exist")
    return (hours * 60 + minutes) * (-60 if offset[0] == "-" else 60)


def _zone_seconds(local: datetime, zone: str, text: str) -> int:
    """The zone's offset at a wall-clock time, which must exist there exactly once."""
    placed = local.replace(tzinfo=_zone(zone))
    early, late = placed.utcoffset(), placed.replace(fold=1).utcoffset()
    if early is None or early != late:
        raise ambiguous(text, f"is a time that clocks in {shown(zone)} skip or show twice")
    return round(early.total_seconds())


# --- weekly hours -------------------------------------------------------------------------------


def _spans(part: str, text: str) -> Iterator[tuple[int, int, int]]:
    """The spans of one part without semicolons."""
    days: list[int] = []
    timed = False
    for piece in part.split(","):
        named, hours = _split_piece(piece.strip().lower(), text)
        if named:
            days = named if timed else days + named
            timed = False
        if hours is not None:
            timed = True
            yield from ((number, *hours) for number in days or range(7))
    if not timed:
        if not days:
            raise ambiguous(text, "has a part without days and hours")
        yield from ((number, 0, _DAY_MINUTES) for number in days)


def _split_piece(piece: str, text: str) -> tuple[list[int], tuple[int, int] | None]:
    words = piece.split()
    hours = _hours(words.pop(), text) if words and words[-1][:1].isdigit() else None
    if len(words) > 1 or (not words and hours is None):
        raise ambiguous(text, "is not written like `Mon-Fri 09:00-17:00`")
    return (_days(words[0], text) if words else []), hours


def _days(word: str, text: str) -> list[int]:
    if word in _GROUPS:
        return list(_GROUPS[word])
    first, dash, last = word.partition("-")
    start = _day(first, text)
    return [(start + n) % 7 for n in range((_day(last, text) - start) % 7 + 1)] if dash else [start]


def _day(name: str, text: str) -> int:
    for names in (DAYS, _LONG_DAYS):
        if name in names:
            return names.index(name)
    raise ambiguous(text, f"names an unknown day, {shown(name)}")


def _hours(word: str, text: str) -> tuple[int, int]:
    start, end = (_minute(clock, text) for clock in (word.split("-", 1) if "-" in word else (word, "")))
    if start in (end, _DAY_MINUTES):
        raise ambiguous(text, "has hours that are empty or a whole day")
    return start, end if end > start else end + _DAY_MINUTES


def _minute(clock: str, text: str) -> int:
    hours, _, minutes = clock.partition(":")
    if len(hours) == len(minutes) == 2 and is_decimal(hours + minutes):
        minute = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and minute <= _DAY_MINUTES:
            return minute
    raise ambiguous(text, "has hours that are not written like `09:00-17:00`")


def _clock(minute: int) -> str:
    minute = minute if minute <= _DAY_MINUTES else minute - _DAY_MINUTES
    return f"{minute // 60:02}:{minute % 60:02}"
