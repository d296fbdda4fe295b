"""What a recording says happened, whatever wrote it: one event at a time, with what was decided then.

An item is a plain tuple, because millions of them go from process to process:

    (time, chunk, line, part, event, recorded)

`time` is in microseconds, None where the recording does not say; chunk, line and part are its place, in the
order of the recording. `recorded` is None, or `(outcome, statements, reason, reservation)`: the outcome, the names
of the statements that applied, why the event cannot be replayed as it was (one of `REASONS`, or empty), and
what its reservation was called (of an audit log: else the id of the decision).
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Recorded: TypeAlias = "tuple[str, tuple[str, ...], str, str]"
Item: TypeAlias = "tuple[int | None, int, int, int, dict[str, Any], Recorded | None]"
Found: TypeAlias = "tuple[int | None, dict[str, Any], Recorded | None]"
"""What one line or message of a recording says: time, event and what was decided."""

CHUNK: Final = 1
LINE: Final = 2
PART: Final = 3
EVENT: Final = 4

REDACTED = "redacted: the recording holds what the policy had left of it"
SEALED = "sealed: the recording holds it encrypted"
STOPPED = "stopped by a person: the session, agent or tool was halted"
UNREACHABLE = "the store or log was unreachable"
APPROVED = "approved by a person"
REJECTED = "rejected by a person who was asked"
PEOPLE = (STOPPED, APPROVED, REJECTED)
"""What people did, which a replay takes from the recording."""
ANSWERS = (APPROVED, REJECTED)
"""What people said; an event that comes out otherwise with the same answer is decided otherwise by the policy."""
REASONS = (REDACTED, SEALED, UNREACHABLE, *PEOPLE)
"""What is to be known of an event that is replayed; all but `ANSWERS` are why it may come out otherwise than was
recorded, without the policy having changed."""


def session_name(event: dict[str, Any]) -> str | None:
    """The session that an event names."""
    session = event.get("session")
    if session.__class__ is dict:
        session = session.get("id")
    return session if session.__class__ is str else None
