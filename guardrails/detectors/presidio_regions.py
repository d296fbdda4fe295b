"""The identifiers of single countries, by Presidio's own recognisers.

Takes a plain text, gives candidates. The one idea: a recogniser of Presidio runs only on the stretches of a
text that have a digit, between places that no identifier reaches over, so that its cost is that of the digits.
"""

from __future__ import annotations

import re
from functools import lru_cache

from guardrails.detectors.entities import DEFAULT, NAMED_BY_MODEL
from guardrails.detectors.pii.candidates import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from guardrails.detectors.pii.context import Context

LONGEST = 2000
"""Characters of a stretch; in a longer one only its words are looked at, up to `LONGEST_WORD` each."""

LONGEST_WORD = 256
_SUPPORT = 0.35
"""What Presidio adds to a score for a word before the match."""

_LEAST_SUPPORTED = 0.4
_STRETCH = re.compile(r'[^"<>{}\n]+')
_SOLID = re.compile(r"\S+")
_HAS_DIGIT = re.compile("[0-9]")


def known(language: str) -> frozenset[str]:
    """The entities that Presidio's recognisers find in a language, without those of `entities.DEFAULT`."""
    return frozenset(_by_entity(language))


def recognisers(language: str) -> list[Any]:
    """Presidio's recognisers of the identifiers of single countries that speak exactly this language."""
    everything = (one for made in _by_entity(language).values() for one in made)
    return [one for one in everything if one.supported_language == language]


def regional(text: str, entities: frozenset[str], language: str, around: Context) -> Iterator[Candidate]:
    """The candidates for `entities`, already decided by the words around them."""
    recognisers = [one for entity in sorted(entities) for one in _by_entity(language)[entity]]
    for start, end in _stretches(text):
        for one in recognisers:
            for result in one.analyze(text[start:end], one.supported_entities):
                yield _decided(result, one, start, around)


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    for found in _STRETCH.finditer(text):
        if not _HAS_DIGIT.search(text, *found.span()):
            continue
        if found.end() - found.start() <= LONGEST:
            yield found.span()
        else:
            yield from _words(text, *found.span())


def _words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in _SOLID.finditer(text, start, end):
        if found.end() - found.start() <= LONGEST_WORD and _HAS_DIGIT.search(found.group()):
            yield found.span()


def _decided(result: Any, recogniser: Any, offset: int, around: Context) -> Candidate:
    score = float(result.score)
    words = [word.lower() for word in recogniser.context or ()]
    if score < 1 and words and around.mentions(result.start + offset, words):
        score = min(1.0, max(score + _SUPPORT, _LEAST_SUPPORTED))
    span = (result.start + offset, result.end + offset)
    return Candidate(span, result.entity_type, (score, score), f"Presidio's `{recogniser.name}`")


@lru_cache(maxsize=8)
def _by_entity(language: str) -> dict[str, tuple[Any, ...]]:
    """Presidio's pattern recognisers of a language that this package has none of its own for."""
    import inspect

    from presidio_analyzer import PatternRecognizer, predefined_recognizers

    found: dict[str, list[Any]] = {}
    for name, kind in inspect.getmembers(predefined_recognizers, inspect.isclass):
        if name.endswith("Recognizer") and issubclass(kind, PatternRecognizer):
            for entity, made in _made(kind, language):
                found.setdefault(entity, []).append(made)
    return {entity: tuple(made) for entity, made in found.items()}


def _made(kind: type[Any], language: str) -> list[tuple[str, Any]]:
    made = kind()
    theirs = made.supported_language
    entity = made.supported_entities[0]
    if entity in DEFAULT | NAMED_BY_MODEL or theirs not in (language, "en"):
        return []
    return [(entity, made)]
