"""Files of recordings cut into stretches that can be read apart, by any process.

Takes paths, gives `Chunk`s in order. The idea: a cut falls on the end of a line, so nobody has to know where a
line begins; and where an event without a time may be the first of a stretch, the last time before the cut is
looked up backwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from guardrails.errors import EventError
from guardrails.testing.cases import START
from guardrails.testing.replay_lines import BadLine, read_line
from guardrails.testing.replay_reading import FORMS, Chunk, form_of, moment_of

SIZE = 4 << 20
"""Bytes of a stretch, about."""

MOST_DOCUMENT = 256 << 20
"""Bytes of a file that is one JSON document, which has to be read as a whole."""

MOST_LOOKED = 64
"""Lines in which something of a known form is looked for."""


class UnknownForm(Exception):
    """A file whose form is not recognised; the message says what was looked for."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, its form, whether it is one JSON document, and the audit log that it is a part of."""

    path: str
    form: str
    is_document: bool
    size: int
    log: str = ""


def recording(path: str, form: str | None = None) -> Recording:
    """A file with its form. Raises `UnknownForm`, and `OSError` where it cannot be read."""
    size = os.path.getsize(path)
    found, is_document = _recognised(path)
    if form is None and found is None and size:
        raise UnknownForm(
            f"`{path}` holds nothing that is recognised; the forms are {', '.join(FORMS)}, and `--from` names one"
        )
    return Recording(path, form or found or "events", is_document, size)


def _recognised(path: str) -> tuple[str | None, bool]:
    """The form of the first line that has one; of the whole file where its lines are no JSON by themselves."""
    with open(path, "rb") as stream:
        for _, line in zip(range(MOST_LOOKED), stream, strict=False):
            if line.isspace():
                continue
            try:
                found = form_of(read_line(line.rstrip(b"\r\n")))
            except BadLine:
                if line.lstrip()[:1] in (b"{", b"["):
                    document = _document(stream)
                    if document is not None:
                        return document, True
                continue
            if found is not None:
                return found, False
    return None, False


def _document(stream: BinaryIO) -> str | None:
    """The form of a file that is one value over many lines; None where it is not."""
    if os.fstat(stream.fileno()).st_size > MOST_DOCUMENT:
        return None
    at = stream.tell()
    stream.seek(0)
    try:
        return form_of(read_line(stream.read()))
    except BadLine:
        return None
    finally:
        stream.seek(at)


def chunks_of(recordings: Sequence[Recording], *, timed: bool, size: int = SIZE) -> Iterator[Chunk]:
    """The stretches of all files, in order. With `timed` each knows the time of the last event before it."""
    number, now = 0, START
    for index, each in enumerate(recordings):
        with open(each.path, "rb") as stream:
            for start, end in _cuts(stream, each, size):
                yield Chunk(number, index, each.path, each.form, start, end, now, each.is_document, each.log)
                number += 1
                if timed:
                    now = _last_time(stream, start, end, each.form, now)


def _cuts(stream: BinaryIO, found: Recording, size: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < found.size:
        if found.is_document or start + size >= found.size:
            end = found.size
        else:
            stream.seek(start + size)
            stream.readline()
            end = min(stream.tell(), found.size)
        yield start, end
        start = end


def _last_time(stream: BinaryIO, start: int, end: int, form: str, now: int) -> int:
    """The time of the last event of a stretch that has one, else `now`. Other forms time all or none."""
    if form != "events":
        return now
    stream.seek(start)
    for line in reversed(stream.read(end - start).split(b"\n")):
        if b'"time"' in line:
            try:
                at = moment_of(read_line(line))
            except (BadLine, EventError, AttributeError):
                continue
            if at is not None:
                return at
    return now
