"""How full limits, budgets and breakers are: what the policy says of them, and what the store has counted.

Takes a guard, gives a value for each counter that is in use, and one for each that nothing has used yet.
Asking charges nothing. The idea: the policy names what it counts, and a counter's key begins with that name,
so the store is asked for the keys and the policy for what they mean.
"""

from __future__ import annotations

from guardrails.model import Place, Value
from guardrails.runtime.meters import SEPARATOR, SESSION, amount_of, key_of, parts_of, window_of
from guardrails.stores.breakers import Gate, Opening
from guardrails.stores.demands import Demand, Granted, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from guardrails.exact import Exact
    from guardrails.guard import Guard
    from guardrails.stores.demands import Level
    from guardrails.stores.port import Store
    from guardrails.stores.windows import Window

    # Used, of that reserved, and the seconds until there is room.
    Amounts: TypeAlias = tuple[Exact, Exact, float | None]

SECOND = 1_000_000


class Described:
    """What a policy says of one limit, budget or breaker; read from the head of its program."""

    __slots__ = (
        "by", "by_session", "decimals", "key", "kind", "limits", "measure", "name", "openings", "place",
        "retry_after", "shadow", "unit", "windows",
    )  # fmt: skip

    def __init__(self, data: tuple[Any, ...]) -> None:
        self.kind, self.key, self.name, self.by, place, self.measure, self.unit, limits, windows = data[:9]
        self.decimals, self.by_session, self.shadow = data[9:]
        self.place = Place(*place)
        self.openings, self.retry_after = [], 0
        self.limits: tuple[Exact | None, ...] = ()
        if self.kind == "breaker":
            self.openings, self.retry_after = [Opening(*opening) for opening in limits[0]], limits[1]
        else:
            self.limits = tuple(map(amount_of, limits)) if limits else (None,) * len(windows)
        self.windows = tuple(map(window_of, windows))


class LimitState(Value):
    """How full one counter of a limit or budget is, in one of its windows.

    `kind` is limit or budget, `measure` what is counted, in `unit` (a currency, or empty; times are in
    microseconds). `by` are the expressions that it counts by, and `values` what they are here: none where
    nothing was counted yet. `session` is its session where sessions are counted apart. `used` includes
    `reserved`, which is not settled yet. `limit` is None where it depends on the event. After `room_in`
    seconds some of it is given back; None: not known, or not by waiting.
    """

    __slots__ = (
        "by", "kind", "limit", "measure", "name", "place", "reserved", "room_in", "session", "shadow", "unit",
        "used", "values", "window",
    )  # fmt: skip

    def __init__(
        self, meter: Described, key: Key, window: Window, limit: Exact | None, amounts: Amounts
    ) -> None:
        self.kind = meter.kind
        self.name = meter.name
        self.place = meter.place
        self.measure = meter.measure
        self.unit = meter.unit
        self.shadow = meter.shadow
        self.by = meter.by
        self.values = key.values
        self.session = key.session
        self.window = window
        self.limit = limit
        self.used, self.reserved, self.room_in = amounts

    @property
    def is_full(self) -> bool:
        return self.limit is not None and self.used >= self.limit

    @property
    def per(self) -> str:
        """The window in words: `1d`, `month in Europe/Berlin`, `session`."""
        return _window_in_words(self.window)


class BreakerState(Value):
    """What a breaker does now: `state` is closed, open, half open, or empty for one that counts apart `by`
    values of which none is named. `failures` of `outcomes` count now; an open one lets a trial call through
    after `retry_in` seconds."""

    __slots__ = ("by", "failures", "name", "outcomes", "place", "retry_in", "shadow", "state", "values")

    kind = "breaker"

    def __init__(self, meter: Described, key: Key, gauge: Any = None) -> None:
        self.name = meter.name
        self.place = meter.place
        self.shadow = meter.shadow
        self.by = meter.by
        self.values = key.values
        self.state = gauge.state if gauge else ""
        self.failures = gauge.failures if gauge else 0
        self.outcomes = gauge.outcomes if gauge else 0
        wait = gauge.retry_after if gauge else None
        self.retry_in = None if wait is None else wait / SECOND


class Key(Value):
    """A counter: its session, if it has one, and the values that it counts by, as a person reads them."""

    __slots__ = ("name", "session", "values")

    def __init__(self, name: str, session: str | None = None, values: tuple[str, ...] = ()) -> None:
        self.name = name
        self.session = session
        self.values = values


def limits_of(
    guard: Guard, *, session: str | None = None, principal: str | None = None
) -> tuple[LimitState | BreakerState, ...]:
    """The limits, budgets and breakers of a guard's policy, in its order. See `Guard.limits`."""
    look = _Look(guard.state.store, guard.clock.now(), session, principal)
    described = map(Described, guard.engine.program.head["meters"])
    return tuple([state for meter in described for state in look.at(meter)])


class _Look:
    """One look at a store: everything, or what concerns a session or a principal."""

    def __init__(self, store: Store, now: int, session: str | None, principal: str | None) -> None:
        self.store = store
        self.now = now
        self.session = session
        self.principal = principal
        self.all = session is None and principal is None

    def at(self, meter: Described) -> Iterator[LimitState | BreakerState]:
        if meter.kind == "breaker":
            yield from self.breaker(meter)
            return
        levels = [level for level in self.store.levels(meter.key, now=self.now) if _is_of(level.key, meter)]
        by_key = {(level.key, level.window.name): level for level in levels}
        used = [self.read(name, meter) for name in dict.fromkeys(level.key for level in levels)]
        for key in [key for key in used if self.concerns(key, meter)] or self.unused(meter):
            for window, limit in zip(meter.windows, meter.limits, strict=True):
                yield self.state(meter, key, window, limit, by_key.get((key.name, window.name)))

    def read(self, name: str, meter: Described) -> Key:
        """A counter's key taken apart."""
        parts = name.split(SEPARATOR)[1:]
        session = parts.pop(0)[1:] if meter.by_session and parts else None
        return Key(
            name, None if session is None else parts_of(session)[0], tuple([parts_of(p)[0] for p in parts])
        )

    def concerns(self, key: Key, meter: Described) -> bool:
        if self.all:
            return True
        of_session = self.session is not None and key.session == self.session
        return of_session or (self.principal is not None and self.principal in key.values)

    def unused(self, meter: Described) -> list[Key]:
        """A counter that nothing has used yet, where it concerns who is asked about."""
        if self.session is not None and meter.by_session:
            return [Key(key_of(meter.key, self.session, ()), self.session)]
        if self.principal is not None and len(meter.by) == 1 and meter.by[0].startswith("principal"):
            return [Key(key_of(meter.key, None, (self.principal,)), None, (self.principal,))]
        return [Key(meter.key)] if self.all else []

    def state(
        self, meter: Described, key: Key, window: Window, limit: Exact | None, level: Level | None
    ) -> LimitState:
        used, reserved = (_short(level.used), _short(level.reserved)) if level else (0, 0)
        room = None
        if level and window is not SESSION:
            room = self.room_in(_probe(meter, key, window, limit), used, limit)
        return LimitState(meter, key, window, limit, (used, reserved, room))

    def room_in(self, asked: Demand, used: Exact, limit: Exact | None) -> float | None:
        """Seconds until there is room again. Only a refusal of the store knows it for a window that slides, so
        a full one is asked for a little more."""
        bounds = getattr(asked.window, "bounds", None)
        if bounds:
            return float(bounds(self.now)[1] - self.now) / SECOND
        if limit is None or used < limit:
            return None
        answer = self.store.reserve([asked], now=self.now, ttl=1)
        if isinstance(answer, Granted):
            self.store.release(answer.reservation, now=self.now)
            return 0.0
        wait = answer.retry_after if isinstance(answer, Refused) else None
        return None if wait is None else wait / SECOND

    def breaker(self, meter: Described) -> Iterator[BreakerState]:
        """Of breakers that count apart only those can be named whose key is known."""
        if not meter.by:
            if self.all:
                yield self.gauged(meter, Key(meter.key))
            return
        keys = self.unused(meter)
        yield from (self.gauged(meter, key) if key.values else BreakerState(meter, key) for key in keys)

    def gauged(self, meter: Described, key: Key) -> BreakerState:
        gate = Gate(key.name, tuple(meter.openings), meter.retry_after)
        return BreakerState(meter, key, self.store.gauges([gate], now=self.now)[0])


def _probe(meter: Described, key: Key, window: Window, limit: Exact | None) -> Demand:
    """What a full counter refuses: one more member, or nothing while something has to be left."""
    if meter.measure.startswith("distinct"):
        return Demand(key.name, 1, limit or 0, window, meter.decimals, member=SEPARATOR)
    return Demand(key.name, 0, limit or 0, window, meter.decimals, left=True)


def _short(amount: Exact) -> Exact:
    """The amount without zeros behind its last digit: a counter gives all that it keeps."""
    if isinstance(amount, int):
        return amount
    whole = int(amount)
    return whole if whole == amount else amount.normalize()


def _is_of(key: str, meter: Described) -> bool:
    return key == meter.key or key.startswith(meter.key + SEPARATOR)


def _window_in_words(window: Window) -> str:
    if window == SESSION:
        return "session"
    width = getattr(window, "width", None)
    if width is not None:
        from guardrails.runtime.refusals import span_of

        return span_of(width / SECOND)
    unit, zone = getattr(window, "unit", ""), getattr(window, "zone", "UTC")
    return f"{unit} in {zone}" if unit and zone != "UTC" else str(unit)
