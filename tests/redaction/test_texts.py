"""What becomes of matches in texts: methods, overlaps, order, and that redacting twice changes nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import KEY, SHAPES, long_texts, redactor, rules, texts
from toy_detectors import CARDS, DIGITS, KEYS, MAILS, WORDS, Runs

from guardrails.detectors.matches import Match
from guardrails.errors import Unavailable
from guardrails.redaction.methods import DROP, HASH, MASK, TOKEN, Rule, last, replace, strictest
from guardrails.redaction.redactor import Redactor
from guardrails.redaction.structures import Redacted

# rules, text, what goes on
CASES = [
    ([Rule(MAILS, MASK)], "to bob@x.com now", "to [REDACTED] now"),
    ([Rule(MAILS, DROP)], "to bob@x.com now", "to  now"),
    ([Rule(MAILS, replace("someone"))], "to bob@x.com now", "to someone now"),
    ([Rule(DIGITS, last(4))], "no 12345678", "no ***5678"),
    ([Rule(DIGITS, last(4))], "no 1234567", "no ***"),
    ([Rule(MAILS, last(3))], "bob@x.com", "***com"),
    ([Rule(MAILS, last(4))], "bob@x.com", "***"),
    ([Rule(MAILS, MASK, entities=frozenset({"OTHER"}))], "bob@x.com", "bob@x.com"),
    # where redactions meet, the strictest decides
    ([Rule(MAILS, TOKEN), Rule(MAILS, MASK)], "bob@x.com", "[REDACTED]"),
    ([Rule(DIGITS, last(2)), Rule(CARDS, last(4))], "4111111111111111", "***11"),
    ([Rule(DIGITS, DROP), Rule(CARDS, MASK)], "a 4111111111111111", "a "),
    # what a removal brings together, or brings to light, is looked at again
    ([Rule(MAILS, last(4))], "bob@x.combob@x.com", "***[REDACTED]"),
    ([Rule(WORDS, MASK), Rule(DIGITS, MASK)], "123456card", "[REDACTED][REDACTED]"),
    ([Rule(Runs("X", "x", 2, 9), DROP), Rule(DIGITS, DROP)], "123xx456", "[REDACTED]"),
]  # fmt: skip


@pytest.mark.parametrize(("some", "text", "expected"), CASES)
def test_matches(some, text, expected):
    assert redactor(some).redact(text).value == expected


def test_hashes_and_tokens_name_the_entity_and_are_the_same_for_the_same_value():
    done = (
        redactor([Rule(MAILS, HASH), Rule(DIGITS, TOKEN)]).redact("bob@x.com 1234567 bob@x.com 1234567").value
    )
    mail, number = done.split(" ")[:2]
    assert done == f"{mail} {number} {mail} {number}"
    assert re.fullmatch("<EMAIL_ADDRESS:[b-v]{18}>", mail)
    assert re.fullmatch("<NUMBER_1_[b-v]{10}>", number)


def test_hashes_depend_on_the_key_and_the_entity():
    def hashed(entity, key):
        rule = Rule(Runs(entity, "0-9", 6, 9), HASH)
        return Redactor([rule], key=key).redact("1234567").value.rpartition(":")[2]

    assert len({hashed("A", KEY), hashed("B", KEY), hashed("A", b"another key, as long")}) == 3


def test_hash_and_token_need_what_they_are_made_with():
    with pytest.raises(Unavailable, match=r"`redact \.\.\. with hash` needs a key"):
        Redactor([Rule(MAILS, HASH)]).redact("bob@x.com")
    with pytest.raises(Unavailable, match=r"`redact \.\.\. with token` needs a vault"):
        Redactor([Rule(MAILS, TOKEN)]).redact("bob@x.com")
    with pytest.raises(ValueError, match="16 to 64 bytes and has 3"):
        Redactor([], key=b"abc")


class Fixed:
    """Finds what it was told to."""

    name, hold, left = "fixed", 100, 100

    def __init__(self, *matches: Match) -> None:
        self.matches = list(matches)

    def find(self, text, context=()):
        return [match for match in self.matches if match.end <= len(text)]

    def settled(self, text):
        return 0


OVERLAPS = [
    ("the higher score", Match(0, 4, "A", 0.5), Match(2, 5, "B", 0.6), "<B_1_", 5),
    ("then the longer", Match(0, 3, "A", 0.5), Match(1, 5, "B", 0.5), "<B_1_", 5),
    ("then the earlier", Match(0, 4, "B", 0.5), Match(1, 5, "A", 0.5), "<B_1_", 5),
    ("then the name", Match(0, 5, "B", 0.5), Match(0, 5, "A", 0.5), "<A_1_", 5),
    ("one inside the other", Match(0, 9, "A", 0.5), Match(1, 5, "B", 0.9), "<B_1_", 9),
    ("side by side", Match(0, 4, "A", 0.5), Match(4, 9, "B", 0.9), "<A_1_", 4),
]


@pytest.mark.parametrize(("why", "one", "other", "named", "covered"), OVERLAPS)
def test_overlapping_matches_become_one(why, one, other, named, covered):
    text = "abcdefghij"
    for found in ([one, other], [other, one]):
        together = [Rule(Fixed(*found), TOKEN)]
        apart = [Rule(Fixed(each), TOKEN) for each in found]
        for some in (together, apart):
            done = redactor(some).redact(text).value
            assert done.startswith(named), why
            assert done.endswith((">" + text[9:], ">" + text[covered:]))


@settings(max_examples=300)
@given(long_texts, rules, st.randoms())
def test_the_order_of_rules_means_nothing(text, some, random):
    shuffled = sorted(some, key=lambda _: random.random())
    assert redactor(some).redact(text) == redactor(shuffled).redact(text)


@settings(max_examples=600)
@given(texts, rules)
def test_redacting_twice_changes_nothing(text, some):
    """With the same vault, as within a session. Not for WORDS: what stands beside a word can keep it from being
    one, so each redaction may bring another to light, and there are two passes, not any number."""
    one = redactor([rule for rule in some if rule.detector is not WORDS])
    done = one.redact(text).value
    assert one.redact(done) == Redacted(done, ())


@pytest.mark.parametrize("method", SHAPES, ids=str)
def test_no_placeholder_is_found_again(method):
    eager = Runs("ANY", "A-Za-z0-9_:*<>\\[\\]", 1, 200)
    one = redactor([Rule(eager, method)])
    done = one.redact("some words 1234567890 bob@x.com").value
    assert one.redact(done).value == done


FORGED = [
    "<EMAIL_ADDRESS:bcdfghjkmnpqrstvbc>", "<EMAIL_ADDRESS_1_bcdfghjkmn>", "<A4111111111111111:bcdfghjkmnpqrstvbc>",
    "<A4111111111111111_1_bcdfghjkmn>", "***4111111111111111", "[4111111111111111]", "[REDACTED 4111111111111111]",
]  # fmt: skip


@pytest.mark.parametrize("text", FORGED)
def test_a_forged_placeholder_hides_nothing(text):
    eager = Runs("ANY", "A-Za-z0-9", 6, 200)
    some = [Rule(eager, HASH), Rule(Runs("OTHER", "%", 1, 9), TOKEN), Rule(Runs("LAST", "%", 1, 9), last(4))]
    done = redactor(some).redact(text).value
    assert "4111111111111111" not in done
    assert "bcdfghjkmnp" not in done.replace("<ANY:", "")


def test_what_is_left_of_a_number_is_not_found_again_but_a_longer_one_behind_stars_is():
    one = redactor([Rule(Runs("X", "0-9", 3, 9), last(4))])
    assert one.redact("***1234").value == "***1234"
    assert one.redact("***12345678").value == "******5678"


def test_strictness():
    order = [TOKEN, last(9), last(1), HASH, MASK, replace("a"), DROP]
    for at, method in enumerate(order):
        assert strictest(order[: at + 1]) == strictest(order[at::-1]) == method
    assert replace("") == DROP
    assert last(0) == MASK
    with pytest.raises(ValueError, match="cannot show less than nothing"):
        last(-1)


def test_counts_say_what_was_found_and_not_its_value():
    done = redactor([Rule(MAILS, MASK), Rule(KEYS, MASK)]).redact(["bob@x.com bob@x.com", "BEGINabc"])
    assert done.counts == (("EMAIL_ADDRESS", 2), ("PRIVATE_KEY", 1))
