"""Seats: the mediation of each session that an adapter serves.

Takes what a framework calls its context, gives the one mediation of the session that it means, so that receipts of a
conversation stay together.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from guardrails.integrations.given import session_made, source_given
from guardrails.integrations.mediation import Mediation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from guardrails.integrations.mediation import AnySession

MOST_SESSIONS = 10_000
"""Sessions whose receipts one adapter keeps; the one that was used longest ago goes first."""


class Seats:
    """The mediations of an adapter: one for each session that it serves. `session` is a session, or a function from
    what the framework calls its context to one (which has to be the same for the same conversation). Raises
    `EvaluationError` for anything else."""

    def __init__(self, session: AnySession | Callable[[Any], AnySession], *, reviewer: str = "") -> None:
        self._session = source_given(session)
        self._reviewer = reviewer
        self._seats: OrderedDict[str, Mediation] = OrderedDict()
        self._lock = Lock()

    def of(self, context: Any = None) -> Mediation:
        """The mediation of a run. Raises what the function raises, and `EvaluationError` for no session."""
        source: Any = self._session
        session = source if hasattr(source, "check_call") else session_made(source(context))
        with self._lock:
            seat = self._seats.get(session.id)
            if seat is None:
                seat = self._seats[session.id] = Mediation(session, reviewer=self._reviewer)
            self._seats.move_to_end(session.id)
            while len(self._seats) > MOST_SESSIONS:
                self._seats.popitem(last=False)
            return seat
