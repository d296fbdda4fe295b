"""The detector of personal data.

Takes a text and words around it, gives matches. The one idea: most texts are let go by the prefilter, the rest
goes to the recognisers whose condition holds, and only names of people, places and organisations ever need a
model. Nothing here opens a connection or a file but the data of installed packages.
"""

from __future__ import annotations

from guardrails.detectors import prefilter
from guardrails.detectors.entities import DEFAULT, NAMED_BY_MODEL, needs_model
from guardrails.detectors.normalise import normalised
from guardrails.detectors.pii import addresses, codes, dates, numbers, streams
from guardrails.detectors.pii.context import Context
from guardrails.detectors.pii.custom import LONGEST, scanner
from guardrails.detectors.pii.matching import in_original, judged, resolved
from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from guardrails.detectors.matches import Match
    from guardrails.detectors.pii.candidates import Candidate
    from guardrails.detectors.pii.custom import Custom

    Scan: TypeAlias = Callable[[str], Iterator[Candidate]]

RECOGNISERS: tuple[tuple[str, Scan, frozenset[str]], ...] = (
    (prefilter.EMAIL, addresses.emails, frozenset({"EMAIL_ADDRESS"})),
    (prefilter.URL, addresses.urls, frozenset({"URL"})),
    (prefilter.IP, addresses.ips, frozenset({"IP_ADDRESS"})),
    (prefilter.MAC, addresses.macs, frozenset({"MAC_ADDRESS"})),
    (prefilter.NUMBER, numbers.numbers, numbers.ENTITIES),
    (prefilter.IBAN, codes.ibans, frozenset({"IBAN_CODE"})),
    (prefilter.WALLET, codes.wallets, frozenset({"CRYPTO"})),
    (prefilter.UUID, codes.uuids, frozenset({"UUID"})),
    (prefilter.LICENCE, codes.registrations, frozenset({"MEDICAL_LICENSE"})),
    (prefilter.LICENCE, codes.passports, frozenset({"US_PASSPORT"})),
    (prefilter.LICENCE, codes.licences, frozenset({"US_DRIVER_LICENSE"})),
    (prefilter.DATE, dates.dates, frozenset({"DATE_TIME"})),
    (prefilter.MONTH, dates.worded_dates, frozenset({"DATE_TIME"})),
)
"""Family of the prefilter, recogniser, and what it finds."""

SPOKEN_FOR: dict[Scan, str] = {codes.passports: "US_PASSPORT", codes.licences: "US_DRIVER_LICENSE"}
"""Recognisers that find nothing by themselves: without a word for their entity they need not run."""


class PiiDetector:
    """Finds `entities`, under the names that Presidio gives them; None is `entities.DEFAULT`.

    Only matches whose score is `threshold` or more are given. Values in `allow` are never reported. `custom`
    adds recognisers of one's own, whose names are entities too. `model` names what finds people, places and
    organisations (see `presidio_names`); None takes an installed spaCy model of the language.
    Raises `EvaluationError` for an entity that nothing finds."""

    name = "pii"
    left = streams.LEFT

    def __init__(
        self,
        entities: frozenset[str] | None = None,
        *,
        language: str = "en",
        threshold: float = 0.5,
        allow: Iterable[str] = (),
        custom: Iterable[Custom] = (),
        model: str | None = None,
    ) -> None:
        own = tuple(custom)
        self._entities = DEFAULT if entities is None else frozenset(entities)
        self._threshold = threshold
        self._allow = frozenset(map(_folded, allow))
        self._language = language
        self._model = model
        self._names = needs_model(self._entities)
        self._regions = self._entities - DEFAULT - NAMED_BY_MODEL - {one.name for one in own}
        self._scans = tuple(row[:2] for row in RECOGNISERS if row[2] & self._entities)
        self._own = tuple(map(scanner, own))
        self._wanted = frozenset(family for family, _ in self._scans)
        self._slow = bool(self._own or self._names or self._regions)
        if self._regions:
            _require_found(self._regions, language)
        self.hold = streams.HOLD

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        """See `Detector.find`. Raises `EvaluationError` when a model is needed and none is installed."""
        plain = normalised(text)
        families = prefilter.families(plain.text) & self._wanted
        if not families and not self._slow:
            return []
        around = Context(plain.text, context)
        candidates = self._candidates(plain.text, families, around)
        found = list(judged(candidates, around, self._threshold))
        if self._names:
            found += self._named(plain.text)
        return resolved(self._reported(in_original(found, plain), text))

    def judged_whole(self, context: Sequence[str] = ()) -> int:
        """How much of a text must be there before any of it can be judged: nothing, words around a match only
        move its score."""
        return 0

    def settled(self, text: str) -> int:
        """See `Detector.settled`."""
        if self._names:
            return streams.last_sentence(text)
        if self._own:
            return streams.settled_before(text, LONGEST, self.find)
        return streams.settled(text, self.find)

    def _candidates(self, text: str, families: frozenset[str], around: Context) -> Iterator[Candidate]:
        for family, scan in self._scans:
            if family in families and self._could_find(scan, around):
                yield from (one for one in scan(text) if one.entity in self._entities)
        for own in self._own:
            yield from own(text, around)
        if self._regions:
            from guardrails.detectors.presidio_regions import regional

            yield from regional(text, self._regions, self._language, around)

    def _could_find(self, scan: Scan, around: Context) -> bool:
        entity = SPOKEN_FOR.get(scan)
        return entity is None or self._threshold <= codes.UNSPOKEN or around.could_speak_for(entity)

    def _named(self, text: str) -> list[Match]:
        from guardrails.detectors.presidio_names import names

        found = names(text, self._language, self._model)
        return [one for one in found if one.entity in self._names and one.score >= self._threshold]

    def _reported(self, matches: list[Match], text: str) -> list[Match]:
        if not self._allow:
            return matches
        return [m for m in matches if _folded(text[m.start : m.end]) not in self._allow]


def _require_found(entities: frozenset[str], language: str) -> None:
    from guardrails.detectors.presidio_regions import known

    for entity in sorted(entities - known(language)):
        raise EvaluationError(f"nothing finds the entity `{entity}` in the language `{language}`")


def _folded(value: str) -> str:
    """How a value is compared with those that are allowed."""
    return normalised(value).text.strip().casefold()
