"""Remembering: events that a host tells more than once, kept in a store.

Takes the name of an event by which it is known again (`once`), gives what became of it before. Hosts run steps again when
a session goes on, some fire a hook twice, and the process that hears of a result is often not the one that let the call
through.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.model import Decision

KEEP = 7 * 86_400_000_000
"""How long an event is known again, in microseconds."""

HOLD = 86_400.0
"""Seconds in which the person at a host has answered, and the call has run."""

THERE = "the host asks whoever sits there, and runs the call only if they agree"

EVENTS, QUESTIONS = "hook/", "hook/asked/"


class Remembered:
    """What a guard's store knows of the events of a host."""

    __slots__ = ("_guard",)

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def decided(self, event: Any, once: str, decide: Callable[[Any], Decision]) -> Decision:
        """The decision on an event that may have been decided before: then `decide`, which writes it down, is asked
        only if it is another one now."""
        from guardrails.reporting import decided

        name = self._name(event)
        known = self._read(EVENTS, once)
        if known.startswith(name):
            again = decided(self._guard, event, None)
            if known.startswith(f"{name} {again.outcome.value} "):
                return again
        decision = decide(event)
        self._write(EVENTS, once, f"{name} {decision.outcome.value} {decision.reservation}")
        return decision

    def held(self, once: str) -> str:
        """The reservation of an earlier event; empty where none is known."""
        known = self._read(EVENTS, once)
        return known.split(" ")[2] if known else ""

    def keep(self, once: str, event: Any, text: str) -> None:
        """Keep a text with an event."""
        self._write(QUESTIONS, once, f"{self._name(event)} {text}")

    def kept(self, once: str, event: Any) -> str:
        """What is kept with this very event; empty for another one."""
        name, _, text = self._read(QUESTIONS, once).partition(" ")
        return text if name == self._name(event) else ""

    def approve(self, decision: Decision, host: str, present: Iterable[str] = ()) -> None:
        """Answer what a decision asks, for whoever is at the host."""
        from guardrails.approvals.presence import desk_of

        assert decision.request is not None
        person = f"whoever is at {host}"
        desk_of(self._guard, present, person).approve(decision.request, by=person, reason=THERE)

    # --- inside --------------------------------------------------------------------------------

    def _read(self, kind: str, once: str) -> str:
        known = self._guard.state.store.read(kind + _digest(once), now=self._guard.clock.now())
        return known.text if known else ""

    def _write(self, kind: str, once: str, text: str) -> None:
        """The last one to write is right: they all tell of the same event."""
        store, key, now = self._guard.state.store, kind + _digest(once), self._guard.clock.now()
        known = store.read(key, now=now)
        store.swap(key, text, version=known.version if known else 0, keep=KEEP, now=now)

    def _name(self, event: Any) -> str:
        """What stands for an event and the policy that decides it."""
        from guardrails.strict_json import write_json

        return _digest(self._guard.digest + write_json(event, by_name=True))


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
