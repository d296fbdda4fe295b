"""The statistics of an evaluation: counts in, intervals and probabilities out.

Everything is exact or nearly so for small sets, because labelled sets are small: Wilson's interval for a share
(E. B. Wilson, 1927), McNemar's test in its binomial form for two answers to the same questions (Q. McNemar,
1947), Fisher's exact test for two sets, and Holm's correction for asking many questions at once (S. Holm, 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, lgamma, log, sqrt
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`."""

    hits: int
    total: int

    @property
    def exact(self) -> Fraction | None:
        """The share; None of nothing."""
        return Fraction(self.hits, self.total) if self.total else None

    @property
    def value(self) -> float | None:
        return self.hits / self.total if self.total else None

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Between which shares the true one lies, with this confidence, by Wilson's score."""
        return wilson(self.hits, self.total, confidence)


def wilson(hits: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of Wilson's score; from 0 to 1 where nothing was counted."""
    if not total:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = hits / total, z * z / total
    middle = share + spread / 2
    half = z * sqrt(share * (1 - share) / total + spread / (4 * total))
    low = 0.0 if hits == 0 else (middle - half) / (1 + spread)
    high = 1.0 if hits == total else (middle + half) / (1 + spread)
    return low, high


@dataclass(frozen=True, slots=True)
class Paired:
    """Two answers to each of the same questions: how many were right both times, only the first time (`lost`),
    only the second (`gained`), and never."""

    both: int
    lost: int
    gained: int
    neither: int

    @property
    def total(self) -> int:
        return self.both + self.lost + self.gained + self.neither

    @property
    def before(self) -> Share:
        return Share(self.both + self.lost, self.total)

    @property
    def now(self) -> Share:
        return Share(self.both + self.gained, self.total)

    @property
    def correlation(self) -> float:
        """Of both answers (phi), corrected towards none as Newcombe does."""
        product: float = self.both * self.neither - self.lost * self.gained
        if product > 0:
            product = max(product - self.total / 2, 0)
        sides = (
            self.before.hits * (self.total - self.before.hits) * self.now.hits * (self.total - self.now.hits)
        )
        return product / sqrt(sides) if sides else 0.0


def change_interval(
    before: Share, now: Share, confidence: float = CONFIDENCE, correlation: float = 0.0
) -> tuple[float, float]:
    """Between which values the true change of a share lies (R. G. Newcombe, 1998: method 10, for samples or, with
    the correlation of their answers, for pairs)."""
    if before.value is None or now.value is None:
        return -1.0, 1.0
    (low, high), (old_low, old_high) = now.interval(confidence), before.interval(confidence)
    change = now.value - before.value
    down = _joint(now.value - low, old_high - before.value, correlation)
    up = _joint(high - now.value, before.value - old_low, correlation)
    return change - down, change + up


def _joint(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def worse_in_pairs(lost: int, gained: int) -> float:
    """How probable it is that at least `lost` of all answers that changed became wrong, if a change is as likely
    to help as to harm (McNemar, one-sided)."""
    changed = lost + gained
    terms = (_log_choose(changed, count) - changed * log(2) for count in range(lost, changed + 1))
    return min(1.0, sum(map(exp, terms)))


def worse_in_samples(before: Share, now: Share) -> float:
    """How probable it is that so few hits or fewer are in the second sample, if both are of the same kind
    (Fisher, one-sided)."""
    if not before.total or not now.total:
        return 1.0
    hits, total = before.hits + now.hits, before.total + now.total
    whole = _log_choose(total, now.total)
    terms = (
        _log_choose(hits, count) + _log_choose(total - hits, now.total - count) - whole
        for count in range(max(0, now.total - (total - hits)), now.hits + 1)
    )
    return min(1.0, sum(map(exp, terms)))


def _log_choose(many: int, few: int) -> float:
    return lgamma(many + 1) - lgamma(few + 1) - lgamma(many - few + 1)


def significant(probabilities: Sequence[float], level: float) -> list[bool]:
    """Which of these are too improbable to be chance, all questions taken together (Holm)."""
    found = [False] * len(probabilities)
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    for rank, index in enumerate(order):
        if probabilities[index] > level / (len(probabilities) - rank):
            break
        found[index] = True
    return found
