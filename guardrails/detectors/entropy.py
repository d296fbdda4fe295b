"""How random a text looks, and the random texts that are no secrets.

Takes a run of characters, gives bits or a yes. Randomness alone says little: digests, identifiers and commit
hashes are as random as keys, so what is known by its shape or label to be one of those is named here.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import log2

_HEX = re.compile(r"(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_CONTENT_ID = re.compile(r"Qm[1-9A-HJ-NP-Za-km-z]{44}|ba[a-z2-7]{57,62}|z[1-9A-HJ-NP-Za-km-z]{48}")
_DIGEST_LABEL = re.compile(
    r"(?i)(?:sha-?(?:1|2|224|256|384|512)|md5|blake[23]\w?|crc(?:32)?|integrity|digest|checksum|etag|hash|fingerprint"
    r"|commit|revision|content-id|cid|h1)[\"'\s:=\-/(]{1,8}\Z"
)
_PASSWORD_HASH = re.compile(
    r"\$(?:2[abxy]?|5|6|1|apr1|argon2(?:i|d|id)|scrypt|pbkdf2[\w-]*)\$|pbkdf2_|\{S?SHA"
)

LABEL = 40
"""Characters before a value in which a label of a digest is looked for."""


def entropy(text: str) -> float:
    """Bits per character, by how often each occurs (Shannon)."""
    total = len(text)
    return -sum(n / total * log2(n / total) for n in Counter(text).values())


def is_hex(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


def is_identifier(text: str) -> bool:
    """Whether a value is of a shape that names things: a UUID or a content id."""
    return bool(_UUID.fullmatch(text) or _CONTENT_ID.fullmatch(text))


def is_password_hash(text: str) -> bool:
    """Whether a value is a stored hash of a password, with its scheme in front."""
    return _PASSWORD_HASH.match(text) is not None


def is_labelled_digest(text: str, start: int) -> bool:
    """Whether what begins at `start` is called a digest by the words before it."""
    return _DIGEST_LABEL.search(text[max(0, start - LABEL) : start]) is not None


def is_random(text: str) -> bool:
    """Whether a run of letters and digits has small and capital letters and digits mixed as a generator mixes
    them: the entropy of its length, and changes of kind all along it."""
    if not (
        any(c.isdigit() for c in text) and any(c.islower() for c in text) and any(c.isupper() for c in text)
    ):
        return False
    return entropy(text) >= min(4.2, log2(len(text)) - 0.75) and _changes(text) >= len(text) / 3


def _changes(text: str) -> int:
    kinds = [1 if c.isdigit() else 2 if c.islower() else 3 if c.isupper() else 4 for c in text]
    return sum(a != b for a, b in pairwise(kinds))
