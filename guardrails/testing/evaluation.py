"""An evaluation: what came of each labelled example in, how often it was right out.

An example comes down to pairs of `(expected, got)`: the outcome of a policy is one pair, what a detector finds
in a text is one for each span, with None on the side that has nothing. All figures are counts of such pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from guardrails.testing.evaluation_statistics import CONFIDENCE, Share

Pair: TypeAlias = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """An example and what came of it. `key` tells it apart from all others by its content, `line` is its line
    in the dataset, `about` is the start of it, for people, and `because` why it came out so."""

    key: str
    line: int
    pairs: tuple[Pair, ...]
    group: str = ""
    about: str = ""
    because: str = ""
    errors: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        return all(expected == got for expected, got in self.pairs)


@dataclass(frozen=True, slots=True)
class Score:
    """How well one label is told: of what was called so, how much is (`precision`); of what is, how much was
    called so (`recall`)."""

    label: str
    precision: Share
    recall: Share

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both; None where the label occurs on neither side."""
        both = self.precision.total + self.recall.total
        return 2 * self.recall.hits / both if both else None

    def f1_interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """F1 grows with the share of the hits in all that was labelled or called so, which has an interval by
        Wilson; this is that one."""
        hits = self.recall.hits
        low, high = Share(hits, self.precision.total + self.recall.total - hits).interval(confidence)
        return 2 * low / (1 + low), 2 * high / (1 + high)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a dataset. `subject` says of what, in a few words, and `labels` are all that can be told, in
    the order in which people look at them."""

    subject: str
    labels: tuple[str, ...]
    judged: tuple[Judged, ...]

    @property
    def accuracy(self) -> Share:
        """The examples of which everything is right."""
        return right_of(self.judged)

    @property
    def confusion(self) -> Counter[Pair]:
        return confusion_of(self.judged)

    @property
    def scores(self) -> tuple[Score, ...]:
        """Of each label that occurs, expected or got."""
        confusion = self.confusion
        return tuple(score_of(label, confusion) for label in self.labels if _occurs(label, confusion))

    @property
    def groups(self) -> dict[str, Share]:
        """How many are right of each group, by name."""
        return groups_of(self.judged)

    @property
    def mistakes(self) -> tuple[Judged, ...]:
        return tuple(each for each in self.judged if not each.is_right)


def right_of(judged: Sequence[Judged]) -> Share:
    return Share(sum(each.is_right for each in judged), len(judged))


def confusion_of(judged: Iterable[Judged]) -> Counter[Pair]:
    return Counter(pair for each in judged for pair in each.pairs)


def score_of(label: str, confusion: Counter[Pair]) -> Score:
    hits = confusion[label, label]
    called = sum(count for (_, got), count in confusion.items() if got == label)
    labelled = sum(count for (expected, _), count in confusion.items() if expected == label)
    return Score(label, Share(hits, called), Share(hits, labelled))


def groups_of(judged: Iterable[Judged]) -> dict[str, Share]:
    found: dict[str, list[Judged]] = {}
    for each in judged:
        if each.group:
            found.setdefault(each.group, []).append(each)
    return {name: right_of(members) for name, members in sorted(found.items())}


def _occurs(label: str, confusion: Counter[Pair]) -> bool:
    return any(count and label in pair for pair, count in confusion.items())
