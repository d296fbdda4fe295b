"""This package's recognisers in Presidio's own registry.

Takes nothing, gives a registry for an `AnalyzerEngine`. The one idea: whoever already has Presidio keeps its
engine, anonymiser and entity names, and gets our recognisers in place of those that are slow, that miss, or that
would open a connection.
"""

from __future__ import annotations

from guardrails.detectors.entities import DEFAULT
from guardrails.detectors.pii.detector import PiiDetector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECOGNISER = "GuardPiiRecognizer"


def registry(language: str = "en") -> Any:
    """A `presidio_analyzer.RecognizerRegistry` with one recogniser for all of `entities.DEFAULT`, and Presidio's
    own for the identifiers of single countries. Works with any of its engines, the one without a model too."""
    from presidio_analyzer import RecognizerRegistry

    from guardrails.detectors.presidio_regions import recognisers

    made = RecognizerRegistry(recognizers=[], supported_languages=[language])
    made.add_recognizer(_recogniser(language))
    for regional in recognisers(language):
        made.add_recognizer(regional)
    return made


def _recogniser(language: str) -> Any:
    from presidio_analyzer import EntityRecognizer, RecognizerResult

    detector = PiiDetector(language=language, threshold=0.0)

    class GuardPiiRecognizer(EntityRecognizer):
        """`PiiDetector` as Presidio calls it."""

        def load(self) -> None:
            """There is nothing to load."""

        def analyze(self, text: str, entities: list[str], nlp_artifacts: object = None) -> list[Any]:
            return [
                RecognizerResult(match.entity, match.start, match.end, match.score)
                for match in detector.find(text)
                if not entities or match.entity in entities
            ]

    return GuardPiiRecognizer(
        supported_entities=sorted(DEFAULT), supported_language=language, name=RECOGNISER
    )
