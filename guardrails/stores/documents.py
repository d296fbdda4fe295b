"""Documents: small texts by key, each with a version, that are changed only by who knows the last one.

A store keeps documents without reading them; what they mean is the caller's. The idea is compare-and-set: a
change says which version it was made from, and if another one has come since, nothing is written. So whatever
a document says happens once, however many try at the same time.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, TooLarge
from guardrails.model import Value
from guardrails.stores.sessions import size_of

MOST_KEY = 512
"""UTF-8 bytes of a key."""

MOST_TEXT = 1_000_000
"""UTF-8 bytes of a document."""

MOST_SCANNED = 200
"""Documents that one call gives at most."""

FEW_OLD = 64
"""Documents that are over and that one change clears away at most."""


class Document(Value):
    """`text` under `key`. Versions count from 1; a document that is over begins anew at 1."""

    __slots__ = ("key", "text", "version")

    def __init__(self, key: str, version: int, text: str) -> None:
        self.key = key
        self.version = version
        self.text = text


class Changed(Value):
    """Nothing was written: the document is at `version` now (0: there is none)."""

    __slots__ = ("version",)

    def __init__(self, version: int) -> None:
        self.version = version


def check_document(key: str, text: str) -> None:
    """Raise `EvaluationError` or `TooLarge` for what no store keeps."""
    if not key or size_of(key) > MOST_KEY:
        raise EvaluationError(f"the key of a document has 1 to {MOST_KEY} bytes")
    if size_of(text) > MOST_TEXT:
        raise TooLarge(f"a document has more than {MOST_TEXT:,} bytes")
