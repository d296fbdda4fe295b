"""What a log says once and means later: the arguments of a call, and who a session works for.

The record of a result, or of a report, does not repeat them; it has None there. Takes events in order of time,
gives them complete. What no record says is left out.
"""

from __future__ import annotations

from typing import Any

from guardrails.testing.replay_items import Recorded

MOST_OPEN = 10_000
"""Calls of one session whose arguments are kept until something becomes of them."""


class Calls:
    """Arguments of calls and people of sessions, as far as a log has said them."""

    def __init__(self) -> None:
        self._args: dict[str, dict[str, Any]] = {}
        self._people: dict[str, dict[str, Any]] = {}

    def completed(
        self, event: dict[str, Any], session: str | None, recorded: Recorded | None
    ) -> dict[str, Any]:
        """The event with what its session said before."""
        if session is not None and recorded is not None:
            self._keep(session, event)
        if event.get("args", "") is not None and event.get("principal", "") is not None:
            return event
        more = dict(self._people.get(session, {})) if session is not None else {}
        if event.get("args", "") is None and session is not None:
            more["args"] = self._taken(session, event)
        said = {name: value for name, value in event.items() if value is not None or name == "result"}
        return {**{name: value for name, value in more.items() if value is not None}, **said}

    def _keep(self, session: str, event: dict[str, Any]) -> None:
        if event.get("principal") is not None:
            self._people[session] = {"principal": event["principal"], "agent": event.get("agent")}
        if event.get("type") == "call" and "call_id" in event:
            calls = self._args.setdefault(session, {})
            if len(calls) >= MOST_OPEN:
                del calls[next(iter(calls))]
            calls[event["call_id"]] = event["args"]

    def _taken(self, session: str, event: dict[str, Any]) -> Any:
        """The arguments of the call that this became of, which nobody asks for again."""
        calls = self._args.get(session)
        args = calls.pop(event.get("call_id", ""), None) if calls else None
        if calls is not None and not calls:
            del self._args[session]
        return args
