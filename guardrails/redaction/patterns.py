"""Patterns as detectors: a regular expression of a policy finds its matches in texts that still grow.

Takes a pattern of the language, gives a detector. The one idea: from a pattern's tree comes the pattern of
all beginnings of its matches; where a beginning reaches to the end of what is there, a match may still come,
and nowhere else.
"""

from __future__ import annotations

from guardrails.detectors.matches import Match
from guardrails.errors import TooLarge
from guardrails.patterns.tree import Alt, Assertion, Chars, Repeat, Seq, longest_match

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from guardrails.patterns.tree import Node

LONGEST = 4_096
"""Characters that may be under way of a match without a bound before a stream gives up."""


class PatternDetector:
    """Finds what `pattern` matches, leftmost first and without overlaps, as `entity`.

    In a stream, `settled_from` raises `TooLarge` when more than LONGEST characters may still become one
    match; a whole text has no such bound. Raises `PatternError` for a pattern that is none.
    """

    run = ""
    left = 1

    def __init__(self, pattern: str, entity: str = "PATTERN", *, score: float = 1.0) -> None:
        from guardrails.patterns.planning import as_re2
        from guardrails.patterns.syntax import parse

        tree = parse(pattern)
        longest = longest_match(tree)
        self.name = pattern
        self.entity = entity
        self.score = score
        self.hold = min(LONGEST, longest or LONGEST)
        self._is_bounded = longest is not None and longest <= LONGEST
        self._whole = _compiled(as_re2(tree))
        self._begun = _compiled(f"(?:{as_re2(beginnings(tree))})\\z")

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        return self.find_from(text, 0, context)

    def find_from(self, text: str, start: int, context: Sequence[str]) -> list[Match]:
        """The matches that are found when the search begins at `start`, as if one had ended there."""
        return [Match(*span, self.entity, self.score) for span in self._spans(text, start)]

    def judged_whole(self, context: Sequence[str]) -> int:
        return 0

    def settled(self, text: str) -> int:
        return self.settled_from(text, 0)

    def settled_from(self, text: str, start: int) -> int:
        """Up to where `text` is settled when the search begins at `start`."""
        begun = self._begin(text, start)
        for first, end in self._spans(text, start):
            if first >= begun:
                break
            if end > begun:
                begun = self._begin(text, end)
        if len(text) - begun > self.hold:
            raise TooLarge(
                f"`/{self.name}/` may still match the last {len(text) - begun:,} characters of a stream, and no "
                f"more than {self.hold:,} are held back; give its repeats an upper bound"
            )
        return begun

    def _begin(self, text: str, start: int) -> int:
        """The first offset from which on the rest of `text` may be the beginning of a match."""
        from guardrails.patterns.engines import readable

        if self._is_bounded:
            start = max(start, len(text) - self.hold)
        found = self._begun.search(readable(text), start)
        return found.start() if found else len(text)

    def _spans(self, text: str, start: int) -> list[tuple[int, int]]:
        from guardrails.patterns.engines import readable

        found = self._whole.finditer(readable(text), start)
        return [each.span() for each in found if each.end() > each.start()]


def beginnings(node: Node) -> Node:
    """A tree for all beginnings of what `node` matches, the empty one and the whole included."""
    if isinstance(node, Chars):
        return Repeat(node, 0, 1)
    if isinstance(node, Assertion):
        return Seq([])
    if isinstance(node, Alt):
        return Alt([beginnings(option) for option in node.options])
    if isinstance(node, Repeat):
        return _repeat_beginnings(node)
    return _seq_beginnings(node.items)


def _repeat_beginnings(node: Repeat) -> Node:
    if node.high == 0:
        return Seq([])
    high = None if node.high is None else node.high - 1
    return Seq([Repeat(node.body, 0, high), beginnings(node.body)]) if high != 0 else beginnings(node.body)


def _seq_beginnings(items: list[Node]) -> Node:
    """Halves, so that the tree stays shallow: what begins in the first, or is the first and begins in the rest."""
    if len(items) < 2:
        return beginnings(items[0]) if items else Seq([])
    middle = len(items) // 2
    first, rest = items[:middle], items[middle:]
    return Alt([Seq([*first, _seq_beginnings(rest)]), _seq_beginnings(first)])


def _compiled(text: str) -> Any:
    import re2

    from guardrails.patterns.engines import RE2_MEMORY, PatternError

    options = re2.Options()
    options.log_errors = False
    options.max_mem = RE2_MEMORY
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise PatternError("the pattern is too large to be run in linear time") from error
