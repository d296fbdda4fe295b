"""Audit logs as recordings: where their records are, and their sealed bodies opened.

Takes a URL or folder of a log, gives files of records; takes a record, gives it with what its body says, for
whoever has the key of the log. Without the key a record is replayed as far as it can be, which is said.
"""

from __future__ import annotations

import os
from threading import local
from typing import TYPE_CHECKING, Any, BinaryIO

from guardrails.errors import GuardError

if TYPE_CHECKING:
    from guardrails.audit.query_revealing import Revealer

SCHEMES = ("file:", "sqlite:", "postgresql:", "postgres:")

_HERE = local()


def is_log(place: str) -> bool:
    """Whether a place is that of an audit log, and not a file to be read as it is."""
    return place.startswith(SCHEMES) or os.path.isdir(place)


def segments(place: str) -> list[str] | None:
    """The files of a log that is kept in files, oldest first; None for one in a database. Raises `GuardError`."""
    from guardrails.audit.query_open import files_at, folder_of

    if place.startswith(SCHEMES) and not place.startswith("file:"):
        return None
    found = [str(path) for path in files_at(folder_of(place))]
    if any(not path.endswith(".jsonl") for path in found):
        raise GuardError(
            f"`{place}` holds no segments of an audit log: what was exported from one is not replayed"
        )
    return found


def spooled_log(place: str, stream: BinaryIO) -> None:
    """Write the records of a log in a database as lines. Raises `GuardError`."""
    from guardrails.audit.query import Query
    from guardrails.audit.query_open import open_reader
    from guardrails.strict_json import write_json

    reader = open_reader(place)
    try:
        for record in reader.records(Query()):
            stream.write(write_json(record).encode() + b"\n")
    finally:
        reader.close()


def log_url(place: str) -> str:
    """The URL of a log at a path."""
    return place if place.startswith(SCHEMES) else f"file://{os.path.abspath(place)}"


def why_sealed(url: str) -> str:
    """Why the bodies of a log stay sealed; empty where its key is at hand."""
    try:
        _revealer(url)
    except GuardError as error:
        return str(error)
    return ""


def opened(url: str, record: Any) -> Any:
    """A record with its body opened, where that can be."""
    if record.__class__ is not dict or "body" not in record:
        return record
    try:
        return _revealer(url).revealed(record)
    except GuardError:
        return record


def _revealer(url: str) -> Revealer:
    known: dict[tuple[str, str | None], Revealer | GuardError] = getattr(_HERE, "known", {})
    _HERE.known = known
    place = url, os.environ.get("GUARD_AUDIT_KEY")
    if place not in known:
        from guardrails.audit.query_revealing import Revealer

        try:
            known[place] = Revealer(url)
        except GuardError as error:
            known[place] = error
    found = known[place]
    if isinstance(found, GuardError):
        raise found
    return found
