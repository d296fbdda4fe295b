"""What a pattern lets through that its author did not mean, shown by an example.

Takes the text of a pattern, gives a text that it matches, or nothing. The idea: an example convinces where
a warning does not, and each one is run through the matcher before it is shown, so none is a false alarm
about what matches. Only mistakes that people make are looked for: an open end, a bare `.`, a word in `[ ]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from guardrails.patterns import compile_full, compile_search
from guardrails.patterns.charsets import is_single
from guardrails.patterns.syntax import parse
from guardrails.patterns.tree import Alt, Assertion, Chars, Repeat, Seq, classes

if TYPE_CHECKING:
    from guardrails.patterns.engines import Matcher
    from guardrails.patterns.tree import Node

MAX_SAMPLE = 200
"""Characters of an example; a longer one shows nothing to a reader."""


def example_slip(pattern: str, *, searched: bool = False) -> str | None:
    """A text that a pattern accepts against its evident meaning, or None. `searched`: it is looked for
    anywhere in a text (`contains`), rather than matched against all of it. Raises `PatternError`."""
    tree = parse(pattern)
    places = list(_sample(tree))
    if len(places) > MAX_SAMPLE:
        return None
    match = compile_search(pattern) if searched else compile_full(pattern)
    candidates = [*(_surrounded(tree, places) if searched else ()), *_other_dots(places)]
    return next(filter(match, candidates), None) if _is_sound(places, match) else None


def suspicious_class(pattern: str) -> str | None:
    """Why a character class of a pattern looks like a word by mistake, or None. Raises `PatternError`."""
    for written in classes(parse(pattern)):
        if _looks_like_words(written):
            return f"`{written}` matches one character out of a list, not a word"
    return None


class _Place(NamedTuple):
    """A character of an example. `bare_dot`: the pattern has an unrepeated `.` there; `literal`: it asks for
    this character and no other."""

    char: str
    bare_dot: bool
    literal: bool


def _sample(node: Node) -> Iterator[_Place]:
    """The shortest text that the pattern was written for, with every bare `.` meant as a dot."""
    if isinstance(node, Chars):
        yield _Place(_usual(node), node.written == ".", is_single(node.ranges))
    elif isinstance(node, Seq):
        for item in node.items:
            yield from _sample(item)
    elif isinstance(node, Alt):
        yield from _sample(node.options[0])
    elif isinstance(node, Repeat):
        for _ in range(min(node.low, MAX_SAMPLE)):
            yield from (place._replace(bare_dot=False) for place in _sample(node.body))


def _usual(node: Chars) -> str:
    """The character of a class that reads best."""
    usual = (
        [ord(char) for char in ".a0Ax-_/ "] if node.written == "." else [ord(char) for char in "a0A-_./x "]
    )
    codes = (code for code in usual if any(low <= code <= high for low, high in node.ranges))
    return chr(next(codes, node.ranges[0][0]))


def _text(places: list[_Place]) -> str:
    return "".join(place.char for place in places)


def _is_sound(places: list[_Place], match: Matcher) -> bool:
    """Whether the sample is itself accepted; assertions may rule it out."""
    return match(_text(places))


def _other_dots(places: list[_Place]) -> Iterator[str]:
    """Samples with another character where a `.` between words was surely meant as a dot."""
    for index, place in enumerate(places):
        if place.bare_dot and _is_word(places[index + 1 :]) and _is_word(places[:index][::-1]):
            yield _text([*places[:index], place._replace(char="X"), *places[index + 1 :]])


def _is_word(places: list[_Place]) -> bool:
    """Whether two letters or digits come first, each asked for by name."""
    return len(list(takewhile(lambda place: place.literal and place.char.isalnum(), places[:2]))) == 2


def _surrounded(tree: Node, places: list[_Place]) -> Iterator[str]:
    """Samples with something before or after them, where the pattern leaves that end open by oversight."""
    sample = _text(places)
    open_start, open_end = _is_open(_edge(tree, 0)), _is_open(_edge(tree, -1))
    is_host = re.search(r"://|\w\.\w", sample) is not None
    if not sample:
        return
    if open_start and open_end:
        yield f"https://evil.example/?u={sample}" if is_host else f"anything before {sample} and after"
    if open_end and sample[-1].isalnum():
        yield f"{sample}.evil.example" if is_host else f"{sample} and anything after"
    if open_start and sample[0].isalnum():
        yield f"evil-{sample}" if is_host else f"anything before {sample}"
        yield f"evil{sample}"


def _edge(node: Node, index: int) -> Node | None:
    """The first or last item of a pattern."""
    while isinstance(node, Seq):
        if not node.items:
            return None
        node = node.items[index]
    return node


def _is_open(edge: Node | None) -> bool:
    """Whether an end is neither anchored nor opened on purpose by `.*` or `.+`."""
    if isinstance(edge, Assertion):
        return edge.kind in ("word", "not word")
    if not isinstance(edge, Repeat) or edge.high is not None:
        return True
    return not (isinstance(edge.body, Chars) and edge.body.written == ".")


_ALTERNATIVES = re.compile(r"[A-Za-z]{2,}\|[A-Za-z]{2,}")
_ENDING = re.compile(r"\.[A-Za-z]{2,}\$\]$")
_WORD = re.compile(r"[A-Za-z.]{4,}")
_NOT_LISTED = re.compile(r"\[:\^?\w+:\]|\\x\{\w*\}|\\x\w\w|\\\w|[^\]]-[^\]]")


def _looks_like_words(written: str) -> bool:
    """Alternatives, the end of a host name, or a word that has a letter twice: no list of characters has."""
    listed = _NOT_LISTED.sub(" ", written)
    if _ALTERNATIVES.search(listed) or _ENDING.search(listed.replace("\\", "")):
        return True
    words = (word.replace(".", "") for word in _WORD.findall(listed.replace("\\", "")))
    return any(len(set(word)) < len(word) for word in words)
