"""Small detectors that keep the contract of `guardrails.detectors.matches` by the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrails.detectors.matches import Match


class Local:
    """What stands far away never matters to these detectors, nor does a text as a whole."""

    def judged_whole(self, context: Sequence[str]) -> int:
        return 0


class Runs(Local):
    """Maximal runs of `least` or more characters of a class, up to `most`: what is longer is no match."""

    def __init__(self, entity: str, characters: str, least: int, most: int, score: float = 0.5) -> None:
        self.name = entity.lower()
        self.entity = entity
        self.hold = most + 1
        self.left = most + 1
        self._least, self._most, self._score = least, most, score
        self._run = re.compile(f"[{characters}]+")
        self._tail = re.compile(f"[{characters}]*\\Z")

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        score = min(1.0, self._score + 0.3 * (self.name in " ".join(context).lower()))
        return [
            Match(*found.span(), self.entity, score)
            for found in self._run.finditer(text)
            if self._least <= len(found[0]) <= self._most
        ]

    def settled(self, text: str) -> int:
        tail = text[-self.hold :]
        kept = len(tail) - self._tail.search(tail).start()
        return len(text) - (kept if kept <= self._most else 0)


class Mails(Local):
    """`name@host.tld`, each part at most 20 letters, digits or dots."""

    name = "mails"
    hold = 45
    left = 22
    _mail = re.compile(r"(?<![a-z0-9.])[a-z0-9.]{1,20}@[a-z0-9.]{1,20}(?![a-z0-9.])")
    _tail = re.compile(r"[a-z0-9.]*(?:@[a-z0-9.]*)?\Z")

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        return [Match(*found.span(), "EMAIL_ADDRESS", 0.9) for found in self._mail.finditer(text)]

    def settled(self, text: str) -> int:
        tail = text[-self.hold :]
        start = self._tail.search(tail).start()
        return len(text) - len(tail) + start


class Keys(Local):
    """`BEGIN` and all letters of a body behind it, which may go on for ever: cut at `hold`, from where on a
    run of the same characters belongs to it."""

    name = "keys"
    run = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=\n"
    left = 8

    def __init__(self, hold: int = 200) -> None:
        self.hold = hold
        self._key = re.compile(f"BEGIN[a-zA-Z0-9+/=\n]{{0,{hold - 5}}}")

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        return self.find_from(text, 0, context)

    def find_from(self, text: str, start: int, context: Sequence[str]) -> list[Match]:
        return [Match(*found.span(), "PRIVATE_KEY", 1.0) for found in self._key.finditer(text, start)]

    def settled(self, text: str) -> int:
        at_end = [found for found in self._key.finditer(text) if found.end() == len(text)]
        if at_end and len(at_end[0][0]) < self.hold:
            return at_end[0].start()
        begun = next((size for size in (4, 3, 2, 1) if text.endswith("BEGIN"[:size])), 0)
        return len(text) - begun


class Named:
    """A text of at most 100 characters under a key with `secret` in it, as a whole."""

    name = "named"
    hold = 1
    left = 0

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        is_named = any("secret" in key for key in context) and len(text) <= 100
        return [Match(0, len(text), "SECRET", 0.8)] if is_named else []

    def settled(self, text: str) -> int:
        return len(text)


DIGITS = Runs("NUMBER", "0-9", 6, 19)
CARDS = Runs("CREDIT_CARD", "0-9", 13, 16, 0.6)
WORDS = Runs("WORD", "a-z0-9", 4, 9, 0.4)
MAILS = Mails()
KEYS = Keys()
NAMED = Named()
