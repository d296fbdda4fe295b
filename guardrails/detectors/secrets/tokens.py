"""Tokens by their format: from a literal in the text to the whole token around it.

Takes a text and the literals that it holds, gives matches. A pattern is tried only where its literal stands,
is anchored there and bounded, and begins and ends where no letter or digit goes on.
"""

from __future__ import annotations

import re
from functools import lru_cache

from guardrails.detectors.matches import Match
from guardrails.detectors.secrets.checks import CHECKS, is_made_up
from guardrails.detectors.secrets.formats import ROWS
from guardrails.detectors.secrets.scanning import literals
from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST = 1100
"""Characters that the longest format spans."""

ENTITY = "API_KEY"

_CERTAIN = 0.99
_BY_FORMAT = 0.9
_DIGITS = 10


class Format(Value):
    """A line of `formats.ROWS`."""

    __slots__ = ("back", "check", "literal", "pattern", "words")

    def __init__(self, literal: str, back: str, pattern: str, check: str, words: str) -> None:
        self.literal = literal
        self.back = back
        self.pattern = pattern
        self.check = check
        self.words = words

    def begins(self, text: str, at: int) -> int:
        """Where a token with this literal at `at` would begin."""
        if self.back != "digits":
            return at - int(self.back)
        start = at
        while start > max(0, at - _DIGITS) and text[start - 1].isdecimal():
            start -= 1
        return start


FORMATS = tuple(Format(*row.split(" ", 4)) for row in ROWS.strip().split("\n"))


LITERALS = "|".join(sorted({re.escape(form.literal) for form in FORMATS}))
"""The literals of all formats, as one pattern."""


def tokens(text: str) -> Iterator[Match]:
    """Every token of a known format."""
    if not literals(LITERALS).search(text):
        return
    for form in FORMATS:
        at = text.find(form.literal)
        while at >= 0:
            match = _token(text, at, form)
            if match:
                yield match
            at = text.find(form.literal, at + 1)


def _token(text: str, at: int, form: Format) -> Match | None:
    start = form.begins(text, at)
    if start < 0 or (start and _goes_on(text[start - 1]) and form.literal[0] not in "./"):
        return None
    end = start + anchored(form.pattern)(text[start : start + LONGEST])
    if end <= at or (end < len(text) and _goes_on(text[end])):
        return None
    token = text[start:end]
    if is_made_up(token[len(form.literal) :] if form.back == "0" else token):
        return None
    return _judged(Match(start, end, ENTITY, _BY_FORMAT, form.words), token, form)


def _judged(match: Match, token: str, form: Format) -> Match | None:
    if form.check == "-":
        return match
    if not CHECKS[form.check](token):
        return None
    return Match(match.start, match.end, ENTITY, _CERTAIN, f"{form.words}, its checksum is right")


def _goes_on(character: str) -> bool:
    return character.isascii() and character.isalnum()


@lru_cache(maxsize=512)
def anchored(pattern: str) -> Callable[[str], int]:
    """A function that gives the length of the match at the start of a text, 0 without one: on `re` where that
    is proved to be linear, on RE2 elsewhere."""
    from guardrails.patterns.planning import as_re, as_re2
    from guardrails.patterns.safety import is_linear
    from guardrails.patterns.syntax import parse

    tree = parse(pattern)
    if is_linear(tree):
        match = re.compile(as_re(tree), re.ASCII).match
    else:
        import re2

        match = re2.compile(as_re2(tree)).match

    def length(text: str) -> int:
        found = match(text)
        return found.end() if found else 0

    return length
