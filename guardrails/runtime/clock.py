"""The system's clock, and one that stands still until it is told to move."""

from __future__ import annotations

from time import time_ns


class SystemClock:
    """The wall clock of this machine."""

    __slots__ = ()

    def now(self) -> int:
        return time_ns() // 1_000


class FrozenClock:
    """A clock for tests and replays; `at` is microseconds since 1970."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def advance(self, microseconds: int) -> None:
        self.at += microseconds
