"""The tree of a regular expression, without flags, groups or classes by name.

A node is what a place of the pattern accepts, with nothing left to interpret. The functions here measure
a tree; none of them changes it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from guardrails.patterns.charsets import Ranges

    Node: TypeAlias = "Chars | Seq | Alt | Repeat | Assertion"


class Chars:
    """One character out of `ranges`. `raw` is the RE2 text where only RE2 knows the set (letters beyond
    ASCII without regard to case); `written` is the source, for advice."""

    __slots__ = ("ranges", "raw", "written")

    def __init__(self, ranges: Ranges, written: str, raw: str = "") -> None:
        self.ranges = ranges
        self.written = written
        self.raw = raw


class Seq:
    __slots__ = ("items",)

    def __init__(self, items: list[Node]) -> None:
        self.items = items


class Alt:
    __slots__ = ("options",)

    def __init__(self, options: list[Node]) -> None:
        self.options = options


class Repeat:
    """`low` to `high` times; `high` is None without an end."""

    __slots__ = ("body", "high", "lazy", "low")

    def __init__(self, body: Node, low: int, high: int | None) -> None:
        self.body = body
        self.low = low
        self.high = high
        self.lazy = False


class Assertion:
    """A place rather than a character: `start`, `end`, `line start`, `line end`, `word`, `not word`."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


def children(node: Node) -> list[Node]:
    if isinstance(node, Seq):
        return node.items
    if isinstance(node, Alt):
        return node.options
    return [node.body] if isinstance(node, Repeat) else []


def copies(node: Node) -> int:
    """The most copies that one place of the tree is repeated to, counted as RE2 counts them."""
    inner = max(map(copies, children(node)), default=1)
    if not isinstance(node, Repeat):
        return inner
    return inner * max(node.low if node.high is None else node.high, 1)


def size(node: Node) -> int:
    """Places for a character with every counted repeat written out."""
    if isinstance(node, Chars):
        return 1
    inner = sum(map(size, children(node)))
    if not isinstance(node, Repeat):
        return inner
    return inner * max(node.low if node.high is None else node.high, 1)


def classes(node: Node) -> list[str]:
    """The bracketed character classes of the tree, as written."""
    if isinstance(node, Chars):
        return [node.written] if node.written.startswith("[") else []
    return [written for child in children(node) for written in classes(child)]


def longest_match(tree: Node) -> int | None:
    """The most characters a match spans; None without a bound."""
    if isinstance(tree, Chars):
        return 1
    if isinstance(tree, Repeat):
        body = longest_match(tree.body)
        return None if body is None or tree.high is None else body * tree.high
    if isinstance(tree, Alt):
        options = [longest_match(option) for option in tree.options]
        return None if None in options else max(length or 0 for length in options)
    items = [longest_match(item) for item in tree.items] if isinstance(tree, Seq) else []
    return None if None in items else sum(length or 0 for length in items)
