"""The note about the end of a log in files: read instead of the last segment, and trusted only with its seal.

Takes a head, gives one line of words: log, size, checked, chain, segment, bytes, peaks, seal. It is made with every
write, so what is sealed is short: the peaks as they are, not as they are written.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from hashlib import blake2b
from hmac import compare_digest

from guardrails.audit.chain import Head


class Note:
    """What a note says: the head, and how many bytes of which segment that is."""

    __slots__ = ("bytes", "head", "log", "segment")

    def __init__(self, log: str, head: Head, segment: str, bytes: int) -> None:
        self.log = log
        self.head = head
        self.segment = segment
        self.bytes = bytes


def note_of(log: str, head: Head, segment: str, bytes: int, key: bytes) -> bytes:
    said = b"%s %d %d %s %s %d" % (log.encode(), head.size, head.checked, head.chain, segment.encode(), bytes)
    peaks = b"".join(head.peaks)
    return b"%s %s %s\n" % (said, hexlify(peaks), _seal(said, peaks, key))


def read_note(path: str, key: bytes) -> Note | None:
    """The note in a file; None where there is none, or one that a crash or somebody else left."""
    try:
        with open(path, "rb") as file:
            return parse_note(file.read(8192), key)
    except OSError:
        return None


def parse_note(text: bytes, key: bytes) -> Note | None:
    """A note; None for one that is cut, or was sealed with another key."""
    try:
        said, peaks, seal = text.removesuffix(b"\n").rsplit(b" ", 2)
        joined = unhexlify(peaks)
        if not compare_digest(seal, _seal(said, joined, key)):
            return None
        log, size, checked, chain, segment, bytes = said.split(b" ")
        hashes = [joined[at : at + 32] for at in range(0, len(joined), 32)]
        head = Head(int(size), chain, hashes, int(checked))
        head.tree()
        return Note(log.decode(), head, segment.decode(), int(bytes))
    except ValueError:
        return None


def _seal(said: bytes, peaks: bytes, key: bytes) -> bytes:
    return hexlify(blake2b(said + b" " + peaks, key=key, digest_size=16).digest())
