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
    from typing import Any

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


MOST_KEPT = 1024
"""Patterns whose plans are kept: a policy says the same one for many tools, and is often loaded again."""

_plans: dict[tuple[str, bool], Plan] = {}
_checked: dict[str, str | None] = {}


def check_pattern(text: str) -> str | None:
    """What is wrong with a pattern, as a message for people; None if nothing is."""
    if text not in _checked:
        _make_room(_checked)
        _checked[text] = _problem_of(text)
    return _checked[text]


def _problem_of(text: str) -> str | None:
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
    plan = _plans.get((text, whole))
    if plan is None:
        from guardrails.patterns.planning import plan_of
        from guardrails.patterns.syntax import parse

        plan = plan_of(parse(text), whole=whole)
        _make_room(_plans)
        _plans[text, whole] = plan
    return plan


def _make_room(kept: dict[Any, Any]) -> None:
    """All go at once when there are too many: what is still in use comes back at its next turn."""
    if len(kept) >= MOST_KEPT:
        kept.clear()
