"""Searching: which blocks have a key, by a plain search through their text.

Takes a key of a layer and a segment, gives blocks that have it, each with whether that is already sure. The one
idea: all spellings of a value have a few characters in common, in a row, once case and the marks between digits are
taken away. Where these stand is found in one pass of compiled code; what they belong to is read only there.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from guardrails.provenance.dates import MONTHS
from guardrails.provenance.segments import every
from guardrails.provenance.words import LONGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from guardrails.provenance.segments import Segment, Stream

    Found: TypeAlias = Iterator[tuple[int, bool]]
    Alone: TypeAlias = Callable[[bytes, int, int], bool | None]

TRIES = 24
"""Places in a block that are tried until all of the block is read."""

NEAR = 96
"""Bytes beside a word in which the other word of a name stands."""

_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset(b"0123456789")
_CLEAR = frozenset(b" \n\t\x00")
_JOINS_BEFORE = frozenset(b"_.,/:@%")
_PLAIN = re.compile(r"[!-~]+")
_NOT_DIGIT = re.compile(r"[^0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY = re.compile(r"[0-9]{2}-[0-9]{2}")


def search(layer: str, key: str, segment: Segment) -> Found:
    """The blocks of a segment, in order, that may have a key, and whether they surely do."""
    return _SEARCHES[layer](key, segment)


def can_search(layer: str) -> bool:
    return layer in _SEARCHES


# --- words and numbers, which are mostly settled by the bytes beside them ------------------------


def _word(key: str, segment: Segment) -> Found:
    wanted = key.encode("utf-8", "surrogatepass")
    cut, digits = len(key) >= LONGEST, key.isdigit()

    def alone(data: bytes, start: int, end: int) -> bool | None:
        before, after = _beside(data, start, end)
        if before in _ALNUM or (after in _ALNUM and not cut):
            return False
        if before > 127 or after > 127 or (digits and 46 in (before, after)):
            return None
        return True

    return _tried(segment, segment.stream("folded"), wanted, alone)


def _beside(data: bytes, start: int, end: int) -> tuple[int, int]:
    return data[start - 1] if start else 32, data[end] if end < len(data) else 32


def _tried(segment: Segment, stream: Stream, wanted: bytes, alone: Alone) -> Found:
    """Blocks in which `wanted` stands as `alone` says, or might."""
    data, starts = stream
    place, tries, last = data.find(wanted), 0, len(starts) - 1
    while 0 <= place < starts[last]:
        at = bisect_right(starts, place) - 1
        sure = alone(data, place, place + len(wanted))
        if sure is False and place == starts[at]:
            sure = None  # a word may be cut here
        tries += 1
        if sure is not False or tries > TRIES:
            yield segment.first + at, sure is True
            place, tries = data.find(wanted, starts[at + 1]), 0
        else:
            place = data.find(wanted, place + 1)


def _number(key: str, segment: Segment) -> Found:
    if not key.isascii():
        return _all(segment)
    minus, bare = key[:1] == "-", key.lstrip("-")
    whole, stop, fraction = bare.partition(".")
    needles = {bare}
    if len(whole) > 3 and whole.isdigit():
        needles.add(f"{int(whole):,}{stop}{fraction}")

    def alone(data: bytes, start: int, end: int) -> bool | None:
        before, after = _beside(data, start, end)
        if before in _ALNUM or before in _JOINS_BEFORE or minus is not (before == 45):
            return False
        if (not stop and after in _DIGITS) or after in (45, 64, 95):
            return False
        settled = not stop and not minus and before in _CLEAR and after in _CLEAR
        return True if settled and b"," not in data[start:end] else None

    stream = segment.stream("folded")
    found = [_tried(segment, stream, each.encode(), alone) for each in sorted(needles)]
    return found[0] if len(found) == 1 else _merged(found)


def _merged(many: Iterable[Found]) -> Found:
    surely: dict[int, bool] = {}
    for found in many:
        for block, sure in found:
            surely[block] = sure or surely.get(block, False)
    return iter(sorted(surely.items()))


def _all(segment: Segment) -> Found:
    return ((block, False) for block in range(segment.first, segment.last))


# --- what is found by something that all its spellings have ---------------------------------------


def _spots(segment: Segment, spelling: str, places: Callable[[bytes], Iterable[int]]) -> Found:
    stream = segment.stream(spelling)
    return ((block, False) for block in segment.blocks_at(stream, places(stream[0])))


def _name(key: str, segment: Segment) -> Found:
    words = sorted(key.split(" "), key=len)
    other, wanted = (word.encode("utf-8", "surrogatepass") for word in (words[0], words[-1]))

    def places(data: bytes) -> Iterator[int]:
        for place in every(data, wanted):
            if other in data[max(0, place - NEAR) : place + len(wanted) + NEAR]:
                yield place

    return _spots(segment, "folded", places)


def _email(key: str, segment: Segment) -> Found:
    wanted = max(_PLAIN.findall(key), key=len).encode()
    return _spots(segment, "folded", lambda data: every(data, wanted))


def _iban(key: str, segment: Segment) -> Found:
    return _spots(segment, "squeezed", lambda data: every(data, key.encode()))


def _grouped(key: str, segment: Segment) -> Found:
    digits = _NOT_DIGIT.sub("", key)[-7:]
    if not key.isascii() or not digits:
        return _all(segment)
    return _spots(segment, "squeezed", lambda data: every(data, digits.encode()))


def _date(key: str, segment: Segment) -> Found:
    if not _DATE.fullmatch(key):
        return _all(segment)
    year, month, day = key[:4], key[5:7], key[8:]
    rows = {year + m + d for m in _figures(month) for d in _figures(day)}
    return _spots(
        segment, "squeezed", lambda data: sorted({*_of(data, rows), *_named(data, month, day, year)})
    )


def _figures(number: str) -> set[str]:
    return {number, number.lstrip("0")}


def _of(data: bytes, wanted: Iterable[str]) -> Iterator[int]:
    for each in wanted:
        yield from every(data, each.encode())


def _named(data: bytes, month: str, day: str, year: str) -> Iterator[int]:
    """Where a month stands by its name with a day and a year beside it."""
    number = int(month)
    figure, late = day.lstrip("0").encode(), year.encode()
    if not 1 <= number <= 12:
        return
    for place in every(data, MONTHS[number - 1].encode()):
        near = data[max(0, place - 12) : place + 28]
        if figure in near and late in near:
            yield place


def _loose(key: str, segment: Segment) -> Found:
    key = key[1:]
    if not key.isascii():
        return _all(segment)
    if _DATE.fullmatch(key):
        year, month, day = key[:4], key[5:7], key[8:]
        pairs = {m + d for m in _figures(month) for d in _figures(day)}
        pairs |= {d + m for m in _figures(month) for d in _figures(day)}
        years = {year, year[2:]} if year[:2] == "20" else {year}
        rows = {pair + end for pair in pairs for end in years}
        return _spots(segment, "squeezed", lambda data: sorted(_of(data, rows)))
    if _DAY.fullmatch(key):
        return _spots(segment, "squeezed", lambda data: _named(data, key[:2], key[3:], ""))
    wanted = key.replace(".", "").lower().encode()
    return _spots(segment, "squeezed", lambda data: every(data, wanted))


def _leet(key: str, segment: Segment) -> Found:
    if not (2 < len(key) < 25 and key.isascii() and key.isalnum()) or key.isdigit():
        return iter(())
    wanted = key.encode()
    plain, _ = segment.stream("folded")

    def alone(data: bytes, start: int, end: int) -> bool | None:
        if plain[start:end] == wanted:
            return False
        before, after = _beside(data, start, end)
        return False if before in _ALNUM or after in _ALNUM else None

    return _merged(_tried(segment, segment.stream(each), wanted, alone) for each in ("leet", "leeter"))


_SEARCHES: dict[str, Callable[[str, Segment], Found]] = {
    "word": _word,
    "name": _name,
    "email": _email,
    "iban": _iban,
    "date": _date,
    "grouped": _grouped,
    "number": _number,
    "loose": _loose,
    "leet": _leet,
}
