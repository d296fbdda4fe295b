"""Limits, budgets and breakers of a unit: what an event claims, as demands and gates for a store.

Takes a claim, `(meter, amount, limits, keys)` as the compiled rules give it, and names the counters: the
statement's name, then the session where it counts sessions apart, then the values after `by`.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, MissingField
from guardrails.stores.breakers import Gate, Opening
from guardrails.stores.demands import Demand
from guardrails.stores.windows import Calendar, Sliding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from guardrails.stores.windows import Window

    Claim: TypeAlias = tuple[int, Any, tuple[Any, ...] | None, tuple[Any, ...]]

DAY = 86_400_000_000
SESSION = Sliding(365 * DAY, 365)
"""How long a session's own counters count: a year, after which a session is over in any case."""

SEPARATOR = "\x1f"
"""Stands between the parts of a counter's key; escaped where a value holds it."""

MOST_KNOWN = 4_096
"""Demands of a meter that are kept ready."""

MOST_KEY = 1_024
"""Characters of a counter's key."""


def meters_of(data: tuple[Any, ...]) -> tuple[Meter | Fuse, ...]:
    return tuple([Meter(part) if part[0] == "meter" else Fuse(part) for part in data])


def window_of(data: tuple[Any, ...]) -> Window:
    """`("sliding", width, slots)`, `("calendar", unit, zone)` or `("session",)` as a window."""
    if data[0] == "sliding":
        return Sliding(data[1], data[2])
    return Calendar(data[1], data[2]) if data[0] == "calendar" else SESSION


def amount_of(data: Any) -> Any:
    """A limit as it is stored, as the exact number it is."""
    if data.__class__ is tuple:
        from decimal import Decimal

        return Decimal(data[1])
    return data


class Meter:
    """One limit or budget: a demand for each of its windows."""

    __slots__ = (
        "_known", "bit", "by_session", "decimals", "degrade", "gate", "limits", "member", "name", "shadow",
        "warn_at", "was", "windows",
    )  # fmt: skip

    is_fuse = False

    def __init__(self, data: tuple[Any, ...]) -> None:
        _, self.bit, self.name, self.shadow, mode, limits, windows, self.decimals = data[:8]
        self.by_session, self.degrade, self.was, warn_at = data[8:]
        self.gate = mode == "gate"
        self.member = mode == "distinct"
        self.limits = None if limits is None else tuple(map(amount_of, limits))
        self.windows = tuple(map(window_of, windows))
        self.warn_at = tuple([amount_of(("decimal", level)) for level in warn_at])
        self._known: dict[tuple[Any, ...], list[Demand]] = {}

    def demands(self, claim: Claim, session: str) -> list[Demand]:
        """What the store is asked. Raises `EvaluationError` for an amount or key that cannot be counted.

        Demands do not change, so those that come again and again are made once. Only texts are looked up:
        1 and True are the same key to a dict, and not to a limit.
        """
        _, amount, limits, keys = claim
        for key in keys:
            if key.__class__ is not str:
                return self._made(claim, session)
        if limits is not None or self.member or amount.__class__ is tuple:
            return self._made(claim, session)
        asked = (amount, session, keys) if self.by_session else (amount, keys)
        found = self._known.get(asked)
        if found is None:
            found = self._made(claim, session)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[asked] = found
        return found

    def _made(self, claim: Claim, session: str) -> list[Demand]:
        _, amount, limits, keys = claim
        limits = self.limits if limits is None else tuple(map(_plain, limits))
        assert limits is not None
        if self.by_session and not session:
            raise MissingField("the event names no session, and this is counted by session")
        key = key_of(self.name, session if self.by_session else None, keys)
        if self.gate:
            return _one_each([
                Demand(key, 0, limit, window, self.decimals, left=True)
                for limit, window in zip(limits, self.windows, strict=True)
            ])  # fmt: skip
        member = part_of(amount) if self.member else None
        amount = 1 if self.member else _plain(amount)
        was = key_of(self.was, session if self.by_session else None, keys) if self.was else None
        return _one_each([
            Demand(key, amount, limit, window, self.decimals, member=member, was=was)
            for limit, window in zip(limits, self.windows, strict=True)
        ])  # fmt: skip


def _one_each(demands: list[Demand]) -> list[Demand]:
    """One demand on each counter: of two limits over the same window the tighter holds, and counts once."""
    if len(demands) == 1:
        return demands
    tightest: dict[str, Demand] = {}
    for demand in demands:
        known = tightest.get(demand.counter)
        if known is None or demand.ceiling < known.ceiling:
            tightest[demand.counter] = demand
    return list(tightest.values())


def are_plain(meters: tuple[Meter | Fuse, ...]) -> bool:
    """Whether a grant is all there is to say: no breaker, nothing in shadow, no levels to warn at."""
    return all(isinstance(meter, Meter) and not (meter.shadow or meter.warn_at) for meter in meters)


class Fuse:
    """One breaker: a gate."""

    __slots__ = ("bit", "name", "openings", "retry_after", "shadow")

    is_fuse = True

    def __init__(self, data: tuple[Any, ...]) -> None:
        _, self.bit, self.name, self.shadow, openings, self.retry_after = data
        self.openings = tuple([Opening(*opening) for opening in openings])

    def gate(self, claim: Claim) -> Gate:
        return Gate(key_of(self.name, None, claim[3]), self.openings, self.retry_after)


def _plain(amount: Any) -> Any:
    """An amount of money as the number that is summed."""
    return amount[0] if amount.__class__ is tuple else amount


# --- names of counters -------------------------------------------------------------------------


def key_of(name: str, session: str | None, keys: tuple[Any, ...]) -> str:
    """The counter of a meter for these values; different values give different keys."""
    if session is not None:
        name = f"{name}{SEPARATOR}@{_escaped(session)}"
    for value in keys:
        name = f"{name}{SEPARATOR}{part_of(value)}"
    if len(name) > MOST_KEY:
        raise EvaluationError(f"what the limit counts by has more than {MOST_KEY:,} characters")
    return name


def part_of(value: Any) -> str:
    """A value as a part of a key. Texts stand for themselves; `#` marks what is no text."""
    kind = value.__class__
    if kind is str:
        return _escaped(value)
    if kind is bool:
        return "#true" if value else "#false"
    if kind is int:
        return f"#{value}"
    if value is None:
        raise MissingField("there is nothing to count by here")
    if kind is tuple and len(value) == 2:
        return f"#{_number(value[0])} {value[1]}"
    text = getattr(value, "text", None)
    return _escaped(text) if text.__class__ is str else f"#{_number(value)}"


def _escaped(text: str) -> str:
    if SEPARATOR in text or text[:1] in ("#", "@", "\\"):
        return "\\" + text.replace("\\", "\\\\").replace(SEPARATOR, "\\u")
    return text


def _number(value: Any) -> str:
    """The shortest text of an exact number: 5, 5.0 and 5.00 are the same key."""
    from guardrails.exact import exact

    number = exact(value)
    if number.__class__ is int:
        return str(number)
    text = f"{number:f}"  # all of its digits, which `normalize` would round to those of a context
    return text.rstrip("0").rstrip(".") if "." in text else text


def parts_of(key: str) -> tuple[str, ...]:
    """The parts of a key as a person reads them: the meter's name, then session and values."""
    return tuple(map(_readable, key.split(SEPARATOR)))


def _readable(part: str) -> str:
    if part.startswith("\\"):
        return part[1:].replace("\\u", SEPARATOR).replace("\\\\", "\\")
    return part[1:] if part.startswith("#") else part
