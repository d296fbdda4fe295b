"""Patterns of the language: regular expressions, globs and the stars of tool names, in linear time always.

Takes the text of a pattern as written between the slashes, gives a function of a text. `re` runs what is
proved to be free of backtracking trouble, RE2 runs the rest; which of them it is never shows. Classes are
ASCII, `.` excludes a newline, `$` is the end of the text.
"""

from __future__ import annotations

from guardrails.patterns.engines import PatternError, Plan, matcher
from guardrails.patterns.globs import compile_glob, compile_wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.patterns.engines import Matcher

__all__ = [
    "PatternError",
    "Plan",
    "check_pattern",
    "compile_full",
    "compile_glob",
    "compile_search",
    "compile_wildcard",
    "matcher",
    "plan_full",
    "plan_search",
]


def check_pattern(text: str) -> str | None:
    """What is wrong with a pattern, as a message for people; None if nothing is."""
    try:
        matcher(plan_full(text))
        matcher(plan_search(text))
    except PatternError as error:
        return str(error)
    return None


def compile_full(text: str) -> Matcher:
    """Whether a pattern matches a whole text (`matches`). Raises `PatternError` now, `Ambiguous` or
    `TooLarge` later for a text that cannot be read."""
    return matcher(plan_full(text))


def compile_search(text: str) -> Matcher:
    """Whether a pattern matches anywhere in a text (`contains`). Raises as `compile_full` does."""
    return matcher(plan_search(text))


def plan_full(text: str) -> Plan:
    """How `compile_full` would run a pattern; analysing is the slow part, so a plan may be stored."""
    return _plan(text, whole=True)


def plan_search(text: str) -> Plan:
    """How `compile_search` would run a pattern."""
    return _plan(text, whole=False)


def _plan(text: str, *, whole: bool) -> Plan:
    from guardrails.patterns.planning import plan_of
    from guardrails.patterns.syntax import parse

    return plan_of(parse(text), whole=whole)
