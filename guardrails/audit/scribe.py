"""The scribe: drafts in, bodies of records out.

A draft is taken when something happens and holds nothing that changes later; its bytes are made where there is
time for it. What identifies a person is sealed under the key of that person, whose pseudonym is in the clear.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from guardrails.audit.circumstances import origins_of
from guardrails.audit.cleaning import Cleaner
from guardrails.audit.content import Content, told_safely
from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.linking import own_record
from guardrails.audit.record import as_json, body_of, rfc3339
from guardrails.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.audit.subjects import Subject, Subjects
    from guardrails.model import Decision

NAMES = ("session", "agent", "tool", "call_id")
"""Fields in the clear that come from the host or the model, and are looked through for secrets."""


class Draft:
    """A record to be: `fields` as they are, and what is made of the rest.

    `subject` is the id that its body is sealed for, `who` what is known of the principal, `part` under which
    name the content stands in the body, `beside` the JSON of what stands there with it.
    """

    __slots__ = ("beside", "content", "decision", "fields", "part", "subject", "us", "who")

    def __init__(
        self, kind: str, fields: dict[str, Any], *, subject: str, who: Any = None,
        decision: Decision | None = None, content: Content | None = None, part: str = "facts",
        beside: bytes = b"",
    ) -> None:  # fmt: skip
        self.us = time_ns() // 1000
        self.fields = fields
        fields["kind"] = kind
        self.subject = subject
        self.who = who
        self.decision = decision
        self.content = content
        self.part = part
        self.beside = beside

    @property
    def size(self) -> int:
        return 600 + len(self.beside) + (self.content.size if self.content else 0)


class Scribe:
    """Makes the bytes of records. Thread-safe."""

    def __init__(self, subjects: Subjects, *, clean: bool = True) -> None:
        self.subjects = subjects
        self._cleaner = Cleaner() if clean else None

    def body(self, draft: Draft) -> bytes:
        """The bytes of a record. What cannot be made a record of becomes a note that says so."""
        try:
            return self._body(draft)
        except Exception as error:  # whatever it is, other records wait behind this one
            said = {"unwritable": str(draft.fields.get("kind")), "why": type(error).__name__}
            return own_record("note", {**said, "id": draft.fields.get("id")}, draft.us)

    def strictly(self, draft: Draft) -> bytes:
        """The same; raises `AuditUnavailable` where it cannot be made."""
        try:
            return self._body(draft)
        except Exception as error:  # whoever waits for the record is refused, and told why
            raise AuditUnavailable(f"a record cannot be made: {error}") from error

    def plainly(self, kind: str, facts: Mapping[str, Any], fields: dict[str, Any]) -> bytes:
        """The bytes of a record whose facts are in the clear, without secrets."""
        from orjson import loads

        said, us = as_json(dict(facts)), time_ns() // 1000
        clean, count = self._cleaner.cleaned(said) if self._cleaner is not None else (said, 0)
        told = (
            loads(clean)
            if clean is not None
            else {"withheld": "it holds secrets that could not be taken out"}
        )
        return body_of(
            {
                **fields,
                "kind": kind,
                "at": rfc3339(us),
                "us": us,
                "engine": VERSION,
                "facts": told,
                "cleaned": count or None,
            }
        )

    def _body(self, draft: Draft) -> bytes:
        fields = draft.fields
        fields["at"], fields["us"], fields["engine"] = rfc3339(draft.us), draft.us, VERSION
        if draft.decision is not None:
            _tell_decision(fields, draft.decision, draft.content.original if draft.content else b"")
        subject = self.subjects.of(draft.subject)
        fields["principal"] = subject.handle
        self._seal(draft, subject)
        return body_of(fields)

    def _clean_names(self, fields: dict[str, Any], names: dict[str, Any]) -> None:
        assert self._cleaner is not None
        clean, count = self._cleaner.texts(names)
        if count:
            fields.update(clean)
            fields["cleaned"] = count

    def _seal(self, draft: Draft, subject: Subject) -> None:
        fields, content = draft.fields, draft.content
        inner = content.body if content is not None else None
        if (
            content is not None
            and content.original
            and (content.body != content.original or content.withheld)
        ):
            fields["digest"] = {draft.part: subject.digest(content.original)}
        whole = self._whole(draft, inner)
        names = {name: fields[name] for name in NAMES if fields.get(name)}
        if self._cleaner is not None and not self._cleaner.finds_nothing(whole, names):
            self._clean_names(fields, names)
            clean, count = self._cleaner.cleaned(whole)
            fields["cleaned"] = (fields.get("cleaned") or 0) + count or None
            if clean is None:
                fields["body"] = {"withheld": "it holds secrets that could not be taken out"}
                return
            whole = clean
        sealed = (
            {"sealed": subject.seal(whole, fields.get("id", ""))}
            if inner or draft.who or draft.beside
            else {}
        )
        withheld = {"withheld": content.withheld} if content is not None and content.withheld else {}
        fields["body"] = sealed | withheld

    def _whole(self, draft: Draft, inner: bytes | None) -> bytes:
        """The JSON that is sealed."""
        who, beside = as_json(draft.who), b"," + draft.beside[1:-1] if draft.beside else b""
        if inner is None:
            return b'{"principal":%s%s}' % (who, beside)
        return b'{"principal":%s,"%s":%s%s}' % (who, draft.part.encode(), inner, beside)


def _tell_decision(fields: dict[str, Any], decision: Decision, original: bytes) -> None:
    """What a decision says, without anything of the event."""
    outcome = decision.outcome
    fields["outcome"] = outcome.value
    fields["policy"] = decision.policy
    fields["statements"] = [applied.name for applied in decision.applied]
    fields["reasons"] = [applied.name for applied in decision.applied if applied.outcome is outcome]
    fields["reservation"] = fields.get("reservation") or decision.reservation
    fields["approval"], fields["request"] = decision.approval, decision.request
    if decision.labels:
        fields["labels"] = list(decision.labels)
    if decision.origins:
        fields["origins"] = origins_of(decision)
    if decision.shadow:
        fields["shadow"] = [applied.name for applied in decision.shadow]
    if decision.errors:
        fields["errors"] = [
            {"statement": each.statement, "kind": each.kind, "message": told_safely(each.message, original)}
            for each in decision.errors
        ]
    if decision.transforms:
        fields["transforms"] = [
            {"kind": each.kind, "statement": each.statement, "paths": list(each.paths)}
            for each in decision.transforms
        ]
    if decision.obligations:
        fields["obligations"] = [
            {"kind": each.kind, "statement": each.statement} for each in decision.obligations
        ]
