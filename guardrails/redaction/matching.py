"""Matching: all that the rules of one place find in a text.

Takes rules of one place and a text, gives the matches with their methods, in order. Every detector is asked
once, however many rules name it; what lies within an earlier placeholder is left out.
"""

from __future__ import annotations

from guardrails.errors import Unavailable
from guardrails.redaction.methods import strictest
from guardrails.redaction.overlaps import Found
from guardrails.redaction.placeholders import Forms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.detectors.matches import Detector, Match
    from guardrails.redaction.methods import Method, Rule
    from guardrails.redaction.placeholders import Writer


class Finder:
    """What the detectors of `rules` find. `hold` and `left`: the most characters that are kept back, and kept
    of what was let go, for them to judge a text that is still growing."""

    __slots__ = ("_asked", "_forms", "hold", "left")

    def __init__(self, rules: Sequence[Rule], writer: Writer) -> None:
        self._forms = Forms([rule.method for rule in rules], writer)
        self._asked = _by_detector(rules)
        detectors = [detector for detector, _ in self._asked]
        self.hold = max((self._forms.longest, *(detector.hold for detector in detectors)))
        self.left = max((self._forms.longest, *(detector.left for detector in detectors)))

    def find(self, text: str, context: Sequence[str], start: int = 0) -> list[Found]:
        """The matches that begin at `start` or later, by their starts. Raises `EvaluationError`."""
        found = [
            each
            for detector, rules in self._asked
            for match in matches_of(detector, text, context, start)
            if match.start < match.end and (each := _found(match, detector, rules)) is not None
        ]
        kept = [each for each in found if not self._forms.inside(text, each.start, each.end)]
        return sorted(kept, key=lambda each: (each.start, each.order))

    def settled(self, text: str) -> int:
        """Up to where `text` is settled for all. Raises `Unavailable` for a detector that keeps back more
        than it says."""
        upto = self._forms.settled(text)
        for detector, _ in self._asked:
            settled = detector.settled(text)
            if len(text) - settled > detector.hold:
                raise Unavailable(
                    f"detector `{detector.name}` keeps back {len(text) - settled:,} characters of a stream, "
                    f"more than its {detector.hold:,}"
                )
            upto = min(upto, settled)
        return upto


def matches_of(detector: Detector, text: str, context: Sequence[str], start: int) -> list[Match]:
    """The matches that begin at `start` or later. A detector whose matches depend on where the one before
    ended offers `find_from(text, start, context)`, which looks from there on."""
    find_from = getattr(detector, "find_from", None)
    if find_from is not None:
        found: list[Match] = find_from(text, start, context)
        return found
    return [match for match in detector.find(text, context) if match.start >= start]


def _by_detector(rules: Sequence[Rule]) -> list[tuple[Detector, list[Rule]]]:
    by_identity: dict[int, tuple[Detector, list[Rule]]] = {}
    for rule in rules:
        if rule.detector is not None:
            by_identity.setdefault(id(rule.detector), (rule.detector, []))[1].append(rule)
    return list(by_identity.values())


def _found(match: Match, detector: Detector, rules: list[Rule]) -> Found | None:
    methods: list[Method] = [rule.method for rule in rules if rule.wants(match.entity)]
    if not methods:
        return None
    is_cut = match.end - match.start >= detector.hold
    run: str = getattr(detector, "run", "") if is_cut else ""
    return Found(match.start, match.end, match.entity, score=match.score, method=strictest(methods), run=run)
