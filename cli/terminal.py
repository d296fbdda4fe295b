"""What the terminal can do."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def is_colored(stream: TextIO) -> bool:
    """Whether to paint: only on a terminal that can, and never under NO_COLOR."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()
