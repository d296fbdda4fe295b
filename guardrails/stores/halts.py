"""The kill switch: who stopped what, and a watch that sees it without asking the store at each call.

Takes a store, gives the halts that are in force. A scope is a text whose meaning is the engine's (`all`,
`agent:scout`); a store only keeps one halt per scope.
"""

from __future__ import annotations

from threading import Lock

from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.stores.port import Store

# Half of the 100 ms within which a halt must be seen, so that reading it may take the other half.
STALENESS = 50_000


class Halt(Value):
    """`scope` was stopped by `who` because of `why` at `since`, until `until` (None: until resumed)."""

    __slots__ = ("scope", "since", "until", "who", "why")

    def __init__(self, scope: str, who: str, why: str, since: int, until: int | None = None) -> None:
        self.scope = scope
        self.who = who
        self.why = why
        self.since = since
        self.until = until

    def in_force(self, now: int) -> bool:
        return self.until is None or now < self.until


class HaltWatch:
    """The halts of a store as they were at most `staleness` microseconds ago; 0 asks each time.

    A clock that steps back makes it ask too. Whatever the store raises is raised on: not knowing of a halt
    is no reason to go on.
    """

    def __init__(self, store: Store, staleness: int = STALENESS) -> None:
        self._store = store
        self._staleness = staleness
        self._lock = Lock()
        self._read: tuple[int, tuple[Halt, ...]] | None = None

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        read = self._read
        if read is None or not 0 <= now - read[0] < self._staleness:
            with self._lock:
                read = self._read = (now, self._store.halts(now=now))
        return tuple([halt for halt in read[1] if halt.in_force(now)]) if read[1] else ()
