"""JSON that grows piece by piece parses to the redaction of the whole document, and what is no JSON is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import cuts, methods, pieces_of, redactor, texts
from toy_detectors import CARDS, DIGITS, KEYS, MAILS, NAMED

from guardrails.errors import EvaluationError, TooLarge, Unavailable, WrongType
from guardrails.json_positions import JsonError, parse_json
from guardrails.redaction.methods import DROP, MASK, TOKEN, Rule, last, replace
from guardrails.redaction.overlaps import LONG
from guardrails.redaction.streams import redacted_pieces

names = st.sampled_from(
    ["a", "b", "card", "phone_number", "secret", "bob@x.com", "jim@x.com", "[REDACTED]", ""]
)
numbers = st.sampled_from([0, -1, 1.5, 4111111111111111, 123456, 4111111111111111.0, 1e300])
leaves = st.one_of(texts, numbers, st.booleans(), st.none())
values = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4))
)
paths = st.lists(st.sampled_from(["a", "b", "*", "card"]), max_size=3).map(tuple)
detectors = st.sampled_from([None, DIGITS, CARDS, MAILS, KEYS, NAMED])
rules = st.lists(
    st.builds(lambda detector, method, path: Rule(detector, method, path=path), detectors, methods, paths),
    max_size=5,
)


def streamed(some, text, sizes):
    stream = redactor(some).json_stream()
    out = "".join(redacted_pieces(stream, pieces_of(text, sizes)))
    return parse_json(out)[0], stream.counts


@settings(max_examples=500)
@given(values, rules, cuts, st.booleans())
def test_the_joined_stream_parses_to_the_redacted_document(value, some, sizes, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    whole = redactor(some).redact(json.loads(text))
    done, counts = streamed(some, text, sizes)
    assert done == whole.value
    assert counts == whole.counts


@settings(max_examples=300)
@given(st.text('{}[]",:\\/ud8c0DC1-+.eEntrfals x\n\t', max_size=14), cuts)
def test_it_reads_what_the_strict_reader_reads(text, sizes):
    try:
        expected = parse_json(text)[0]
    except JsonError:
        with pytest.raises(EvaluationError):
            streamed([], text, sizes)
    else:
        assert streamed([], text, sizes)[0] == expected


REFUSED = (
    "", " ", "[", "[1,]", "{,}", '{"a"}', '{"a":}', '{"a":1,}', "[1 2]", "01", "-", "1.", "nul", "NaN", '"', '"\\x"',
    '"\n"', '"\\ud83d"', '"\\ud83dx"', '"\\ude00"', '"\\u12', '{"a":1,"a":2}', "1e999", "[] []", "}", "truefalse",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("size", [1, 100])
def test_what_is_no_json_is_refused(text, size):
    with pytest.raises(JsonError):
        parse_json(text)
    with pytest.raises(WrongType, match=r"JSON|comes twice"):
        streamed([], text, [size])


def test_a_surrogate_pair_may_be_cut_anywhere():
    text = '"\\ud83d\\ude00 \\u00fc\\n"'
    for size in range(1, len(text)):
        assert streamed([], text, [size])[0] == "\U0001f600 ü\n"


def test_a_secret_written_in_escapes_is_found():
    spelt = "".join(f"\\u{ord(c):04x}" for c in "bob@x.com")
    assert streamed([Rule(MAILS, MASK)], f'{{"to": "{spelt}"}}', [5])[0] == {"to": "[REDACTED]"}


def test_texts_go_on_while_they_grow():
    stream = redactor([Rule(MAILS, MASK), Rule(None, last(2), path=("pin",))]).json_stream()
    assert stream.feed('{ "body" : "Dear customer, we wro') == '{"body":"Dear customer, we'
    assert stream.feed("te to bob@x.com, ") == " wrote to [REDACTED],"
    assert stream.feed('and", "pin": "12') == " and"
    assert stream.feed('345"') == '","pin":"***45'
    assert stream.feed("}") == '"'
    assert stream.close() == "}"


DENIED = (
    ("", "null"),
    ("  ", "null"),
    ("{", "{}"),
    ('{"a": "we write to bob', '{"a":"we write to no"}'),
    ('{"a": [1, {"b": "x", "c"', '{"a":[1,{"b":"x"}]}'),
    ('{"a": 1', "{}"),
    ('{"a": "b"', '{"a":"b"}'),
)


@pytest.mark.parametrize(("fed", "joined"), DENIED)
def test_a_denied_document_is_closed_to_valid_json(fed, joined):
    stream = redactor([Rule(MAILS, MASK)]).json_stream()
    assert stream.feed(fed) + stream.close_denied("no") == joined
    json.loads(joined)
    with pytest.raises(Unavailable):
        stream.feed("1")


@settings(max_examples=200)
@given(values, rules, st.integers(0, 200))
def test_a_document_denied_anywhere_is_valid_json(value, some, cut):
    stream = redactor(some).json_stream()
    parse_json(stream.feed(json.dumps(value)[:cut]) + stream.close_denied('it "ends"'))


@pytest.mark.parametrize("length", [1, 99, 100, 101, 5_000])
def test_what_a_key_says_of_a_text_as_a_whole_holds_for_a_stream(length):
    text = json.dumps({"my_secret": "x" * length})
    whole = redactor([Rule(NAMED, MASK)]).redact(json.loads(text)).value
    assert streamed([Rule(NAMED, MASK)], text, [3])[0] == whole
    assert (whole == {"my_secret": "[REDACTED]"}) == (length <= 100)


def test_dropped_values_leave_no_trace():
    text = '{"a": {"x": [1, {"y": "bob@x.com"}]}, "b": ["c", 2], "d": "e"}'
    some = [
        Rule(None, DROP, path=("a",)),
        Rule(None, DROP, path=("b", "*")),
        Rule(None, replace([1]), path=("d",)),
    ]
    assert streamed(some, text, [3])[0] == {"b": [None, None], "d": [1]}


def test_a_document_cannot_be_nested_or_stretched_without_end():
    for text in ("[" * 101, '{"' + "k" * 20_000, "1" * 2_000 + " "):
        with pytest.raises(TooLarge):
            redactor([]).json_stream().feed(text)


def test_a_large_document_passes_in_bounded_memory():
    stream = redactor([Rule(MAILS, MASK), Rule(None, last(4), path=("*", "pin"))]).json_stream()
    row = '{"mail": "bob@x.com", "pin": "' + "9" * (2 * LONG) + '", "note": "' + "all is well. " * 300 + '"},'
    stream.feed("[")
    for _ in range(100):
        for piece in pieces_of(row, [1_000]):
            stream.feed(piece)
            assert stream.pending <= LONG + 2
    out = stream.feed("1]") + stream.close()
    assert out.endswith(",1]")
    assert stream.counts == (("EMAIL_ADDRESS", 100), ("VALUE", 100))


def test_tokens_of_a_stream_are_those_of_the_whole():
    one = redactor([Rule(MAILS, TOKEN)])
    whole = one.redact({"to": "bob@x.com"}).value
    stream = one.json_stream()
    assert json.loads("".join(redacted_pieces(stream, ['{"to":"bo', 'b@x.com"}']))) == whole
