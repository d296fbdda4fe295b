"""Sketching: the drafts of checks like most.

Takes a check and its decision, gives a sketch: where it happened and what it was about, as it is. Everything else
about it, such as its trace and its fields, is made where the record is written. What every decision pays for its
record stands here, so it is written out.
"""

from __future__ import annotations

from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any

from guardrails.audit.circumstances import circumstances_of
from guardrails.audit.drafts import Sketch
from guardrails.audit.forms import is_ordinary
from guardrails.audit.record import as_json
from guardrails.audit.tracing import trace_of_host
from guardrails.runtime.clock import SystemClock

if TYPE_CHECKING:
    from guardrails.audit.content import Content
    from guardrails.model import Decision
    from guardrails.observing import Check, Observer

PARTS = {"call": "args", "result": "result", "input": "text", "output": "text"}
"""Under which name a record holds what was judged at each point."""

MOST_NAME = 256
"""Characters of a name in the clear."""

PLAIN = frozenset((bool, float, int, str, type(None)))
"""Types of values that nobody can change."""

_NEW = object.__new__


def is_plain(check: Check, decision: Decision, content: Content) -> bool:
    """Whether a sketch says all that is to be told."""
    return bool(
        content.body
        and not content.withheld
        and check.time is None
        and not check.above
        and not check.streamed
        and check.session
        and check.session.__class__ is str
        and check.guard.clock.__class__ is SystemClock
        and is_ordinary(decision)
    )


class Standing:
    """What all checks of a session have in common: the id of the agent, whose key seals the records, and what is
    known of that person as JSON."""

    __slots__ = ("agent", "subject", "who")

    def __init__(self, check: Check) -> None:
        self.agent = agent_of(check)
        self.subject = subject_of(check.principal, check.session)
        self.who = as_json(check.principal)


def standing_of(check: Check, observer: Observer) -> Standing:
    """What is known of a session already, as long as nobody can change it."""
    lasting = check.lasting
    if lasting is None:
        return Standing(check)
    found: Standing | None = lasting.get(observer)
    if found is None:
        found = Standing(check)
        if all(value.__class__ in PLAIN for value in check.principal.values()):
            lasting[observer] = found
    return found


def sketched(check: Check, decision: Decision, content: Content, standing: Standing) -> Sketch:
    """The sketch of a check that is at its end."""
    sketch, point, tool = _NEW(Sketch), check.point, check.tool
    if tool.__class__ is not str or len(tool) > MOST_NAME:
        tool = name_of(tool)
    sketch._fields = None
    sketch.us = time_ns() // 1000
    sketch.kind = "intent"
    sketch.id = decision.id
    sketch.decision = decision
    sketch.content = content
    sketch.part = PARTS[point]
    sketch.place = check.session, standing.agent, point, tool
    sketch.call_id = check.call_id
    sketch.who = standing.who
    sketch.subject = standing.subject
    sketch.beside = (
        circumstances_of(check, decision, content) if check.said or check.about or check.agent else b""
    )
    sketch.latency_us = (perf_counter_ns() - check.began) // 1000
    sketch.status = None
    sketch.ref = sketch.reservation = ""
    sketch.trace = trace_of_host()
    return sketch


def subject_of(principal: Any, session: str) -> str:
    """Whose key seals a record: the principal's, else that of the session."""
    id = principal.get("id") if isinstance(principal, dict) else None
    return f"session:{session}" if id is None or id == "" else str(id)


def agent_of(check: Check) -> str | None:
    """The id of the agent."""
    agent = check.agent
    return name_of(agent.get("id")) if isinstance(agent, dict) else None


def name_of(value: Any) -> str | None:
    """A name as it is written in the clear."""
    return value[:MOST_NAME] if isinstance(value, str) else None
