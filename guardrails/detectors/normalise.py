"""One plain spelling of a text, with the way back.

Takes a text, gives the text that detectors read and a map from its offsets to those of the original. The one
idea: every change is local. What becomes of a character depends on the `REACH` characters around it and on
nothing else, so a part of a text is spelled the same as in the whole, and streams can be normalised in pieces.

Folded are: compatibility forms (full-width letters and digits, ligatures), digits of other scripts, characters
that show as nothing, odd spaces, dashes and dots, letters that only look Latin inside otherwise Latin words, and
the escapes of URLs, JSON and HTML. Plain ASCII without escapes is given back as it is.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from itertools import accumulate, groupby

from guardrails.detectors.normalise_letters import LATIN, TO_LATIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

REACH = 72
"""Characters of the original on either side that can take part in how a character is spelled."""

LONGEST_ESCAPE = 12
"""Characters of the longest escape, such as `%25252540` or `%F0%9F%98%80`."""

MOST_UNSEEN = 32
"""Characters in a row that show as nothing and are passed over; more of them stand in the way, so that what
belongs together is never arbitrarily far apart."""

_UNREADABLE = "\ufffd"
_HEX = "[0-9A-Fa-f]"
_ESCAPE = (
    rf"%(?:25){{0,3}}[2-7]{_HEX}"
    rf"|%[C-Fc-f]{_HEX}(?:%[89ABab]{_HEX}){{1,3}}"
    rf"|\\u{_HEX}{{4}}|\\x[2-7]{_HEX}|\\[nrt]"
    rf"|&#(?:[xX]{_HEX}{{2,4}}|[0-9]{{2,5}});"
)
_CHANGING = re.compile(rf"[^\x00-\x7f]+|{_ESCAPE}")
_LETTER = r"[^\W\d_]"
_MIXED = re.compile(rf"(?<!{_LETTER})[A-Za-z{LATIN}]{{1,64}}(?!{_LETTER})")
_JOINED_AFTER = re.compile(r"[@.\-_/:][A-Za-z0-9]")
_JOINED_BEFORE = re.compile(r"[A-Za-z0-9][@.\-_/:]")
_WIDE_STOP = re.compile(r"(?<=[A-Za-z0-9])[。｡](?=[A-Za-z0-9])")
_ASCII_LETTER = re.compile("[A-Za-z]")

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0")
_FOLDED = {
    **dict.fromkeys("‐‑‒–—―−⁃﹘﹣－", "-"),
    "\u1680": " ",
    "\u0085": "\n",
    "\u2028": "\n",
    "\u2029": "\n",
    "…": "…",
    "｡": "｡",
    **{mark: mark for mark in "，；！？"},
}
_SPELLINGS: dict[str, str] = {}
_MOST_SPELLINGS = 20_000


_NONE: list[int] = []


class Normalised:
    """`text` is the plain spelling. `changed` says whether it differs from the original at all."""

    __slots__ = ("_after", "_before", "_ends", "_starts", "changed", "text")

    def __init__(
        self, text: str, pieces: Sequence[tuple[int, int, int, int]] = (), *, changed: bool = False
    ) -> None:
        self.text = text
        self.changed = changed
        self._starts = self._ends = self._before = self._after = _NONE
        if pieces:
            self._starts, self._ends, self._before, self._after = map(list, zip(*pieces, strict=True))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the original. What was written as one escape or one character is
        covered whole; what shows as nothing is covered inside the span, not at its edges."""
        if not self._starts:
            return start, end
        return self._origin(start), max(self._origin(start), self._origin_of_end(end))

    def offset(self, original: int) -> int:
        """The first offset of `text` that stands at `original` or behind it."""
        low, high = 0, len(self.text)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._origin(middle) >= original else (middle + 1, high)
        return low

    def _origin(self, offset: int) -> int:
        index = bisect_right(self._starts, offset) - 1
        if index < 0:
            return offset
        if offset < self._ends[index]:
            return self._before[index]
        return self._after[index] + offset - self._ends[index]

    def _origin_of_end(self, offset: int) -> int:
        index = bisect_left(self._starts, offset) - 1
        if index < 0:
            return offset
        return self._after[index] + max(0, offset - self._ends[index])


def is_plain(text: str) -> bool:
    """Whether `text` is its own plain spelling for certain; true of most ASCII texts, and quick to see."""
    return text.isascii() and "%" not in text and "\\" not in text and "&#" not in text


def normalised(text: str) -> Normalised:
    """The plain spelling of `text`, in time linear in it."""
    if is_plain(text):
        return Normalised(text)
    parts: list[str] = []
    pieces: list[tuple[int, int, int, int]] = []
    length = last = 0
    for found in _CHANGING.finditer(text):
        start, end = found.span()
        parts.append(text[last:start])
        length += start - last
        new = _rewritten(found.group(), length, start, pieces)
        parts.append(new)
        length += len(new)
        last = end
    parts.append(text[last:])
    plain = _latin("".join(parts))
    return Normalised(plain, pieces, changed=plain != text)


def _rewritten(piece: str, at: int, origin: int, pieces: list[tuple[int, int, int, int]]) -> str:
    """The spelling of one escape or of a run of characters beyond ASCII; notes in `pieces` where lengths part."""
    if piece.isascii():
        new = "".join(map(_spelling, _unescaped(piece))) or piece
        if len(new) != len(piece):
            pieces.append((at, at + len(new), origin, origin + len(piece)))
        return new
    spellings = [_SPELLINGS[c] if c in _SPELLINGS else _spelling(c) for c in piece]
    if spellings.count("") > MOST_UNSEEN:
        spellings = _with_long_runs_shown(spellings)
    new = "".join(spellings)
    if len(new) != len(piece) or "" in spellings:
        _note_lengths(spellings, at, origin, pieces)
    return new


def _with_long_runs_shown(spellings: list[str]) -> list[str]:
    shown: list[str] = []
    for spelling, run in groupby(spellings):
        length = sum(1 for _ in run)
        shown += [_UNREADABLE if not spelling and length > MOST_UNSEEN else spelling] * length
    return shown


def _note_lengths(
    spellings: list[str], at: int, origin: int, pieces: list[tuple[int, int, int, int]]
) -> None:
    begins = accumulate(map(len, spellings), initial=at)
    for index, (begin, spelling) in enumerate(zip(begins, spellings, strict=False)):
        if len(spelling) != 1:
            place = origin + index
            pieces.append((begin, begin + len(spelling), place, place + 1))


def _spelling(character: str) -> str:
    """What a single character is read as; nothing for one that shows as nothing."""
    if character.isascii():
        return character
    if len(_SPELLINGS) > _MOST_SPELLINGS:
        _SPELLINGS.clear()
    return _SPELLINGS.setdefault(character, _worked_out(character))


def _worked_out(character: str) -> str:
    if character in _FOLDED:
        return _FOLDED[character]
    if character in _UNSEEN or unicodedata.category(character) == "Cf" or _is_variation(ord(character)):
        return ""
    if unicodedata.category(character) == "Cs":
        return _UNREADABLE
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return unicodedata.normalize("NFKC", character)


def _is_variation(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF


def _unescaped(escape: str) -> str:
    """What an escape stands for; itself where that is a control character or no character at all."""
    if escape[0] == "%":
        return _percent(escape)
    if escape[:2] in ("\\n", "\\r", "\\t"):
        return "\n" if escape[1] != "t" else "\t"
    digits, base = (escape[2:], 16) if escape[0] == "\\" else _reference(escape[2:-1])
    code = int(digits, base)
    visible = 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
    return chr(code) if visible else escape


def _reference(body: str) -> tuple[str, int]:
    return (body[1:], 16) if body[0] in "xX" else (body, 10)


def _percent(escape: str) -> str:
    if escape[1] in "234567":
        return _printable(chr(int(escape[-2:], 16)), escape)
    try:
        return bytes.fromhex(escape.replace("%", "")).decode()
    except UnicodeDecodeError:
        return escape


def _printable(character: str, otherwise: str) -> str:
    return character if character.isprintable() else otherwise


def _latin(text: str) -> str:
    """`text` with lookalikes of Latin letters replaced in words that are Latin for the rest, or that a mark of
    an address joins to something Latin. A word of another script as a whole is left alone."""
    if text.isascii():
        return text
    text = _WIDE_STOP.sub(".", text)
    return _MIXED.sub(_latin_word, text)


def _latin_word(found: re.Match[str]) -> str:
    word = found.group()
    if word.isascii() or not (_ASCII_LETTER.search(word) or _is_joined(found)):
        return word
    return word.translate(TO_LATIN)


def _is_joined(found: re.Match[str]) -> bool:
    start, end = found.span()
    text = found.string
    before = start >= 2 and _JOINED_BEFORE.match(text, start - 2)
    return bool(before or _JOINED_AFTER.match(text, end))
