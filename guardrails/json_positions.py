"""JSON that remembers where everything stood.

Takes a text, gives its value and the extent of every part by JSON pointer (RFC 6901). It is stricter than
the standard asks for: a key twice in one object, NaN, half of a surrogate pair, a number beyond the range
of floats or a depth of more than 100 are errors, because two readers could disagree about them.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple, NoReturn, TypeAlias

from guardrails.diagnostics import Span
from guardrails.errors import GuardError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 100
MAX_DIGITS = 1_000
"""Digits of a whole number."""


class Extent(NamedTuple):
    """Offsets in code points, the end exclusive."""

    start: int
    end: int


class JsonError(GuardError):
    """A text is not JSON. `pointer` is the part that was being read, `extent` the place in the text."""

    def __init__(self, message: str, extent: Extent, pointer: str) -> None:
        super().__init__(message)
        self.message = message
        self.extent = extent
        self.pointer = pointer


def parse_json(text: str) -> tuple[Json, dict[str, Extent]]:
    """The value of a text, and where each part of it stands. Raises `JsonError`."""
    reader = _Reader(text)
    value = reader.whole()
    return value, reader.extents


def span_of(extent: Extent, text: str, file: str) -> Span:
    """The span of an extent of `text`, for a diagnostic."""
    line, column = _place(text, extent.start)
    end_line, end_column = _place(text, extent.end)
    return Span(file, extent.start, extent.end, line, column, end_line, end_column)


def pointer_to(parent: str, key: str | int) -> str:
    """The pointer of a member or element of the part at `parent`."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.extents: dict[str, Extent] = {}

    def whole(self) -> Json:
        self._space()
        value = self._value("", 0)
        self._space()
        if self.at < len(self.text):
            self._fail("something follows the end of the value", "")
        return value

    def _fail(self, message: str, pointer: str, start: int | None = None) -> NoReturn:
        begin = self.at if start is None else start
        raise JsonError(message, Extent(begin, min(max(self.at, begin + 1), len(self.text))), pointer)

    def _space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _take(self, char: str) -> bool:
        if not self.text.startswith(char, self.at):
            return False
        self.at += 1
        return True

    def _value(self, pointer: str, depth: int) -> Json:
        if depth > MAX_DEPTH:
            self._fail(f"the value is nested more than {MAX_DEPTH} deep", pointer)
        start = self.at
        value = self._value_by_start(pointer, depth)
        self.extents[pointer] = Extent(start, self.at)
        return value

    def _value_by_start(self, pointer: str, depth: int) -> Json:
        if self._take("{"):
            return self._object(pointer, depth)
        if self._take("["):
            return self._array(pointer, depth)
        if self.text.startswith('"', self.at):
            return self._string(pointer)
        return self._number_or_word(pointer)

    def _object(self, pointer: str, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        self._space()
        if self._take("}"):
            return found
        while True:
            self._space()
            key = self._key(pointer, found)
            self._space()
            found[key] = self._value(pointer_to(pointer, key), depth + 1)
            self._space()
            if self._take("}"):
                return found
            self._comma(pointer, "}")

    def _key(self, pointer: str, found: dict[str, Json]) -> str:
        start = self.at
        if not self.text.startswith('"', self.at):
            self._fail("a key in double quotes is expected here", pointer)
        key = self._string(pointer)
        if key in found:
            self._fail(f"the key `{key}` stands twice in one object", pointer, start)
        self._space()
        if not self._take(":"):
            self._fail(f"`:` is expected after the key `{key}`", pointer)
        return key

    def _array(self, pointer: str, depth: int) -> list[Json]:
        found: list[Json] = []
        self._space()
        if self._take("]"):
            return found
        while True:
            self._space()
            found.append(self._value(pointer_to(pointer, len(found)), depth + 1))
            self._space()
            if self._take("]"):
                return found
            self._comma(pointer, "]")

    def _comma(self, pointer: str, closer: str) -> None:
        if self.at >= len(self.text):
            self._fail(f"the text ends before the closing `{closer}`", pointer)
        start = self.at
        if not self._take(","):
            self._fail(f"`,` or `{closer}` is expected here", pointer)
        self._space()
        if self.text.startswith(closer, self.at):
            self._fail(f"there is a comma before the closing `{closer}`", pointer, start)

    def _string(self, pointer: str) -> str:
        start = self.at
        self.at += 1
        parts: list[str] = []
        while not self._take('"'):
            plain = _PLAIN.match(self.text, self.at)
            parts.append(plain.group() if plain else "")
            self.at += len(parts[-1])
            if self._take("\\"):
                parts.append(self._escape(pointer))
            elif not self.text.startswith('"', self.at):
                self._unfinished(pointer, start)
        text = "".join(parts)
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self._fail("the text holds half of a surrogate pair", pointer, start)
        return text

    def _unfinished(self, pointer: str, start: int) -> NoReturn:
        if self.at < len(self.text):
            self._fail("a control character in a string must be escaped", pointer)
        self._fail("the string is never closed", pointer, start)

    def _escape(self, pointer: str) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != "u":
            self._fail(f"`\\{letter}` is not an escape of JSON", pointer, self.at - 2)
        high = self._unit(pointer)
        if 0xD800 <= high < 0xDC00 and self.text.startswith("\\u", self.at):
            return self._pair(high, pointer)
        return chr(high)

    def _pair(self, high: int, pointer: str) -> str:
        self.at += 2
        low = self._unit(pointer)
        if 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        return chr(high) + chr(low)

    def _unit(self, pointer: str) -> int:
        digits = _HEX.match(self.text, self.at)
        if digits is None:
            self._fail("`\\u` takes four hexadecimal digits", pointer, self.at - 2)
        self.at = digits.end()
        return int(digits.group(), 16)

    def _number_or_word(self, pointer: str) -> Json:
        word = _WORD.match(self.text, self.at)
        if word is None:
            rest = self.text[self.at : self.at + 1]
            self._fail(f"`{rest}` cannot start a value" if rest else "the text ends before a value", pointer)
        start, self.at = self.at, word.end()
        if word.group() in _CONSTANTS:
            return _CONSTANTS[word.group()]
        number = _NUMBER.fullmatch(word.group())
        if number is None:
            self._fail(f"`{word.group()[:40]}` is not a value of JSON", pointer, start)
        return self._number(number, pointer, start)

    def _number(self, number: re.Match[str], pointer: str, start: int) -> int | float:
        digits = number.group()
        if len(digits) > MAX_DIGITS:
            self._fail(f"the number has more than {MAX_DIGITS} digits", pointer, start)
        if not number["fraction"]:
            return int(digits)
        value = float(digits)
        if math.isinf(value):
            self._fail(f"the number `{digits[:40]}` is too large", pointer, start)
        return value
