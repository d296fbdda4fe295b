"""Where a pattern matches: for redaction. Always RE2, leftmost matches that do not overlap.

One match is found in linear time; all of them cost more only where each look reaches far beyond the match
that it ends with.
"""

from __future__ import annotations

from functools import lru_cache

from guardrails.patterns.engines import RE2_MEMORY, PatternError, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Spans = Callable[[str], list[tuple[int, int]]]


@lru_cache(maxsize=256)
def compile_spans(text: str) -> Spans:
    """A function from a text to the `(start, end)` of every match that is not empty."""
    import re2

    from guardrails.patterns.planning import re2_text

    options = re2.Options()
    options.log_errors = False
    options.max_mem = RE2_MEMORY
    try:
        find = re2.compile(re2_text(text), options).finditer
    except re2.error as error:
        raise PatternError("the pattern is too large to be run in linear time") from error
    return lambda subject: [found.span() for found in find(readable(subject)) if found.end() > found.start()]
