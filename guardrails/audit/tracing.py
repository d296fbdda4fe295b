"""Trace and span ids of records: those of OpenTelemetry where the host uses it, else ids of our own.

A session's own trace id is made from its id, so that all processes that serve it write the same one.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from hashlib import blake2b

_MODULES = sys.modules


def trace_of(session: str, id: str) -> tuple[str, str]:
    """Trace id (32 hexadecimal digits) and span id (16) of a record with this id."""
    return trace_of_host() or own_trace(session, id)


def trace_of_host() -> tuple[str, str] | None:
    """Those of the span that the host is in; None where it is in none."""
    tracing = _MODULES.get("opentelemetry.trace")
    if tracing is None:
        return None
    context = tracing.get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


def own_trace(session: str, id: str) -> tuple[str, str]:
    """Those of a record outside of any span."""
    return (trace_id(session), id[:16]) if session else (id, id[:16])


@lru_cache(maxsize=1024)
def trace_id(session: str) -> str:
    """The trace id of a session, unless the host has one."""
    trace = blake2b(session.encode("utf-8", "surrogatepass"), digest_size=16, person=b"guard session")
    return trace.hexdigest()
