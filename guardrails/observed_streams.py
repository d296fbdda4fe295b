"""Outputs in pieces whose begin and end are told to observers.

Takes an observed session. Its pieces are judged by the same session without observers, because each look at a
growing text is no event of its own; who observes hears of the begin before any piece goes on, and of all that
did go on once it is over. An observer that refuses the begin stops the output before it starts.
"""

from __future__ import annotations

from guardrails.delegation import Delegate
from guardrails.model import Decision, Outcome
from guardrails.observing import observed
from guardrails.session import Session
from guardrails.streaming import OutputStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.observing import Observing


class ObservedStream(OutputStream):
    """See `OutputStream`."""

    def __init__(self, session: Observing) -> None:
        self._by = session
        self._left: list[str] = []
        self._told = False
        super().__init__(unobserved(session))
        begin = self._tell("begin", "")
        if begin.outcome is not Outcome.ALLOW:
            self.decision = begin

    def feed(self, piece: str) -> str:
        return self._noted(super().feed(piece))

    def close(self) -> str:
        out = self._noted(super().close())
        self._end()
        return out

    def _noted(self, out: str) -> str:
        if out:
            self._left.append(out)
        if self.denied:
            self._end()
        return out

    def _end(self) -> None:
        if not self._told:
            self._told = True
            self._tell("end", "".join(self._left))
            self._left.clear()

    def _tell(self, what: str, text: str) -> Decision:
        decision = self.decision or Decision(Outcome.ALLOW, self._by.guard.digest)
        check = self._by._check("output", None, {}, text)
        check.streamed = what
        return observed(check, lambda: decision)


def unobserved(session: Observing) -> Session:
    """The session without anyone who watches; it is the same one in all else."""
    kind: type[Session] = Delegate if isinstance(session, Delegate) else Session
    plain = object.__new__(kind)
    plain.__dict__ = session.__dict__
    return plain
