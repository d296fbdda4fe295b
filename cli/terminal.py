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


def width(stream: TextIO) -> int:
    """The columns of the terminal, or of COLUMNS; for a file or pipe as many as a table needs."""
    from shutil import get_terminal_size

    return get_terminal_size().columns if stream.isatty() or "COLUMNS" in os.environ else 1_000


def plain(text: str) -> str:
    """Text of an event or a store, so that it cannot act on the terminal."""
    return (
        text if text.isprintable() else "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)
    )
