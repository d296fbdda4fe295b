"""Presidio as it comes, without a model and without the network: what the detector is compared with.

Takes texts, gives spans. The public suffixes are read from the installed package, because the e-mail recogniser
would otherwise ask a server for them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from guardrails.detectors.entities import DEFAULT

THRESHOLD = 0.4
"""What Presidio gives a phone number; below it, almost any digits are something."""


@lru_cache(maxsize=1)
def engine() -> Any:
    import logging

    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.extract
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers()
    registry.remove_recognizer("SpacyRecognizer")
    nlp = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}])
    nlp.load()
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])


def spans(
    text: str, context: tuple[str, ...] = (), threshold: float = THRESHOLD
) -> list[tuple[int, int, str]]:
    """What Presidio finds of the same entities."""
    results = engine().analyze(
        text, "en", entities=sorted(DEFAULT), score_threshold=threshold, context=list(context) or None
    )
    return sorted((r.start, r.end, r.entity_type) for r in results)
