"""Names of people, places, groups and organisations, by a model behind one of Presidio's engines.

Takes a text, gives matches. The one idea: a model is something that is already on this machine. A spaCy
pipeline counts when it is installed as a package, the others when their folder is named; nothing is ever
fetched, and without a model there is an error instead of an empty answer.

A model is named `spacy:PACKAGE_OR_FOLDER`, `gliner:FOLDER` or `transformers:FOLDER`.
"""

from __future__ import annotations

from functools import lru_cache

from guardrails.detectors.matches import Match
from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = ("spacy", "gliner", "transformers")
_LABELS = {
    "PER": "PERSON", "PERSON": "PERSON", "LOC": "LOCATION", "GPE": "LOCATION", "LOCATION": "LOCATION",
    "FAC": "LOCATION", "NORP": "NRP", "NRP": "NRP", "ORG": "ORGANIZATION", "ORGANIZATION": "ORGANIZATION",
}  # fmt: skip
_SIZES = ("trf", "lg", "md", "sm")
_CURE = "install one, such as spaCy's `en_core_web_sm`, or name a folder: `spacy:FOLDER`, `gliner:FOLDER`"


def model_present(language: str = "en", model: str | None = None) -> bool:
    """Whether names can be found in texts of a language: with `model`, or with an installed spaCy pipeline."""
    return _located(language, model) is not None


def names(text: str, language: str = "en", model: str | None = None) -> list[Match]:
    """The names in `text`, scored as the model's engine scores them. Raises `EvaluationError` when there is no
    model, or it cannot be loaded."""
    where = _located(language, model)
    if where is None:
        raise EvaluationError(f"no model for names in `{model or language}` is installed here; {_CURE}")
    found: list[Match] = []
    for start, sentence in _sentences(text):
        found += [_shifted(match, start) for match in _analysed(sentence, where, language)]
    return found


def _sentences(text: str) -> list[tuple[int, str]]:
    """Sentences are judged one by one, so that a stream decides as the whole text does."""
    from guardrails.detectors.pii.streams import SENTENCE

    starts = [0, *(found.end() for found in SENTENCE.finditer(text))]
    pieces = zip(starts, [*starts[1:], len(text)], strict=True)
    return [(start, text[start:end]) for start, end in pieces if text[start:end].strip()]


def _shifted(match: Match, by: int) -> Match:
    return Match(match.start + by, match.end + by, match.entity, match.score, match.reason)


def _located(language: str, model: str | None) -> str | None:
    """The full name of the model to load, if it is on this machine."""
    if model is None:
        installed = _installed(language)
        return f"spacy:{installed}" if installed else None
    kind, _, place = model.partition(":")
    if kind not in KINDS or not place:
        raise EvaluationError(
            f"`{model}` names no model; write `spacy:NAME`, `gliner:FOLDER` or `transformers:FOLDER`"
        )
    return model if _is_folder(place) or (kind == "spacy" and _is_package(place)) else None


def _is_folder(place: str) -> bool:
    from pathlib import Path

    return Path(place).is_dir()


def _is_package(name: str) -> bool:
    from importlib.util import find_spec

    return name.isidentifier() and find_spec(name) is not None


@lru_cache(maxsize=16)
def _installed(language: str) -> str:
    """The name of the largest installed spaCy pipeline of a language; empty if there is none."""
    from importlib.metadata import entry_points

    found = [e.name for e in entry_points(group="spacy_models") if e.name.startswith(f"{language}_")]
    ranks = {size: rank for rank, size in enumerate(_SIZES)}
    return min(found, key=lambda name: ranks.get(name.rpartition("_")[2], len(_SIZES)), default="")


def _analysed(text: str, where: str, language: str) -> list[Match]:
    kind, _, place = where.partition(":")
    engine, recogniser = _loaded(kind, place, language)
    artifacts = engine.process_text(text, language) if engine else None
    results = recogniser.analyze(text=text, entities=recogniser.supported_entities, nlp_artifacts=artifacts)
    return [
        Match(
            r.start, r.end, _LABELS[r.entity_type.upper()], float(r.score), f"a name, by the model `{place}`"
        )
        for r in results
        if r.entity_type.upper() in _LABELS
    ]


@lru_cache(maxsize=4)
def _loaded(kind: str, place: str, language: str) -> tuple[Any, Any]:
    """Presidio's engine, where the kind has one, and its recogniser."""
    try:
        return _LOADERS[kind](place, language)
    except Exception as error:
        raise EvaluationError(f"the model `{kind}:{place}` cannot be loaded: {error}") from error


def _spacy(place: str, language: str) -> tuple[Any, Any]:
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    engine: Any = SpacyNlpEngine(models=[{"lang_code": language, "model_name": place}])
    engine.nlp = {language: spacy.load(place)}
    return engine, SpacyRecognizer(supported_language=language)


def _gliner(place: str, language: str) -> tuple[Any, Any]:
    from presidio_analyzer.predefined_recognizers import GLiNERRecognizer

    wanted = {
        "person": "PERSON",
        "location": "LOCATION",
        "organization": "ORGANIZATION",
        "nationality": "NRP",
    }
    recogniser = GLiNERRecognizer(model_name=place, entity_mapping=wanted, supported_language=language)
    recogniser.load()
    return None, recogniser


def _transformers(place: str, language: str) -> tuple[Any, Any]:
    from presidio_analyzer.predefined_recognizers import HuggingFaceNerRecognizer

    recogniser = HuggingFaceNerRecognizer(model_name=place, supported_language=language)
    recogniser.load()
    return None, recogniser


_LOADERS = {"spacy": _spacy, "gliner": _gliner, "transformers": _transformers}
