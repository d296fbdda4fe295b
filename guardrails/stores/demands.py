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

    from guardrails.exact import Exact
    from guardrails.stores.windows import Window

# Sums of two such numbers still fit a signed 64-bit integer, which is what SQLite and Redis count with.
MOST_UNITS = 2**62 - 1
MOST_DECIMALS = 18


class Demand(Value):
    """`amount` more on the counter `key`, which must not exceed `limit` within `window`.

    Amounts and limits have at most `decimals` digits after the point and are not negative. The same key
    with another window or another number of decimals is another counter, so one key can have several
    windows. Raises `EvaluationError` for an amount or limit that does not fit.

    With `member` the counter counts distinct members: a member that counts already is not charged again, it
    only counts for longer; the amount is 1. With `left` nothing is charged (the amount is 0), and the demand
    fits only while something of the limit is left. `was` is the key that the counter had before: where there
    is none of the new key, the old one is renamed, charges and all.
    """

    __slots__ = ("amount", "ceiling", "counter", "decimals", "key", "left", "limit", "member", "units", "was", "window")
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


class Granted(Value):
    """All demands were reserved. `fills` says per demand how much of its limit is used now, itself included."""

    __slots__ = ("fills", "reservation")

    def __init__(self, reservation: str, fills: tuple[Exact, ...]) -> None:
        self.reservation = reservation
        self.fills = fills


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
    """How full the counter `key` is: `used` of `limit`, of which `reserved` is not settled yet."""

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
    whole = int(amount) if plain else _whole(exact(amount), decimals)
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


def signature(demands: Iterable[Demand]) -> str:
    """What a repeated request must ask for again: the same amounts on the same counters."""
    return "\n".join([f"{demand.units} {demand.counter}" for demand in demands])


def _whole(amount: Exact, decimals: int) -> int:
    if not 0 <= decimals <= MOST_DECIMALS:
        raise EvaluationError(f"amounts have 0 to {MOST_DECIMALS} decimals")
    if amount.__class__ is int:
        return shift(int(amount), decimals)
    from decimal import Decimal

    _, digits, exponent = Decimal(amount).as_tuple()
    if not isinstance(exponent, int) or exponent + len(digits) > 40:
        raise TooLarge(f"`{amount}` is more than a counter can hold")
    shifted = exponent + decimals
    size = int("".join(map(str, digits)))
    whole, rest = (shift(size, shifted), 0) if shifted >= 0 else divmod(size, shift(1, -shifted))
    if rest:
        raise EvaluationError(f"`{amount}` has more than {decimals} decimals")
    return -whole if amount < 0 else whole


def shift(whole: int, places: int) -> int:
    """`whole` with `places` zeros behind it."""
    return whole * int(10**places)
