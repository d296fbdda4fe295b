"""Layers: what a block of text is found by, one kind of word or value at a time.

Takes a text, gives for a layer the keys that lead to it. The one idea: a question needs only the layers of its own
kind, so what is never asked for (dates, phone numbers, other spellings) is never looked for either.
"""

from __future__ import annotations

from guardrails.provenance.alike import coded_words, leet_words
from guardrails.provenance.forms import KINDS, entries_of_form
from guardrails.provenance.loose import SIGN, loose_spans
from guardrails.provenance.words import LONGEST, composed, folded_words, is_telling, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    Layers: TypeAlias = tuple[str, ...]
    Keys: TypeAlias = Callable[[str], Iterable[str]]

WORDS = ("word",)
NAMES = ("name",)
PLAIN = ("word", "coded")
"""The layers of words that may be written in codes for characters, as in a URL."""

LOOSE = ("loose",)
ALIKE = ("word", "number", "iban", "leet", "coded")
"""The layers of single words, as they are and in other spellings."""


def _words(text: str) -> set[str]:
    return {word[:LONGEST] for word in folded_words(text) if is_telling(word)}


def _coded(text: str) -> set[str]:
    """Words that are there only in another spelling. Beyond ASCII, words with digits for letters are among them."""
    words = {word[:LONGEST] for word in coded_words(text) if is_telling(word)}
    return words if text.isascii() else words | _leet(text)


def _leet(text: str) -> set[str]:
    return {word[:LONGEST] for word in leet_words(text) if is_telling(word)}


def _loose(text: str) -> set[str]:
    return {SIGN + key for _, _, key in loose_spans(text)}


def _of_kind(kind: str) -> Keys:
    spans = KINDS[kind]
    return lambda text: {entry for _, _, key in spans(text) for entry in entries_of_form(kind, key)}


def _grouped(text: str) -> set[str]:
    """Numbers in groups, and those that start as a phone number does. Other digits are found as a number."""
    found: set[str] = set()
    for start, end, key in KINDS["grouped"](text):
        if key[0] in "0+" or key != text[start:end]:
            found.update(entries_of_form("grouped", key))
    return found


KEYS: dict[str, Keys] = {
    "word": _words,
    "name": lambda text: set(names_in(text)),
    "email": _of_kind("email"),
    "iban": _of_kind("iban"),
    "date": _of_kind("date"),
    "grouped": _grouped,
    "number": _of_kind("number"),
    "leet": lambda text: _leet(text) if text.isascii() else set(),
    "coded": _coded,
    "loose": _loose,
}


def keys_of(layer: str, text: str) -> Iterable[str]:
    """The keys of a text in a layer."""
    return KEYS[layer](composed(text))


_WITHOUT: dict[tuple[Layers, bool, bool], Layers] = {}


def fitting(layers: Layers, key: str) -> Layers:
    """Those of some layers that can have a key, by its shape."""
    if len(layers) == 1:
        return layers
    digits = key[-1:].isdigit()
    shape = (layers, digits, digits and len(key) > 14)
    found = _WITHOUT.get(shape)
    if found is None:
        without = {name for name, fits in (("number", digits), ("iban", shape[2])) if not fits}
        found = _WITHOUT[shape] = tuple(name for name in layers if name not in without)
    return found
