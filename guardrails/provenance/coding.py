"""Coding: which blocks of a segment hold something in another spelling, without reading all of them.

Takes a segment, gives the blocks with keys of the layer `coded`, or blocks that must be read for them. The one
idea: texts in codes are rare and have a shape, so characters are mapped to a few classes, and only where the
classes stand in a row as in a code is anything decoded.
"""

from __future__ import annotations

import re
from binascii import a2b_base64

from guardrails.provenance.alike import MOST_DECODED, skeleton
from guardrails.provenance.segments import OVER, every
from guardrails.provenance.words import LONGEST, WORD, is_telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.provenance.segments import Segment

SHOWING = 20
"""Characters of a code that show whether it may be a text."""

LONG = 512
"""Characters from which on a code may go on in the next block."""

_ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _classes(*rows: tuple[bytes, bytes]) -> bytes:
    table = bytearray(b" " * 256)
    for characters, sign in rows:
        for each in characters:
            table[each] = sign[0]
    return bytes(table)


_OF_WORDS = _classes((_ALNUM + bytes(range(128, 256)), b"w"))
_OF_CODES = _classes((_ALNUM + b"+/_-", b"x"))
_OF_HEX = _classes((_ALNUM, b"w"), (b"0189abcdefABCDEF", b"h"), (b"234567", b"s"))
_RUN = b"x" * SHOWING
_USUAL = bytes.maketrans(b"-_", b"+/")
_SHOWN = bytes([0, 9, 10, 13, *range(32, 127), *range(128, 256)])
_HEX = re.compile(rb" (?:hw)?(?:s[sh]){4,2048}(?= )")
_SPELLED = (b" w w ", b" w  w ", b" w   w ")
_ESCAPED = (b"%", b"&", b"\\u", b"\\x")


def coded_blocks(segment: Segment) -> Iterator[tuple[int, set[str] | None]]:
    """Blocks with keys of other spellings and these keys; None where the block must be read for them, as all of those
    that are not ASCII."""
    whole = _to_read(segment)
    codes: dict[int, list[str]] = {}
    for block, code in _hex_codes(segment):
        if block not in whole:
            codes.setdefault(block, []).append(code)
    for block in sorted({*whole, *codes}):
        few = codes.get(block, ())
        if block in whole or len(few) > MOST_DECODED:
            yield block, None
        elif keys := {word for code in few for word in _words_of(code)}:
            yield block, keys


def _to_read(segment: Segment) -> set[int]:
    stream = segment.raw()
    data, starts = stream
    found = [place for sign in _ESCAPED for place in every(data, sign)]
    words = b" " + data.translate(_OF_WORDS)
    found += [place for sign in _SPELLED for place in every(words, sign)]
    found += _codes(data)
    blocks = set(segment.blocks_at(stream, sorted(found)))
    if not data.isascii():
        ends = ((at, data[start : starts[at + 1] + OVER]) for at, start in enumerate(starts[:-1]))
        blocks.update(segment.first + at for at, piece in ends if not piece.isascii())
    return blocks


def _hex_codes(segment: Segment) -> Iterator[tuple[int, str]]:
    """Texts in hexadecimal digits, each with its block."""
    stream = segment.raw()
    data = stream[0]
    places, texts = [], []
    for found in _HEX.finditer(b" " + data.translate(_OF_HEX) + b" "):
        code = data[found.start() : found.end() - 1]
        code = code.removeprefix(b"0x")
        if len(code) % 2 == 0 and code.isalnum() and not code.translate(_OF_HEX).count(b"w"):
            text = bytes.fromhex(code.decode()).decode()
            if text.isprintable():
                places.append(found.start())
                texts.append(text)
    for place, text in zip(places, texts, strict=True):
        for block in segment.blocks_at(stream, (place,)):
            yield block, text


def _words_of(code: str) -> set[str]:
    return {word[:LONGEST] for word in WORD.findall(skeleton(code)) if is_telling(word)}


def _codes(data: bytes) -> Iterator[int]:
    """Where so many characters of codes stand in a row that a text may be read from them."""
    codes = data.translate(_OF_CODES)
    place = codes.find(_RUN)
    while place >= 0:
        end = codes.find(b" ", place)
        end = len(codes) if end < 0 else end
        if end - place > LONG or _may_be_read(data[place : place + SHOWING]):
            yield place
        place = codes.find(_RUN, end)


def _may_be_read(code: bytes) -> bool:
    """Whether a code begins with what may be a text."""
    head = a2b_base64(code.translate(_USUAL))
    if head.translate(None, _SHOWN):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4
    return True
