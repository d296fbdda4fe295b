"""Patterns in streams: the same matches as in the whole, whatever the pattern, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import cuts, pieces_of, redactor
from toy_detectors import DIGITS, MAILS

from guardrails.errors import TooLarge
from guardrails.patterns.engines import PatternError
from guardrails.patterns.spans import compile_spans
from guardrails.redaction.methods import DROP, HASH, MASK, Rule, last
from guardrails.redaction.patterns import PatternDetector
from guardrails.redaction.streams import redacted_pieces

PATTERNS = (
    r"\d{4}", r"\d{2,3}", r"\bsk-[a-z0-9]{3,}", r"\b\d{4}[ -]?\d{4}\b", "a|ab|abcd", "(?:ab)+c", "a.*?b", "a[^b]*b",
    r"^ab", r"ab$", r"(?m)^a", r"(?m)b$", r"\Aab", r"ab\z", r"\Bb\B", "(?i)k1|ss", "x{2}(?:yx?){0,2}", "(?:a|b)*c",
    r"b\b", r"\b", "a?", "(?:)", r"[^\s]+", "(?:a{0}b)c",
)  # fmt: skip

texts = st.text("ab12 -\nskxyc.", max_size=40)


@settings(max_examples=1_000)
@given(
    st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
    texts,
    cuts,
    st.sampled_from([MASK, DROP, HASH, last(1)]),
)
def test_joined_pieces_are_the_redacted_whole(patterns, text, sizes, method):
    some = [Rule(PatternDetector(pattern), method) for pattern in patterns]
    whole = redactor(some).redact(text)
    stream = redactor(some).stream()
    assert "".join(redacted_pieces(stream, pieces_of(text, sizes))) == whole.value
    assert stream.counts == whole.counts


@settings(max_examples=300)
@given(st.sampled_from(PATTERNS), st.text("ab12 -\nskxyc.@", max_size=60), cuts)
def test_patterns_and_detectors_go_together(pattern, text, sizes):
    some = [Rule(PatternDetector(pattern), MASK), Rule(DIGITS, HASH), Rule(MAILS, MASK)]
    stream = redactor(some).stream()
    assert "".join(redacted_pieces(stream, pieces_of(text, sizes))) == redactor(some).redact(text).value


@given(st.sampled_from(PATTERNS), texts)
def test_it_finds_what_redaction_by_the_pattern_finds(pattern, text):
    found = [(match.start, match.end) for match in PatternDetector(pattern).find(text)]
    assert found == compile_spans(pattern)(text)


@given(st.sampled_from(PATTERNS), texts, st.text("ab1c -\n", max_size=10))
def test_what_is_settled_stays_whatever_follows(pattern, text, more):
    detector = PatternDetector(pattern)
    settled = detector.settled(text)
    before = [match for match in detector.find(text) if match.start < settled]
    assert before == [match for match in detector.find(text + more) if match.start < settled]
    assert all(match.end <= settled for match in before)
    assert settled <= detector.settled(text + more)


def test_a_search_goes_on_where_the_last_match_ended():
    """DIGITS holds back from `12` on, within a match of the pattern that is complete."""
    some = [Rule(PatternDetector("x12|23"), MASK), Rule(DIGITS, MASK)]
    assert "".join(redacted_pieces(redactor(some).stream(), ["x12", "3", " "])) == "[REDACTED]3 "


def test_little_is_held_back():
    detector = PatternDetector(r"\bsk-[a-z0-9]{8,}")
    assert detector.settled("ask me for a task") == len("ask me for a task")
    assert detector.settled("my key is s") == len("my key is ")
    assert detector.settled("my key is sk-abc") == len("my key is ")
    assert detector.settled("my key is sk-abc ") == len("my key is sk-abc ")


def test_a_run_without_bound_ends_the_stream():
    stream = redactor([Rule(PatternDetector("a[^b]*b"), MASK)]).stream()
    with pytest.raises(
        TooLarge, match="may still match the last 5,000 characters of a stream, and no more than 4,096"
    ):
        stream.feed("a" * 5_000)
    assert redactor([Rule(PatternDetector("a[^b]*b"), MASK)]).redact("a" * 5_000 + "b").value == "[REDACTED]"


def test_a_bounded_pattern_never_holds_more_than_its_length():
    stream = redactor([Rule(PatternDetector(r"\d{3}-\d{4}"), MASK)]).stream()
    for _ in range(2_000):
        stream.feed("1")
        assert stream.pending <= 10


def test_what_is_no_pattern_is_an_error():
    with pytest.raises(PatternError):
        PatternDetector("(")
