"""Layers: texts inside a text, in base64, hexadecimal, percent signs, ROT13, or spelled letter by letter.

Takes a text, gives what can be read out of it, with the place. Bounded: so many pieces, so many characters and
so many layers in layers; what is beyond is not read.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from urllib.parse import unquote

from guardrails.detectors.secrets.checks import decoded64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Layer = tuple[int, int, str]

DEPTH = 3
"""Layers in layers that are read."""

PIECES = 40
"""Pieces of one kind in one text that are read."""

LONGEST = 20_000
"""Characters of a piece that are read."""

_BASE64 = re.compile(rf"[A-Za-z0-9+/_\-]{{20,{LONGEST}}}={{0,2}}(?:\r?\n[A-Za-z0-9+/_\-]{{4,}}={{0,2}})*")
_HEX = re.compile(rf"(?:\\x[0-9a-fA-F]{{2}}|[0-9a-fA-F]{{2}}[ :]?){{12,{LONGEST // 4}}}")
_PERCENT = re.compile(rf"(?:%[0-9a-fA-F]{{2}}|[A-Za-z0-9+_.\-]){{12,{LONGEST}}}")
_SPELLED = re.compile(rf"(?:\b[A-Za-z][ .\-_*]){{12,{LONGEST // 8}}}[A-Za-z]\b")
_ROT13 = r"\b(?:vtaber|qvfertneq|sbetrg|bireevqr|cerivbhf|vafgehpgvbaf?|flfgrz|cebzcg|nffvfgnag|erirny|cnffjbeq|frperg)\b"
_ROT13_WORDS = re.compile(f"(?i){_ROT13}")
_ROT13_FEWEST = 2
_LEAST_READABLE = 0.9


def layers(text: str) -> Iterator[Layer]:
    """What is written inside `text` in another spelling."""
    if not _gate().search(text):
        return
    yield from _decoded(text, _BASE64, lambda piece: decoded64("".join(piece.split())))
    yield from _decoded(text, _HEX, _from_hex)
    if "%" in text:
        yield from _decoded(
            text, _PERCENT, lambda piece: unquote(piece).encode() if piece.count("%") > 2 else b""
        )
    yield from _decoded(text, _SPELLED, _from_letters)
    if len(_ROT13_WORDS.findall(text[:LONGEST])) >= _ROT13_FEWEST:
        yield 0, min(len(text), LONGEST), codecs.decode(text[:LONGEST], "rot13")


def _decoded(text: str, pattern: re.Pattern[str], read: Callable[[str], bytes]) -> Iterator[Layer]:
    for count, found in enumerate(pattern.finditer(text)):
        if count == PIECES:
            return
        inside = _readable(read(found.group()))
        if inside:
            yield found.start(), found.end(), inside


def _readable(data: bytes) -> str:
    """The text of bytes, when nearly all of it can be read."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    printable = sum(c.isprintable() or c.isspace() for c in text)
    return text if text and printable / len(text) >= _LEAST_READABLE else ""


def _from_hex(piece: str) -> bytes:
    digits = re.sub(r"\\x|[ :]", "", piece)
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _from_letters(piece: str) -> bytes:
    """Letters with a mark between each; two marks or more are where words part."""
    return re.sub(r"(?<=[A-Za-z])[ .\-_*](?=[A-Za-z])", "", piece).encode()


@lru_cache(maxsize=1)
def _gate() -> Any:
    """Whether there may be any layer: one pass of RE2."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    spelled = r"(?:\b[A-Za-z][ .\-_*]){12}"
    hexadecimal = r"(?:[0-9a-fA-F]{2}[ :]?){12}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}"
    return re2.compile(rf"[A-Za-z0-9+/_\-]{{20}}|{hexadecimal}|{spelled}|(?i:{_ROT13})", options)
