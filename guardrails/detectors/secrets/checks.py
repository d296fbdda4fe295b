"""Checks of tokens: checksums, what decodes, and what is plainly made up for an example.

Takes a token, says whether it can be a real one. A token whose checksum is wrong was never issued.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

_MADE_UP = re.compile(
    r"(?i)example|placeholder|redacted|sample|your[_-]?|(.)\1{5}|x{4}|0123456|1234567|abcdefg|\.{3}|\*{3}"
)

FEWEST_KINDS = 6
"""Different characters that anything random of a token's length has."""


def crc_base62(token: str) -> bool:
    """GitHub's and npm's: the last six characters are the CRC-32 of those between them and the prefix."""
    body = token[token.index("_") + 1 :]
    return base62(binascii.crc32(body[:-6].encode())) == body[-6:]


def base62(number: int) -> str:
    """Six digits of base 62."""
    digits = []
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits.append(_BASE62[rest])
    return "".join(reversed(digits))


def crc_hex(token: str) -> bool:
    """Grafana's: the last part is the CRC-32 of what is before it, in hexadecimal."""
    body, _, told = token.rpartition("_")
    return f"{binascii.crc32(body.encode()):08x}" == told


def macaroon(token: str) -> bool:
    """PyPI's: a serialised macaroon (version 2) that names its site."""
    decoded = decoded64(token.removeprefix("pypi-"))
    return decoded[:1] == b"\x02" and (b"pypi.org" in decoded[:24])


def bech32(token: str) -> bool:
    """The checksum of BIP 173: polynomial arithmetic over the human-readable part and the data."""
    name, _, data = token.lower().rpartition("1")
    values = [ord(c) >> 5 for c in name] + [0] + [ord(c) & 31 for c in name]
    values += [_BECH32.index(c) for c in data]
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            state ^= step if top >> bit & 1 else 0
    return state == 1


def base58check(token: str) -> bool:
    """Bitcoin's: the last four bytes are the start of a double SHA-256 of the rest."""
    number = 0
    for character in token:
        number = number * 58 + _BASE58.index(character)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return sha256(sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


CHECKS: dict[str, Callable[[str], bool]] = {
    "crc_base62": crc_base62, "crc_hex": crc_hex, "macaroon": macaroon,
    "bech32": bech32, "base58check": base58check,
}  # fmt: skip


def decoded64(text: str) -> bytes:
    """The bytes of base64 in either alphabet, padded or not; none if it is not base64."""
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def is_made_up(token: str) -> bool:
    """Whether a token is an example: it says so, repeats itself, counts, or has too few kinds of characters."""
    return bool(_MADE_UP.search(token)) or len(set(token)) < FEWEST_KINDS
