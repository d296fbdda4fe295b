"""What is asked of a store and what it answers: demands in, a grant or a refusal out.

Takes exact amounts (ints and Decimals) and keeps them as whole units of 10**-decimals, because whole
numbers add up to the same sum in Python, SQLite and Redis.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, TooLarge
from guardrails.exact import exact
from guardrails.model import Value
from guardrails.stores.windows import LIFETIME, window_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from guardrails.exact import Exact
    from guardrails.stores.windows import Window

# An object whose `__init__` is not run.
_bare = object.__new__
# Sums of two such numbers still fit a signed 64-bit integer, which is what SQLite and Redis count with.
MOST_UNITS = 2**62 - 1
MOST_DECIMALS = 18
SCALES = tuple([10**decimals for decimals in range(MOST_DECIMALS + 1)])

# Loaded on first use, because most amounts are ints.
_decimal: Any = None


class Demand(Value):
    """`amount` more on the counter `key`, which must not exceed `limit` within `window`.

    Amounts and limits have at most `decimals` digits after the point and are not negative. The same key
    with another window or another number of decimals is another counter, so one key can have several
    windows. Raises `EvaluationError` for an amount or limit that does not fit. Where many demands differ in
    key and amount only, a `Quota` makes them faster.

    With `member` the counter counts distinct members: a member that counts already is not charged again, it
    only counts for longer; the amount is 1. It counts until the last of its charges that were not given back
    has left; to settle one with 0 gives it back. A counter is given either members or amounts. With `left`
    nothing is charged (the amount is 0), and the demand fits only while something of the limit is left. `was`
    is the key that the counter had before: where there is none of the new key, the old one is renamed,
    charges and all; what was reserved under the old key is settled under it.
    """

    __slots__ = (
        "amount",
        "ceiling",
        "counter",
        "decimals",
        "key",
        "left",
        "limit",
        "member",
        "units",
        "was",
        "window",
    )
    _hidden = ("ceiling", "counter", "units")

    def __init__(
        self,
        key: str,
        amount: Exact,
        limit: Exact,
        window: Window | None = None,
        decimals: int = 0,
        *,
        member: str | None = None,
        left: bool = False,
        was: str | None = None,
    ) -> None:
        self.key = key
        self.amount = amount
        self.limit = limit
        self.window: Window = LIFETIME if window is None else window
        self.decimals = decimals
        self.member = member
        self.left = left
        self.was = was
        self.units = units(amount, decimals)
        self.ceiling = units(limit, decimals)
        self.counter = f"{key}{self.window.name}#{decimals}"
        if left or member is not None:
            _check_amount(self)

    def counter_before(self) -> str:
        """What the counter was named under the key that it had before."""
        return f"{self.was}{self.window.name}#{self.decimals}"


class Quota:
    """A limit to make demands on: `demand(key, amount)` is `Demand(key, amount, limit, ...)`, sooner.

    What the demands have in common is checked and converted once. Raises what `Demand` raises.
    """

    __slots__ = ("_ceiling", "_scale", "_suffix", "decimals", "left", "limit", "window")

    def __init__(
        self, limit: Exact, window: Window | None = None, decimals: int = 0, *, left: bool = False
    ) -> None:
        self.limit = limit
        self.window: Window = LIFETIME if window is None else window
        self.decimals = decimals
        self.left = left
        self._ceiling = units(limit, decimals)
        self._scale = SCALES[decimals]
        self._suffix = f"{self.window.name}#{decimals}"

    def demand(self, key: str, amount: Exact, *, member: str | None = None, was: str | None = None) -> Demand:
        demand = _bare(Demand)
        if amount.__class__ is int and 0 <= (whole := amount * self._scale) <= MOST_UNITS:
            demand.units = whole
        else:
            demand.units = units(amount, self.decimals)
        demand.key = key
        demand.amount = amount
        demand.limit = self.limit
        demand.window = self.window
        demand.decimals = self.decimals
        demand.member = member
        demand.left = left = self.left
        demand.was = was
        demand.ceiling = self._ceiling
        demand.counter = key + self._suffix
        if left or member is not None:
            _check_amount(demand)
        return demand


def _check_amount(demand: Demand) -> None:
    wanted = 0 if demand.left else 1
    if demand.amount != wanted or (demand.left and demand.member is not None):
        kind = "a demand that something is left" if demand.left else "a demand for a member"
        raise EvaluationError(f"{kind} has the amount {wanted} and is nothing else")


class Granted(Value):
    """All demands were reserved. `fills` says per demand how much of its limit is used now, itself included."""

    __slots__ = ("_demands", "_fills", "reservation")

    def __init__(self, reservation: str, fills: tuple[Exact, ...]) -> None:
        self.reservation = reservation
        self._fills: Sequence[Any] = fills
        self._demands: Sequence[Demand] | None = None

    @property
    def fills(self) -> tuple[Exact, ...]:
        # Made when they are asked for: most callers only want the reservation.
        demands = self._demands
        if demands is not None:
            self._fills, self._demands = amounts_of(self._fills, demands), None
        return tuple(self._fills)

    def _key(self) -> tuple[object, ...]:
        return self.reservation, self.fills

    def __repr__(self) -> str:
        return f"Granted(reservation={self.reservation!r}, fills={self.fills!r})"


def granted_units(reservation: str, totals: Sequence[int], demands: Sequence[Demand]) -> Granted:
    """The grant whose fills are `totals`, in the units of `demands`; neither may change any more."""
    grant = _bare(Granted)
    grant.reservation = reservation
    grant._fills = totals
    grant._demands = demands
    return grant


class Refused(Value):
    """Nothing was reserved, because the demand at `index` does not fit.

    `fills` says how much was used per demand up to that one. After `retry_after` microseconds enough of it
    will have left the window, if nothing else is charged (a lower bound where very many charges have to
    leave); None: waiting does not help.
    """

    __slots__ = ("fills", "index", "retry_after")

    def __init__(self, index: int, retry_after: int | None, fills: tuple[Exact, ...]) -> None:
        self.index = index
        self.retry_after = retry_after
        self.fills = fills


class Fill(Value):
    """How full the counter `key` is: `used` of `limit`, of which `reserved` is not settled yet.

    Of members those are reserved that nothing settled holds.
    """

    __slots__ = ("key", "limit", "reserved", "used")

    def __init__(self, key: str, used: Exact, reserved: Exact, limit: Exact) -> None:
        self.key = key
        self.used = used
        self.reserved = reserved
        self.limit = limit


class Level(Value):
    """How full a counter is that nobody asked for by name: `used` of it within `window`, `reserved` of that
    not settled yet. What it is limited to is the policy's to say."""

    __slots__ = ("decimals", "key", "reserved", "used", "window")

    def __init__(self, key: str, window: Window, decimals: int, used: Exact, reserved: Exact) -> None:
        self.key = key
        self.window = window
        self.decimals = decimals
        self.used = used
        self.reserved = reserved


class RequestReused(EvaluationError):
    """One idempotency key came with two different sets of demands."""

    def __init__(self, request: str) -> None:
        super().__init__(f"the request `{request}` was made before with other demands")


def units(amount: Exact, decimals: int) -> int:
    """`amount` in units of 10**-decimals; an error if it is negative, too fine or too large."""
    plain = amount.__class__ is int and decimals == 0
    whole = int(amount) if plain else _whole(amount, decimals)
    if whole < 0:
        raise EvaluationError(f"`{amount}` is negative, and only amounts from 0 can be charged")
    if whole > MOST_UNITS:
        raise TooLarge(f"`{amount}` is more than a counter can hold")
    return whole


def amount_of(whole: int, decimals: int) -> Exact:
    """The amount that `whole` units are: an int without decimals, else a Decimal."""
    if decimals == 0:
        return whole
    from decimal import Decimal

    return Decimal(f"{whole}E-{decimals}")


def amounts_of(wholes: Iterable[int], demands: Iterable[Demand]) -> tuple[Exact, ...]:
    return tuple(
        [amount_of(w, d.decimals) if d.decimals else w for w, d in zip(wholes, demands, strict=False)]
    )


def settlements(actual: Mapping[str, Exact] | None, charged: Sequence[tuple[str, int]]) -> list[int | None]:
    """Per charge, given as `(key, decimals)`, the units that `actual` reports; None: the estimate stands.

    Raises `EvaluationError` for a key that is not among the charges.
    """
    if actual is None:
        return [None] * len(charged)
    unknown = set(actual) - {key for key, _ in charged}
    if unknown:
        raise EvaluationError(f"nothing was reserved on `{min(unknown)}`")
    return [units(actual[key], decimals) if key in actual else None for key, decimals in charged]


def counter_parts(counter: str) -> tuple[str, Window, int]:
    """Key, window and decimals of the counter that has this name."""
    rest, _, decimals = counter.rpartition("#")
    key, _, window = rest.rpartition("|")
    return key, window_named(f"|{window}"), int(decimals)


def levels_of(counters: Iterable[tuple[str, int, int]], prefix: str) -> tuple[Level, ...]:
    """The levels of counters, given as name, units used and reserved, that are in use and fit `prefix`."""
    levels = []
    for name, used, reserved in counters:
        key, window, decimals = counter_parts(name)
        if (used or reserved) and key.startswith(prefix):
            amounts = amount_of(used, decimals), amount_of(reserved, decimals)
            levels.append(Level(key, window, decimals, *amounts))
    return tuple(sorted(levels, key=lambda level: (level.key, level.window.name, level.decimals)))


def signature(demands: Iterable[Demand]) -> str:
    """What a repeated request must ask for again: the same amounts and members on the same counters."""
    return "\n".join([f"{_asked(demand)} {demand.counter}" for demand in demands])


def _asked(demand: Demand) -> str:
    if demand.left:
        return "left"
    return str(demand.units) if demand.member is None else f"{demand.units} {demand.member!r}"


def _whole(amount: Any, decimals: int) -> int:
    if not 0 <= decimals <= MOST_DECIMALS:
        raise EvaluationError(f"amounts have 0 to {MOST_DECIMALS} decimals")
    number: Any = _finite(amount)
    if number.__class__ is int:
        return int(number * SCALES[decimals])
    size = number.adjusted() if number else 0
    # A tiny amount is as long, written as a fraction, as a huge one is.
    if size > 40:
        raise TooLarge(f"`{amount}` is more than a counter can hold")
    if size < -MOST_DECIMALS:
        whole, rest = (-1 if number < 0 else 0), 1
    else:
        numerator, denominator = number.as_integer_ratio()
        whole, rest = divmod(numerator * SCALES[decimals], denominator)
    if rest and whole >= 0:
        raise EvaluationError(f"`{amount}` has more than {decimals} decimals")
    return whole


def _finite(amount: Any) -> Exact:
    """`amount` as an int or a Decimal; errors for anything that is not a finite number."""
    global _decimal
    if _decimal is None:
        from decimal import Decimal

        _decimal = Decimal
    finite = amount.__class__ is _decimal and amount.is_finite()
    return amount if finite else exact(amount)
