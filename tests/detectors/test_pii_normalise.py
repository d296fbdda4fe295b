"""The plain spelling of a text, and the way back: laws for any text, and examples of each fold."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.detectors.normalise import REACH, is_plain, normalised

PIECES = st.sampled_from(
    [
        "a",
        "9",
        " ",
        "%40",
        "%2540",
        "\\u0041",
        "&#64;",
        "\u200b",
        "ﬁ",
        "９",
        "а",
        "é",
        "%C3%A9",
        "\n",
        "@",
        "。",
        "\ud800",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS)
def test_spans_go_back_in_order(text: str) -> None:
    plain = normalised(text)
    spans = [plain.span(i, i + 1) for i in range(len(plain.text))]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))


@given(TEXTS)
def test_what_is_not_covered_shows_as_nothing(text: str) -> None:
    plain = normalised(text)
    covered = {i for n in range(len(plain.text)) for i in range(*plain.span(n, n + 1))}
    rest = "".join(text[i] for i in range(len(text)) if i not in covered)
    assert normalised(rest).text == ""


@given(st.text(alphabet=st.characters(max_codepoint=127, exclude_characters="%\\&"), max_size=80))
def test_plain_ascii_is_left_alone(text: str) -> None:
    assert is_plain(text)
    assert normalised(text).text == text
    assert not normalised(text).changed


@given(TEXTS, TEXTS, TEXTS)
def test_changes_are_local(before: str, text: str, after: str) -> None:
    """Behind enough plain words, a text is spelled the same whatever stands further away."""
    wall = " plain words " * (REACH // 12 + 1)
    whole = normalised(before + wall + text + wall + after).text
    assert normalised(wall + text + wall).text in whole


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("４１１１　1111", "4111 1111"),
        ("j\u200bane\u2060@x.com", "jane@x.com"),
        ("ехаmple.com", "example.com"),
        ("раураl и привет", "paypal и привет"),
        ("jane%40example.com", "jane@example.com"),
        ("jane%2540example.com", "jane@example.com"),
        ("a\\u0040b &#64; &#x40;", "a@b @ @"),
        ("١٢٣ ۴۵۶", "123 456"),
        ("123–45‑6788", "123-45-6788"),
        ("example。com 你好。再见", "example.com 你好。再见"),
        ("ﬁne", "fine"),
    ],
)
def test_folds(text: str, plain: str) -> None:
    assert normalised(text).text == plain
