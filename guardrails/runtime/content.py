"""Content: what detectors see in the values of an event.

Takes the plain description of a detector that a policy compiles to (`guardrails.language.content`), makes
the detector once, and asks it about texts, or all texts of a value with their keys as context. A host can put
its own in the place of a built-in one.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter

from guardrails.errors import EvaluationError, TooLarge, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PERSONAL = frozenset({
    "CREDIT_CARD", "CRYPTO", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "MEDICAL_LICENSE", "PHONE_NUMBER",
    "UK_NHS", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN", "US_PASSPORT", "US_SSN",
})  # fmt: skip
"""What `pii` finds where a policy names no entities: what says something of a person. Dates, links and
identifiers of machines are found by name."""

BUDGET = 5.0
"""Seconds that a detector may take for one value and megabyte; a slower one is an error (law L2)."""

MAX_DEPTH = 100
MAX_TEXTS = 100_000


def detected(subject: Any, spec: tuple[Any, ...], value: Any) -> Any:
    """Whether the detector finds something in `value`; for injection, the highest score of its texts."""
    timed = subject.host.timed
    return _detected(subject, spec, value) if timed is None else timed(_detected, subject, spec, value)


def _detected(subject: Any, spec: tuple[Any, ...], value: Any) -> Any:
    detector = detector_for(subject, spec)
    begun, length = perf_counter(), 0
    best = 0.0 if spec[0] == "injection" else False
    for text, context in texts_of(value):
        length += len(text)
        found = detector.score(text).score if spec[0] == "injection" else bool(detector.find(text, context))
        best = max(best, found)
        if perf_counter() - begun > BUDGET * (1 + length / 1_000_000):
            raise Unavailable(f"the detector `{spec[0]}` takes too long")
        if best is True:
            break
    return best


def detector_for(subject: Any, spec: tuple[Any, ...]) -> Any:
    """The host's detector of that name, or else the built-in one."""
    own = subject.host.detectors.get(spec[1] if spec[0] == "own" else spec[0])
    return own if own is not None else detector_of(spec)


@lru_cache(maxsize=256)
def detector_of(spec: tuple[Any, ...]) -> Any:
    """A built-in detector, made once for each description."""
    kind = spec[0]
    if kind == "secrets":
        from guardrails.detectors.secrets import SecretDetector

        return SecretDetector()
    if kind == "injection":
        from guardrails.detectors.injection import InjectionDetector

        return InjectionDetector()
    from guardrails.detectors.pii import Custom, PiiDetector

    if kind == "own":
        _, name, pattern, checksum, context = spec
        return PiiDetector(frozenset({name}), custom=[Custom(name, pattern, checksum, context)])
    _, entities, threshold, language, allow = spec
    return PiiDetector(
        frozenset(entities) if entities else PERSONAL, language=language, allow=allow,
        threshold=0.5 if threshold is None else float(threshold),
    )  # fmt: skip


def texts_of(value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every text in a value with the keys that lead to it; numbers as they are written, and keys as well."""
    waiting: list[tuple[Any, tuple[str, ...]]] = [(value, ())]
    count = 0
    while waiting:
        here, keys = waiting.pop()
        count += 1
        if count > MAX_TEXTS or len(keys) > MAX_DEPTH:
            raise TooLarge("there is too much in the value for a detector to look at")
        if here.__class__ is str:
            yield here, keys
        elif here.__class__ is dict:
            for key, item in here.items():
                yield key, keys
                waiting.append((item, (*keys, key)))
        elif here.__class__ in (list, tuple, frozenset, set):
            waiting += [(item, keys) for item in here]
        elif here.__class__ is int or here.__class__ is float:
            yield str(here), keys
        elif here is not None and here.__class__ is not bool:
            yield _text_of(here), keys


def _text_of(value: Any) -> str:
    text = getattr(value, "text", None)
    if text.__class__ is str:
        return str(text)
    if value.__class__.__module__ in ("decimal", "guardrails.runtime.decimals"):
        return str(value)
    raise EvaluationError("this value holds no text that a detector could look at")
