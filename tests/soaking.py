"""How many examples the dearest random tests draw: all that they name in `make soak`, where every run draws anew, and a
part of them in `make test`, where every run draws the same."""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("GUARD_SOAK"))


def drawn(all: int) -> int:
    """A third of them, and ten at least; all in a soak."""
    return all if SOAK else max(all // 3, 10)
