"""Aligned: where a text stands in another one as a whole, and not as a part of something longer.

Takes a text and what is looked for, gives places. The one idea: marks that join (`.`, `-`, `@`, `/` and their
like) belong to what stands behind them, so `bob` is not in `bob-evil`, and `x.com` not in `x.com.evil.io`; but
they end a sentence as well, so a mark with a blank behind it joins nothing.
"""

from __future__ import annotations

import re
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_JOINING = frozenset("-_.@/:+%\\~'’‐‑‒–#?&=*^|")
_OPENING = frozenset(":#?&=*^|")
"""Joining marks that may stand before a value: `id:4711`, `to=bob`."""

_MOST_MARKS = 8

_BLANKS = re.compile(r"[^\S\x00]+")


def occurrences(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Where `wanted` stands in `text`, aligned."""
    if not wanted:
        return
    place = text.find(wanted)
    while place >= 0:
        end = place + len(wanted)
        if stands_alone(text, place, end):
            yield place, end
        place = text.find(wanted, place + 1)


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a whole, and not a part of something longer."""
    wanted = text[start:end]
    return _begins(text, start, wanted) and _ends(text, end, wanted)


def one_blank(text: str) -> str:
    """`text` with every run of blanks as one; the marks between leaves stay."""
    if not text.isascii():
        return _BLANKS.sub(" ", text)
    for blank in "\t\n\r\v\f":
        if blank in text:
            text = text.replace(blank, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _begins(text: str, place: int, wanted: str) -> bool:
    before = place - 1
    if before < 0 or text[before] == "\x00":
        return True
    if text[before] == "," and wanted[0].isdigit():
        return not text[before - 1 : before].isdigit()
    if wanted[0] in "/\\~.-" and text[before] in _JOINING and text[before] not in "=:'’":
        return False
    if text[before] in "=:&?" and not (
        text[before] == ":" and wanted[0].isdigit() and text[before - 1 : before].isdigit()
    ):
        return True
    for _ in range(_MOST_MARKS):
        if before < 0 or text[before] not in _JOINING:
            return before < 0 or not belongs(text[before])
        before -= 1
    return True


def _ends(text: str, end: int, wanted: str) -> bool:
    if text[end : end + 1] == "," and wanted[-1].isdigit():
        return not text[end + 1 : end + 2].isdigit()
    if text[end : end + 2] in ("'s", "’s") and not wanted[-1].isdigit():
        return not text[end + 2 : end + 3].isalnum()
    for after in range(end, min(end + _MOST_MARKS, len(text))):
        if text[after] not in _JOINING:
            return not belongs(text[after])
    return True


def belongs(character: str) -> bool:
    """Whether a character next to a value makes it longer: letters, digits, and what shows as nothing or
    changes the letter before it."""
    if character.isalnum():
        return True
    return not (character.isascii() or character.isspace()) and unicodedata.category(character)[0] in "MLNC"
