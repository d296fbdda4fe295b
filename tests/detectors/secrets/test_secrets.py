"""The detector of secrets: what it finds in labelled texts, what it leaves alone, and that streams lose nothing."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import secrets_corpus as corpus
from hypothesis import given
from hypothesis import strategies as st

from guardrails.detectors.matches import Detector, Match
from guardrails.detectors.secrets import SecretDetector
from guardrails.detectors.secrets.checks import base58check, bech32, crc_base62
from guardrails.detectors.secrets.names import kind_of
from guardrails.detectors.secrets.tokens import FORMATS
from guardrails.errors import Ambiguous
from guardrails.patterns.syntax import parse

DETECTOR = SecretDetector()
DOUBTFUL = SecretDetector(threshold=0.3)
ADVERSARIAL = json.loads((Path(__file__).parents[1] / "secrets_adversarial.json").read_text(encoding="utf-8"))


def is_covered(labelled: corpus.Labelled) -> bool:
    """Whether matches cover the whole secret of a text."""
    start = labelled.text.index(labelled.secret)
    rest = set(range(start, start + len(labelled.secret)))
    for match in DETECTOR.find(labelled.text):
        rest -= set(range(match.start, match.end))
    return not rest


def test_every_format_is_found_in_every_place() -> None:
    texts = corpus.formats()
    assert len({labelled.kind for labelled in texts}) >= 130
    assert [labelled for labelled in texts if not is_covered(labelled)] == []


def test_secrets_are_found_by_their_name_and_place() -> None:
    texts = [*corpus.assigned(), *corpus.placed()]
    missed = [labelled for labelled in texts if not is_covered(labelled)]
    assert len(missed) <= len(texts) // 100, missed


def test_what_only_looks_like_a_secret_is_left_alone() -> None:
    found = [(labelled.text, DETECTOR.find(labelled.text)) for labelled in corpus.harmless()]
    assert [each for each in found if each[1]] == []


def test_every_format_is_a_pattern_that_holds_its_literal() -> None:
    draw = Random(5)
    for form in FORMATS:
        parse(form.pattern)
        token = corpus.token_of(form, draw)
        assert not token or form.literal in token


@pytest.mark.parametrize("literal", ["ghp_", "npm_", "glsa_"])
def test_a_wrong_checksum_is_no_token(literal: str) -> None:
    form = next(form for form in FORMATS if form.literal == literal)
    token = corpus.token_of(form, Random(6))
    assert [match.entity for match in DETECTOR.find(token)] == ["API_KEY"]
    other = token[:-1] + ("1" if token[-1] != "1" else "2")
    assert DETECTOR.find(other) == []


def test_published_vectors_pass_their_checksums() -> None:
    master = (
        "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiCh"
        "kVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
    )
    assert base58check(master)
    assert not base58check(master[:-1] + "j")
    assert bech32("A12UEL5L")
    assert not bech32("A12UEL5M")
    assert not crc_base62("ghp_" + "a" * 36)


NAMED = {
    "password": "password", "DB_PASSWORD": "password", "userPwd": "password", "пароль": "password",
    "api_key": "token", "AWSSecretAccessKey": "token", "x-auth-token": "token", "githubToken": "token",
    "max_tokens": "", "token_count": "", "password_hash": "", "next_page_token": "", "public_key": "",
    "tokenizer": "", "compass": "", "key": "", "secret_name": "",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_read_from_its_end(name: str) -> None:
    assert kind_of(name) == NAMED[name]


def test_the_name_of_a_field_is_context() -> None:
    assert DETECTOR.find("correct7horse") == []
    (match,) = DETECTOR.find("correct7horse", ["user", "password"])
    assert (match.start, match.end, match.entity) == (0, 13, "PASSWORD")
    assert DETECTOR.find("${PASSWORD}", ["password"]) == []
    assert DETECTOR.find("4096", ["max_tokens"]) == []


def test_only_the_entities_asked_for_are_reported() -> None:
    text = 'password = "hunter2x!" and AKIAQ3EGRWLOPXNZZ7TB'
    assert [match.entity for match in DETECTOR.find(text)] == ["PASSWORD", "API_KEY"]
    assert [match.entity for match in SecretDetector(frozenset({"API_KEY"})).find(text)] == ["API_KEY"]


def test_half_of_a_surrogate_pair_is_an_error() -> None:
    with pytest.raises(Ambiguous):
        DETECTOR.find("password = \ud800")


@pytest.mark.parametrize("case", ADVERSARIAL["secrets"], ids=lambda case: case["id"])
def test_adversarial_secrets(case: dict[str, str]) -> None:
    found = any(case["secret"] in case["text"][m.start : m.end] for m in DETECTOR.find(case["text"]))
    assert found == (case["expected"] == "caught")


# --- streams --------------------------------------------------------------------------------------------------


def streamed(detector: Detector, chunks: list[str]) -> list[Match]:
    """The matches of a text that comes in chunks, with no more kept of it than the contract asks for."""
    found, buffer, done, base = [], "", 0, 0
    for chunk in [*chunks, ""]:
        buffer += chunk
        end = max(done, detector.settled(buffer)) if chunk else len(buffer)
        assert len(buffer) - end <= detector.hold
        for match in detector.find(buffer):
            if done <= match.start < end:
                assert match.end <= end
                found.append(
                    Match(match.start + base, match.end + base, match.entity, match.score, match.reason)
                )
        cut = max(0, end - detector.left)
        buffer, base, done = buffer[cut:], base + cut, end - cut
    return sorted(found, key=lambda match: (match.start, -match.end, match.entity))


def cut_at(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(places) if a < b]


_DRAW = Random(7)
_TEXTS = [
    labelled.text
    for labelled in (*corpus.formats()[::5], *corpus.assigned(), *corpus.placed(), *corpus.harmless())
]
_ODD = [
    "password=password=password=x9y8z7", 'token: "unclosed value goes on', "-----BEGIN RSA PRIVATE KEY-----", "eyJ", "\n",
    "p%61ssword=%68unter2x9",
    "ｐassword：ｈunter22x", 'secret = \\"a b c9 d\\"', "-----BEGIN ", "Bearer ",
    "://u:p4ss@", '"', "'",
]  # fmt: skip


@given(
    parts=st.lists(st.sampled_from(_TEXTS + _ODD), min_size=1, max_size=6),
    joint=st.sampled_from(["\n", " ", "", ", ", '"']),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_a_stream_gives_the_matches_of_the_whole(parts: list[str], joint: str, cuts: list[int]) -> None:
    text = joint.join(parts)
    for detector in (DETECTOR, DOUBTFUL):
        assert streamed(detector, cut_at(text, cuts)) == detector.find(text)


@given(text=st.sampled_from(_TEXTS), cuts=st.lists(st.integers(0, 400), min_size=2, max_size=6))
def test_what_is_settled_stays_settled(text: str, cuts: list[int]) -> None:
    settled = [DETECTOR.settled(text[:cut]) for cut in sorted(cuts)]
    assert settled == sorted(settled)


def test_little_is_held_of_ordinary_text() -> None:
    text = "The quarterly report shows that revenue grew by four percent in all regions. " * 20
    held = [len(text[:cut]) - DETECTOR.settled(text[:cut]) for cut in range(len(text))]
    assert max(held) <= 12


def test_long_runs_are_held_only_so_far() -> None:
    for text in ("A" * 60_000, "-----BEGIN PRIVATE KEY-----\n" + "QUJD" * 15_000, "password=" * 6_000):
        assert len(text) - DETECTOR.settled(text) <= DETECTOR.hold
