"""The engines that run a pattern: a plain search, `re`, or RE2.

Takes a `Plan`, gives a function of a text. Nothing is decided here (see `planning`), so that a stored plan
is all that has to be loaded to run a policy; an engine is imported when its first plan is.
"""

from __future__ import annotations

from guardrails.errors import Ambiguous, GuardError, TooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Matcher: TypeAlias = Callable[[str], bool]

RE2_MEMORY = 32 << 20
"""Bytes that RE2 may use for one pattern, before it refuses or falls back to its slower linear method."""

MAX_TEXT = 64 << 20
"""Characters of a text; RE2 counts in 32 bits."""


class PatternError(GuardError):
    """A pattern is not one of ours; `str()` is a message for people, `index` the place in its text."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


class Plan:
    """How a pattern is run: `engine` is `text`, `re` or `re2`, `source` what that engine is given, and
    `whole` whether the match must span the text. The fields are plain words, to be stored and read back."""

    __slots__ = ("engine", "source", "whole")

    def __init__(self, engine: str, source: str, *, whole: bool) -> None:
        self.engine = engine
        self.source = source
        self.whole = whole


def matcher(plan: Plan) -> Matcher:
    """The function that a plan describes. It raises `Ambiguous` on half of a surrogate pair, and
    `PatternError` is raised here when RE2 finds the pattern too large."""
    if plan.engine == "text":
        return _text_matcher(plan)
    return _re_matcher(plan) if plan.engine == "re" else _re2_matcher(plan)


def _text_matcher(plan: Plan) -> Matcher:
    source = plan.source
    if plan.whole:
        return lambda text: readable(text) == source
    return lambda text: source in readable(text)


def _re_matcher(plan: Plan) -> Matcher:
    import re

    compiled = re.compile(plan.source, re.ASCII)
    match = compiled.fullmatch if plan.whole else compiled.search

    def matches(text: str) -> bool:
        if text.isascii() and len(text) <= MAX_TEXT:
            return match(text) is not None
        return match(readable(text)) is not None

    return matches


def _re2_matcher(plan: Plan) -> Matcher:
    match = _re2_method(plan)

    def matches(text: str) -> bool:
        return match(readable(text)) is not None

    return matches


def _re2_method(plan: Plan) -> Callable[[str], Any]:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = RE2_MEMORY
    try:
        compiled = re2.compile(plan.source, options)
    except re2.error as error:
        raise PatternError("the pattern is too large to be run in linear time") from error
    method: Callable[[str], Any] = compiled.fullmatch if plan.whole else compiled.search
    return method


def readable(text: str) -> str:
    """The text itself. Half of a surrogate pair is no character, so no engine could say what matches it."""
    if text.isascii() and len(text) <= MAX_TEXT:
        return text
    if len(text) > MAX_TEXT:
        raise TooLarge(f"a text of {len(text)} characters is too long for a pattern")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Ambiguous("the text holds half of a surrogate pair, which is no character") from error
    return text
