"""Alike: texts that look or decode alike, in one spelling.

Takes a text, gives skeletons, other spellings and decoded texts. The one idea: this is for finding what is
related and for nothing else, so it may be generous. No two texts are the same because of anything here.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from urllib.parse import unquote

from guardrails.detectors.normalise_letters import TO_LATIN
from guardrails.provenance.words import WORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 4
"""Characters that a decoded text has at least."""

MOST_DECODED = 8
"""Pieces of a text that are decoded."""

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,4096}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[2-7][0-9a-fA-F]){4,2048})(?![0-9A-Za-z])")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_ENTITY = re.compile(r"&(?:#\d|#x|[a-z]{2,6};)")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_SPELLED = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]{1,3}){4,40}[^\W_](?![^\W_])")
_MIXED = re.compile(r"(?<![^\W_])(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{3,24}(?![^\W_])")
_NOT_HEX = re.compile("[g-z]")
_LETTERS = (str.maketrans("0134578", "oleastb"), str.maketrans("0134578", "oieastb"))
_MOVED = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def skeleton(text: str) -> str:
    """`text` without case, accents, what shows as nothing, and letters that only look Latin."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).translate(TO_LATIN)
    marks = unicodedata.normalize("NFD", plain)
    return "".join(map(_shown, marks)).casefold()


def _shown(character: str) -> str:
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "" if unicodedata.category(character) in ("Mn", "Cf") else character


def joined(text: str) -> str:
    """The letters and digits of `text` in a row."""
    return "".join(WORD.findall(text))


def plain_letters(text: str) -> set[str]:
    """`text` with digits read as the letters that they are used for; a 1 may be an i or an l."""
    return {text.translate(letters) for letters in _LETTERS}


def coded_words(text: str) -> Iterator[str]:
    """What a text is also found by: words under what they look like, spelled out, or decoded."""
    folded = text.lower() if text.isascii() else skeleton(text)
    if not text.isascii():
        yield from WORD.findall(folded)
    for found in _SPELLED.finditer(folded):
        yield joined(found.group())
    for piece in decoded(text):
        yield from WORD.findall(skeleton(piece))


def leet_words(text: str) -> Iterator[str]:
    """What words with digits in them may be read as."""
    folded = text.lower() if text.isascii() else skeleton(text)
    for found in _MIXED.finditer(folded):
        if _NOT_HEX.search(found.group()):
            yield from map(joined, plain_letters(found.group()))


def camel_parts(text: str) -> str:
    """`johnSmith` as `john Smith`."""
    return _CAMEL.sub(" ", text)


def turned(text: str) -> Iterator[str]:
    """`text` backwards, and with its letters moved by thirteen."""
    yield text[::-1]
    yield text.translate(_MOVED)


def encoded(text: str) -> Iterator[str]:
    """`text` as codes."""
    data = text.encode("utf-8", "surrogatepass")
    yield base64.b64encode(data).decode()
    yield data.hex()


def decoded(text: str, shortest: int = 20) -> Iterator[str]:
    """What pieces of `text` stand for, where that is a readable text: escapes in whole, and one by one codes of
    at least so many characters."""
    for done in (_unescaped(text), *_codes(text, shortest)):
        if done is not None and len(done) >= SHORTEST and _is_readable(done):
            yield done


def _unescaped(text: str) -> str | None:
    plain = text
    if "%" in text and _PERCENT.search(text):
        plain = unquote(plain)
    if "&" in text and _ENTITY.search(text):
        plain = html.unescape(plain)
    if "\\" in text and _ESCAPE.search(text):
        plain = _ESCAPE.sub(lambda found: chr(int(found.group(1) or found.group(2), 16)), plain)
    return plain if plain != text else None


def _codes(text: str, shortest: int) -> Iterator[str | None]:
    for count, found in enumerate(_HEX.finditer(text)):
        if count == MOST_DECODED:
            break
        yield _as_text(bytes.fromhex(found.group(1)))
    if shortest < 20 and len(text) < 20:
        yield _from_base64(text)
    for count, found in enumerate(_BASE64.finditer(text)):
        if count == MOST_DECODED:
            break
        yield _from_base64(found.group())


def _from_base64(code: str) -> str | None:
    plain = code.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1 or not plain.isascii():
        return None
    try:
        return _as_text(base64.b64decode(plain + "=" * (-len(plain) % 4)))
    except binascii.Error:
        return None


def _as_text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _is_readable(text: str) -> bool:
    return all(c.isprintable() or c in "\n\r\t\x00" for c in text[:2_000])
