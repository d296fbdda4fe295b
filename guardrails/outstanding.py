"""Outstanding calls: which charge waits for what becomes of which call, in this process and among all who share a store.

A call goes by its session, its tool and its id; those that share an id are told apart by a mark of their arguments.
Whoever tells what became of a call may leave the arguments out, or tell those that the policy changed. So the charge
with just this mark is taken first, and else the newest that waits: an outcome ends a charge, and never makes one.

Other processes read it in a document, one for each id. Nothing is decided anew for an outcome: that would charge again
what was charged, ask people about a call that is over, and look at arguments which are not those of the call.
"""

from __future__ import annotations

from hashlib import sha256
from threading import Lock

from guardrails.errors import Unavailable
from guardrails.stores.documents import Document
from guardrails.stores.port import KEEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

MOST_WITH_ONE_ID = 100
"""Calls with one id that are known; beyond them the oldest is left to run out, or stays charged."""

MAX_RACES = 64

OUTSTANDING = "outstanding/"


class Reservations:
    """Which reservation a call has whose outcome is waited for, by session and call. Thread-safe.

    At most `most`; beyond them the oldest is left to run out, or stays charged. As long as others wait under the same
    call, one that is over is remembered: its outcome, told again, is not theirs.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._lock = Lock()
        self._open: dict[tuple[str, str], dict[str, str]] = {}
        self._calls: dict[str, tuple[str, str, str]] = {}

    def keep(self, session: str, call: str, reservation: str, mark: str = "") -> None:
        """The call waits, instead of what waited under this very mark before."""
        with self._lock:
            self._end(reservation)
            while len(self._calls) >= self._most:
                self._end(next(iter(self._calls)))
            waiting = self._open.setdefault((session, call), {})
            self._calls.pop(waiting.pop(mark, ""), None)
            if len(waiting) >= MOST_WITH_ONE_ID:
                self._calls.pop(waiting.pop(next(iter(waiting))), None)
            waiting[mark] = reservation
            self._calls[reservation] = session, call, mark

    def take(self, session: str, call: str, mark: Callable[[], str] = str) -> str:
        """The reservation of a call, which is then no longer waited for; empty when there is none. `mark` is asked
        where there are several: one that none of them has takes the newest."""
        with self._lock:
            waiting = self._open.get((session, call))
            if waiting is None:
                return ""
            found = waiting.get(mark()) if len(waiting) > 1 else None
            if found is None:
                found = next(filter(None, reversed(waiting.values())))
            self._end(found)
            return found

    def drop(self, reservation: str) -> None:
        """Somebody knows the outcome of this reservation's call: it is no longer waited for."""
        with self._lock:
            self._end(reservation)

    def _end(self, reservation: str) -> None:
        call = self._calls.pop(reservation, None)
        if call is None:
            return
        waiting = self._open[call[:2]]
        waiting[call[2]] = ""
        if not any(waiting.values()):
            del self._open[call[:2]]

    def __bool__(self) -> bool:
        return bool(self._open)


# --- among all who share a store ---------------------------------------------------------------


class Waiting:
    """A charge whose outcome may be told by anybody: until when the store knows of it (microseconds), and whether it
    was told already."""

    __slots__ = ("is_told", "mark", "reservation", "until")

    def __init__(self, mark: str, reservation: str, until: int, is_told: int = 0) -> None:
        self.mark = mark
        self.reservation = reservation
        self.until = until
        self.is_told = is_told


def key_of(session: str, tool: str, call_id: str) -> str:
    """The key of what waits under an id. No other session, tool or id has it."""
    name = f"{len(session)},{len(tool)}\x1f{session}\x1f{tool}\x1f{call_id}"
    return OUTSTANDING + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def until_of(now: int, ttl: int | None) -> int:
    """Until when a store knows of what is charged now for `ttl` microseconds (None: for good)."""
    return now + (ttl or 0) + KEEP


def written_down(key: str, call: Waiting, now: int) -> Generator[Any, Any, None]:
    """Write down that a call waits. Raises `Unavailable` without the store."""
    version, waiting = 0, [call]
    for _ in range(MAX_RACES):
        if (yield from _swapped(key, waiting, version, now)):
            return
        document = yield ("read", (key,), {"now": now})
        version, before = (0, []) if document is None else (document.version, _read(document.text))
        if any(each.reservation == call.reservation for each in before):
            return
        others = [each for each in before if each.mark != call.mark and each.until > now]
        waiting = [*others[1 - MOST_WITH_ONE_ID :], call]
    raise Unavailable("what waits under the id of the call changed too often")


def told(key: str, mark: Callable[[], str], now: int) -> Generator[Any, Any, str]:
    """The reservation of the call that an outcome is of; empty where none is known. An outcome that is told again is
    of the same call. Raises `Unavailable` without the store."""
    for _ in range(MAX_RACES):
        document = yield ("read", (key,), {"now": now})
        waiting = [] if document is None else _read(document.text)
        if len(waiting) < 2:
            return waiting[0].reservation if waiting else ""
        found = _meant(waiting, mark())
        if found.is_told:
            return found.reservation
        found.is_told = 1
        if (yield from _swapped(key, waiting, document.version, now)):
            return found.reservation
    raise Unavailable("what waits under the id of the call changed too often")


def _meant(waiting: list[Waiting], mark: str) -> Waiting:
    """The call with this mark, else the newest whose outcome nobody told."""
    newest_first = waiting[::-1]
    same = (each for each in newest_first if each.mark == mark)
    untold = (each for each in newest_first if not each.is_told)
    return next(same, None) or next(untold, newest_first[0])


def _swapped(key: str, waiting: list[Waiting], version: int, now: int) -> Generator[Any, Any, bool]:
    from json import dumps  # not above: a check that counts, and names no call, does without

    text = dumps([[each.mark, each.reservation, each.until, each.is_told] for each in waiting])
    keep = max(each.until for each in waiting) - now
    answer = yield ("swap", (key, text), {"version": version, "keep": max(keep, 1), "now": now})
    return isinstance(answer, Document)


def _read(text: str) -> list[Waiting]:
    from json import loads

    return [Waiting(*fields) for fields in loads(text)]
