"""What the words before a match say about it.

Takes a plain text and a place in it, and the words that came with the text; gives a verdict for an entity.
The one idea: the nearest words decide. A field called `order` next to a number outweighs `phone` further left,
and nothing behind a line or a sentence counts. Only the left side is read, so that a stream never has to wait.
"""

from __future__ import annotations

import re

from guardrails.detectors.entities import NUMBER_WORDS, WORDS_FOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

REACH = 96
"""Characters before a match that are read."""

NEAR = 3
"""Words right before a match that can speak against it."""

FAR = 8
"""Words before a match that can speak for it."""

_CLAUSE = re.compile(r"[\n;|{}](?=[^\n;|{}]*\S)|[.!?]\s+(?=\S)")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z][^\W\d_A-Z']*|sha1|sha256|md5|ipv[46]")


class Context:
    """The words around the matches of one text. `given` are words that the text does not contain itself."""

    __slots__ = ("_field", "_given", "_lower", "_start", "_text", "_words")

    def __init__(self, text: str, given: Sequence[str] = ()) -> None:
        self._text = text
        self._lower = ""
        self._start = -1
        self._words: list[str] = []
        self._field = words(given[-1]) if given else []
        self._given = [word for name in given for word in words(name)]

    def verdict(self, start: int, entity: str, against: frozenset[str]) -> int:
        """1 if the words before `start` speak for the entity, -1 if they say it is something else, else 0."""
        speaks = WORDS_FOR.get(entity, frozenset())
        before = self.before(start)
        if not speaks.isdisjoint(before[-NEAR:]):
            return 1
        if not against.isdisjoint(before[-NEAR:]):
            return -1
        if not speaks.isdisjoint(_up_to_another(before[-FAR:], speaks)):
            return 1
        return self._verdict_of_field(speaks, against)

    def _verdict_of_field(self, speaks: frozenset[str], against: frozenset[str]) -> int:
        """What the words that came with the text say; the last name is the nearest."""
        if not speaks.isdisjoint(self._field):
            return 1
        if not against.isdisjoint(self._field):
            return -1
        return 1 if not speaks.isdisjoint(self._given) else 0

    def could_speak_for(self, entity: str) -> bool:
        """Whether a word for the entity is anywhere in the text or came with it."""
        self._lower = self._lower or " ".join([*self._given, self._text.lower()])
        return any(word in self._lower for word in WORDS_FOR[entity])

    def mentions(self, start: int, phrases: Sequence[str]) -> bool:
        """Whether one of `phrases`, in lower case, stands before `start` or came with the text."""
        near = " ".join([*self._given, *self.before(start)])
        return any(phrase in near for phrase in phrases)

    def before(self, start: int) -> list[str]:
        """The words of the same clause before `start`, in lower case, names of fields taken apart."""
        if start != self._start:
            self._start, self._words = start, self._read(start)
        return self._words

    def _read(self, start: int) -> list[str]:
        left = self._text[max(0, start - REACH) : start]
        cut = 0
        for found in _CLAUSE.finditer(left):
            cut = found.end()
        return words(left[cut:])


def _up_to_another(before: list[str], speaks: frozenset[str]) -> list[str]:
    """The words since the last one that announces a number of another kind."""
    for index in range(len(before) - 1, -1, -1):
        if before[index] in NUMBER_WORDS and before[index] not in speaks:
            return before[index + 1 :]
    return before


def words(text: str) -> list[str]:
    """`accountNumber` and `account_number` are two words; all in lower case."""
    return [word.lower() for word in _WORD.findall(text)]
