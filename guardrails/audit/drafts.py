"""Drafts: records to be, taken when something happens. What they hold does not change later; their bytes are made
where there is time for it (see `guardrails.audit.scribe`)."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from guardrails.audit.tracing import own_trace

if TYPE_CHECKING:
    from guardrails.audit.content import Content
    from guardrails.model import Decision

OVERHEAD = 600
"""Bytes of a record beside what it is about, roughly."""


class Draft:
    """A record to be: `fields` as they are, and what is made of the rest.

    `subject` is the id that its body is sealed for, `who` what is known of the principal (as JSON, or still a value),
    `part` under which name the content stands in the body, `beside` the JSON of what stands there with it.
    """

    __slots__ = ("_fields", "beside", "content", "decision", "kind", "part", "subject", "us", "who")

    def __init__(
        self, kind: str, fields: dict[str, Any] | None, subject: str, who: Any = None,
        decision: Decision | None = None, content: Content | None = None, part: str = "facts",
        beside: bytes = b"",
    ) -> None:  # fmt: skip
        self.us = time_ns() // 1000
        self.kind = kind
        self._fields = fields
        self.subject = subject
        self.who = who
        self.decision = decision
        self.content = content
        self.part = part
        self.beside = beside

    @property
    def fields(self) -> dict[str, Any]:
        """The fields by name, which may be filled in."""
        if self._fields is None:
            self._fields = self._told()
        self._fields["kind"] = self.kind
        return self._fields

    def _told(self) -> dict[str, Any]:
        return {}

    @property
    def place(self) -> tuple[str | None, ...]:
        """Where it happened: session, agent and tool, which many records have in common."""
        get = self.fields.get
        return tuple([str(name) if (name := get(each)) else None for each in ("session", "agent", "tool")])

    @property
    def call_id(self) -> Any:
        """The id of the call as the host names it; None where it names none."""
        return self.fields.get("call_id")

    @property
    def size(self) -> int:
        """Bytes of the record, roughly."""
        return OVERHEAD + len(self.beside) + (self.content.size if self.content else 0)


class Sketch(Draft):
    """The draft of a check like most, of which no fields are made unless somebody asks for them: a form writes it
    as it is (see `guardrails.audit.forms`).

    `place` is where it happened: session, agent, point and tool; the session is a text that is not empty, the others
    are texts or None. `who` is JSON. `trace` is the trace and span of the host, None for those of our own; the
    rest is named as in `guardrails.audit.record`.
    """

    __slots__ = ("call_id", "id", "latency_us", "place", "ref", "reservation", "status", "trace")

    content: Content
    decision: Decision

    call_id: Any
    id: str
    latency_us: int
    place: tuple[str, str | None, str, str | None]
    ref: str
    reservation: str
    status: str | None
    trace: tuple[str, str] | None

    def _told(self) -> dict[str, Any]:
        session, agent, point, tool = self.place
        trace, span = self.trace or own_trace(session, self.id)
        return {
            "id": self.id, "trace": trace, "span": span, "session": session, "point": point, "tool": tool,
            "call_id": self.call_id, "agent": agent, "clock": None, "latency_us": self.latency_us,
            "status": self.status, "ref": self.ref, "reservation": self.reservation,
        }  # fmt: skip
