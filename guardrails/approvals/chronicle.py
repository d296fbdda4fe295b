"""The chronicle: what people do with requests, written to the audit log before it counts (law L9).

Takes a request as it is about to be, and a log; gives nothing, or an error, and then nothing happens to the
request. What only time does (a request goes on to others, or runs out) is written when somebody first sees it.
Reviewers are named in the clear, because whoever decides answers for it; what they say of a person, and the
digest of what was asked, are sealed for the principal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guardrails.approvals.request import Answer, Request
from guardrails.approvals.reusing import good_for
from guardrails.errors import EvaluationError, Unavailable
from guardrails.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from guardrails.runtime.ports import Clock

    class Log(Protocol):
        """What is asked of an audit log; see `guardrails.audit.log.AuditLog.append`."""

        def append(
            self, kind: str, facts: Mapping[str, Any], *, subject: str = "",
            private: Mapping[str, Any] | None = None, spills: bool = True, **fields: Any,
        ) -> None: ...  # fmt: skip


BY_TIME = ("escalated", "expired", "void")
"""States that nobody answers a request into."""


class Unwritten(Unavailable):
    """An answer that does not count, because it could not be written to the audit log."""


class Chronicle:
    """Writes to one log. `spills`: a second log will do while that one cannot be written."""

    __slots__ = ("_clock", "_log", "_spills")

    def __init__(self, log: Log, clock: Clock, *, spills: bool = True) -> None:
        self._log = log
        self._clock = clock
        self._spills = spills

    def answer(self, request: Request, answer: Answer) -> None:
        """An answer that is about to count. Raises `Unwritten`."""
        facts: dict[str, Any] = {
            "what": answer.verdict, "by": answer.by, "state": request.state_at(answer.at),
            "read": answer.shown is not None,
        }  # fmt: skip
        if answer.verdict == "approve" and any(need.reuse for need in request.needs):
            facts["good for"] = good_for(request)
        if answer.together > 1:
            facts["together"] = answer.together
        if any(stage for _, stage in answer.counts):
            facts["instead of"] = list(dict.fromkeys(n for need in request.needs for n in need.reviewers))
        try:
            self._write(request, facts, answer.at, reason=answer.reason)
        except Unavailable as error:
            raise Unwritten(
                f"the answer does not count, because it could not be written to the audit log: {error}"
            ) from error

    def in_vain(self, request: Request, answer: Answer, why: object) -> None:
        """An answer that was written, and did not count after all. Where this cannot be written either, what
        the log holds is stricter than what happened."""
        facts = {"what": "not counted", "by": answer.by, "verdict": answer.verdict, "why": str(why)}
        try:
            self._write(request, facts, answer.at)
        except Unavailable:
            return

    def seen(self, request: Request, now: int) -> Request | None:
        """The request with what time did to it written down; None where there is nothing new, or no log that
        takes it: then it is written when it is next seen."""
        state = request.state_at(now)
        if state not in BY_TIME or any(state == known for known, _ in request.told):
            return None
        try:
            self._write(request, _by_time(request, state, now), now)
        except EvaluationError:
            return None
        return replace(request, told=(*request.told, (state, now)))

    def _write(self, request: Request, facts: dict[str, Any], now: int, *, reason: str = "") -> None:
        about = request.subject
        private = {"arguments": about.digest} | ({"reason": reason} if reason else {})
        self._log.append(
            "approval", facts, subject=about.principal or "", private=private, spills=self._spills,
            request=request.id, session=about.session, agent=about.agent, point=about.point, tool=about.tool,
            statements=[need.statement for need in request.needs], policy=about.policy,
            clock=None if isinstance(self._clock, SystemClock) else now,
        )  # fmt: skip


def _by_time(request: Request, state: str, now: int) -> dict[str, Any]:
    if state == "escalated":
        gone = [need for need in request.unmet if need.stage(request.created, now)]
        return {"what": state, "to": list(dict.fromkeys(name for need in gone for name in need.otherwise))}
    if state == "void":
        return {"what": state, "why": request.why}
    return {"what": state, "state": "approved" if request.state == "approved" else "pending"}
