"""Halts: who stopped what, and until when.

A scope is a text whose meaning is the engine's (`all`, `agent:scout`); a store only keeps one halt per scope.
"""

from __future__ import annotations

from guardrails.model import Value


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
