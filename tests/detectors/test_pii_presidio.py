"""Presidio around and inside: our recognisers in its registry, its regional ones in our detector, and names."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails.detectors.pii import PiiDetector, model_present, needs_model
from guardrails.detectors.presidio_registry import registry
from guardrails.errors import EvaluationError

TEXT = "Ana Novak (ana@example.com, 212-555-0123) lives in Springfield. NINO AB 12 34 56 C."


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pipeline of rules for two names: enough to go the whole way to a model and back."""
    import spacy

    pipeline = spacy.blank("en")
    rules = pipeline.add_pipe("entity_ruler")
    rules.add_patterns(
        [{"label": "PERSON", "pattern": "Ana Novak"}, {"label": "GPE", "pattern": "Springfield"}]
    )  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("model")
    pipeline.to_disk(folder)
    return f"spacy:{folder}"


@pytest.mark.usefixtures("no_network")
def test_our_recognisers_in_an_engine_of_presidio() -> None:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    nlp = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}])
    nlp.load()
    engine = AnalyzerEngine(registry=registry(), nlp_engine=nlp, supported_languages=["en"])
    found = {(r.entity_type, TEXT[r.start : r.end]) for r in engine.analyze(TEXT, "en", score_threshold=0.5)}
    assert {
        ("EMAIL_ADDRESS", "ana@example.com"),
        ("PHONE_NUMBER", "212-555-0123"),
        ("UK_NINO", "AB 12 34 56 C"),
    } <= found


@pytest.mark.usefixtures("no_network")
def test_identifiers_of_a_country_when_they_are_named() -> None:
    found = PiiDetector(frozenset({"UK_NINO"})).find(TEXT)
    assert [(m.entity, TEXT[m.start : m.end]) for m in found] == [("UK_NINO", "AB 12 34 56 C")]


def test_an_entity_that_nothing_finds_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="nothing finds the entity `UK_NONO`"):
        PiiDetector(frozenset({"UK_NONO"}))


@pytest.mark.usefixtures("no_network")
def test_names_with_a_model(model: str) -> None:
    detector = PiiDetector(frozenset({"PERSON", "LOCATION", "EMAIL_ADDRESS"}), model=model)
    found = {(m.entity, TEXT[m.start : m.end]) for m in detector.find(TEXT)}
    assert found == {
        ("PERSON", "Ana Novak"),
        ("LOCATION", "Springfield"),
        ("EMAIL_ADDRESS", "ana@example.com"),
    }
    assert (
        detector.settled(TEXT + " And then") == TEXT.index("NINO") or detector.settled(TEXT + " And then") > 0
    )


def test_names_without_a_model_are_an_error() -> None:
    missing = "spacy:no_such_model"
    assert not model_present("en", missing)
    with pytest.raises(EvaluationError, match="no model for names"):
        PiiDetector(frozenset({"PERSON"}), model=missing).find("Ana")
    with pytest.raises(EvaluationError, match="names no model"):
        PiiDetector(frozenset({"PERSON"}), model="other").find("Ana")


def test_what_needs_a_model() -> None:
    assert needs_model(frozenset({"PERSON", "URL"})) == {"PERSON"}


def test_nothing_of_presidio_is_imported_for_ordinary_entities() -> None:
    """One process finds everything of the default entities without spaCy or Presidio."""
    program = (
        "import sys; from guardrails.detectors.pii import PiiDetector;"
        "d = PiiDetector(); assert d.find('mail a.b@example.com, +44 20 7946 0958, 10.0.0.1, run.it/x');"
        "assert not {'presidio_analyzer', 'spacy', 'tldextract'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
