"""Streams: what is let go early is what the whole text would have given.

For random texts and random cuts: whatever follows, the matches before the settled place are those of the whole,
they end before it, the place never moves back, and it is never further back than promised. A reader that keeps
only what the detector asks for finds the same matches.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from detectors import pii_values as values
from detectors.pii_corpus import LOGS, LOOKALIKES, PROSE, RECORDS, ROWS, filled, lines
from guardrails.detectors.matches import Match
from guardrails.detectors.pii import Custom, PiiDetector

ROUNDS = 400 if os.environ.get("GUARD_SOAK") else 40
DETECTOR = PiiDetector()
OWN = PiiDetector(frozenset({"EMAIL_ADDRESS", "BADGE"}), custom=[Custom("BADGE", r"badge no\. [0-9]{4}")])
REGIONAL = PiiDetector(frozenset({"UK_NINO", "IN_AADHAAR", "EMAIL_ADDRESS"}))
DENSE = (
    "a.",
    "1 ",
    "4111 ",
    "+1 ",
    "%40",
    "\u200b",
    "x@y.com",
    "DE89",
    "12-",
    "://",
    "ab:",
    "аb",
    "９",
    "http://a.de/",
    "A1 ",
)


def whole_text(random: Random) -> str:
    templates = lines(PROSE) + lines(RECORDS) + lines(ROWS) + lines(LOGS) + lines(LOOKALIKES)
    marks = ("\n", " ", ", ", "", "\t", '"', "\u00a0")
    return random.choice(marks).join(filled(random, t, "").text for t in random.choices(templates, k=6))


def dense_text(random: Random) -> str:
    """Long stretches without a place to rest, with values in them."""
    pieces = [random.choice(DENSE) * random.randrange(1, 900) for _ in range(6)]
    return "".join(
        piece + random.choice((values.email, values.card, values.url, values.iban))(random)
        for piece in pieces
    )


def streamed(detector: PiiDetector, text: str, cuts: list[int]) -> list[Match]:
    """The matches of a reader that forgets all but `left` characters of what it has let go."""
    found: list[Match] = []
    gone = 0
    for cut in [*cuts, len(text)]:
        begin = max(0, gone - detector.left)
        end = len(text) if cut == len(text) else max(gone, begin + detector.settled(text[begin:cut]))
        found += [
            Match(m.start + begin, m.end + begin, m.entity, m.score, m.reason)
            for m in detector.find(text[begin:cut])
            if gone <= m.start + begin < end
        ]
        gone = end
    return found


def cut_places(random: Random, text: str, count: int) -> list[int]:
    return sorted(random.randrange(len(text) + 1) for _ in range(count))


@pytest.mark.parametrize("detector", [DETECTOR, OWN, REGIONAL], ids=["default", "own", "regional"])
def test_streams_give_what_the_whole_gives(detector: PiiDetector) -> None:
    random = Random(99)
    for _ in range(ROUNDS):
        text = whole_text(random)
        assert streamed(detector, text, cut_places(random, text, 12)) == detector.find(text), text


def test_dense_texts_too() -> None:
    random = Random(7)
    for _ in range(max(4, ROUNDS // 10)):
        text = dense_text(random)
        assert streamed(DETECTOR, text, cut_places(random, text, 8)) == DETECTOR.find(text), text


def test_the_settled_place_is_settled() -> None:
    random = Random(5)
    for _ in range(ROUNDS):
        text = whole_text(random)
        found = DETECTOR.find(text)
        last = 0
        for cut in cut_places(random, text, 12):
            place = DETECTOR.settled(text[:cut])
            assert last <= place <= cut
            assert cut - place <= DETECTOR.hold
            assert all(m.end <= place for m in found if m.start < place), (text[:cut], place)
            assert [m for m in DETECTOR.find(text[:cut]) if m.start < place] == [
                m for m in found if m.start < place
            ]
            last = place


@pytest.mark.parametrize("unit", [*DENSE, "1" + "\u200b" * 30, "%2525252540", "你好，世界", "a"])
def test_no_more_is_held_than_promised(unit: str) -> None:
    text = unit * (2 * DETECTOR.hold // len(unit))
    places = [DETECTOR.settled(text[:end]) for end in range(len(text) - 3, len(text) + 1)]
    assert places == sorted(places)
    assert len(text) - places[-1] <= DETECTOR.hold


def test_little_is_held_of_ordinary_text() -> None:
    random = Random(11)
    text = " ".join(filled(random, random.choice(lines(PROSE)), "").text for _ in range(60))
    held = sorted(cut - DETECTOR.settled(text[:cut]) for cut in range(200, len(text)))
    assert held[len(held) // 2] <= 16
    assert held[-1] <= 128


def test_every_cut_of_a_number() -> None:
    text = "the long number 4111 1111\n1111 1111 belongs to somebody, as does jane.doe%40example.com there"
    for cut in range(len(text)):
        assert streamed(DETECTOR, text, [cut]) == DETECTOR.find(text)
