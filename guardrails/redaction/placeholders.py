"""Placeholders: the texts that stand for what was redacted, and how they are known again.

Takes a method, an entity and what was found; gives the text in its place. What such a text holds is never
redacted again, so redacting twice changes nothing. Nobody can write one to hide something behind it: hashes
carry a check by the key, tokens are known by their vault, and the others hold nothing, or as much as
`last N` shows.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from guardrails.errors import Unavailable
from guardrails.redaction.values import LABEL_LENGTH, LETTERS, alphanumeric, canonical, in_letters, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.redaction.methods import Method
    from guardrails.redaction.vault import Vault

MASKED = "***"
REDACTED = "[REDACTED]"

KEY_BYTES = range(16, 65)
"""How long the key of hashes may be."""

LONGEST = LABEL_LENGTH + 32
"""The most characters of a placeholder, apart from those whose text or length a policy says."""

_HASH_BYTES, _CHECK_BYTES = 7, 2
_HASH = f"<[A-Z][A-Z0-9_]{{0,{LABEL_LENGTH - 1}}}:[{LETTERS}]{{{2 * (_HASH_BYTES + _CHECK_BYTES)}}}>"


class Writer:
    """Writes placeholders. `key` is for hashes, 16 to 64 bytes; `vault` for tokens.

    Raises ValueError for a key of another length.
    """

    __slots__ = ("_key", "_vault")

    def __init__(self, key: bytes | None = None, vault: Vault | None = None) -> None:
        if key is not None and len(key) not in KEY_BYTES:
            raise ValueError(f"the key of `hash` needs 16 to 64 bytes and has {len(key)}")
        self._key = key
        self._vault = vault

    def match(self, method: Method, entity: str, text: str) -> str:
        """What stands for a match in a text. Raises `Unavailable` without the key or vault that it needs."""
        if method.kind == "replace":
            return str(method.argument)
        if method.kind in ("hash", "token"):
            return self.hashed(entity, text) if method.kind == "hash" else self.token(entity, text)
        if method.kind == "last":
            return MASKED + tail(text, method.argument)
        return "" if method.kind == "drop" else REDACTED

    def hashed(self, entity: str, text: str) -> str:
        """`<EMAIL_ADDRESS:...>`: the same for the same value under the same key."""
        if self._key is None:
            raise Unavailable("`redact ... with hash` needs a key, and none was given")
        name = label(entity)
        message = f"{name}\0{canonical(entity, text)}".encode("utf-8", "surrogatepass")
        letters = in_letters(blake2b(message, key=self._key, digest_size=_HASH_BYTES).digest())
        return f"<{name}:{letters}{self._check(name, letters)}>"

    def token(self, entity: str, value: str | int) -> str:
        if self._vault is None:
            raise Unavailable("`redact ... with token` needs a vault, and none was given")
        return self._vault.tokenise(entity, value)

    def is_own(self, text: str) -> bool:
        """Whether a text in the form of a hash or token was written under this key or by this vault."""
        if ":" not in text:
            return self._vault is not None and self._vault.knows(text)
        name, _, letters = text.strip("<>").partition(":")
        hashed = letters[: 2 * _HASH_BYTES]
        return self._key is not None and letters == hashed + self._check(name, hashed)

    def _check(self, name: str, letters: str) -> str:
        message = f"check\0{name}\0{letters}".encode()
        return in_letters(blake2b(message, key=self._key or b"", digest_size=_CHECK_BYTES).digest())


def tail(text: str, count: int) -> str:
    """The last `count` letters or digits, if there are at least twice as many."""
    shown = alphanumeric(text)
    return shown[-count:] if len(shown) >= 2 * count else ""


def tail_start(text: str, count: int) -> int:
    """Where what `tail` shows begins; the length of `text` if it shows nothing."""
    if not tail(text, count):
        return len(text)
    places = [at for at, character in enumerate(text) if character.isalnum()]
    return places[-count]


class Forms:
    """The placeholders that rules of `methods` may have written, to be known again in a text."""

    __slots__ = ("_all", "_begun", "_fixed", "_starts", "_writer", "longest")

    def __init__(self, methods: Iterable[Method], writer: Writer) -> None:
        methods = list(methods)
        counts = sorted({method.argument for method in methods if method.kind == "last"}, reverse=True)
        fixed = {str(method.argument) for method in methods if method.kind == "replace"}
        texts = sorted({REDACTED, MASKED, *fixed}, key=len, reverse=True)
        self._writer = writer
        self._fixed = frozenset(texts)
        self._all = _all_forms(counts, texts)
        self._begun = _begun_forms(counts, texts)
        self._starts = frozenset({"<", *(text[0] for text in texts)})
        self.longest = max(LONGEST, len(MASKED) + max(counts, default=0), *map(len, texts))

    def inside(self, text: str, start: int, end: int) -> bool:
        """Whether `[start, end)` lies within a placeholder."""
        if end - start > self.longest:
            return False
        first = max(0, start - self.longest)
        around = text[first : end + self.longest]
        if self._starts.isdisjoint(around):
            return False
        return any(
            first + found.start(1) <= start and end <= first + found.end(1) and self._is_ours(found[1])
            for found in self._all.finditer(around)
        )

    def settled(self, text: str) -> int:
        """Up to where no placeholder is under way that may still grow."""
        first = max(0, len(text) - self.longest)
        if self._starts.isdisjoint(text[first:]):
            return len(text)
        found = self._begun.search(text, first)
        return found.start() if found else len(text)

    def _is_ours(self, text: str) -> bool:
        return text in self._fixed or text[0] != "<" or self._writer.is_own(text)


def is_tail(text: str, count: int) -> bool:
    """Whether a whole text is what `last count` leaves of one."""
    shown = text.removeprefix(MASKED)
    return len(shown) == len(text) - len(MASKED) == count and shown.isalnum()


def _all_forms(counts: list[int], texts: list[str]) -> re.Pattern[str]:
    """Finds every place where a form begins: forms may overlap, and a text may begin amid one."""
    from guardrails.redaction.tokens import TOKEN

    shown = [rf"\*{{3}}[^\W_]{{{count}}}" for count in counts]
    return re.compile(f"(?=({'|'.join((_HASH, TOKEN, *shown, *map(re.escape, texts)))}))")


def _begun_forms(counts: list[int], texts: list[str]) -> re.Pattern[str]:
    beginnings = {re.escape(text[:length]) for text in texts for length in range(1, len(text))}
    shown = [rf"\*{{3}}[^\W_]{{0,{max(counts) - 1}}}"] if counts else []
    named = f"<[A-Za-z0-9_:]{{0,{LONGEST}}}"
    return re.compile(rf"(?:{'|'.join((named, *shown, *sorted(beginnings, key=len, reverse=True)))})\Z")
