"""What is said to the scripts in Redis; the same for sync and async.

Takes calls of the port, gives `Call`s: a script and its terms, flat, because whatever is packed into one text
has to be taken apart again in the server, where nothing else can run meanwhile.
"""

from __future__ import annotations

import os
from decimal import Decimal

from guardrails.errors import EvaluationError, TooLarge
from guardrails.exact import exact
from guardrails.stores.demands import signature
from guardrails.stores.port import KEEP
from guardrails.stores.redis_scripts import DOCUMENTS, LOOK, RESERVE, SETTLE
from guardrails.stores.windows import Calendar, Sliding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from guardrails.exact import Exact
    from guardrails.stores.breakers import Gate, Opening
    from guardrails.stores.demands import Demand
    from guardrails.stores.redis_address import Address
    from guardrails.stores.redis_scripts import Script
    from guardrails.stores.sessions import Note
    from guardrails.stores.windows import Window

_pack: Callable[[tuple[Any, ...]], bytes] | None
try:
    from hiredis import pack_command as _pack
except ImportError:
    _pack = None

MOST_PERIODS = 40
AGAIN = ("again", "", "")


class Call:
    """One run of `script`. `extra` is said in addition when it may have run already.

    Of the two keys that are named, one never exists: so a Cluster that is moving the slot, with some keys
    here and some there already, answers `TRYAGAIN` and runs no script on half of them.
    """

    __slots__ = ("_extra", "_prefix", "_terms", "script")

    def __init__(self, script: Script, prefix: str, terms: Sequence[Any], extra: Sequence[str] = ()) -> None:
        self.script = script
        self._prefix = prefix
        self._terms = terms
        self._extra = extra

    def packed(self) -> bytes:
        return packed(("EVALSHA", self.script.digest, 2, self._prefix, f"{self._prefix}c", *self._terms))

    def packed_again(self, *, whole: bool, repeated: bool) -> bytes:
        """For another try: `whole` sends the text of the script, `repeated` says that it may have run already."""
        script = ("EVAL", self.script.text) if whole else ("EVALSHA", self.script.digest)
        extra = self._extra if repeated else ()
        return packed((*script, 2, self._prefix, f"{self._prefix}c", *self._terms, *extra))


class Calls:
    """Makes the calls of one store."""

    def __init__(self, address: Address) -> None:
        self._prefix = address.prefix
        self._caller_clock = address.caller_clock
        self._periods: dict[str, tuple[int, int, int, str]] = {}

    def reserve(
        self,
        name: str,
        demands: Sequence[Demand],
        now: int,
        ttl: int | None,
        request: str | None,
        gates: Sequence[Gate],
        note: Note | None,
    ) -> Call:
        terms: list[Any] = [
            now if self._caller_clock else "", name, "" if ttl is None else ttl, len(demands),
        ]  # fmt: skip
        special = False
        for demand in demands:
            window = demand.window
            terms += (
                demand.counter, demand.units, demand.ceiling,
                window.width if isinstance(window, Sliding) and not window.buckets else self._window(window, now, ttl),
            )  # fmt: skip
            special = special or demand.member is not None or demand.left or demand.was is not None
        if special:
            terms += _specials(demands)
        if gates or note is not None or request is not None:
            terms += _company(demands, request, gates, note)
        return Call(RESERVE, self._prefix, terms, AGAIN)

    def commit(self, reservation: str, actual: Mapping[str, Exact] | None, now: int) -> Call:
        reported = [term for key, amount in (actual or {}).items() for term in (key, _plain(amount))]
        return self._settle("commit", reservation, now, reported)

    def release(self, reservation: str, now: int, *, failed: bool) -> Call:
        return self._settle("release", reservation, now, ["failed" if failed else ""])

    def fill(self, counters: Sequence[tuple[str, Window, str]], now: int) -> Call:
        """`counters` are name, window and the name that it had before, if any."""
        terms = [
            term for name, window, was in counters for term in (name, self._window(window, now, None), was)
        ]
        return self._look("fill", now, terms)

    def names(self, prefix: str, now: int) -> Call:
        return self._look("names", now, [prefix])

    def gauges(self, gates: Sequence[Gate], now: int) -> Call:
        return self._look("gauges", now, [term for gate in gates for term in (gate.key, _gate(gate))])

    def remember(self, note: Note, now: int) -> Call:
        after = "" if note.after is None else note.after
        terms = (self._time(now), "remember", note.session, note.text, note.keep, after, fresh_name())
        return Call(LOOK, self._prefix, terms, ("again",))

    def recall(self, session: str, after: int, now: int) -> Call:
        return self._look("recall", now, [session, after])

    def forget(self, session: str) -> Call:
        return self._look("forget", 0, [session])

    def halt(self, halt: Sequence[str], until: int | None, now: int) -> Call:
        """`halt` is scope, who and why."""
        return self._look("halt", now, [*halt, "" if until is None else until])

    def resume(self, scope: str) -> Call:
        return self._look("resume", 0, [scope])

    def halts(self, now: int) -> Call:
        return self._look("halts", now, [])

    def read(self, key: str, now: int) -> Call:
        return Call(DOCUMENTS, self._prefix, (self._time(now), "read", key))

    def swap(self, key: str, text: str, version: int, keep: int, now: int) -> Call:
        terms = (self._time(now), "swap", key, text, version, keep, fresh_name())
        return Call(DOCUMENTS, self._prefix, terms, ("again",))

    def scan(self, prefix: str, after: str, most: int, now: int) -> Call:
        return Call(DOCUMENTS, self._prefix, (self._time(now), "scan", prefix, after, most))

    def _time(self, now: int) -> int | str:
        return now if self._caller_clock else ""

    def _settle(self, operation: str, reservation: str, now: int, terms: Sequence[str]) -> Call:
        return Call(SETTLE, self._prefix, (self._time(now), operation, reservation, fresh_name(), *terms))

    def _look(self, operation: str, now: int, terms: Sequence[Any]) -> Call:
        return Call(LOOK, self._prefix, (self._time(now), operation, *terms))

    def _window(self, window: Window, now: int, ttl: int | None) -> int | str:
        """The window for a script, which knows no calendar: it is told the periods around `now`."""
        if isinstance(window, Sliding):
            return f"{window.width}/{window.step}" if window.buckets else window.width
        if not isinstance(window, Calendar):
            return ""
        needed = now + KEEP + (ttl or 0)
        cached = self._periods.get(window.name)
        if cached is None or not cached[0] <= now < cached[1] or cached[2] < needed:
            cached = self._periods[window.name] = _periods(window, now, needed)
        return cached[3]


def fresh_name() -> str:
    """A name that nobody else gives: in hexadecimal, because scripts take it apart by its colons."""
    return os.urandom(12).hex()


def packed(terms: tuple[Any, ...]) -> bytes:
    """A command as it goes over the wire."""
    if _pack is not None:
        try:
            return _pack(terms)
        except UnicodeEncodeError:
            pass
    parts = [b"*%d\r\n" % len(terms)]
    for term in terms:
        data = str(term).encode("utf-8", "surrogatepass")
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _periods(window: Calendar, now: int, needed: int) -> tuple[int, int, int, str]:
    """Start and end of the period around `now`, the end of the last that is told, and the text for the script.

    A call may be settled in a later period than it began in, so all of them up to `needed` are told.
    """
    start, end = window.bounds(now)
    bounds = [window.bounds(start - 1)[0], start, end]
    while len(bounds) < 4 or (bounds[-1] < needed and len(bounds) < MOST_PERIODS):
        bounds.append(window.bounds(bounds[-1])[1])
    return start, end, bounds[-1], " ".join(map(str, bounds))


def _specials(demands: Sequence[Demand]) -> list[Any]:
    terms: list[Any] = []
    for index, demand in enumerate(demands, 1):
        if demand.member is not None:
            terms += ("member", index, demand.member)
        if demand.left:
            terms += ("left", index, "")
        if demand.was is not None:
            terms += ("was", index, demand.counter_before())
    return terms


def _company(
    demands: Sequence[Demand], request: str | None, gates: Sequence[Gate], note: Note | None
) -> list[Any]:
    terms: list[Any] = []
    for gate in gates:
        terms += ("gate", gate.key, _gate(gate))
    if note is not None:
        after = "" if note.after is None else note.after
        terms += ("note", note.session, note.text, "noted", note.keep, after)
    if request is not None:
        terms += ("request", request, signature(demands))
    return terms


def _gate(gate: Gate) -> str:
    return str(gate.retry_after) + "".join(map(_opening, gate.openings))


def _opening(opening: Opening) -> str:
    part, whole = opening.share or (0, 0)
    return f";{opening.failures},{opening.window or 0},{part},{whole}"


def _plain(amount: Exact) -> str:
    """An amount as digits with a point; negative ones are an error."""
    number = exact(amount)
    if number < 0:
        raise EvaluationError(f"`{amount}` is negative, and only amounts from 0 can be charged")
    if number >= 10**40:
        raise TooLarge(f"`{amount}` is more than a counter can hold")
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
