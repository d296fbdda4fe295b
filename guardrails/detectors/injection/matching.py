"""The phrases of `phrases`, found: compiled once, looked for behind one pass that says whether any is there.

Takes a plain text, gives reasons. A phrase that is quoted, or spoken about, counts for less than one that
speaks to the reader; an attacker can quote as well, so it still counts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from guardrails.detectors.injection.phrases import ROWS, WORDS
from guardrails.detectors.injection.signal import Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_SPACE = r"[\s!-/:-@\[-`{-~«»“”„…]+"
_WORDS_BETWEEN = r"(?:\S+\s+){0,4}[\"'(\[*_`“«„]*"
_GAP = _SPACE + _WORDS_BETWEEN

QUOTED = 0.45
"""What a quoted or discussed phrase keeps of its weight."""

MOST = 50
"""Reasons of one phrase that are looked for; more of them change no score."""

_QUOTES = (("“", "”"), ("«", "»"), ("„", "“"), ("「", "」"), ('"', '"'), ("`", "`"), ("'", "'"))
_ABOUT = re.compile(
    r"(?i)(?:such as|for example|e\.g\.|(?:phrases?|prompts?|texts?|instructions?|sentences?|strings?) like|attackers?"
    r"|adversar\w+|attempts?|tries|tried|trying|try to|malicious\w*|injections?|jailbreaks?|known as|says|said|wrote"
    r"|called|examples?|detects?|blocks?|flags?|refuses?|rejects?|pretends?|classif\w+|asks (?:it|the model)|asking"
    r"|that tells?|contains?)\b[^.!?\n]{0,60}$"
)
_WINDOW = 90


class _Phrase:
    __slots__ = ("finditer", "kind", "weight")

    def __init__(self, kind: str, weight: float, finditer: Any) -> None:
        self.kind = kind
        self.weight = weight
        self.finditer = finditer


def phrases(text: str) -> Iterator[Reason]:
    """Every phrase in a plain text that reads like an instruction to a model."""
    gate, rows = _compiled()
    if not gate.search(text):
        return
    for row in rows:
        for count, found in enumerate(row.finditer(text)):
            if count == MOST:
                break
            start, end = found.span()
            told = is_told(text, start, end)
            weight = round(row.weight * QUOTED, 4) if told else row.weight
            yield Reason(row.kind, start, end, weight, ("quoted: " if told else "") + _WORDED[row.kind])


_WORDED = {
    "override": "sets other instructions aside",
    "role": "gives the model another role or frees it of limits",
    "leak": "asks for hidden instructions",
    "secrecy": "asks to keep something from the user",
    "addressed": "is addressed to a model",
    "exfiltration": "has data written into an address",
    "action": "asks for an action with data, money or rights",
}


def is_told(text: str, start: int, end: int) -> bool:
    """Whether what stands there is quoted on its line, or spoken about before it."""
    before, after = text[max(0, start - _WINDOW) : start], text[end : end + _WINDOW]
    line, rest = before.rpartition("\n")[2], after.partition("\n")[0]
    if any(
        line.count(o) > (line.count(c) if o != c else 0) and c in rest for o, c in _QUOTES if _opens(line, o)
    ):
        return True
    return _ABOUT.search(line) is not None


def _opens(line: str, quote: str) -> bool:
    """Whether the last `quote` of a line is the start of a quotation, as `"` before a word is."""
    at = line.rfind(quote)
    return at >= 0 and (at == 0 or not line[at - 1].isalnum()) and len(line) - at <= _WINDOW


@lru_cache(maxsize=1)
def _compiled() -> tuple[Any, list[_Phrase]]:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = False
    options.max_mem = 64 << 20
    rows, sources = [], []
    for row in ROWS.strip().split("\n"):
        kind, weight, notation = row.split(" ", 2)
        sources.append(source_of(notation))
        rows.append(_Phrase(kind, float(weight), re2.compile(sources[-1], options).finditer))
    return re2.compile("|".join(f"(?:{source})" for source in sources), options), rows


def source_of(notation: str) -> str:
    """The RE2 pattern of a row."""
    for name, words in WORDS.items():
        notation = notation.replace(f"<{name}>", f"(?:{words})")
    body = notation.replace(")?~", ")?\2").replace(")*~", ")*\2").replace(" ~", "\0").replace("~", "\0")
    body = body.replace("\0/", "~/")
    body = body.replace(" ?", "\1?").replace(" ", _SPACE).replace("\1", _SPACE.join(("(?:", ")")))
    start = (
        r"\b"
        if body[:4].isascii() and body[0] in "(abcdefghijklmnopqrstuvwxyz" and body[3:4].isascii()
        else ""
    )
    return start + body.replace("\0", _GAP).replace("\2", _WORDS_BETWEEN)
