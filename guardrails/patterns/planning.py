"""Which engine runs a pattern, and in which words.

Takes a tree, gives a `Plan`. One idea: both regular-expression engines get the same explicit form, in
which every class is a list of code points and every anchor is absolute, so they cannot disagree; then the
faster one may be taken wherever it is proved to be linear. A plain text needs neither.
"""

from __future__ import annotations

from guardrails.patterns.charsets import is_single
from guardrails.patterns.engines import Plan
from guardrails.patterns.safety import is_linear, is_linear_search
from guardrails.patterns.syntax import parse
from guardrails.patterns.tree import Alt, Assertion, Chars, Repeat, Seq

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.patterns.tree import Node

_PLACES = {
    "start": r"\A", "end": r"\z", "word": r"\b", "not word": r"\B",
    "line start": "(?m:^)", "line end": "(?m:$)",
}  # fmt: skip

# `re` spells two of them in its own way: its `\Z` is absolute, and its `\B` fails on an empty text.
_PLACES_RE = {**_PLACES, "end": r"\Z", "not word": r"(?!\b)"}


def plan_of(tree: Node, *, whole: bool) -> Plan:
    """The plan for matching a whole text, or for finding a match anywhere in it."""
    plain = _plain_text(tree)
    if plain is not None:
        return Plan("text", plain, whole=whole)
    if is_linear(tree) if whole else is_linear_search(tree):
        return Plan("re", as_re(tree), whole=whole)
    return Plan("re2", as_re2(tree), whole=whole)


def re2_text(text: str) -> str:
    """A pattern in the explicit form, for those who give many of them to RE2 at once."""
    return as_re2(parse(text))


def as_re(tree: Node) -> str:
    """The explicit form for `re`, with its ASCII flag. Not for trees with `raw` sets: only RE2 knows them."""
    return _render(tree, _PLACES_RE, _code_re)


def as_re2(tree: Node) -> str:
    """The explicit form for RE2."""
    return _render(tree, _PLACES, _code_re2)


def _plain_text(tree: Node) -> str | None:
    """The one text that the tree matches, if it is that simple."""
    items = tree.items if isinstance(tree, Seq) else [tree]
    found = []
    for item in items:
        if not isinstance(item, Chars) or item.raw or not is_single(item.ranges):
            return None
        found.append(chr(item.ranges[0][0]))
    return "".join(found)


def _render(node: Node, places: dict[str, str], code: Callable[[int], str]) -> str:
    if isinstance(node, Chars):
        return node.raw or _render_chars(node, code)
    if isinstance(node, Assertion):
        return places[node.kind]
    if isinstance(node, Repeat):
        return f"(?:{_render(node.body, places, code)})" + _bounds(node)
    if isinstance(node, Alt):
        return "(?:" + "|".join(_render(option, places, code) for option in node.options) + ")"
    return "".join(_render(item, places, code) for item in node.items)


def _render_chars(node: Chars, code: Callable[[int], str]) -> str:
    if is_single(node.ranges):
        return code(node.ranges[0][0])
    return "[" + "".join(_render_range(low, high, code) for low, high in node.ranges) + "]"


def _render_range(low: int, high: int, code: Callable[[int], str]) -> str:
    return code(low) if low == high else f"{code(low)}-{code(high)}"


def _code_re(code: int) -> str:
    if chr(code).isascii() and chr(code).isalnum():
        return chr(code)
    return f"\\x{code:02x}" if code < 256 else f"\\U{code:08x}"


def _code_re2(code: int) -> str:
    return chr(code) if code < 128 and chr(code).isalnum() else f"\\x{{{code:x}}}"


def _bounds(node: Repeat) -> str:
    low, high = node.low, node.high
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((low, high))
    counted = f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"
    return (short or counted) + ("?" if node.lazy else "")
