"""Cleaning: secrets that a policy left in do not get into the log.

Takes JSON bytes, gives JSON bytes. The idea: one look at the text as a whole, which finds nothing nearly always
and is cheap, also at many records at once; only where it finds something, or escapes hide what a text says, every text
is looked at by itself.
What cannot be cleaned is withheld.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK = 1 << 16
"""Characters of one look at many texts, at most."""

APART = "\n\n"


class Cleaner:
    """Removes keys, tokens, passwords and private keys. Thread-safe."""

    __slots__ = ("_detector", "_redactor")

    def __init__(self) -> None:
        from guardrails.detectors.secrets import SecretDetector
        from guardrails.redaction.methods import MASK, Rule
        from guardrails.redaction.redactor import Redactor

        self._detector = SecretDetector()
        self._redactor = Redactor([Rule(self._detector, MASK)])

    def cleaned(self, data: bytes) -> tuple[bytes | None, int]:
        """The same JSON without secrets, and how many there were; None for what cannot be cleaned."""
        text = data.decode()
        try:
            if "\\" not in text and not self._detector.find(text):
                return data, 0
            return self._carefully(data)
        except (EvaluationError, ValueError):
            return None, 1

    def _carefully(self, data: bytes) -> tuple[bytes | None, int]:
        from orjson import OPT_SORT_KEYS, dumps, loads

        done = self._redactor.redact(loads(data))
        count = sum(number for _, number in done.counts)
        if not count and not self._left(data.decode()):
            return data, 0
        clean = dumps(done.value, option=OPT_SORT_KEYS)
        return (None, count) if self._left(clean.decode()) else (clean, count)

    def _left(self, text: str) -> bool:
        """Whether something is found across texts that stand side by side, but a mask that stands for one."""
        return any(not _is_mask(text[match.start : match.end]) for match in self._detector.find(text))

    def is_clean(self, texts: Sequence[str]) -> bool:
        """Whether one look at all of them together is enough to know that there is nothing to clean."""
        whole = APART.join(texts)
        return len(whole) <= LOOK and "\\" not in whole and self._is_clean(whole)

    def suspects(self, texts: Sequence[str]) -> set[int]:
        """The places of texts that have to be looked at by themselves; of the others one look at all of them
        together was enough to know that there is nothing to clean."""
        if self.is_clean(texts):
            return set()
        hidden = {at for at, text in enumerate(texts) if "\\" in text}
        plain = [at for at in range(len(texts)) if at not in hidden]
        return hidden.union(self._found_in(texts, plain))

    def _found_in(self, texts: Sequence[str], places: Sequence[int]) -> Sequence[int]:
        """Those of `places` where something is found, by halves."""
        if not places or (
            sum(len(texts[at]) for at in places) <= LOOK
            and self._is_clean(APART.join(texts[at] for at in places))
        ):
            return ()
        if len(places) == 1:
            return () if self._is_clean(texts[places[0]]) else places
        half = len(places) // 2
        return [*self._found_in(texts, places[:half]), *self._found_in(texts, places[half:])]

    def _is_clean(self, text: str) -> bool:
        try:
            return not self._detector.find(text)
        except EvaluationError:
            return False

    def texts(self, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Short texts by name, such as ids, without secrets."""
        if not self._detector.find("\n".join(map(str, fields.values()))):
            return fields, 0
        done = self._redactor.redact(fields)
        return done.value, sum(number for _, number in done.counts)


def _is_mask(text: str) -> bool:
    return text.strip('"').startswith("[") and text.strip('"').endswith("]")
