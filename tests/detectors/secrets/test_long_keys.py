"""Private keys beyond the longest block: however a key is written, none of its material goes on."""

from __future__ import annotations

from random import Random

import pytest

from guardrails.detectors.secrets import SecretDetector
from guardrails.detectors.secrets.blocks import LONGEST
from guardrails.redaction.methods import MASK, Rule
from guardrails.redaction.redactor import Redactor

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DETECTOR = SecretDetector()


def key(length: int, joint: str, width: int = 64) -> tuple[str, list[str]]:
    """A key of so many characters of material, and its lines."""
    random = Random(f"{length} {joint!r}")
    lines = ["".join(random.choices(LETTERS, k=width)) for _ in range(length // width)]
    return f"-----BEGIN PRIVATE KEY-----{joint}{joint.join(lines)}{joint}-----END PRIVATE KEY-----", lines


@pytest.mark.parametrize("joint", ["\n", "\r\n", "\\n", "\n    ", '" +\n  "'])
@pytest.mark.parametrize("length", [LONGEST - 400, LONGEST, LONGEST + 64, 3 * LONGEST])
def test_no_line_of_a_long_key_is_left(length: int, joint: str) -> None:
    text, lines = key(length, joint)
    redactor = Redactor([Rule(DETECTOR, MASK)])
    whole = redactor.redact(f"before {text} after").value
    assert [line for line in lines if line[:8] in whole or line[-8:] in whole] == []
    assert whole.startswith("before ")
    assert whole.endswith("after")

    stream = redactor.stream()
    pieces = [f"before {text} after"[at : at + 1_009] for at in range(0, len(text) + 13, 1_009)]
    assert "".join(map(stream.feed, pieces)) + stream.close() == whole


@pytest.mark.parametrize("edge", range(LONGEST - 100, LONGEST + 3))
def test_a_match_that_was_cut_goes_on(edge: int) -> None:
    """Wherever the limit falls in a line or in a gap."""
    begin = "-----BEGIN PRIVATE KEY-----"
    body = "".join(Random(1).choices(LETTERS, k=edge - len(begin) - 1))
    text = f"{begin}\n{body}\n        {'a1B2' * 32}"
    (match,) = DETECTOR.find(text)
    assert match.end - match.start == LONGEST
    assert set("aZ9+/=\n ") <= set(DETECTOR.goes_on(match))


def test_a_whole_match_does_not_go_on() -> None:
    assert [DETECTOR.goes_on(match) for match in DETECTOR.find(key(640, "\n")[0])] == [""]


def test_how_much_of_a_text_is_judged_as_a_whole() -> None:
    assert DETECTOR.judged_whole(("user", "password")) == 512
    assert DETECTOR.judged_whole(("user", "name")) == 0
    assert DETECTOR.judged_whole() == 0
