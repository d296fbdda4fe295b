"""People: the person at the client, as one who may approve.

A client can show a form, so whoever sits there can be asked. They count as a reviewer of the groups that `--present`
names, and may answer what a policy asks of nobody in particular; everything else waits in the store for
`guard approvals`. What they answer is written to the request, as every answer is, and the call is then decided anew:
the approval is used up by it, and limits, halts and the policy in force are asked again (law L10).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.approvals.groups import Groups
from guardrails.errors import GuardError
from guardrails.gateway.judging import plain
from guardrails.gateway.messages import text_of
from guardrails.integrations.judging import Setting, question_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.gateway.judging import Judge
    from guardrails.model import Decision

PERSON = "the person at the MCP client"
MOST_SHOWN = 4_000
FORM = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Approve this call?", "default": False}},
    "required": ["approve"],
}


class People:
    """Asks the person at the client, for the groups of reviewers that they belong to."""

    def __init__(self, judge: Judge, present: Sequence[str] = (), *, anybody: bool = True) -> None:
        self._judge = judge
        self._anybody = anybody
        self._setting = Setting(judge.who.principal, judge.who.agent, present)
        self._groups = Groups({**dict.fromkeys(present, (PERSON,)), "everybody here": (PERSON,)})

    def form(self, decision: Decision, tool: str, args: Any, *, with_mode: bool) -> dict[str, Any] | None:
        """The parameters of `elicitation/create` that ask about a call; None where it is not for this person."""
        why = question_of([decision], self._setting)
        is_asked = self._anybody or all(approval.reviewers for approval in decision.approvals)
        if not why or not decision.request or not is_asked:
            return None
        shown = text_of(plain(decision.payload if decision.transforms else args))
        left = len(shown) - MOST_SHOWN
        if left > 0:
            shown = (
                f"{shown[:MOST_SHOWN]} ... and {left:,} more characters, which "
                f"`guard approvals show {decision.request}` has"
            )
        message = f"{why}\n\n{tool} {shown}\n\n(request {decision.request})"
        mode = {"mode": "form"} if with_mode else {}
        return {**mode, "message": message, "requestedSchema": FORM}

    async def answer(self, request: str, reply: Any) -> str:
        """Write down what the person said: `approved`, `denied`, or nothing where they said nothing. A form that was
        sent without the tick is a denial."""
        action = reply.get("action") if reply.__class__ is dict else None
        content = reply.get("content") if action == "accept" else None
        approves = content.__class__ is dict and content.get("approve") is True
        if action not in ("accept", "decline"):
            return ""
        try:
            await asyncio.to_thread(self._write, request, approves=approves)
        except GuardError:
            return ""
        return "approved" if approves else "denied"

    def _write(self, request: str, *, approves: bool) -> None:
        desk = self._judge.guard.approvals
        desk.groups = self._groups
        if approves:
            desk.show(request, by=PERSON)
            desk.approve(request, by=PERSON)
        else:
            desk.deny(request, by=PERSON)
