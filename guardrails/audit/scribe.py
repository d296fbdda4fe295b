"""The scribe: drafts in, bodies of records out.

A draft is taken when something happens and holds nothing that changes later; its bytes are made where there is
time for it, for many at once. What identifies a person is sealed under the key of that person, whose pseudonym
is in the clear.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from guardrails.audit.circumstances import origins_of
from guardrails.audit.cleaning import Cleaner
from guardrails.audit.content import told_safely
from guardrails.audit.drafts import Sketch
from guardrails.audit.errors import AuditUnavailable
from guardrails.audit.forms import Forms, told_of
from guardrails.audit.linking import own_record
from guardrails.audit.record import as_json, body_of, rfc3339
from guardrails.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from guardrails.audit.drafts import Draft
    from guardrails.audit.subjects import Subject, Subjects
    from guardrails.model import Decision

NAMES = ("session", "agent", "tool", "call_id")
"""Fields in the clear that come from the host or the model, and are looked through for secrets."""

MOST_CLEAN = 1024
"""Places in whose names there is no secret, that are remembered."""


class Scribe:
    """Makes the bytes of records. Thread-safe."""

    def __init__(self, subjects: Subjects, *, clean: bool = True) -> None:
        self.subjects = subjects
        self._cleaner = Cleaner() if clean else None
        self._forms = Forms()
        self._clean: set[tuple[str | None, ...]] = set()

    def bodies(self, drafts: Sequence[Draft]) -> list[bytes | Unmade]:
        """The bytes of records. Never raises."""
        sheets = [self._sheet(draft) for draft in drafts]
        suspects = self._suspects([sheet for sheet in sheets if sheet.__class__ is Sheet])
        return [
            sheet if isinstance(sheet, Unmade) else self._finished(sheet, is_suspect=sheet in suspects)
            for sheet in sheets
        ]

    def _suspects(self, sheets: Sequence[Any]) -> Collection[Any]:
        """Those with something that may have to be taken out."""
        if self._cleaner is None:
            return ()
        fresh = {place for sheet in sheets if (place := sheet.draft.place) not in self._clean}
        if not self._cleaner.is_clean(_texts_of(sheets, fresh)):
            return {sheets[at] for at in self._cleaner.suspects([sheet.text for sheet in sheets])}
        if fresh:
            self._remember(fresh)
        return ()

    def _remember(self, places: Collection[tuple[str | None, ...]]) -> None:
        """Not look again at names in which there was nothing."""
        if len(self._clean) + len(places) > MOST_CLEAN:
            self._clean = set()
        self._clean.update(places)

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

    def _sheet(self, draft: Draft) -> Sheet | Unmade:
        try:
            return Sheet(draft, self.subjects.of(draft.subject))
        except Exception as error:  # whatever it is, other records wait beside this one
            return Unmade(draft, error)

    def _finished(self, sheet: Sheet, *, is_suspect: bool) -> bytes | Unmade:
        try:
            made = None if is_suspect else self._by_form(sheet)
            return self._by_field(sheet, is_suspect=is_suspect) if made is None else made
        except Exception as error:  # see above
            return Unmade(sheet.draft, error)

    def _by_form(self, sheet: Sheet) -> bytes | None:
        """A record like most; None for any other one."""
        draft, subject = sheet.draft, sheet.subject
        if not isinstance(draft, Sketch):
            return None
        begun = self._forms.begun(draft, subject.handle)
        if begun is None:
            return None
        sealed, content = subject.seal(sheet.whole, draft.id), draft.content
        digest = None if content.body is content.original else sheet.digest
        end = "" if digest is None else f',"digest":{{"{draft.part}":"{digest}"}}'
        return f'{begun}"body":{{"sealed":"{sealed}"}}{end}'.encode()

    def _by_field(self, sheet: Sheet, *, is_suspect: bool) -> bytes:
        sheet.tell()
        self._seal(sheet, self._cleaned(sheet) if is_suspect else sheet.whole)
        return body_of(sheet.draft.fields)

    def _cleaned(self, sheet: Sheet) -> bytes | None:
        """What is sealed without secrets; None where they cannot be taken out."""
        assert self._cleaner is not None
        fields = sheet.draft.fields
        self._clean_names(fields, sheet.names)
        clean, count = self._cleaner.cleaned(sheet.whole)
        fields["cleaned"] = (fields.get("cleaned") or 0) + count or None
        return clean

    def _clean_names(self, fields: dict[str, Any], names: dict[str, Any]) -> None:
        assert self._cleaner is not None
        clean, count = self._cleaner.texts(names)
        if count:
            fields.update(clean)
            fields["cleaned"] = count

    def _seal(self, sheet: Sheet, whole: bytes | None) -> None:
        draft, content = sheet.draft, sheet.draft.content
        if whole is None:
            draft.fields["body"] = {"withheld": "it holds secrets that could not be taken out"}
            return
        body = {}
        if sheet.holds_something:
            body["sealed"] = sheet.subject.seal(whole, draft.fields.get("id", ""))
        if content is not None and content.withheld:
            body["withheld"] = content.withheld
        draft.fields["body"] = body


class Sheet:
    """A record half made: `whole` is the JSON that is to be sealed, `names` its fields in the clear that were
    not made by the engine."""

    __slots__ = ("draft", "subject", "whole")

    def __init__(self, draft: Draft, subject: Subject) -> None:
        content = draft.content
        self.draft = draft
        self.subject = subject
        self.whole = _whole(draft, None if content is None else content.body)

    def tell(self) -> None:
        """Fill in the fields. Raises what that raises."""
        draft, fields, content = self.draft, self.draft.fields, self.draft.content
        fields["at"], fields["us"], fields["engine"] = rfc3339(draft.us), draft.us, VERSION
        fields["principal"] = self.subject.handle
        if draft.decision is not None:
            _tell_decision(fields, draft.decision, content.original if content else b"")
        if (digest := self.digest) is not None:
            fields["digest"] = {draft.part: digest}

    @property
    def digest(self) -> str | None:
        """The digest of what came in, where something else is written."""
        content = self.draft.content
        if content is None or not content.original:
            return None
        if content.body == content.original and not content.withheld:
            return None
        return self.subject.digest(content.original)

    @property
    def names(self) -> dict[str, Any]:
        fields = self.draft.fields
        return {name: fields[name] for name in NAMES if fields.get(name)}

    @property
    def text(self) -> str:
        """All that secrets are looked for in."""
        get = self.draft.fields.get
        return f"{self.whole.decode()}\n{get('session')}\n{get('agent')}\n{get('tool')}\n{get('call_id')}"

    @property
    def holds_something(self) -> bool:
        draft = self.draft
        return bool((draft.content and draft.content.body) or draft.who or draft.beside)


class Unmade:
    """A draft of which no record can be made: `error` for whoever waits for it, `note` for the log where nobody
    does, so that the loss is told."""

    __slots__ = ("error", "note")

    def __init__(self, draft: Draft, error: Exception) -> None:
        said = {"unwritable": str(draft.fields.get("kind")), "why": type(error).__name__}
        self.note = own_record("note", {**said, "id": draft.fields.get("id")}, draft.us)
        self.error = AuditUnavailable(f"a record cannot be made: {error}")
        self.error.__cause__ = error


def _texts_of(sheets: Sequence[Sheet], places: Collection[tuple[str | None, ...]]) -> list[str]:
    """All that secrets are looked for in; of places only those that were not looked at before."""
    whole = b"\n\n".join([sheet.whole for sheet in sheets]).decode()
    calls = [str(call) for sheet in sheets if (call := sheet.draft.call_id)]
    return [whole, *calls, *{name for place in places for name in place if name}]


def _whole(draft: Draft, inner: bytes | None) -> bytes:
    who, beside = draft.who, b"," + draft.beside[1:-1] if draft.beside else b""
    if who.__class__ is not bytes:
        who = as_json(who)
    if inner is None:
        return b'{"principal":%s%s}' % (who, beside)
    return b'{"principal":%s,"%s":%s%s}' % (who, draft.part.encode(), inner, beside)


def _tell_decision(fields: dict[str, Any], decision: Decision, original: bytes) -> None:
    """What a decision says, without anything of the event."""
    fields |= told_of(decision)
    fields["outcome"] = decision.outcome.value
    fields["reservation"] = fields.get("reservation") or decision.reservation
    fields["approval"], fields["request"] = decision.approval, decision.request
    if decision.labels:
        fields["labels"] = list(decision.labels)
    if decision.origins:
        fields["origins"] = origins_of(decision)
    if decision.errors:
        fields["errors"] = [
            {"statement": each.statement, "kind": each.kind, "message": told_safely(each.message, original)}
            for each in decision.errors
        ]
