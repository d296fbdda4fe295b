"""Texts to redact, rules to redact them by, and ways to cut them."""

from __future__ import annotations

from hypothesis import strategies as st
from toy_detectors import CARDS, DIGITS, KEYS, MAILS, WORDS

from guardrails.redaction.methods import DROP, HASH, MASK, TOKEN, Method, Rule, last, replace
from guardrails.redaction.redactor import Redactor
from guardrails.redaction.vault import Vault

KEY = bytes(range(32))
SHAPES = (MASK, HASH, DROP, TOKEN, last(4), last(2), replace("[gone]"), replace("<removed>"), replace("***"))
DETECTORS = (DIGITS, CARDS, MAILS, KEYS, WORDS)

PARTS = (
    "bob@x.com", "a.b@c.d.e", "123456", "4111111111111111", "12345", "0", "@", ".", " ", ", ", "card ", "\n",
    "***", "***1234", "[REDACTED]", "[REDA", "<", ">", "<EMAIL_ADDRESS_1_bcdfghjkmn>", "<NUMBER:bcdf", "[gone]",
    "BEGINabc", "BEGI", "BEGIN" + "k9" * 150 + "\n", "k" * 230, "abc", "zzzzzzzzzzzz", "\u0301", "e\u0301",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "ü", "日本", '"', "\\", "\x00",
)  # fmt: skip

texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)
long_texts = st.lists(st.sampled_from(PARTS), min_size=5, max_size=60).map("".join)
methods = st.sampled_from(SHAPES)


def _rule(parts: tuple[object, Method]) -> Rule:
    return Rule(parts[0], parts[1])  # type: ignore[arg-type]


rules = st.lists(st.tuples(st.sampled_from(DETECTORS), methods).map(_rule), max_size=5)


def redactor(some: list[Rule]) -> Redactor:
    return Redactor(some, key=KEY, vault=Vault("s-1", KEY))


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    """`text` in pieces of the sizes of `cuts`, over and over."""
    pieces, at = [], 0
    sizes = [size for size in cuts if size] or [len(text) + 1]
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


cuts = st.lists(st.integers(0, 40), max_size=6)
