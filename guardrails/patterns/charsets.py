"""Sets of characters as sorted, disjoint ranges of code points: what one place of a pattern accepts.

Takes and gives tuples of `(low, high)` pairs, both inclusive. The one idea: every class a pattern can
write, negated or folded, becomes such a tuple, so no engine's own notion of `\\s` or `(?i)` ever counts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Ranges: TypeAlias = tuple[tuple[int, int], ...]

LAST = 0x10FFFF
ANYTHING: Ranges = ((0, LAST),)
NOT_NEWLINE: Ranges = ((0, 9), (11, LAST))

_DIGIT: Ranges = ((48, 57),)
_UPPER: Ranges = ((65, 90),)
_LOWER: Ranges = ((97, 122),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))

PERL: dict[str, Ranges] = {"d": _DIGIT, "w": _WORD, "s": ((9, 10), (12, 13), (32, 32))}
"""`\\d`, `\\w`, `\\s`: ASCII only, and a vertical tab is no space."""

POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": _UPPER + _LOWER,
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": _LOWER,
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
"""`[[:name:]]`, as RE2 reads them."""

_STRAYS = ((0x53, 0x17F), (0x4B, 0x212A))
"""The long s and the kelvin sign: the only characters beyond ASCII that fold to an ASCII letter."""


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same characters, sorted, and with neighbours merged."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Every other character."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in union(ranges):
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def folded(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """With both cases of every ASCII letter. The caller sees to it that letters beyond ASCII are RE2's."""
    found = list(ranges)
    for low, high in tuple(found):
        found += _shifted(low, high, _UPPER, 32) + _shifted(low, high, _LOWER, -32)
        found += [(stray, stray) for letter, stray in _STRAYS if _holds_letter(low, high, letter)]
    return union(found)


def _shifted(low: int, high: int, letters: Ranges, by: int) -> list[tuple[int, int]]:
    start, end = max(low, letters[0][0]), min(high, letters[0][1])
    return [(start + by, end + by)] if start <= end else []


def _holds_letter(low: int, high: int, upper: int) -> bool:
    return low <= upper <= high or low <= upper + 32 <= high


def is_single(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]
