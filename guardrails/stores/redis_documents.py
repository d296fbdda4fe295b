"""Documents in Redis: what is said to their script, and what it answers; the same for sync and async."""

from __future__ import annotations

from guardrails.stores.documents import Changed, Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def document_of(key: str, reply: list[Any]) -> Document | None:
    return Document(key, reply[0], _text(reply[1])) if reply[0] else None


def swapped(key: str, text: str, reply: list[Any]) -> Document | Changed:
    is_written, version = reply
    return Document(key, version, text) if is_written else Changed(version)


def scanned(reply: list[Any]) -> tuple[Document, ...]:
    rows = zip(reply[::3], reply[1::3], reply[2::3], strict=True)
    return tuple([Document(_text(key), version, _text(text)) for key, version, text in rows])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
