"""What becomes of JSON values: paths, keys, numbers, shapes and bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_json_streams import rules, values
from texts import redactor
from toy_detectors import CARDS, DIGITS, MAILS

from guardrails.errors import TooLarge
from guardrails.redaction.methods import DROP, HASH, MASK, TOKEN, Rule, last, replace
from guardrails.redaction.places import words_of

CARD = 4111111111111111


def whole(method, *path):
    return Rule(None, method, path=path)


def cards(method, *path):
    return Rule(CARDS, method, path=path)


def mails(method, *path):
    return Rule(MAILS, method, path=path)


# rules, value, what goes on
CASES = [
    # paths: fields, every field, through lists, elements
    ([whole(MASK, "a")], {"a": "x", "b": "x"}, {"a": "***", "b": "x"}),
    ([whole(MASK, "a", "b")], {"a": [{"b": "x", "c": "x"}, {"b": "y"}]}, {"a": [{"b": "***", "c": "x"}, {"b": "***"}]}),
    ([whole(MASK, "*", "b")], {"a": {"b": "x"}, "c": [{"b": "y"}]}, {"a": {"b": "***"}, "c": [{"b": "***"}]}),
    ([whole(MASK, "a", "*")], {"a": ["x", ["y"]]}, {"a": ["***", ["***"]]}),
    ([whole(MASK, "*")], ["x", 1], ["***", None]),
    ([whole(MASK, "a")], "x", "x"),
    ([mails(MASK, "to")], {"to": ["bob@x.com"], "cc": "bob@x.com"}, {"to": ["[REDACTED]"], "cc": "bob@x.com"}),
    # whole values: masks keep the shape, `drop` takes fields and empties elements
    ([whole(MASK)], {"a": [1, "x", True, None]}, {"a": [None, "***", None, None]}),
    ([whole(DROP, "a")], {"a": {"b": 1}, "c": 2}, {"c": 2}),
    ([whole(DROP, "*")], [1, 2], [None, None]),
    ([whole(DROP)], {"a": 1}, None),
    ([whole(replace("-"))], {"a": 1}, "-"),
    ([whole(last(2), "a")], {"a": "abc-12-34"}, {"a": "***34"}),
    ([whole(last(2), "a")], {"a": "abc"}, {"a": "***"}),
    ([whole(last(4), "a"), cards(MASK)], {"a": "no 4111111111111111"}, {"a": "***"}),
    # numbers
    ([cards(MASK)], {"n": CARD, "m": 12}, {"n": None, "m": 12}),
    ([cards(last(4))], [CARD, float(CARD)], [None, None]),
    ([cards(replace("card"))], CARD, "card"),
    ([cards(DROP)], {"n": CARD, "m": [CARD]}, {"m": [None]}),
    ([Rule(DIGITS, MASK)], {"order": 123456, "homePhone": 123456}, {"order": 123456, "homePhone": None}),
    ([Rule(DIGITS, MASK)], {"phones": {"phone": {"x": [123456.0]}}}, {"phones": {"phone": {"x": [None]}}}),
    ([Rule(DIGITS, MASK)], {"phone": 123456.5}, {"phone": 123456.5}),
    ([cards(MASK)], [True, False, None, float("1e300")], [True, False, None, float("1e300")]),
    # keys
    ([mails(MASK)], {"bob@x.com": 1}, {"[REDACTED]": 1}),
    ([mails(MASK)], {"bob@x.com": 1, "jim@x.com": 2}, {"[REDACTED]": 1, "[REDACTED] 2": 2}),
    ([mails(MASK)], {"bob@x.com": 1, "[REDACTED]": 2}, {"[REDACTED]": 1, "[REDACTED] 2": 2}),
    ([mails(DROP)], {"bob@x.com": 1, "a": 2}, {"a": 2}),
    ([mails(MASK, "a")], {"bob@x.com": 1, "a": {"bob@x.com": 2}}, {"bob@x.com": 1, "a": {"[REDACTED]": 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("some", "value", "expected"), CASES)
def test_values(some, value, expected):
    done = redactor(some).redact(value).value
    assert done == expected
    assert redactor(some).redact(done).value == expected


def test_numbers_become_texts_only_by_methods_that_give_texts():
    done = redactor([cards(HASH, "a"), cards(TOKEN, "b")]).redact({"a": CARD, "b": CARD}).value
    assert done["a"].startswith("<CREDIT_CARD:")
    assert done["b"].startswith("<CREDIT_CARD_1_")


def test_the_keys_on_the_way_are_the_context():
    seen = []

    class Listening:
        name, hold, left = "listening", 0, 0

        def find(self, text, context=()):
            seen.append((text, tuple(context)))
            return []

        def settled(self, text):
            return len(text)

    redactor([Rule(Listening(), MASK)]).redact({"user": {"names": ["Ana"]}, "n": 7})
    assert seen == [
        ("user", ()), ("names", ("user",)), ("Ana", ("user", "names")), ("n", ()), ("7", ("n",)),
    ]  # fmt: skip


@settings(max_examples=200)
@given(values, rules)
def test_types_and_shape_survive(value, some):
    some = [rule for rule in some if rule.method.kind == "mask"]
    assert shape(redactor(some).redact(value).value) == shape(value)


def shape(value):
    """The containers of a value, without what is in them and without the words of its keys."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    return [shape(item) for item in value] if isinstance(value, list) else "leaf"


@settings(max_examples=200)
@given(values, rules, st.randoms())
def test_the_order_of_rules_means_nothing(value, some, random):
    shuffled = sorted(some, key=lambda _: random.random())
    assert redactor(some).redact(value) == redactor(shuffled).redact(value)


@given(values, rules)
def test_nothing_is_changed_in_place(value, some):
    before = repr(value)
    redactor(some).redact(value)
    assert repr(value) == before


def test_depth_and_size_have_bounds(monkeypatch):
    deep = "x"
    for _ in range(101):
        deep = [deep]
    with pytest.raises(TooLarge, match="more than 100 levels deep"):
        redactor([]).redact(deep)
    monkeypatch.setattr("guardrails.redaction.structures.MOST_PARTS", 10)
    with pytest.raises(TooLarge, match="more than 10 parts"):
        redactor([]).redact([1] * 10)
    monkeypatch.setattr("guardrails.redaction.structures.MOST_CHARACTERS", 10)
    with pytest.raises(TooLarge, match="more than 10 characters"):
        redactor([]).redact({"abcdef": "ghijk"})


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("card_number", ["card", "number"]), ("cardNumber", ["card", "number"]), ("Card-No", ["card", "no"]),
        ("SSN", ["ssn"]), ("", []), ("userSSN", ["user", "ssn"]),
    ],
)  # fmt: skip
def test_words_of_keys(key, words):
    assert words_of(key) == words
