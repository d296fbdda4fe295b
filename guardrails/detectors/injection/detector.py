"""The detector of injection: all signs of an attempt in a whole text, joined to one score.

A text is judged as a whole, so there is nothing settled before its end: score a stream when it is closed, or
in windows that overlap.
"""

from __future__ import annotations

from guardrails.detectors.injection.layers import DEPTH, layers
from guardrails.detectors.injection.marks import hidden, marks, tag_texts
from guardrails.detectors.injection.matching import phrases
from guardrails.detectors.injection.signal import Reason, Signal, combined
from guardrails.detectors.normalise import normalised
from guardrails.errors import Ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guardrails.detectors.injection.model import Model

SUSPICIOUS = 0.5
"""The score from which a text is called suspicious where nobody sets a threshold."""

_LEAST = 0.3


class InjectionDetector:
    """Scores how much a text reads like instructions to a model.

    `models` are asked as well, each as one more kind of witness; with `rules=False` they alone are.
    """

    name = "injection"

    def __init__(self, models: Sequence[Model] = (), *, rules: bool = True) -> None:
        self._models = tuple(models)
        self._rules = rules

    def score(self, text: str) -> Signal:
        """The signal of a whole text. Raises `Ambiguous` on half of a surrogate pair, and `Unavailable` when a
        model cannot answer."""
        _reject_surrogates(text)
        found = tuple(_signs(text, DEPTH)) if self._rules else ()
        reasons = _strongest(found) + tuple(self._judged(text))
        return Signal(combined(reasons), reasons)

    def _judged(self, text: str) -> Iterator[Reason]:
        for model in self._models:
            score = min(1.0, max(0.0, model.score(text)))
            if score >= _LEAST:
                yield Reason("model", 0, len(text), round(score, 4), "a model calls it an injection")


def _reject_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Ambiguous("the text holds half of a surrogate pair, which is no character") from error


def _signs(text: str, depth: int) -> Iterator[Reason]:
    yield from hidden(text)
    plain = normalised(text)
    for reason in (*phrases(plain.text), *marks(plain.text)):
        yield reason.moved(*plain.span(reason.start, reason.end))
    if depth:
        yield from _inside(text, plain.text, depth)


def _inside(text: str, plain: str, depth: int) -> Iterator[Reason]:
    """What the layers of a text say, at the place of the layer; hiding it makes it no weaker."""
    seen = {text, plain}
    for start, end, inner in (*layers(text), *tag_texts(text)):
        if inner in seen:
            continue
        seen.add(inner)
        for reason in _signs(inner, depth - 1):
            words = reason.words if reason.words.startswith("encoded") else f"encoded: {reason.words}"
            yield Reason(reason.kind, start, end, reason.weight, words)


def _strongest(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Each reason once at each place, the strongest first."""
    best: dict[tuple[str, int, int], Reason] = {}
    for reason in reasons:
        key = (reason.kind, reason.start, reason.end)
        if key not in best or reason.weight > best[key].weight:
            best[key] = reason
    return tuple(sorted(best.values(), key=lambda reason: (-reason.weight, reason.start, reason.kind)))
