"""Private keys in blocks: PEM, OpenSSH, PGP and PuTTY, whole, cut short, or inside another text's escapes.

Takes a text, gives matches from the first line on: to the last line if it comes, else as far as key material
goes on. A block spans at most `LONGEST` characters, which is more than the longest keys in use take, and ends
where the next one begins. A match for the reason `CUT` is the beginning of a longer key, which goes on with
characters of `RUN`.
"""

from __future__ import annotations

import re

from guardrails.detectors.matches import Match

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 16_384
"""Characters of a block with its first and last line."""

RUN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n\\\"',>|.#*%&;"
"""Characters of key material, of what stands between its lines, and of escapes."""

CUT = "a private key that is longer than was looked at"

FIRST_LINE = 64
"""Characters of the longest first line."""

BEGIN = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|-----BEGIN OpenVPN Static key V1-----"
    r"|Private-Lines: [0-9]{1,3}"
)
_END = re.compile(
    r"-----END (?:[A-Z0-9]{2,12} ){0,3}(?:PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)-----|Private-MAC:"
)
_GAP = r"(?:\s|\\+[nrt]|[\"'+,\\>|.#*])"
_HEADING = r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset)\\?: [^\r\n\\]{0,100}"
_LINE = r"[A-Za-z0-9+/=]{16,}"
_SHORTEST_LINE = 16
_WIDEST_GAP = 64
_MATERIAL = re.compile(
    rf"(?:{_GAP}{{0,64}}{_HEADING}){{0,5}}(?:{_GAP}{{0,64}}{_LINE})+(?:{_GAP}{{1,16}}[A-Za-z0-9+/=]{{4,15}}(?![A-Za-z0-9+/=]))?"
)
_GAPS = re.compile(_GAP)
_LETTERS = re.compile(r"[A-Za-z0-9+/=]+")

FEWEST = 48
"""Characters of key material that make a block worth hiding; an Ed25519 key has 64."""


def private_keys(text: str) -> Iterator[Match]:
    """Every block with a private key."""
    found = list(BEGIN.finditer(text))
    for index, begin in enumerate(found):
        following = found[index + 1].start() if index + 1 < len(found) else len(text)
        limit = min(begin.start() + LONGEST, following)
        match = _block(text, begin, limit)
        if match:
            yield match


def _block(text: str, begin: re.Match[str], limit: int) -> Match | None:
    end = _END.search(text, begin.end(), limit)
    if end and _is_material(text[begin.end() : end.start()]):
        return Match(begin.start(), end.end(), "PRIVATE_KEY", 1.0, "a private key")
    material = _MATERIAL.match(text, begin.end(), limit)
    if material and _is_material(material.group()):
        if _is_cut(begin, material.end(), limit):
            return Match(begin.start(), limit, "PRIVATE_KEY", 0.95, CUT)
        return Match(begin.start(), material.end(), "PRIVATE_KEY", 0.95, "a private key that is cut short")
    return None


def _is_cut(begin: re.Match[str], end: int, limit: int) -> bool:
    """Whether key material ends only where no more was looked at: in the middle of a line, or of a gap."""
    return limit - begin.start() == LONGEST and limit - end < _SHORTEST_LINE + _WIDEST_GAP


def _is_material(body: str) -> bool:
    """Whether enough of `body` is key material, and not an example with dots in place of it."""
    letters = "".join(_LETTERS.findall(_GAPS.sub(" ", body)))
    return len(letters) >= FEWEST and len(set(letters)) >= 16


def open_from(text: str) -> int:
    """Where the first block that may still grow begins; the length of the text without one."""
    length = len(text)
    blocks = list(BEGIN.finditer(text, max(0, length - LONGEST - FIRST_LINE)))
    if blocks and length < blocks[-1].start() + LONGEST and not _END.search(text, blocks[-1].end()):
        return blocks[-1].start()
    return _first_line_from(text)


def _first_line_from(text: str) -> int:
    """Where a first line that is not complete yet may begin."""
    tail = max(0, len(text) - FIRST_LINE)
    for start in ("-----BEGIN", "Private-Lines:"):
        at = text.rfind(start, tail)
        if at >= 0 and not BEGIN.match(text, at):
            return at
    return len(text)
