"""Tokens: what comes back, what never does, and how they travel between workers."""

from __future__ import annotations

import base64
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import KEY

from guardrails.errors import EvaluationError, TooLarge, Unavailable
from guardrails.redaction.vault import Vault


@pytest.fixture
def vault():
    return Vault("s-1", KEY)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(["EMAIL_ADDRESS", "CREDIT_CARD", "badge"]), st.text(max_size=20))))
def test_what_is_tokenised_comes_back(pairs):
    vault = Vault("s-1", KEY)
    tokens = [vault.tokenise(entity, text) for entity, text in pairs]
    seen = dict(zip(reversed(tokens), reversed([text for _, text in pairs]), strict=True))
    assert vault.restore(" ".join(tokens)) == " ".join(seen[token] for token in tokens)


def test_the_same_value_has_the_same_token(vault):
    tokens = {vault.tokenise("EMAIL_ADDRESS", mail) for mail in ("Bob@X.com", "bob@x.com", " BOB@x.com")}
    assert len(tokens) == 1
    assert vault.restore(tokens.pop()) == "Bob@X.com"
    cards = {
        vault.tokenise("CREDIT_CARD", card)
        for card in ("4111 1111", "4111-1111", "４１１１１１１１", 41111111)
    }
    assert len(cards) == 1
    assert vault.tokenise("PERSON", "Bob") != vault.tokenise("PERSON", "bob")


def test_tokens_count_by_entity(vault):
    made = [vault.tokenise(entity, text) for entity, text in (("A_B", "x"), ("A_B", "y"), ("C", "x"))]
    assert [token[: token.rindex("_")] for token in made] == ["<A_B_1", "<A_B_2", "<C_1"]


def test_json_comes_back_with_its_numbers(vault):
    card, mail = vault.tokenise("CREDIT_CARD", 4111), vault.tokenise("EMAIL_ADDRESS", "b@x.com")
    value = {"card": card, "note": f"{card} of {mail}", mail: [mail, 1, None]}
    assert vault.restore(value) == {"card": 4111, "note": "4111 of b@x.com", mail: ["b@x.com", 1, None]}
    deep = mail
    for _ in range(101):
        deep = [deep]
    with pytest.raises(TooLarge, match="more than 100 levels"):
        vault.restore(deep)


def mangled(token):
    """What models make of tokens, and users of their hopes."""
    name, number, tag = token[1:-1].rsplit("_", 2)
    return [
        token.lower(), token.upper(), token[:-1], token[1:], token[:10] + " " + token[10:], token.replace("_", "-"),
        f"<{name}_{int(number) + 1}_{tag}>", f"<{name}_0{number}_{tag}>", f"<{name}_{number}_{tag[::-1]}>",
        f"<OTHER_{number}_{tag}>", f"{name}_{number}_{tag}", f"<{name}_{number}>", f"<{name}_{number}_>",
        f"&lt;{token[1:-1]}&gt;", token.translate({ord(c): ord(c) + 0xFEE0 for c in token}),
        token[:8] + "\u200b" + token[8:],
    ]  # fmt: skip


def test_nothing_but_exact_tokens_comes_back(vault):
    token = vault.tokenise("EMAIL_ADDRESS", "bob@x.com")
    for text in mangled(token):
        assert vault.restore(text) == text
        assert not vault.knows(text)


def test_of_nested_tokens_the_inner_one_comes_back_once(vault):
    inner = vault.tokenise("A", "B_1")
    outer = vault.tokenise("B_1", "secret")
    nested = outer.replace("B_1", inner)
    assert vault.restore(nested) == outer
    assert vault.restore(f"<{inner}>") == "<B_1>"


def test_a_value_that_looks_like_a_token_is_not_read_as_one(vault):
    first = vault.tokenise("A", "secret")
    second = vault.tokenise("A", first)
    assert vault.restore(second) == first


def test_tokens_of_another_session_or_key_mean_nothing(vault):
    token = vault.tokenise("A", "x")
    for other in (Vault("s-2", KEY), Vault("s-1", KEY[::-1])):
        assert other.tokenise("A", "x") != token
        assert other.restore(token) == token


def test_records_bring_a_vault_back(vault):
    tokens = [vault.tokenise("A", "x"), vault.tokenise("A", "y"), vault.tokenise("N", 7)]
    again = Vault.from_records("s-1", KEY, vault.records())
    assert [again.restore(token) for token in tokens] == ["x", "y", 7]
    assert again.tokenise("A", "x") == tokens[0]
    assert again.tokenise("A", "z").startswith("<A_3_")


def test_each_new_value_is_to_be_saved_once(vault):
    vault.tokenise("A", "x")
    vault.tokenise("A", "x")
    first = vault.unsaved()
    assert len(first) == 1
    assert vault.unsaved() == first
    vault.saved(first[0])
    assert vault.unsaved() == ()
    other = Vault("s-1", KEY)
    other.tokenise("A", "mine")
    other.learn(first[0])
    other.learn(first[0])
    assert [record.split(" ")[1] for record in other.unsaved()] == [other.tokenise("A", "mine")]
    assert len(other.records()) == 2


def test_two_workers_never_give_one_token_to_two_values():
    one, two = Vault("s-1", KEY), Vault("s-1", KEY)
    first, second = one.tokenise("A", "x"), two.tokenise("A", "y")
    assert first != second
    for record in two.unsaved():
        one.learn(record)
    assert one.restore(f"{first} {second}") == "x y"
    assert one.tokenise("A", "z").startswith("<A_2_")


def test_records_show_nothing_and_cannot_be_changed_or_moved(vault):
    vault.tokenise("A", "a secret value")
    vault.tokenise("A", "another")
    record, other = vault.records()
    version, token, body = record.split(" ")
    assert b"secret" not in base64.urlsafe_b64decode(body)
    data = bytearray(base64.urlsafe_b64decode(body))
    data[-1] ^= 1
    flipped = base64.urlsafe_b64encode(bytes(data)).decode()
    wrong = [
        f"{version} {token} {flipped}", f"v0 {token} {body}", f"{version} {other.split(' ')[1]} {body}", "", "v1 x",
        f"{version} {token} {body[:8]}", f"{version} {token} é", f"{version} {token} {body} ",
    ]  # fmt: skip
    for text in wrong:
        with pytest.raises(EvaluationError, match="a token record of session `s-1` cannot be opened"):
            Vault("s-1", KEY).learn(text)
    for stranger in (Vault("s-2", KEY), Vault("s-1", KEY[::-1])):
        with pytest.raises(EvaluationError, match="cannot be opened"):
            stranger.learn(record)


def test_bounds(vault, monkeypatch):
    with pytest.raises(TooLarge, match="too long for a token; mask it instead"):
        vault.tokenise("A", "x" * 20_000)
    monkeypatch.setattr("guardrails.redaction.vault.MOST_TOKENS", 1)
    vault.tokenise("A", "x")
    vault.tokenise("A", "x")
    with pytest.raises(TooLarge, match="session `s-1` has 1 tokens"):
        vault.tokenise("A", "y")
    with pytest.raises(ValueError, match="needs 32 bytes and has 3"):
        Vault("s-1", b"abc")


def test_without_cryptography_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(Unavailable, match=r"install `guard-policy\[tokens\]`"):
        Vault("s-1", KEY)
