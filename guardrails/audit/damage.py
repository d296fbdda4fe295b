"""Damage: what is wrong at the first record that does not follow, told apart by its neighbours.

Takes the line that failed, the chain before it, and the lines of the log once more; gives the kind:

    edit          the record is there, and it or its chain was changed
    gap           records are missing here
    reorder       the record stands somewhere else
    duplicate     a record stands here that stood before
    fork          a second record for the same place, properly linked: two histories
    truncation    the end is missing
    wrong key     these records were written with another key than the one at hand
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import Any

from guardrails.audit.chain import FIRST, chain_of, is_linked, linked, seq_of, TAIL  # isort: skip
from guardrails.audit.segments import facts_of

KINDS = ("edit", "gap", "reorder", "duplicate", "fork", "truncation", "wrong key")

_FEW = 16
"""Lines behind a damaged one that are asked whether they follow each other."""

Lines = Callable[[], Iterable[bytes]]
"""Gives all lines of a log from its begin, each time anew."""


class Damage:
    """The first thing that is wrong. `seq` is the place, `before` and `after` describe its neighbours, `part` is
    the file."""

    __slots__ = ("after", "before", "kind", "message", "part", "seq")

    def __init__(
        self, kind: str, seq: int, message: str, *, part: str = "", before: str = "", after: str = ""
    ) -> None:
        self.kind = kind
        self.seq = seq
        self.message = message
        self.part = part
        self.before = before
        self.after = after

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("kind", "seq", "message", "part", "before", "after")}


def described(line: bytes) -> str:
    """A record in a few words, for a neighbour."""
    from orjson import JSONDecodeError, loads

    try:
        record = loads(line)
        said = [f"record {record['seq']}", str(record["at"]), str(record["kind"])]
    except (JSONDecodeError, KeyError, TypeError):
        return f"{len(line)} bytes that are no record"
    return ", ".join([*said, *(str(record[name]) for name in ("tool", "id") if record.get(name))])


class Place:
    """Where reading stopped: line `line` (without line feed) at place `seq`, after a record with chain `before`."""

    __slots__ = ("before", "is_cut", "line", "previous", "seq")

    def __init__(self, seq: int, before: bytes, line: bytes, previous: bytes, *, is_cut: bool) -> None:
        self.seq = seq
        self.before = before
        self.line = line
        self.previous = previous
        self.is_cut = is_cut


def named(key: bytes, fingerprint: str, place: Place, lines: Lines) -> Damage:
    """The damage at a place."""
    behind = [line.rstrip(b"\n") for line in islice(lines(), place.seq + 1, place.seq + 1 + _FEW)]
    kind, message = _told(key, fingerprint, place, behind, lines)
    return Damage(
        kind, place.seq, message,
        before=described(place.previous) if place.previous else "the begin of the log",
        after=described(behind[0]) if behind else "the end of the log",
    )  # fmt: skip


def _told(key: bytes, fingerprint: str, place: Place, behind: list[bytes], lines: Lines) -> tuple[str, str]:
    seq, claimed = place.seq, seq_of(place.line)
    if place.is_cut and _is_cut_off(key, place):
        return "truncation", f"record {seq} is cut off after {len(place.line)} bytes"
    if _has_other_key(key, fingerprint, place, behind):
        return "wrong key", f"record {seq} and those behind it were not written with this key"
    if claimed == seq or claimed < 0:
        return "edit", f"record {seq} was changed{_where(key, place)}"
    if claimed > seq:
        return _later(key, place, claimed, lines)
    return _earlier(key, place, claimed, behind, lines)


def _is_cut_off(key: bytes, place: Place) -> bool:
    """Whether a line without its line feed is the begin of a record, and not one with a changed line feed."""
    line = place.line
    if is_linked(key, place.before, line[:-1]) or not line.startswith(b"{"):
        return False
    return not chain_of(line) or is_linked(key, place.before, line)


def _where(key: bytes, place: Place) -> str:
    if seq_of(place.line) < 0 or not chain_of(place.line):
        return ": it is no record any more"
    return ", or its chain"


def _has_other_key(key: bytes, fingerprint: str, place: Place, behind: list[bytes]) -> bool:
    """Whether nothing here fits this key: the records behind do not follow each other, although they look as
    if they did."""
    chain = [place.line, *behind]
    pairs = list(pairwise(chain))
    if pairs:
        sound = [seq_of(second) == seq_of(first) + 1 for first, second in pairs]
        fits = [is_linked(key, chain_of(first), second) for first, second in pairs]
        right = linked(key, place.before, place.line[:-TAIL])
        fits.append(is_linked(key, right, behind[0]))  # the chain alone was changed
        return all(sound) and not any(fits) and _follows_shape(place)
    return place.seq == 0 and facts_of(place.line).get("key", fingerprint) != fingerprint


def _follows_shape(place: Place) -> bool:
    return seq_of(place.line) == place.seq and bool(chain_of(place.line))


def _later(key: bytes, place: Place, claimed: int, lines: Lines) -> tuple[str, str]:
    """A record that should come later stands here: others are missing, or elsewhere, or its number was changed."""
    seq = place.seq
    for at, line in enumerate(lines()):
        if at > seq and seq_of(line) == seq and is_linked(key, place.before, line.rstrip(b"\n")):
            return "reorder", f"record {claimed} stands where {seq} belongs, which is at place {at}"
    if _is_edited_number(key, place, lines):
        return "edit", f"record {seq} was changed: it says that it is record {claimed}"
    missing = f"record {seq} is" if claimed == seq + 1 else f"records {seq} to {claimed - 1} are"
    return "gap", f"{missing} missing: record {claimed} follows"


def _earlier(key: bytes, place: Place, claimed: int, behind: list[bytes], lines: Lines) -> tuple[str, str]:
    """A record that was there before stands here again, or another one with its number."""
    before, first = FIRST, b""
    for at, line in enumerate(lines()):
        if at >= claimed:
            first = line.rstrip(b"\n")
            break
        before = chain_of(line.rstrip(b"\n"))
    if first == place.line:
        return "duplicate", f"record {claimed} stands here a second time"
    if is_linked(key, before, place.line):
        return (
            "fork",
            f"two different records {claimed} follow record {claimed - 1}: the log has two histories",
        )
    if _links_on(key, place.line, behind) and behind and seq_of(behind[0]) == claimed + 1:
        return "fork", f"records from {claimed} on stand here again, and they are others"
    return "edit", f"record {place.seq} was changed: it says that it is record {claimed}"


def _is_edited_number(key: bytes, place: Place, lines: Lines) -> bool:
    """Whether the record is the one that belongs here but for its number."""
    following = next(islice(lines(), place.seq + 1, place.seq + 2), b"").rstrip(b"\n")
    if seq_of(following) == place.seq + 1:
        return True
    body = place.line[:-TAIL]
    right = b'{"v":1,"seq":%d,%s' % (place.seq, body.partition(b'"seq":')[2].partition(b",")[2])
    return bool(chain_of(place.line)) and linked(key, place.before, right) == chain_of(place.line)


def _links_on(key: bytes, line: bytes, behind: list[bytes]) -> bool:
    return bool(behind) and is_linked(key, chain_of(line), behind[0])


def all_lines(parts: Callable[[], Iterator[Any]]) -> Lines:
    """All lines of all parts, for another reading."""

    def lines() -> Iterator[bytes]:
        for part in parts():
            yield from part.lines

    return lines
