"""One pass over a text for many literals at once: RE2, with its options in one place.

Takes a pattern of literals, gives where they stand. Only literals and short classes come here, so the automaton
stays small whatever the text.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@lru_cache(maxsize=32)
def literals(pattern: str) -> Any:
    """The compiled form of a pattern of literals."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return re2.compile(pattern, options)


def places(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the literals of a pattern stand, from left to right."""
    return (found.span() for found in literals(pattern).finditer(text))
