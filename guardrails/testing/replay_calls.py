"""What a log says once and means later: what a call was, and who a session works for.

The record of a result, or of a report, does not repeat them; it has None there, and names its call by
`reservation`, which is what was held for the call or the id of the decision on it. Takes events in order of
time, gives them complete.
"""

from __future__ import annotations

from typing import Any

from guardrails.testing.replay_items import Recorded

MOST_OPEN = 10_000
"""Calls of one session that are kept until something becomes of them."""

UNKNOWN = "?"
"""The tool of a call that the log does not hold; nothing is held for it."""

ABOUT = ("tool", "args", "call_id")


class Calls:
    """Calls and people of sessions, as far as a log has said them."""

    def __init__(self) -> None:
        self._calls: dict[str, dict[str, dict[str, Any]]] = {}
        self._people: dict[str, dict[str, Any]] = {}

    def completed(
        self, event: dict[str, Any], session: str | None, recorded: Recorded | None
    ) -> dict[str, Any]:
        """The event with what its session said before."""
        if session is not None and recorded is not None:
            self._keep(session, event, recorded[3])
        if event.get("args", "") is not None and event.get("principal", "") is not None:
            return event
        known = self._people.get(session, {}) if session is not None else {}
        said = {name: value for name, value in event.items() if value is not None or name == "result"}
        if event["type"] in ("result", "outcome"):
            call = self._taken(session, event.get("reservation", ""), event.get("call_id"))
            return {"tool": UNKNOWN, **known, **call, **said, **_more(known, said)}
        return {**known, **said, **_more(known, said)}

    def _keep(self, session: str, event: dict[str, Any], name: str) -> None:
        people = {who: event[who] for who in ("principal", "agent", "session") if event.get(who) is not None}
        if "principal" in people:
            self._people[session] = people
        if event["type"] == "call" and name:
            calls = self._calls.setdefault(session, {})
            if len(calls) >= MOST_OPEN:
                del calls[next(iter(calls))]
            calls[name] = {part: event[part] for part in ABOUT if event.get(part) is not None}

    def _taken(self, session: str | None, name: str, call_id: str | None) -> dict[str, Any]:
        """The call that this became of, which nobody asks for again. Where another process wrote it, only the
        call's id may be known."""
        calls = self._calls.get(session) if session is not None else None
        if calls and name not in calls and call_id is not None:
            name = next((known for known, call in calls.items() if call.get("call_id") == call_id), name)
        found = calls.pop(name, {}) if calls else {}
        if calls is not None and not calls and session is not None:
            del self._calls[session]
        return found


def _more(known: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Records of agent and session that were said with all that they have, where now only an id is."""
    found = {}
    for name in ("agent", "session"):
        whole = known.get(name)
        if whole.__class__ is dict and _id(said.get(name, whole)) == _id(whole):
            found[name] = whole
    return found


def _id(record: Any) -> Any:
    return record.get("id") if record.__class__ is dict else record
