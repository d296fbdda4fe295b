"""Windows: which stretch of time a limit counts over.

Takes and gives microseconds since 1970. Every window answers the same three questions, and a store needs no
others: under which *stamp* a charge is filed, up to which *horizon* stamps no longer count, and when the
charges under a stamp stop counting. So one piece of code serves sliding windows, calendar periods and
limits without a window.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import TypeAlias

    Window: TypeAlias = "Sliding | Calendar | Lifetime"

UNITS = ("day", "week", "month", "year")


class Sliding(Value):
    """The last `width` microseconds: at every instant t, charges in (t - width, t] count.

    With `buckets` = 0 each charge leaves on its own microsecond. With `buckets` = k charges are filed in
    slots of width / k, at most k + 2 of them are kept, and each counts as if it had come at the end of its
    slot: never more is admitted than in the exact form, and room comes back at most width / k later.
    """

    __slots__ = ("buckets", "name", "step", "width")
    _hidden = ("name", "step")

    def __init__(self, width: int, buckets: int = 0) -> None:
        if width < 1 or buckets < 0 or buckets > width:
            raise EvaluationError("a window is at least 1 µs wide and its buckets are too")
        self.width = width
        self.buckets = buckets
        self.step = -(-width // buckets) if buckets else 1
        self.name = f"|{width}/{buckets}" if buckets else f"|{width}"

    def stamp(self, at: int) -> int:
        step = self.step
        return at - at % step + step - 1

    def horizon(self, at: int) -> int:
        return at - self.width

    def ends(self, stamp: int) -> int | None:
        """The instant from which charges under `stamp` no longer count; None: never."""
        return stamp + self.width


class Calendar(Value):
    """The current day, week (from Monday), month or year as clocks on the wall in `zone` show it."""

    __slots__ = ("_end", "_start", "name", "unit", "zone")
    _hidden = ("_end", "_start", "name")

    def __init__(self, unit: str, zone: str = "UTC") -> None:
        if unit not in UNITS:
            raise EvaluationError(f"`{unit}` is not a calendar period")
        self.unit = unit
        self.zone = zone
        self.name = f"|{unit}@{zone}"
        self._start = self._end = 0

    def bounds(self, at: int) -> tuple[int, int]:
        """First microsecond of the period that holds `at`, and first one of the next."""
        start, end = self._start, self._end
        if not start <= at < end:
            start, end = calendar_bounds(self.unit, self.zone, at)
            self._start, self._end = start, end
        return start, end

    def stamp(self, at: int) -> int:
        return self.bounds(at)[0]

    def horizon(self, at: int) -> int:
        return self.bounds(at)[0] - 1

    def ends(self, stamp: int) -> int | None:
        return self.bounds(stamp)[1]


class Lifetime(Value):
    """All of time: what was charged stays charged."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = "|"

    def stamp(self, at: int) -> int:
        return 0

    def horizon(self, at: int) -> int:
        return -1

    def ends(self, stamp: int) -> int | None:
        return None


LIFETIME = Lifetime()


def window_named(name: str) -> Window:
    """The window whose `name` this is: how a store finds out what a counter of its counts over."""
    text = name[1:]
    if not text:
        return LIFETIME
    if "@" in text:
        unit, zone = text.split("@", 1)
        return Calendar(unit, zone)
    width, _, buckets = text.partition("/")
    return Sliding(int(width), int(buckets or 0))


def calendar_bounds(unit: str, zone: str, at: int) -> tuple[int, int]:
    """The period of `unit` in `zone` around `at`, as microseconds `(start, end)`.

    Raises `EvaluationError` for a zone that this machine does not know.
    """
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise EvaluationError(f"`{zone}` is not a known time zone") from error
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    local = (epoch + timedelta(microseconds=at)).astimezone(place)
    # Midnight is found on the wall, where days may have 23 or 25 hours, and only then turned into UTC.
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    first = _first_day(unit, midnight)

    def instant(moment: datetime) -> int:
        return (moment.astimezone(UTC) - epoch) // timedelta(microseconds=1)

    return instant(first), instant(_next_first_day(unit, first))


def _first_day(unit: str, midnight: datetime) -> datetime:
    from datetime import timedelta

    if unit == "week":
        return midnight - timedelta(days=midnight.weekday())
    if unit == "month":
        return midnight.replace(day=1)
    return midnight.replace(month=1, day=1) if unit == "year" else midnight


def _next_first_day(unit: str, first: datetime) -> datetime:
    from datetime import timedelta

    if unit == "year":
        return first.replace(year=first.year + 1)
    if unit == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if unit == "week" else 1)
