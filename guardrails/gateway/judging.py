"""Judging: the policy's word on what passes, and what a client is told of it.

Takes calls, results and texts in the words of policies; gives decisions of one session. Whatever goes wrong while
deciding is a denial (law L2): the gateway has no other answer to an error of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.errors import GuardError
from guardrails.gateway.eras import DECISION_KEY
from guardrails.model import Decision, Denial, Failure, Outcome, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.gateway.links import Who
    from guardrails.guard import Guard
    from guardrails.runtime.program import Effect
    from guardrails.session import Session

NOWHERE = Place("<gateway>", 0, 0, 0, 0)


class Judge:
    """The policy and one session of it."""

    def __init__(self, guard: Guard, who: Who) -> None:
        self.guard = guard
        self.who = who
        self.session: Session = guard.session(
            principal=who.principal, agent=who.agent, id=who.session or None
        )

    # --- deciding ------------------------------------------------------------------------------

    async def call(
        self, tool: str, args: Any, *, digest: str = "", call_id: str, approval: str = ""
    ) -> Decision:
        """The decision on a call. Outcome, transforms and what people approved are in it."""
        try:
            return await self.session.acheck_call(
                tool, args, digest=digest or None, call_id=call_id, approval=approval or None
            )
        except Exception as error:
            return self.broken(f"the call of `{tool}`", error)

    async def result(
        self, tool: str, value: Any, args: Any, call_id: str | None = None, reservation: str = ""
    ) -> Decision:
        """The decision on what came back for a call, or of a server's own accord."""
        try:
            return await self.session.acheck_result(
                tool, value, args=args, call_id=call_id, reservation=reservation
            )
        except Exception as error:
            return self.broken(f"the result of `{tool}`", error)

    async def look(self, tool: str, value: Any, args: Any) -> Decision:
        """What the decision on a result would be: nothing is counted or noted, for a call that still runs."""
        try:
            found: Decision = await self._apart(lambda: self.session.ledger.look("result", tool, args, value))
            return found
        except Exception as error:
            return self.broken(f"the result of `{tool}`", error)

    async def failed(self, tool: str, args: Any, decision: Decision, call_id: str) -> None:
        """The call ran and failed. Without the store it stays charged, which is the strict side."""
        try:
            await self._apart(lambda: self.session.failed(tool, args, decision=decision, call_id=call_id))
        except GuardError:
            return

    async def release(self, decision: Decision) -> None:
        """The call was let through and did not run after all."""
        try:
            if decision.reservation:
                await self._apart(lambda: self.session.release(decision))
        except GuardError:
            return

    async def _apart(self, work: Callable[[], Any]) -> Any:
        """In another thread, where the store may make it wait."""
        return work() if self.guard.state.url.startswith("memory:") else await asyncio.to_thread(work)

    # --- looking ahead -------------------------------------------------------------------------

    @property
    def halted(self) -> Decision | None:
        return self.session.halted

    def may_ever(self, tool: str) -> bool:
        """Whether some statement could let a call of this tool through; False only when none could, or another one
        refuses every call of it."""
        program = self.guard.engine.program
        unit = program.unit("call", tool)
        if any(unit.always >> bit & 1 and _refuses(effect) for bit, effect in enumerate(unit.effects)):
            return False
        if any(effect.grants and not effect.shadow for effect in unit.effects):
            return True
        declared = program.defaults.get("call")
        outcomes = [effect.outcome for effect in declared or () if effect.outcome is not None]
        return bool(outcomes) and max(outcome.rank for outcome in outcomes) < Outcome.DENY.rank

    def rules_results(self, tool: str) -> bool:
        """Whether any statement speaks of results of this tool."""
        program = self.guard.engine.program
        return bool(program.unit("result", tool).effects or program.defaults.get("result"))

    # --- refusals that no statement made -------------------------------------------------------

    def broken(self, what: str, error: Exception) -> Decision:
        """The denial of something that could not be decided."""
        said = str(error) or error.__class__.__name__
        return self.refusal(f"{what} is denied: guard could not decide ({said})", kind="error")

    def refusal(self, message: str, *, kind: str = "gateway", retry: str = "never") -> Decision:
        """A denial by the gateway itself."""
        failure = Failure("gateway", kind, message, NOWHERE)
        denial = Denial(retry, message)
        return Decision(Outcome.DENY, self.guard.digest, errors=(failure,), denial=lambda _: denial)


def _refuses(effect: Effect) -> bool:
    return not effect.shadow and effect.outcome is not None and effect.outcome.rank >= Outcome.DENY.rank


def told(decision: Decision) -> str:
    """What the model reads of a refusal; never empty."""
    text = decision.message or "Blocked by policy."
    if decision.outcome is not Outcome.ASK or not decision.request:
        return text
    return (
        f"{text} Request {decision.request} waits for a person (`guard approvals approve {decision.request}`); "
        "make the same call again after that."
    )


def facts(decision: Decision) -> dict[str, Any]:
    """What a program reads of a decision."""
    denial = decision.denial
    return {
        "outcome": decision.outcome.value,
        "policy": decision.policy,
        "message": told(decision) if decision.outcome is not Outcome.ALLOW else "",
        "kind": denial.kind if denial else None,
        "counterfactual": denial.counterfactual if denial else None,
        "retryAfter": denial.retry_after if denial else None,
        "request": decision.request,
        "statements": [each.name for each in decision.reasons],
        "errors": [{"statement": each.statement, "kind": each.kind} for each in decision.errors],
        "obligations": [
            {"statement": each.statement, "kind": each.kind, "details": dict(each.details)}
            for each in decision.obligations
        ],
    }


def tool_error(text: str, decision: Decision | None = None) -> dict[str, Any]:
    """The result of a call that was not made, or whose result is withheld: an error that the model can read."""
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
    return result if decision is None else {**result, "_meta": {DECISION_KEY: plain(facts(decision))}}


def plain(value: Any) -> Any:
    """A value of a policy as JSON: exact decimals as texts, sets as lists."""
    if value.__class__ is dict:
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=str)
    return value if value is None or value.__class__ in (bool, int, float, str) else str(value)
