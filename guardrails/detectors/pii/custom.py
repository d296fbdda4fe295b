"""Recognisers of one's own: a name, a pattern, and what else must hold.

Takes a description, gives candidates like the built-in recognisers do. The one idea: the pattern must say how
long its matches can get. Then it runs in linear time on any text, and a stream never waits for more than that.
"""

from __future__ import annotations

from guardrails.detectors.pii.candidates import Candidate
from guardrails.detectors.validators import CHECKSUMS, checksums
from guardrails.errors import EvaluationError
from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from guardrails.detectors.pii.context import Context

LONGEST = 512
"""Characters of the longest match of a pattern of one's own."""


class Custom(Value):
    """Finds `pattern` as entity `name`. With a `checksum` (see `validators.checksums`), its letters and digits
    must fulfil it. With `context`, the match counts only after one of those words, or with one of them in the
    name of its field; otherwise always. Raises `EvaluationError` for a description that cannot work."""

    __slots__ = ("checksum", "context", "name", "pattern")

    def __init__(
        self, name: str, pattern: str, checksum: str | None = None, context: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.pattern = pattern
        self.checksum = checksum
        self.context = context
        _require_known(checksum)
        _require_bounded(name, pattern)


def _require_known(checksum: str | None) -> None:
    if checksum is not None and checksum not in CHECKSUMS:
        known = ", ".join(f"`{name}`" for name in checksums())
        raise EvaluationError(f"there is no checksum `{checksum}`; known are {known}")


def _require_bounded(name: str, pattern: str) -> None:
    longest = _longest(name, pattern)
    if longest > LONGEST:
        raise EvaluationError(
            f"the pattern of `{name}` can match more than {LONGEST} characters;"
            " say how many at most, such as `{1,40}` instead of `+`"
        )


def _longest(name: str, pattern: str) -> int:
    import re
    from re import _parser  # the only reader of patterns that Python ships

    try:
        return int(_parser.parse(pattern).getwidth()[1])
    except re.error as error:
        raise EvaluationError(f"the pattern of `{name}` is not one: {error.msg} at {error.pos}") from error


def scanner(custom: Custom) -> Callable[[str, Context], Iterator[Candidate]]:
    """The function that finds the candidates of a description; raises `EvaluationError` for what RE2 refuses."""
    pattern = _compiled(custom)
    holds = CHECKSUMS[custom.checksum] if custom.checksum else None
    words = tuple(word.lower() for word in custom.context)

    def scan(text: str, around: Context) -> Iterator[Candidate]:
        for start, end in _spans(pattern, text):
            if holds is not None and not holds("".join(filter(str.isalnum, text[start:end]))):
                continue
            score = 0.9 if not words or around.mentions(start, words) else 0.2
            yield Candidate((start, end), custom.name, (score, score), "a pattern of its own")

    return scan


def _compiled(custom: Custom) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(custom.pattern, options)
    except re2.error as error:
        raise EvaluationError(f"the pattern of `{custom.name}` cannot be run in linear time") from error


def _spans(pattern: Any, text: str) -> Iterator[tuple[int, int]]:
    """Every place where the pattern matches, overlapping ones too: what is found at one place then does not
    depend on what was found before it."""
    for found in pattern.finditer(text):
        start, end = found.span()
        if start == end:
            continue
        yield start, end
        yield from _inside(pattern, text, start, end)


def _inside(pattern: Any, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The matches that begin inside of one and reach beyond it."""
    piece = text[start : end + LONGEST + 1]
    found = pattern.search(piece, 1)
    while found and found.start() < end - start:
        if found.end() > end - start:
            yield start + found.start(), start + found.end()
        found = pattern.search(piece, found.start() + 1)
