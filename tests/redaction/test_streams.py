"""A stream gives what the whole would give, however it is cut (law L8), holds back little, and ends cleanly."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import cuts, long_texts, pieces_of, redactor, rules
from toy_detectors import DIGITS, KEYS, MAILS, Runs

from guardrails.errors import Ambiguous, EvaluationError, Unavailable
from guardrails.redaction.graphemes import joined
from guardrails.redaction.methods import DROP, HASH, MASK, TOKEN, Rule, last
from guardrails.redaction.overlaps import LONG
from guardrails.redaction.streams import redacted_pieces, redacted_pieces_async


@settings(max_examples=400)
@given(long_texts, rules, cuts)
def test_joined_pieces_are_the_redacted_whole(text, some, sizes):
    whole = redactor(some).redact(text)
    stream = redactor(some).stream()
    out = [stream.feed(piece) for piece in pieces_of(text, sizes)]
    assert "".join(out) + stream.close() == whole.value
    assert stream.counts == whole.counts


@settings(max_examples=100)
@given(st.text(), rules, cuts)
def test_any_text_comes_through(text, some, sizes):
    pieces = redacted_pieces(redactor(some).stream(), pieces_of(text, sizes))
    assert "".join(pieces) == redactor(some).redact(text).value


@settings(max_examples=100)
@given(long_texts, rules, cuts)
def test_bytes_may_be_cut_within_a_character(text, some, sizes):
    data = text.encode()
    stream = redactor(some).stream()
    out = b"".join(stream.feed_bytes(data[at : at + 3]) for at in range(0, len(data), 3))
    assert (out + stream.close_bytes()).decode() == redactor(some).redact(text).value


@settings(max_examples=200)
@given(long_texts, cuts)
def test_no_piece_ends_within_a_grapheme(text, sizes):
    stream = redactor([Rule(MAILS, MASK)]).stream()
    out = [piece for piece in redacted_pieces(stream, pieces_of(text, sizes)) if piece]
    for before, after in itertools.pairwise(out):
        assert not joined(before[-1], after[0])


@pytest.mark.parametrize("method", [HASH, TOKEN])
def test_a_placeholder_may_arrive_in_pieces(method):
    """Its words are matches, and are complete before it is."""
    one = redactor([Rule(Runs("TWO_WORDS", "A-Z", 3, 9), method)])
    text = one.redact("SEE YOU").value
    assert "".join(redacted_pieces(one.stream(), pieces_of(text, [1]))) == text


def test_ordinary_text_is_held_back_by_a_few_characters():
    stream = redactor([Rule(MAILS, MASK), Rule(DIGITS, MASK), Rule(KEYS, MASK)]).stream()
    text = "the parcel left the house at noon. " * 50
    for end in range(1, len(text)):
        stream.feed(text[end - 1])
        assert stream.pending <= 10


@pytest.mark.parametrize("step", [1, 7, 500, 8_192, 100_000])
@pytest.mark.parametrize("method", [MASK, HASH, last(4), DROP])
def test_a_run_without_end_is_swallowed_with_bounded_memory(step, method):
    text = "key BEGIN" + "k" * (3 * LONG) + "! bye"
    stream = redactor([Rule(KEYS, method)]).stream()
    out, most = "", 0
    for piece in pieces_of(text, [step]):
        out += stream.feed(piece)
        most = max(most, stream.pending)
    out += stream.close()
    assert out == ("key ! bye" if method == DROP else "key [REDACTED]! bye")
    assert most <= stream.hold
    assert stream.counts == (("PRIVATE_KEY", 1),)


def test_a_chain_of_overlaps_without_end_is_one_run():
    class Chain:
        name, hold, left = "chain", 4, 4

        def find(self, text, context=()):
            from guardrails.detectors.matches import Match

            return [
                Match(at, at + 2, "LINK", 0.5) for at in range(len(text) - 1) if text[at : at + 2] == "xx"
            ]

        def settled(self, text):
            return len(text) - text.endswith("x")

    some = [Rule(Chain(), HASH)]
    text = "a" + "x" * (2 * LONG) + "b" + "xxx"
    whole = redactor(some).redact(text).value
    assert whole.startswith("a[REDACTED]b<LINK:")
    assert "".join(redacted_pieces(redactor(some).stream(), pieces_of(text, [100]))) == whole


def test_ten_megabytes_pass_in_bounded_memory():
    stream = redactor([Rule(MAILS, MASK), Rule(DIGITS, DROP), Rule(KEYS, MASK)]).stream()
    piece = ("mail bob@x.com or 12345678, and BEGIN" + "k" * 900 + ". " + "x" * 60) * 4
    fed = out = 0
    while fed < 10_000_000:
        fed += len(piece)
        out += len(stream.feed(piece))
        assert stream.pending <= min(stream.hold, 2_000)
    assert out + len(stream.close()) < fed


def test_the_async_twin_does_the_same():
    async def arriving() -> AsyncIterator[str]:
        for piece in ("write to bob", "@x", ".com", " now"):
            yield piece

    async def collected() -> list[str]:
        stream = redactor([Rule(MAILS, MASK)]).stream()
        return [piece async for piece in redacted_pieces_async(stream, arriving())]

    assert "".join(asyncio.run(collected())) == "write to [REDACTED] now"


def test_a_denied_stream_drops_what_it_held_and_says_why():
    stream = redactor([Rule(DIGITS, MASK)]).stream()
    assert stream.feed("the number is 1234") == "the number is"
    assert stream.close_denied("Stopped by policy.") == "\nStopped by policy."
    with pytest.raises(Unavailable, match="the stream is over"):
        stream.feed("5678")
    assert redactor([]).stream().close_denied("Stopped.") == "Stopped."


def test_bytes_that_are_not_utf8_end_the_stream():
    stream = redactor([]).stream()
    with pytest.raises(Ambiguous, match="not UTF-8"):
        stream.feed_bytes(b"a\xff")
    with pytest.raises(Unavailable):
        stream.feed("b")
    cut = redactor([]).stream()
    cut.feed_bytes("ü".encode()[:1])
    with pytest.raises(Ambiguous, match="not UTF-8"):
        cut.close()


def test_a_detector_that_fails_ends_the_stream_and_nothing_more_goes_out():
    class Failing:
        name, hold, left = "failing", 1, 1

        def find(self, text, context=()):
            if "!" in text:
                raise EvaluationError("the model is gone")
            return []

        def settled(self, text):
            return len(text)

    stream = redactor([Rule(Failing(), MASK)]).stream()
    assert stream.feed("ab") == "a"
    with pytest.raises(EvaluationError, match="the model is gone"):
        stream.feed("c!")
    with pytest.raises(Unavailable):
        stream.close()


def test_a_detector_that_holds_back_more_than_it_says_is_an_error():
    class Greedy:
        name, hold, left = "greedy", 5, 0

        def find(self, text, context=()):
            return []

        def settled(self, text):
            return 0

    stream = redactor([Rule(Greedy(), MASK)]).stream()
    stream.feed("12345")
    with pytest.raises(Unavailable, match="`greedy` keeps back 6 characters of a stream, more than its 5"):
        stream.feed("6")
