"""Sessions that the host opened: who works in them is written down, so that no event can say otherwise.

Takes a guard and what a session is for, keeps it as a document of the store, gives it to every event of that session,
in every worker. An event that names another principal or agent than its session has is malformed; one of a session
that has ended is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.errors import Unavailable
from guardrails.server.problems import Problem
from guardrails.stores.documents import MOST_KEY, Changed
from guardrails.strict_json import read_json, write_json

if TYPE_CHECKING:
    from guardrails.guard import Guard

SESSIONS = "serve/session/"
LASTING = 7 * 86_400_000_000
"""Microseconds that a session is known after it was opened."""

BINDING = ("principal", "agent")
MOST_ID = 128


def opened(guard: Guard, id: str, record: dict[str, Any]) -> None:
    """Write a session down. Raises `Problem` for an id that is taken."""
    _check_id(id)
    now = guard.clock.now()
    text = write_json({"ended": False, **record})
    answer = guard.state.store.swap(SESSIONS + id, text, version=0, keep=LASTING, now=now)
    if isinstance(answer, Changed):
        raise Problem(409, "session_exists", f"there is a session `{id}` already", at="/id")


def known(guard: Guard, id: str) -> dict[str, Any] | None:
    """What was written down of a session; None for one that nobody opened here."""
    found = _read(guard, id)
    return None if found is None else found[0]


def ended(guard: Guard, id: str) -> bool:
    """End a session: all that comes later in it is refused. False: it had ended before, or was never opened."""
    for _ in range(16):
        found = _read(guard, id)
        if found is None or found[0]["ended"]:
            return False
        record, version = found
        text = write_json(record | {"ended": True})
        now = guard.clock.now()
        answer = guard.state.store.swap(SESSIONS + id, text, version=version, keep=LASTING, now=now)
        if not isinstance(answer, Changed):
            return True
    raise Unavailable(f"session {id} changed too often while it was ended")


def bound(guard: Guard, event: dict[str, Any]) -> dict[str, Any]:
    """The event with what is known of its session. Raises `Problem` where it says otherwise."""
    session = event["session"]
    id = session.get("id") if session.__class__ is dict else session
    if id.__class__ is not str or not 0 < len(id) <= MOST_ID:
        return event  # an event of no session that could have been opened
    record = known(guard, id)
    if record is None:
        return event
    if record["ended"]:
        raise Problem(409, "session_ended", f"the session `{id}` has ended", at="/session")
    filled = dict(event)
    for name in BINDING:
        _fill(filled, name, record)
    filled["session"] = _facts(session, record.get("facts") or {}, id)
    return filled


def _facts(session: Any, facts: dict[str, Any], id: str) -> dict[str, Any]:
    """The session as it was opened, whatever an event adds to it."""
    for name, value in session.items() if session.__class__ is dict else ():
        if name != "id" and (name not in facts or facts[name] != value):
            message = f"the session was opened with another `{name[:40]}`: leave it out"
            raise Problem(403, "another_session", message, at="/session")
    return {**facts, "id": id}


def _fill(event: dict[str, Any], name: str, record: dict[str, Any]) -> None:
    if name not in record:
        return
    said = event.setdefault(name, record[name])
    if said != record[name]:
        message = f"the session was opened for another {name}: leave `{name}` out"
        raise Problem(403, f"another_{name}", message, at=f"/{name}")


def _read(guard: Guard, id: str) -> tuple[dict[str, Any], int] | None:
    document = guard.state.store.read(SESSIONS + id, now=guard.clock.now())
    return None if document is None else (read_json(document.text), document.version)


def _check_id(id: str) -> None:
    if not 0 < len(id) <= MOST_ID or len((SESSIONS + id).encode("utf-8", "surrogatepass")) > MOST_KEY:
        raise Problem(400, "bad_session", f"the id of a session has 1 to {MOST_ID} characters", at="/id")
