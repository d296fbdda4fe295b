"""A JSON reader for a document that arrives in pieces.

Takes pieces of a text cut anywhere, also within an escape or a surrogate pair; gives events as soon as they
are certain. It is as strict as `guardrails.json_positions`: a key twice in one object, half of a surrogate
pair or a comma too many are errors, because two readers could disagree about them.
"""

from __future__ import annotations

import re

from guardrails.errors import EvaluationError, TooLarge, WrongType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Event = tuple[str, Any]

LONGEST_KEY = 16_384
"""Characters of a key."""

MOST_KEYS = 100_000
"""Keys of an object."""

LONGEST_NUMBER = 1_000
"""Characters of a number."""

MAX_DEPTH = 100

_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r"[-+.0-9A-Za-z]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_LONGEST_ESCAPE = 6


class JsonReader:
    """Reads one document. Its events, each with a value:

    `{` `}` `[` `]`; `key` with its text; `"` for a text, then its parts, each a `text`, and `end` when it is
    complete; `plain` with the spelling of a number or word and its value.
    """

    __slots__ = ("_at", "_expect", "_key", "_keys", "_rest", "_seen", "_stack")

    def __init__(self) -> None:
        self._rest = ""
        self._at = 0
        self._seen = 0
        self._stack: list[str] = []
        self._keys: list[set[str]] = []
        self._key: list[str] | None = None
        self._expect: Callable[[], Event | None] = self._value

    def feed(self, piece: str, *, is_last: bool = False) -> Iterator[Event]:
        """The events that are certain by now. Raises `WrongType` for what is no JSON and `TooLarge` beyond
        the bounds."""
        self._seen += self._at
        self._rest = self._rest[self._at :] + piece
        self._at = 0
        while True:
            before = self._at, self._expect
            event = self._expect()
            if event is None and (self._at, self._expect) == before:
                break
            if event is not None:
                yield event
        if is_last:
            yield from self._finish()

    def _finish(self) -> Iterator[Event]:
        if self._expect == self._value and not self._stack and self._rest[self._at :]:
            yield self._word(self._rest[self._at :])
        if self._expect != self._after_document or self._rest[self._at :]:
            raise WrongType(f"the JSON ends too early, after {self._seen + len(self._rest):,} characters")

    # --- what may come next; None: nothing certain yet, or nothing to tell ---------------------------

    def _value(self) -> Event | None:
        character = self._next()
        if character is None:
            return None
        if character == '"':
            self._at += 1
            self._expect = self._text
            return ('"', None)
        if character in "{[":
            return self._enter(character)
        found = _WORD.match(self._rest, self._at)
        assert found is not None
        if not found[0]:
            raise self._wrong("a value")
        if len(found[0]) > LONGEST_NUMBER:
            raise TooLarge(f"a number of more than {LONGEST_NUMBER:,} characters")
        return self._word(found[0]) if found.end() < len(self._rest) else None

    def _value_or_end(self) -> Event | None:
        if self._next() == "]":
            return self._leave("]")
        if self._next() is not None:
            self._expect = self._value
        return None

    def _key_or_end(self) -> Event | None:
        if self._next() == "}":
            return self._leave("}")
        return self._key_start()

    def _key_start(self) -> Event | None:
        character = self._next()
        if character is None:
            return None
        if character != '"':
            raise self._wrong("a key")
        self._at += 1
        self._key = []
        self._expect = self._text
        return None

    def _colon(self) -> Event | None:
        return self._sign(":", self._value)

    def _comma_or_end(self) -> Event | None:
        character = self._next()
        end = "}" if self._stack[-1] == "{" else "]"
        if character == end:
            return self._leave(end)
        return self._sign(",", self._key_start if end == "}" else self._value)

    def _after_document(self) -> Event | None:
        if self._next() is not None:
            raise self._wrong("nothing more")
        return None

    def _text(self) -> Event | None:
        found = _PLAIN.match(self._rest, self._at)
        if found is not None:
            self._at = found.end()
            return self._part(_whole(found[0], self))
        if self._at == len(self._rest):
            return None
        character = self._rest[self._at]
        if character == '"':
            self._at += 1
            return self._text_end()
        if character != "\\":
            raise self._wrong("a text without control characters")
        return self._escape()

    # --- steps -----------------------------------------------------------------------------------------

    def _escape(self) -> Event | None:
        found = _ESCAPE.match(self._rest, self._at)
        if found is None:
            if len(self._rest) - self._at >= _LONGEST_ESCAPE or not _may_be_escape(self._rest[self._at :]):
                raise self._wrong("an escape")
            return None
        if found[1]:
            self._at = found.end()
            return self._part(_ESCAPED.get(found[1], found[1]))
        code = int(found[2], 16)
        if not 0xD800 <= code < 0xE000:
            self._at = found.end()
            return self._part(chr(code))
        return self._pair(code, found.end())

    def _pair(self, high: int, start: int) -> Event | None:
        """The second half of a surrogate pair."""
        found = _ESCAPE.match(self._rest, start)
        if found is None and high < 0xDC00 and _may_be_escape(self._rest[start : start + _LONGEST_ESCAPE]):
            return None
        low = int(found[2], 16) if found is not None and found[2] else 0
        if found is None or high >= 0xDC00 or not 0xDC00 <= low < 0xE000:
            raise self._wrong("both halves of a surrogate pair")
        self._at = found.end()
        return self._part(chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)))

    def _part(self, text: str) -> Event | None:
        if self._key is None:
            return ("text", text)
        self._key.append(text)
        if sum(map(len, self._key)) > LONGEST_KEY:
            raise TooLarge(f"a key of more than {LONGEST_KEY:,} characters")
        self._key = ["".join(self._key)]
        return None

    def _text_end(self) -> Event:
        if self._key is None:
            self._done()
            return ("end", None)
        key, self._key, keys = "".join(self._key), None, self._keys[-1]
        if key in keys:
            raise WrongType(f"the key `{key[:60]}` comes twice in one object")
        if len(keys) >= MOST_KEYS:
            raise TooLarge(f"an object of more than {MOST_KEYS:,} keys")
        keys.add(key)
        self._expect = self._colon
        return ("key", key)

    def _word(self, word: str) -> Event:
        if word not in _WORDS and not _NUMBER.fullmatch(word):
            raise self._wrong("a value")
        self._at += len(word)
        self._done()
        return ("plain", (word, _WORDS[word] if word in _WORDS else number_of(word)))

    def _enter(self, sign: str) -> Event:
        if len(self._stack) >= MAX_DEPTH:
            raise TooLarge(f"a value nested more than {MAX_DEPTH} levels deep")
        self._at += 1
        self._stack.append(sign)
        if sign == "{":
            self._keys.append(set())
        self._expect = self._key_or_end if sign == "{" else self._value_or_end
        return (sign, None)

    def _leave(self, sign: str) -> Event:
        self._at += 1
        self._stack.pop()
        if sign == "}":
            self._keys.pop()
        self._done()
        return (sign, None)

    def _done(self) -> None:
        self._expect = self._comma_or_end if self._stack else self._after_document

    def _sign(self, sign: str, then: Callable[[], Event | None]) -> Event | None:
        character = self._next()
        if character is not None and character != sign:
            raise self._wrong(f"`{sign}`")
        if character is not None:
            self._at += 1
            self._expect = then
        return None

    def _next(self) -> str | None:
        """The next character that is no blank."""
        found = _SPACE.match(self._rest, self._at)
        assert found is not None
        self._at = found.end()
        return self._rest[self._at] if self._at < len(self._rest) else None

    def _wrong(self, wanted: str) -> EvaluationError:
        return WrongType(f"no JSON: {wanted} is expected at character {self._seen + self._at + 1:,}")


def number_of(word: str) -> Any:
    """The value of a number. Raises `WrongType` beyond the range of floats."""
    found = _NUMBER.fullmatch(word)
    if found is not None and found[1] is None and found[2] is None:
        return int(word)
    value = float(word)
    if value - value != 0.0:
        raise WrongType(f"no JSON: the number `{word[:40]}` is beyond the range of floats")
    return value


def _may_be_escape(text: str) -> bool:
    """Whether a text may be the beginning of an escape."""
    return re.fullmatch(r"(?:\\(?:u[0-9a-fA-F]{0,3})?)?", text) is not None


def _whole(text: str, reader: JsonReader) -> str:
    """`text`, in which no half of a surrogate pair stands as itself."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise reader._wrong("both halves of a surrogate pair")
    return text
