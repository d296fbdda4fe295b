"""Reach: which statements speak of everything that a tool name or wildcard means.

Takes statements, answers for a pattern. A wildcard covers another when it matches it with its `*` taken as a
character of its own, which no name has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from guardrails.language import syntax
from guardrails.lint.policy import Stated
from guardrails.patterns import compile_wildcard

ANY_TEXT = ""
"""Stands for the patterns of blocks without tools: `on input`, `on output`."""


class Reach:
    """Statements of one point by the tools of their blocks."""

    def __init__(self, statements: Iterable[Stated]) -> None:
        self._named: dict[tuple[str, str], list[Stated]] = defaultdict(list)
        self._wild: dict[tuple[str, str], tuple[Callable[[str], bool], list[Stated]]] = {}
        for stated in statements:
            for text, wild in patterns_of(stated.block):
                self._enter(stated, text, wild=wild)

    def _enter(self, stated: Stated, text: str, *, wild: bool) -> None:
        key = (stated.block.point, text)
        if not wild:
            self._named[key].append(stated)
            return
        if key not in self._wild:
            self._wild[key] = (compile_wildcard(text), [])
        self._wild[key][1].append(stated)

    def over(self, point: str, text: str) -> list[Stated]:
        """The statements that hold for everything the pattern `text` means."""
        found = list(self._named.get((point, text), ()))
        for (other, _), (matches, statements) in self._wild.items():
            if other == point and matches(text):
                found += statements
        return found

    def covering(self, block: syntax.Block) -> list[list[Stated]]:
        """For each pattern of a block, the statements that cover it."""
        return [self.over(block.point, text) for text, _ in patterns_of(block)]


def patterns_of(block: syntax.Block) -> list[tuple[str, bool]]:
    """The tool patterns of a block and whether each is a wildcard."""
    return [(pattern.text, pattern.is_wildcard) for pattern in block.tools] or [(ANY_TEXT, False)]
