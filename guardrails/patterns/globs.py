"""Globs: `like` for paths and the stars of tool names.

Takes the text of a glob, gives a function of a text. `*` is any run without `/`, `**` any run, `?` one
character but `/`; everything else, brackets and backslashes included, stands for itself. In a tool name
there is only `*`, and it is any run. The common shapes are plain searches; the rest becomes a pattern.
"""

from __future__ import annotations

from guardrails.patterns.engines import matcher, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.patterns.engines import Matcher, Plan
    from guardrails.patterns.tree import Node


def compile_glob(text: str) -> Matcher:
    """Whether a whole text is like a glob. Linear; raises `Ambiguous` on half of a surrogate pair."""
    runs = text.split("**")
    if not any("*" in run or "?" in run for run in runs):
        return _on_readable(_wildcard(runs))
    if len(runs) == 1 and text.count("*") == 1 and "?" not in text:
        return _on_readable(_single_star(*text.split("*")))
    return matcher(plan_glob(text))


def plan_glob(text: str) -> Plan:
    """How a glob is run when it takes an engine."""
    from guardrails.patterns.planning import plan_of

    return plan_of(_tree(text.split("**")), whole=True)


def compile_wildcard(text: str) -> Callable[[str], bool]:
    """Whether a tool's whole name is like `text`, where `*` is any run of characters. Linear."""
    return _wildcard(text.split("*"))


def _on_readable(match: Matcher) -> Matcher:
    return lambda text: match(readable(text))


def _wildcard(runs: list[str]) -> Matcher:
    """Matches `runs` in order with anything between: the leftmost place of each is as good as any."""
    if len(runs) == 1:
        return lambda text: text == runs[0]
    head, *middle, tail = runs

    def matches(text: str) -> bool:
        end = len(text) - len(tail)
        at = len(head)
        if at > end or not (text.startswith(head) and text.endswith(tail)):
            return False
        for run in middle:
            found = text.find(run, at, end)
            if found < 0:
                return False
            at = found + len(run)
        return True

    return matches


def _single_star(head: str, tail: str) -> Matcher:
    def matches(text: str) -> bool:
        end = len(text) - len(tail)
        return (
            len(head) <= end
            and text.startswith(head)
            and text.endswith(tail)
            and text.find("/", len(head), end) < 0
        )

    return matches


def _tree(runs: list[str]) -> Node:
    from guardrails.patterns.charsets import ANYTHING
    from guardrails.patterns.tree import Chars, Repeat, Seq

    items: list[Node] = []
    for index, run in enumerate(runs):
        if index:
            items.append(Repeat(Chars(ANYTHING, "**"), 0, None))
        items += [_node(char) for char in run]
    return Seq(items)


def _node(char: str) -> Node:
    from guardrails.patterns.charsets import complement
    from guardrails.patterns.tree import Chars, Repeat

    no_slash = Chars(complement([(47, 47)]), char)
    if char == "*":
        return Repeat(no_slash, 0, None)
    return no_slash if char == "?" else Chars(((ord(char), ord(char)),), char)
