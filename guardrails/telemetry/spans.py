"""Spans: one for each check and one for each run of a tool, by the GenAI conventions of OpenTelemetry.

Takes a check, gives a span that is current while it is decided, so that whatever happens inside (the audit
log, a store) belongs to the same trace.

The conventions for guardrails are a draft. What is always there are stable `guard.*` attributes beside those
`gen_ai.*` ones that are agreed; the draft's own attributes and event come with `conventions="draft"`.
"""

from __future__ import annotations

from guardrails.model import Outcome
from guardrails.telemetry import catalogue as of
from guardrails.telemetry.labels import id_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from guardrails.model import Decision
    from guardrails.observing import Check
    from guardrails.session import Session
    from guardrails.telemetry.recording import Recorder

CHECK, RUN = "apply_guardrail", "execute_tool"

MOST_NAMES = 32
"""Statements that a span lists."""

SOURCES = {"call": "tool_call", "result": "tool_result", "input": "input", "output": "output"}
"""What the draft calls the points of a check."""


class Current:
    """A span that is the current one until it is left."""

    __slots__ = ("_token", "span")

    def __init__(self, span: Span) -> None:
        from opentelemetry import context, trace

        self.span = span
        self._token: Token[Context] = context.attach(trace.set_span_in_context(span))

    def leave(self) -> None:
        from opentelemetry import context

        context.detach(self._token)
        self.span.end()

    def fail(self, error: BaseException, name: str) -> None:
        """End with an exception: its class, never its words, which may hold values of the event."""
        from opentelemetry.trace import StatusCode

        self.span.set_attribute(of.ERROR, name)
        self.span.set_status(StatusCode.ERROR)
        self.leave()


class Spans:
    """Makes spans with a tracer."""

    def __init__(self, tracer: Tracer, recorder: Recorder, *, draft: bool) -> None:
        self._tracer = tracer
        self._recorder = recorder
        self._draft = draft

    # --- checks --------------------------------------------------------------------------------

    def begin(self, check: Check) -> Current:
        attributes: dict[str, Any] = {
            of.OPERATION: CHECK,
            of.POLICY: check.guard.name,
            "guard.policy.digest": check.guard.digest,
            of.POINT: check.point,
        }
        attributes |= _who(check.session, check.agent)
        tool = self._recorder.tool(check)
        if tool:
            attributes[of.TOOL] = tool
        if check.call_id:
            attributes["gen_ai.tool.call.id"] = check.call_id[:128]
        return Current(self._tracer.start_span(f"{CHECK} {check.guard.name}", attributes=attributes))

    def finish(self, current: Current, check: Check, decision: Decision) -> None:
        span = current.span
        if span.is_recording():
            span.set_attributes(_answer(decision))
            if self._draft:
                span.set_attributes(draft_of(check, decision))
        current.leave()

    # --- tools ---------------------------------------------------------------------------------

    def begin_tool(self, session: Session, tool: str) -> Current:
        name = self._recorder.tool_of(session.guard, tool)
        attributes = {of.OPERATION: RUN, of.TOOL: name, "gen_ai.tool.type": "function"}
        attributes |= _who(session.id, session._agent)
        return Current(self._tracer.start_span(f"{RUN} {name}", attributes=attributes))


def _who(session: str, agent: Any) -> dict[str, Any]:
    found = {
        "gen_ai.conversation.id": session,
        "gen_ai.agent.id": id_of(agent),
        "gen_ai.agent.name": id_of(agent, "name"),
        "gen_ai.workflow.name": id_of(agent, "workflow"),
    }
    return {name: value[:128] for name, value in found.items() if value}


def _answer(decision: Decision) -> dict[str, Any]:
    """What was decided, by names alone."""
    found: dict[str, Any] = {of.OUTCOME: decision.outcome.value}
    lists = {
        "guard.statements": [applied.name for applied in decision.applied],
        "guard.reasons": [applied.name for applied in decision.reasons],
        "guard.errors": [f"{failure.statement}: {failure.kind}" for failure in decision.errors],
        "guard.transforms": [transform.kind for transform in decision.transforms],
        "guard.obligations": [obligation.kind for obligation in decision.obligations],
    }
    return found | {
        name: tuple(dict.fromkeys(values))[:MOST_NAMES] for name, values in lists.items() if values
    }


def draft_of(check: Check, decision: Decision) -> dict[str, Any]:
    """The draft's attributes for the result of a guardrail."""
    found: dict[str, Any] = {
        "gen_ai.guardrail.component.name": "guard",
        "gen_ai.guardrail.policy.id": check.guard.name,
        "gen_ai.guardrail.policy.version": check.guard.digest,
        "gen_ai.guardrail.result.type": "outcome",
        "gen_ai.guardrail.result.value": decision.outcome.value,
    }
    if check.point in SOURCES:
        found["gen_ai.guardrail.source"] = SOURCES[check.point]
    if decision.outcome is not Outcome.ALLOW and decision.reasons:
        found["gen_ai.guardrail.policy.rule.id"] = decision.reasons[0].name
    return found
