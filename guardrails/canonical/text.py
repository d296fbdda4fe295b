"""Checks that every canonical type makes on its raw text, and how a text is shown in a message.

Takes a text, gives nothing, and raises `Ambiguous`. The one idea: a character that a reviewer cannot see, or
that exists only to change how its neighbours are shown, has no place in a value that a policy judges.
"""

from __future__ import annotations

from guardrails.errors import Ambiguous

SHOWN = 60
"""How many characters of a value a message repeats."""

MAX_SHORT = 8 * 1024
"""The longest path, URL, host, e-mail address or IP address, in characters."""

MAX_LONG = 64 * 1024
"""The longest SQL text or shell command, in characters."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that count as printable but show as nothing."""


def shown(text: str) -> str:
    """`text` for a message: in backticks, shortened, and with nothing in it that could hide."""
    head = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    return "`" + "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in head) + "`"


def ambiguous(text: str, why: str) -> Ambiguous:
    """The error to raise: `why` completes a sentence that starts with the text."""
    return Ambiguous(f"{shown(text)} {why}")


def require_bounded(text: str, limit: int) -> None:
    if len(text) > limit:
        raise ambiguous(text, f"is longer than {limit:,} characters")


def require_visible(text: str, allowed: str = "") -> None:
    """Refuse control, formatting (zero-width, bidirectional), private, unassigned and surrogate characters
    and every space but the plain one, unless `allowed` lists them."""
    if text.isprintable() and (text.isascii() or _BLANK.isdisjoint(text)):
        return
    for character in text:
        if (not character.isprintable() or character in _BLANK) and character not in allowed:
            raise ambiguous(text, f"contains {described(character)}")


def described(character: str) -> str:
    """A character in words: its code point and name."""
    import unicodedata

    name = unicodedata.name(character, "").lower()
    if not name:
        name = {"Cs": "half of a surrogate pair", "Cc": "a control character"}.get(
            unicodedata.category(character), "an unassigned or private character"
        )
    return f"U+{ord(character):04X} ({name})"


def normalised(text: str, form: str = "NFC") -> str:
    """`text` in a Unicode normal form."""
    if text.isascii():
        return text
    import unicodedata

    return unicodedata.normalize(form, text)  # type: ignore[arg-type]  # callers pass one of the four forms


def is_decimal(text: str) -> bool:
    """Whether `text` is made of ASCII digits only."""
    return text.isascii() and text.isdigit()
