"""Matching: all that the rules of one place find in a text.

Takes rules of one place and a text, gives the matches with their methods, in order. Every detector is asked
once, however many rules name it; what lies within an earlier placeholder is left out.
"""

from __future__ import annotations

from guardrails.errors import Unavailable
from guardrails.redaction.methods import strictest
from guardrails.redaction.overlaps import Found, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.detectors.matches import Detector, Match
    from guardrails.redaction.methods import Method, Rule
    from guardrails.redaction.placeholders import Forms


WHOLE = 4_096
"""Characters; see `Finder.judged_whole`."""


class Finder:
    """What the detectors of `rules` find outside of `forms`. `hold` and `left`: the most characters that are
    kept back, and kept of what was let go, for them to judge a text that is still growing."""

    __slots__ = ("_asked", "_forms", "hold", "left")

    def __init__(self, rules: Sequence[Rule], forms: Forms) -> None:
        self._forms = forms
        self._asked = _by_detector(rules)
        detectors = [detector for detector, _ in self._asked]
        self.hold = max((self._forms.longest, *(detector.hold for detector in detectors)))
        self.left = max((self._forms.longest, *(detector.left for detector in detectors)))

    def find(self, window: Window, context: Sequence[str], known: Known, upto: int) -> list[Found]:
        """The matches that begin before `upto` and are not `known`, which they are from now on; by their
        starts. Raises `EvaluationError`."""
        found: list[Found] = []
        for number, (detector, rules) in enumerate(self._asked):
            start = known.start(number) - window.start
            for match in matches_of(detector, window.text, context, start):
                if match.start < match.end and match.start + window.start < upto:
                    if hasattr(detector, "find_from"):
                        known.ends[number] = match.end + window.start
                    found += self._wanted(match, detector, rules, window)
        known.offset = upto
        return sorted(found, key=lambda each: (each.start, each.order))

    def find_all(self, text: str, context: Sequence[str]) -> list[Found]:
        """The matches in a whole text."""
        return self.find(Window(text), context, self.known(), len(text))

    def known(self) -> Known:
        """What is known of a text before it is read."""
        return Known(len(self._asked))

    def judged_whole(self, context: Sequence[str]) -> int:
        """Up to which length a text with this context is judged as a whole, such as the value of a field that
        is called a password. A detector says so by `judged_whole(context)`; of one that does not, up to WHOLE
        is assumed."""
        asked = [getattr(detector, "judged_whole", _judged_whole) for detector, _ in self._asked]
        return max((judged(context) for judged in asked), default=0) if context else 0

    def settled(self, window: Window, known: Known) -> int:
        """Up to where a text is settled for all. Raises `Unavailable` for a detector that keeps back more
        than it says."""
        upto = window.start + self._forms.settled(window.text)
        for number, (detector, _) in enumerate(self._asked):
            start = known.start(number)
            settled = max(start, window.start + settled_by(detector, window.text, start - window.start))
            if window.end - settled > detector.hold:
                raise Unavailable(
                    f"detector `{detector.name}` keeps back {window.end - settled:,} characters of a stream, "
                    f"more than its {detector.hold:,}"
                )
            upto = min(upto, settled)
        return max(upto, known.offset)

    def _wanted(self, match: Match, detector: Detector, rules: list[Rule], window: Window) -> list[Found]:
        """The match, unless no rule asks for its entity or it is a part of a placeholder."""
        methods: list[Method] = [rule.method for rule in rules if rule.wants(match.entity)]
        if not methods or self._forms.inside(window.text, match.start, match.end):
            return []
        start, end, method = match.start + window.start, match.end + window.start, strictest(methods)
        run = run_of(detector, match)
        return [Found(start, end, match.entity, score=match.score, method=method, run=run)]


class Known:
    """What of a text that grows has been found: all matches that begin before `offset`. `ends`: where
    the last one ended, for each detector that goes on from there."""

    __slots__ = ("ends", "offset")

    def __init__(self, detectors: int) -> None:
        self.offset = 0
        self.ends = [0] * detectors

    def start(self, detector: int) -> int:
        """From where on a detector may find something new."""
        return max(self.offset, self.ends[detector])


def matches_of(detector: Detector, text: str, context: Sequence[str], start: int) -> list[Match]:
    """The matches that begin at `start` or later. A detector whose matches depend on where the one before
    ended offers `find_from(text, start, context)`, which looks from there on."""
    find_from = getattr(detector, "find_from", None)
    if find_from is not None:
        found: list[Match] = find_from(text, start, context)
        return found
    return [match for match in detector.find(text, context) if match.start >= start]


def run_of(detector: Detector, match: Match) -> str:
    """The characters with which a match goes on that its detector had to cut short; empty for one that is whole."""
    goes_on = getattr(detector, "goes_on", None)
    if goes_on is not None:
        return str(goes_on(match))
    return getattr(detector, "run", "") if match.end - match.start >= detector.hold else ""


def settled_by(detector: Detector, text: str, start: int) -> int:
    """Up to where `text` is settled; `settled_from(text, start)` is to `settled` what `find_from` is to `find`."""
    settled_from = getattr(detector, "settled_from", None)
    settled: int = detector.settled(text) if settled_from is None else settled_from(text, start)
    return settled


def _by_detector(rules: Sequence[Rule]) -> list[tuple[Detector, list[Rule]]]:
    by_identity: dict[int, tuple[Detector, list[Rule]]] = {}
    for rule in rules:
        if rule.detector is not None:
            by_identity.setdefault(id(rule.detector), (rule.detector, []))[1].append(rule)
    return list(by_identity.values())


def _judged_whole(context: Sequence[str]) -> int:
    return WHOLE
