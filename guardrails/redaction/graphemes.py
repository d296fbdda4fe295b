"""Graphemes: where a text that is still growing may be cut without showing half a character.

Takes pieces of text, gives the same text in pieces that end between grapheme clusters. It may keep together
a little more than Unicode's rules ask for, never less; a cluster of more than MOST code points is cut.
"""

from __future__ import annotations

from unicodedata import category, combining

MOST = 64
"""Code points of a cluster."""

_MARKS = frozenset(("Mn", "Mc", "Me"))
_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_JOINERS = frozenset("\u200c\u200d\uff9e\uff9f\u0e33\u0eb3")
"""What extends a cluster without being a mark: joiners, sound marks, Thai and Lao am."""

_PREPENDED = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3"
    "\U0001193f\U00011941\U00011a3a\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88\U00011a89\U00011d46\U00011f02"
)
"""Signs that stand before what they belong to."""


class GraphemeGate:
    """Holds back the last cluster of what was fed, because it may go on."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown by now."""
        if not piece:
            return ""
        text = self._held + piece
        cut = last_boundary(text)
        self._held = text[cut:]
        return text[:cut]

    def close(self) -> str:
        held, self._held = self._held, ""
        return held

    @property
    def pending(self) -> int:
        return len(self._held)


def last_boundary(text: str) -> int:
    """The last offset at which `text`, which begins at a boundary, can be cut whatever follows it."""
    if text[-1] != "\r" and category(text[-1]) == "Cc":
        return len(text)
    cut = len(text) - 1
    while cut > 0 and joined(text[cut - 1], text[cut]):
        if len(text) - cut > MOST:
            return len(text) - (len(text) - len(text.rstrip(_FLAGS))) % 2
        cut -= 1
    return cut


def joined(first: str, second: str) -> bool:
    """Whether no cut may be made between two neighbours."""
    if second < "\u0300" and first < "\u0300":
        return first == "\r" and second == "\n"
    if category(first) == "Cc":
        return False
    return _extends(second) or _asks_for_more(first) or _is_pair(first, second)


def _extends(character: str) -> bool:
    return (
        character in _JOINERS
        or category(character) in _MARKS
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _asks_for_more(character: str) -> bool:
    """Joiners, signs that stand before what they belong to, and the virama of a conjunct."""
    return character == "\u200d" or combining(character) == 9 or character in _PREPENDED


def _is_pair(first: str, second: str) -> bool:
    """Flags, and the parts of a Hangul syllable."""
    if second in _FLAGS:
        return first in _FLAGS
    if _is_jamo(second):
        return _is_jamo(first) or "\uac00" <= first <= "\ud7a3"
    return _is_jamo(first) and "\uac00" <= second <= "\ud7a3"


def _is_jamo(character: str) -> bool:
    return (
        "\u1100" <= character <= "\u11ff"
        or "\ua960" <= character <= "\ua97f"
        or "\ud7b0" <= character <= "\ud7ff"
    )
