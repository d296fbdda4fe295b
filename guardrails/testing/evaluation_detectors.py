"""The detectors that can be evaluated, by name: what they find, and how they are made.

`pii` looks for what says something of a person, as it does in a policy that names no entities, and for whatever
else the dataset names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from guardrails.testing.evaluation_data import Example, Span

BUILT_IN = ("pii", "secrets", "injection")

Spec = tuple[Any, ...]
"""A detector that a policy declares, as plain data: `("own", name, ...)`."""


def entities_of(name: str, spec: Spec | None, language: str) -> frozenset[str]:
    """What the detector can find."""
    if spec is not None:
        return frozenset({spec[1]})
    if name == "secrets":
        from guardrails.detectors.secrets.detector import ENTITIES

        return ENTITIES
    from guardrails.detectors.entities import DEFAULT, NAMED_BY_MODEL
    from guardrails.detectors.presidio_regions import known

    return DEFAULT | NAMED_BY_MODEL | frozenset(known(language))


def detector_of(name: str, spec: Spec | None, language: str, threshold: float, wanted: Iterable[str]) -> Any:
    """The detector. Raises `EvaluationError` where a model is needed and none is installed."""
    if name == "injection":
        from guardrails.detectors.injection import InjectionDetector

        return InjectionDetector()
    if name == "secrets":
        from guardrails.detectors.secrets import SecretDetector

        return SecretDetector(threshold=threshold)
    from guardrails.runtime.content import PERSONAL
    from guardrails.runtime.content import detector_of as made

    if spec is not None:
        return made(spec)
    return made(("pii", tuple(sorted(PERSONAL | set(wanted))), threshold, language, ()))


def wanted_of(examples: Iterable[Example]) -> frozenset[str]:
    """The entities that a dataset names."""
    return frozenset(
        span.entity for example in examples for span in example.expected if isinstance(span, Span)
    )
