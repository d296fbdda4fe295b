"""Streams of events: every cut into pieces gives the same events, and nothing may be larger than agreed."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardrails.gateway.http.events import Bounds, Event, EventReader, StreamError, event_bytes

ENDS = ["\n", "\r", "\r\n"]


def read(*pieces: bytes, bounds: Bounds | None = None) -> list[Event]:
    reader = EventReader(bounds or Bounds())
    return [event for piece in pieces for event in reader.feed(piece)]


def reference(text: str) -> list[Event]:
    """What the standard says, for a whole stream at once."""
    found, kind, data, id, retry = [], "", [], None, None
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data or id is not None or retry is not None:
                found.append(Event(kind or "message", "\n".join(data), id, retry))
            kind, data, id, retry = "", [], None, None
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return found


LINES = st.one_of(
    st.sampled_from(
        ["", "", "data: x", "data:y", "data", "event: ping", "id: 7", "id", "retry: 20", "retry: x", ": no"]
    ),
    st.text(st.sampled_from("da:t é\u2028\x85"), max_size=8),
)


@given(st.lists(st.tuples(LINES, st.sampled_from(ENDS)), max_size=12), st.data())
def test_every_cut_reads_the_same(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    text = "".join(line + end for line, end in lines)
    whole = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)])]
    assert read(*pieces) == read(whole) == reference(text)


@given(st.text())
@example("a\u2028b\x85c\u2029")
def test_what_is_written_is_read(text: str) -> None:
    data = json.dumps({"a": text}, ensure_ascii=False).encode() if not has_halves(text) else b"{}"
    (event,) = read(event_bytes(data))
    assert json.loads(event.data) == json.loads(data)
    assert len(event_bytes(data).decode().splitlines()) == 3


def has_halves(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def test_an_event_without_its_end_is_none() -> None:
    assert read(b"data: x\n") == []


@pytest.mark.parametrize(
    ("bounds", "stream", "word"),
    [
        (Bounds(line=10), b"data: 0123456789\n", "a line"),
        (Bounds(line=10), b"data: 0123456789", "a line"),
        (Bounds(event=20), b"data: 01234\n" * 2, "an event"),
        (Bounds(event=19), b"data\n" * 5, "an event"),
        (Bounds(stream=20), b": ping\n\n" * 3, "the stream"),
    ],
)
def test_bounds(bounds: Bounds, stream: bytes, word: str) -> None:
    with pytest.raises(StreamError, match=f"{word} .*more than"):
        read(*(stream[each : each + 1] for each in range(len(stream))), bounds=bounds)


def test_a_line_that_never_ends_is_not_kept_or_searched_again() -> None:
    reader = EventReader(Bounds(line=1_000_000, stream=None))
    for _ in range(1_000):
        assert list(reader.feed(b"x" * 1_000)) == []
    with pytest.raises(StreamError):
        list(reader.feed(b"x"))
    assert len(reader._rest) <= 1_001_000


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(StreamError, match="byte 7"):
        read(b"data: \xff\n")
