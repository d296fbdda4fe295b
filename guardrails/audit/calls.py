"""Calls: which decision an outcome belongs to.

Takes calls and what was decided of them, gives the id of that decision, and what is held for the call, when its
result or its end is told. What is known is bounded: of the oldest calls nothing is known any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit.record import as_json

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.observing import Check

MOST = 10_000
"""Calls that are known at least; twice as many are at most."""

HELD = "held"
"""Beside the name of a reservation, by which a call is known as well."""

NOT_KNOWN = ("", "")


class Calls:
    """Remembers calls. Thread-safe: a race forgets the oldest ones early."""

    __slots__ = ("_known", "_older")

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[str, str]] = {}
        self._older = self._known

    def keep(self, check: Check, args: bytes, decision: Decision) -> None:
        """Remember a call with these arguments, as JSON."""
        known, reservation = self._known, decision.reservation
        call_id, found = check.call_id, (decision.id, reservation)
        if call_id is None:
            tool = check.tool
            known[check.session, tool if tool.__class__ is str else repr(tool), hash(args)] = found
        else:
            known[check.session, call_id] = found
        if reservation:
            known[check.session, HELD, reservation] = found
        if len(known) >= MOST:
            self._older, self._known = known, {}

    def intent_of(self, check: Check) -> tuple[str, str]:
        """The id of the decision on the call that this became of, and the name of what is held for it."""
        held = check.reservation
        named = self._at((check.session, HELD, held)) if held else None
        id, reservation = named or self._at(_key_of(check)) or NOT_KNOWN
        return id, held or reservation

    def _at(self, key: tuple[Any, ...]) -> tuple[str, str] | None:
        return self._known.get(key) or self._older.get(key)


def _key_of(check: Check) -> tuple[Any, ...]:
    """How an outcome finds its call: by the call's id, else by the tool and equal arguments."""
    if check.call_id is not None:
        return check.session, check.call_id
    tool = check.tool
    return check.session, tool if tool.__class__ is str else repr(tool), hash(as_json(check.args))
