"""Ids of decisions: 32 hexadecimal digits, drawn from the system many at a time.

The first half is the span id. A child process draws its own. They are names and no secrets.
"""

from __future__ import annotations

import os
import re

from guardrails.audit.forking import in_each_child

SIZE = 16
"""Bytes of an id."""

AT_ONCE = 256

_EACH = re.compile(f".{{{2 * SIZE}}}")
_drawn: list[str] = []


def new_id() -> str:
    """An id that nobody had. Thread-safe."""
    try:
        return _drawn.pop()
    except IndexError:
        drawn = _EACH.findall(os.urandom(SIZE * AT_ONCE).hex())
        _drawn.extend(drawn[1:])
        return str(drawn[0])


in_each_child(_drawn.clear)
