"""Redaction with the detectors that ship: streams give what wholes give, and placeholders are not found again."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import KEY, pieces_of, redactor

from guardrails.detectors.pii import DEFAULT, PiiDetector
from guardrails.detectors.secrets import ENTITIES, SecretDetector
from guardrails.json_positions import parse_json
from guardrails.redaction.methods import DROP, HASH, MASK, TOKEN, Rule, last
from guardrails.redaction.placeholders import MASKED, REDACTED, Writer
from guardrails.redaction.streams import redacted_pieces
from guardrails.redaction.vault import Vault

PEM = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj
MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu
-----END PRIVATE KEY-----"""

PARTS = (
    "Please write to ann.lee@example.org", "bob+x@mail.example.com", "card 4111 1111 1111 1111", "the quick brown fox",
    "4111111111111111", "call +49 30 901820", "(212) 555-0142", "iban DE89 3704 0044 0532 0130 00", "10.0.0.7",
    "born on 1980-05-17", "https://example.com/a?token=abc", "password=hunter2horse!", "ssn 536-90-4399",
    "Bearer h7Gq2Lw9Xz4Rt6Yb1Nv8Kc3Md5Ps0Jf", "AKIA" + "Q7ZV2NXM4KD6RTYP", PEM, "order 1234567890", "v1.2.3",
    "README.md", "and", ".", ", ", "\n", '"key": "value"', "***1111", REDACTED, "[REDA", "<EMAIL_ADDRESS_1", "ünï",
    "\u200b",
)  # fmt: skip

texts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map(" ".join)
methods = st.sampled_from((MASK, HASH, TOKEN, last(4), DROP))
cuts = st.lists(st.integers(1, 60), max_size=4)


@cache
def detectors():
    return (PiiDetector(), SecretDetector())


def rules(method):
    return [Rule(detector, method) for detector in detectors()]


@settings(max_examples=60)
@given(texts, methods, cuts)
def test_joined_pieces_are_the_redacted_whole(text, method, sizes):
    whole = redactor(rules(method)).redact(text).value
    pieces = redacted_pieces(redactor(rules(method)).stream(), pieces_of(text, sizes))
    assert "".join(pieces) == whole


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["to", "card", "password", "note"]), texts), methods, cuts)
def test_a_joined_document_is_the_redacted_whole(value, method, sizes):
    stream = redactor(rules(method)).json_stream()
    out = "".join(redacted_pieces(stream, pieces_of(json.dumps(value), sizes)))
    assert parse_json(out)[0] == redactor(rules(method)).redact(value).value


@settings(max_examples=60)
@given(texts, methods)
def test_redacting_twice_changes_nothing(text, method):
    one = redactor(rules(method))
    done = one.redact(text).value
    assert one.redact(done).value == done


@pytest.mark.parametrize("entity", sorted(DEFAULT | ENTITIES))
def test_no_placeholder_is_taken_for_what_it_stands_for(entity):
    writer = Writer(KEY, Vault("s-1", KEY))
    shapes = [writer.hashed(entity, "some value"), writer.token(entity, "some value"), REDACTED, MASKED]
    for shape in shapes:
        for text in (
            shape,
            f"it is {shape}, he said",
            f"{entity.lower()}: {shape}",
            f"{entity.lower()}={shape}",
        ):
            for detector in detectors():
                assert detector.find(text) == [], text


def test_what_only_comes_to_light_by_a_redaction_is_redacted_too():
    text = f"{PEM} 4111111111111111"
    assert redactor(rules(MASK)).redact(text).value == f"{REDACTED} {REDACTED}"


def test_what_is_found_is_gone():
    text = "; ".join(PARTS)
    done = redactor(rules(MASK)).redact({"text": text}).value["text"]
    for secret in (
        "ann.lee",
        "4111 1111",
        "DE89",
        "536-90",
        "hunter2horse",
        "h7Gq2Lw9",
        "Q7ZV2",
        "MIIEv",
        "MzEfY",
    ):
        assert secret in text
        assert secret not in done
