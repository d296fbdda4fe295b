"""From candidates to matches: the words around, overlaps, and the way back to the original text.

Takes candidates in the plain text, gives matches in the original. The one idea: every rule looks at a match and
its neighbours only, so that a part of a text is decided as in the whole.
"""

from __future__ import annotations

from guardrails.detectors.entities import AGAINST_FOR, CERTAIN, SPEAKS_FOR_ITSELF
from guardrails.detectors.matches import Match
from guardrails.detectors.pii.context import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guardrails.detectors.normalise import Normalised
    from guardrails.detectors.pii.candidates import Candidate

SHADOWS = frozenset(
    {"CREDIT_CARD", "IBAN_CODE", "UUID", "IP_ADDRESS", "MAC_ADDRESS", "CRYPTO", "EMAIL_ADDRESS"}
)
SHADOWED = frozenset({
    "PHONE_NUMBER", "UK_NHS", "US_SSN", "US_ITIN", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_PASSPORT",
    "DATE_TIME", "URL", "MEDICAL_LICENSE",
})  # fmt: skip
"""A number inside one of the first is part of it, and is not reported as one of the second."""


def judged(candidates: Iterable[Candidate], context: Context, threshold: float) -> Iterator[Match]:
    """The candidates that reach `threshold` once the words before them are heard; offsets stay plain."""
    for candidate in candidates:
        score = score_of(candidate, context) if candidate.supported >= threshold else 0.0
        if score >= threshold and (candidate.check is None or candidate.check()):
            yield Match(candidate.start, candidate.end, candidate.entity, score, candidate.reason)


def score_of(candidate: Candidate, context: Context) -> float:
    """The score of a candidate in its place."""
    if candidate.alone >= min(CERTAIN, candidate.supported):
        return candidate.alone
    verdict = context.verdict(
        candidate.start, candidate.entity, AGAINST_FOR.get(candidate.entity, frozenset())
    )
    if verdict > 0:
        return candidate.supported
    moved = verdict < 0 and candidate.alone < SPEAKS_FOR_ITSELF.get(candidate.entity, CERTAIN)
    return candidate.alone / 2 if moved else candidate.alone


def in_original(matches: Iterable[Match], plain: Normalised) -> list[Match]:
    """The matches with offsets of the original text."""
    if not plain.changed:
        return list(matches)
    return [Match(*plain.span(m.start, m.end), m.entity, m.score, m.reason) for m in matches]


def resolved(matches: list[Match]) -> list[Match]:
    """In order, each stretch once for each entity, nested or apart: what would begin inside of a match and end
    behind it begins at its end."""
    if len(matches) < 2:
        return matches
    kept: list[Match] = []
    active: list[Match] = []
    for match in sorted(matches, key=_order):
        active = [other for other in active if other.end > match.start]
        if any(_covers(other, match) for other in active):
            continue
        active.append(match)
        start = max(
            (o.end for o in active if o.start < match.start and o.end < match.end), default=match.start
        )
        if start == match.start:
            kept.append(match)
        else:
            kept.append(Match(start, match.end, match.entity, match.score, match.reason))
    return sorted(kept, key=_order)


def _order(match: Match) -> tuple[int, int, float, str, str]:
    return match.start, -match.end, -match.score, match.entity, match.reason


def _covers(outer: Match, inner: Match) -> bool:
    """Whether `inner`, which does not begin before `outer`, says nothing new."""
    if outer.end < inner.end:
        return False
    if outer.entity == inner.entity:
        return True
    return outer.entity in SHADOWS and inner.entity in SHADOWED
