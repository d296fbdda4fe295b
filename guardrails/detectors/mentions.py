"""Mentions: whether a text names one of several things.

Takes a text and names, gives yes or no. The one idea: both are brought to one plain spelling (compatibility forms,
lower case, single spaces), and a name counts where it stands as whole words. Writing that has no spaces between
words, such as Chinese, has no such bounds.
"""

from __future__ import annotations

from unicodedata import normalize

from guardrails.errors import WrongType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_UNSPACED = (
    (0x0E00, 0x0EFF), (0x0F00, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF),
    (0xAC00, 0xD7AF), (0x20000, 0x323AF),
)  # fmt: skip
"""First and last code points of writing in which words are not kept apart, or carry their endings without a space."""


def mentions(text: str, names: Iterable[str]) -> bool:
    """Whether `text` names one of `names`. Raises `WrongType` for a name without any character to look for."""
    plain = _plain(text)
    # All are looked for, so that a name which is none is an error wherever it stands in the set.
    return True in {_stands(name, plain) for name in map(_plain, names)}


def _plain(text: str) -> str:
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return " ".join(folded.replace("\u00ad", "").replace("\u200b", "").split())


def _stands(name: str, text: str) -> bool:
    if not name:
        raise WrongType("`mentions` needs names with at least one character")
    at = text.find(name)
    while at >= 0:
        if not (_is_within(text[at - 1 : at], name[0]) or _is_within(name[-1], text[at + len(name) :][:1])):
            return True
        at = text.find(name, at + 1)
    return False


def _is_within(first: str, second: str) -> bool:
    """Whether two neighbours are parts of one word."""
    return _is_letter(first) and _is_letter(second)


def _is_letter(character: str) -> bool:
    if not character or not (character.isalnum() or character == "_"):
        return False
    return not any(low <= ord(character) <= high for low, high in _UNSPACED)
