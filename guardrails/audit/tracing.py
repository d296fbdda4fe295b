"""Trace and span ids of records: those of OpenTelemetry where the host uses it, else ids of our own.

A session's own trace id is made from its id, so that all processes that serve it write the same one.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from hashlib import blake2b


def trace_of(session: str, id: str) -> tuple[str, str]:
    """Trace id (32 hexadecimal digits) and span id (16) of a record with this id."""
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is not None:
        context = tracing.get_current_span().get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}", f"{context.span_id:016x}"
    if not session:
        return id, id[:16]
    return _own(session), id[:16]


@lru_cache(maxsize=1024)
def _own(session: str) -> str:
    trace = blake2b(session.encode("utf-8", "surrogatepass"), digest_size=16, person=b"guard session")
    return trace.hexdigest()
