"""Revealing: what the sealed bodies of records say, for whoever holds the key of the log.

Takes a log with its key, gives bodies. A person who was erased has no key any more, so their bodies say so and
nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.audit.subjects import Subject, Subjects

ERASED = "the person was erased"


class Revealer:
    """Opens bodies, and finds the pseudonyms of people. Raises `AuditError` without the log's key."""

    def __init__(self, url: str, *, key: bytes | str | None = None) -> None:
        from guardrails.audit.log import home_at

        self._home = home_at(url, key=key)
        self._subjects: Subjects = self._home.subjects()
        self._known: dict[str, Subject | None] = {}

    def pseudonym(self, principal: str) -> str | None:
        """How a person is called in the log; None for somebody who is not in it, or was erased."""
        return self._subjects.handle_of(principal)

    def body(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a record's body says; None where it has none. What cannot be opened says why, as `withheld`."""
        body = record.get("body")
        if not isinstance(body, dict):
            return None
        if not isinstance(body.get("sealed"), str):
            return dict(body)
        handle = str(record.get("principal", ""))
        if handle not in self._known:
            self._known[handle] = self._subjects.by_handle(handle)
        subject = self._known[handle]
        if subject is None:
            return {"withheld": ERASED}
        return self._opened(subject, body, str(record.get("id", "")))

    def _opened(self, subject: Subject, body: Mapping[str, Any], record: str) -> dict[str, Any]:
        from json import loads

        rest = {name: value for name, value in body.items() if name != "sealed"}
        try:
            return {**loads(subject.open(body["sealed"], record)), **rest}
        except (AuditError, ValueError) as error:
            return {"withheld": str(error)}

    def revealed(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with its body opened."""
        body = self.body(record)
        return dict(record) if body is None else {**record, "body": body}

    def close(self) -> None:
        self._home.close()
