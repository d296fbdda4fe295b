"""What the detector of injection says of a text: a score, and the reasons for it."""

from __future__ import annotations

from guardrails.model import Value


class Reason(Value):
    """`text[start:end]` reads like an attempt, of the `kind` (`override`, `role`, `leak`, `secrecy`, `action`,
    `addressed`, `delimiter`, `tool`, `exfiltration`, `hidden`, `encoded`, `model`), by `weight` from 0 to 1;
    `words` say why, for people."""

    __slots__ = ("end", "kind", "start", "weight", "words")

    def __init__(self, kind: str, start: int, end: int, weight: float, words: str) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.weight = weight
        self.words = words

    def moved(self, start: int, end: int) -> Reason:
        """The same reason at another place."""
        return Reason(self.kind, start, end, self.weight, self.words)


class Signal(Value):
    """`score` is from 0 (nothing found) to 1. It is a signal, not a proof: what an agent may do must be limited
    by what it is allowed, whoever asked for it."""

    __slots__ = ("reasons", "score")

    def __init__(self, score: float, reasons: tuple[Reason, ...] = ()) -> None:
        self.score = score
        self.reasons = reasons


def combined(reasons: tuple[Reason, ...]) -> float:
    """The score of reasons together. Of each kind the strongest counts; kinds count as independent witnesses:
    the chance that not all of them are wrong."""
    strongest: dict[str, float] = {}
    for reason in reasons:
        strongest[reason.kind] = max(strongest.get(reason.kind, 0.0), reason.weight)
    doubt = 1.0
    for weight in strongest.values():
        doubt *= 1.0 - weight
    return round(1.0 - doubt, 4)
