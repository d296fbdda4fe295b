"""Random policies about content, and texts with what they look for.

A planted value is one that a built-in detector is sure of wherever it stands; `planted` says which detector it
belongs to, so that a test knows what must not be seen without asking the code under test.
"""

from __future__ import annotations

from functools import lru_cache

from hypothesis import strategies as st

from guardrails import Guard

KEY = "a key for the tests of content"

PLANTED = {
    "pii": ("ana@example.com", "bob.b@mail.example.org", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"),
    "secrets": ("AKIA" "Z7Q2M4XK5PLW3NTR", "glpat-" "x7Kq2LmN8vRt4WzP1sDf"),
    "badge": ("AB123456", "ZZ999999"),
    "/order-[0-9]+/": ("order-17", "order-4711"),
}  # fmt: skip
"""Detector as a policy writes it -> values that it finds in any text."""

FILLING = (
    "hello", "the badge", "write to", "and", ".", ",", "\n", "(", ")", "ü", "日本", "e\u0301", "@", "order-", "AB12",
    "4111", "1111", "ghp_", "-----BEGIN", "<", ">", "[REDACTED]", "***", '"', "\\", "0", "<EMAIL_ADDRESS_1_", "x" * 40,
)  # fmt: skip

METHODS = ("", " with drop", " with hash", " with last 4", ' with replace "(gone)"', " with token")
STATELESS = tuple(method for method in METHODS if "token" not in method)

HEAD = 'detector badge = pattern /[A-Z]{2}[0-9]{6}/ context "badge"\n'


def _joined(parts: list[str]) -> str:
    return " ".join(parts)


texts = st.lists(
    st.sampled_from((*FILLING, *(value for values in PLANTED.values() for value in values))), max_size=14
).map(_joined)

cuts = st.lists(st.integers(1, 30), min_size=1, max_size=5)


@st.composite
def redactions(draw: st.DrawFn, methods: tuple[str, ...] = METHODS, target: str = "") -> tuple[str, ...]:
    """Statements that redact, with the detectors that they name as their keys in PLANTED."""
    names = draw(st.lists(st.sampled_from(sorted(PLANTED)), min_size=1, max_size=4, unique=True))
    return tuple(f"redact {name}{target}{draw(st.sampled_from(methods))}" for name in names)


def named(statements: tuple[str, ...]) -> frozenset[str]:
    """The detectors that these statements name."""
    return frozenset(
        name for name in PLANTED for statement in statements if statement.startswith(f"redact {name}")
    )


@lru_cache(maxsize=512)
def guard_of(text: str) -> Guard:
    return Guard.from_text(HEAD + text, key=KEY)


def pieces_of(text: str, sizes: list[int]) -> list[str]:
    """`text` in pieces of these sizes, over and over."""
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces
