"""The audit log as the rest of the program sees it: opened by a URL, told of what happens, asked for nothing.

    file:///var/log/guard                folder of segment files
    sqlite:///var/lib/guard/audit.db     one database file
    postgresql://host/database           one database for many writers; `?log=name` for several logs in it

Options after a `?`: `key=/path` (a file with the key), `spill=/folder` (a second log, for `audit ... else spill`),
`anchor=TARGET` (where the head is written down, may be repeated), `clean=no` (leave secrets to the policy).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from guardrails.audit.drafts import Draft
from guardrails.audit.errors import AuditError, needs_extra
from guardrails.audit.journal import Journal
from guardrails.audit.scribe import Scribe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from guardrails.audit.anchoring import Anchoring
    from guardrails.audit.keys import Keys
    from guardrails.audit.port import Home

OPTIONS = ("anchor", "clean", "key", "log", "rotate", "spill")
LARGE = 1 << 14
"""Bytes of a record from which on its own caller makes it, so that those of others do not wait for that."""

FORMS = "use `file:///folder`, `sqlite:///file.db` or `postgresql://host/database`"


class Address:
    """A URL of a log, taken apart. Raises `AuditError` for one that names none."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"file://{url}" if url.startswith("/") else url)
        self.scheme = {"postgres": "postgresql"}.get(parts.scheme, parts.scheme)
        if self.scheme not in ("file", "sqlite", "postgresql"):
            raise AuditError(f"`{url}` names no audit log: {FORMS}")
        options = parse_qsl(parts.query, keep_blank_values=True)
        self.options = {name: value for name, value in options if name in OPTIONS}
        self.anchors = [value for name, value in options if name == "anchor"]
        others = [(name, value) for name, value in options if name not in OPTIONS]
        if others and self.scheme != "postgresql":
            raise AuditError(f"an audit log has no option `{others[0][0]}`: it has {', '.join(OPTIONS)}")
        self.path = unquote(parts.path)
        self.url = parts._replace(scheme=self.scheme, query=urlencode(others), fragment="").geturl()
        if self.scheme != "postgresql" and (parts.netloc or self.path in ("", "/")):
            raise AuditError(f"`{url}` has no path: {FORMS}")

    @property
    def rotate(self) -> int:
        from guardrails.audit.files import ROTATE

        text = self.options.get("rotate", str(ROTATE))
        if not text.isdigit() or not 4096 <= int(text) <= 1 << 40:
            raise AuditError(f"`rotate` is a number of bytes from 4096 up, not `{text}`")
        return int(text)


def home_at(url: str, *, key: bytes | str | None = None) -> Home:
    """The home of the log at a URL, opened when it is first used. Raises `AuditError`."""
    return opened_home(url, key=key)[0]


def opened_home(
    url: str, *, key: bytes | str | None = None, is_read: bool = False, needs_key: bool = True
) -> tuple[Home, Keys]:
    """The home and the keys of a log. `is_read`: it has to be there already. Without `needs_key`, somebody who
    has none gets keys that fit nothing. Raises `AuditError`."""
    address = Address(url)
    if is_read and address.scheme != "postgresql" and not os.path.exists(address.path):
        raise AuditError(f"there is no audit log at `{address.path}`")
    if not needs_key and key is None:
        key = os.urandom(32)
    return _home(address, key)


def _home(address: Address, key: bytes | str | None) -> tuple[Home, Keys]:
    _check_packages()
    from guardrails.audit.keys import keys_for

    file = address.options.get("key")
    if address.scheme == "file":
        from guardrails.audit.files import FileHome
        from guardrails.audit.segments import segments_of
        from pathlib import Path  # isort: skip

        folder = address.path.rstrip("/")
        keys = keys_for(key, file, f"{folder}.key", is_new=not segments_of(Path(folder)))
        return FileHome(folder, keys, rotate=address.rotate), keys
    if address.scheme == "sqlite":
        from os.path import exists

        from guardrails.audit.sqlite import SqliteHome

        keys = keys_for(key, file, f"{address.path}.key", is_new=not exists(address.path))
        return SqliteHome(address.path, keys), keys
    from guardrails.audit.postgres import PostgresHome

    keys = keys_for(key, file, None, is_new=True)
    return PostgresHome(address.url, keys, name=address.options.get("log", "guard")), keys


def _check_packages() -> None:
    for package in ("cryptography", "orjson"):
        try:
            __import__(package)
        except ImportError as error:
            raise needs_extra("audit", package) from error


class AuditLog:
    """A log that is written to. Thread-safe; a child process may go on using it."""

    def __init__(
        self, home: Home, *, spill: Home | None = None, anchors: tuple[str, ...] = (), clean: bool = True
    ) -> None:
        self.home = home
        self.scribe = Scribe(home.subjects(), clean=clean)
        self.journal = Journal(home, self.scribe.bodies, spill)
        self.has_spill = spill is not None
        self.anchors = anchors
        self._anchoring: Anchoring | None = None

    @classmethod
    def open(cls, url: str, *, key: bytes | str | None = None) -> AuditLog:
        """The log at a URL; see `guardrails.audit.open_log`."""
        address = Address(url)
        home, keys = _home(address, key)
        spill: Home | None = None
        if "spill" in address.options:
            from guardrails.audit.files import FileHome

            spill = FileHome(address.options["spill"], keys, rotate=address.rotate)
        log = cls(
            home, spill=spill, anchors=tuple(address.anchors), clean=address.options.get("clean") != "no"
        )
        if log.anchors:
            from guardrails.audit.anchoring import Anchoring

            log._anchoring = Anchoring(log)
        return log

    def record(self, draft: Draft, *, durable: bool, spills: bool = True) -> None:
        """Write a record: with `durable` it is on disk when this returns, else it will be soon (see
        `guardrails.audit.journal`). Raises `AuditUnavailable`."""
        if not durable:
            self.journal.put(draft, draft.size, spills=spills)
            return
        if draft.size <= LARGE:
            self.journal.write(draft, spills=spills)
            return
        (body,) = self.scribe.bodies([draft])
        if not isinstance(body, bytes):
            raise body.error
        self.journal.write(body, spills=spills)

    def record_later(self, draft: Draft, *, spills: bool = True) -> Awaitable[None]:
        """Write a record for a task, which waits for what is given while others go on: it is on disk when that is
        done, which raises `AuditUnavailable`."""
        if draft.size <= LARGE:
            return self.journal.write_later(draft, spills=spills)
        from asyncio import to_thread

        return to_thread(self.record, draft, durable=True, spills=spills)

    def keep(self, draft: Draft) -> None:
        """Write a record of what has happened already, so that nothing can be refused: as soon as the log can be
        written. Raises `AuditUnavailable` when too many wait."""
        self.journal.keep(draft, draft.size, patience=1.0)

    def append(
        self, kind: str, facts: Mapping[str, Any], *, subject: str = "",
        private: Mapping[str, Any] | None = None, durable: bool = True, spills: bool = True, **fields: Any,
    ) -> None:  # fmt: skip
        """Write a record of another kind, such as an `approval`: `facts` are sealed for `subject` (a principal's
        id) where there is one, else they are in the clear. With `private` only that is sealed, for the subject or
        else for the session, and `facts` are in the clear. `fields` are those of `guardrails.audit.record`.
        `spills`: the second log will do, where there is one. Raises `AuditUnavailable`."""
        from os import urandom

        from guardrails.audit.content import Content
        from guardrails.audit.record import KINDS, as_json

        if kind not in KINDS:
            raise AuditError(f"there is no kind of record `{kind}`: use one of {', '.join(KINDS)}")
        fields.setdefault("id", urandom(16).hex())
        if private is not None:
            self.record(_partly_sealed(kind, facts, private, subject, fields), durable=durable, spills=spills)
            return
        if subject:
            said = as_json(dict(facts))
            draft = Draft(kind, fields, subject=subject, who=subject, content=Content(said, said))
            self.record(draft, durable=durable, spills=spills)
            return
        body = self.scribe.plainly(kind, facts, fields)
        if durable:
            self.journal.write(body, spills=spills)
        else:
            self.journal.put(body, len(body), spills=spills)

    def flush(self) -> None:
        """Return when all that was taken is on disk. Raises `AuditUnavailable`."""
        self.journal.flush()

    def close(self) -> None:
        """Write what waits, and close. Raises `AuditUnavailable` when it cannot be written."""
        if self._anchoring is not None:
            self.journal.flush()
            self._anchoring.stop()
        self.journal.close()


def _partly_sealed(
    kind: str, facts: Mapping[str, Any], private: Mapping[str, Any], subject: str, fields: dict[str, Any]
) -> Draft:
    """A record about somebody in a session: what concerns the person is sealed, the rest can be looked for."""
    from guardrails.audit.content import Content
    from guardrails.audit.record import as_json
    from guardrails.audit.tracing import trace_of

    said, session = as_json(dict(private)), str(fields.get("session") or "")
    trace, span = trace_of(session, fields["id"])
    known = {"trace": trace, "span": span, **fields, "facts": dict(facts)}
    content = Content(said, said)
    return Draft(kind, known, subject=subject or f"session:{session}", who=subject or None, content=content)
