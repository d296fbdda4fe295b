"""Baselines: whether what happens now differs from what happened before, by more than chance.

Takes counts and lengths, gives a score in standard deviations and the size of the change; both have to be
large, because among many events every small change is significant, and among few every large one is noise.

Counts are compared by the likelihood ratio of homogeneity (the G test), turned into a normal score by the
cube root of Wilson and Hilferty; their distance is the root of the Jensen-Shannon divergence. Lengths are
compared by Welch's t on their logarithms.
"""

from __future__ import annotations

from collections import deque
from math import exp, expm1, log, log1p, sqrt

from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_EXPECTED = 1.0
"""Kinds of which fewer are expected among the newest events are compared together."""

REST = ""


class Change(Value):
    """How far the newest events are from those before: `score` in standard deviations, `size` from 0 to 1 for
    counts and as a factor for lengths; `before` and `now` are the figures themselves."""

    __slots__ = ("before", "now", "score", "size")

    def __init__(self, score: float, size: float, before: float, now: float) -> None:
        self.score = score
        self.size = size
        self.before = before
        self.now = now


class Kinds:
    """The kinds of the newest `window` events, and of the `baseline` events before them."""

    def __init__(self, window: int, baseline: int) -> None:
        self._window = window
        self._baseline = baseline
        self._newest: deque[str] = deque()
        self._older: deque[str] = deque()
        self.now: dict[str, int] = {}
        self.before: dict[str, int] = {}

    def add(self, kind: str) -> None:
        newest, older = self._newest, self._older
        newest.append(kind)
        self.now[kind] = self.now.get(kind, 0) + 1
        if len(newest) > self._window:
            moved = newest.popleft()
            _less(self.now, moved)
            older.append(moved)
            self.before[moved] = self.before.get(moved, 0) + 1
            if len(older) > self._baseline:
                _less(self.before, older.popleft())

    @property
    def known(self) -> int:
        """Events of the baseline so far."""
        return len(self._older)

    def change(self) -> Change:
        return Change(score_of(self.before, self.now), distance(self.before, self.now), 0.0, 0.0)

    def change_of(self, kind: str) -> Change:
        """The same for the share of one kind; `size` is the difference of the shares."""
        before, now = _share(self.before, kind), _share(self.now, kind)
        both = [_split(counts, kind) for counts in (self.before, self.now)]
        return Change(score_of(*both), abs(now - before), before, now)

    def movers(self, most: int = 3) -> tuple[str, ...]:
        """The kinds whose share changed the most."""
        kinds = {*self.before, *self.now}
        ordered = sorted(
            kinds, key=lambda kind: (-abs(_share(self.now, kind) - _share(self.before, kind)), kind)
        )
        return tuple(ordered[:most])


class Lengths:
    """The same for lengths of texts, by their logarithms."""

    def __init__(self, window: int, baseline: int) -> None:
        self._window = window
        self._baseline = baseline
        self._newest: deque[float] = deque()
        self._older: deque[float] = deque()

    def add(self, length: int) -> None:
        self._newest.append(log1p(length))
        if len(self._newest) > self._window:
            self._older.append(self._newest.popleft())
        if len(self._older) > self._baseline:
            self._older.popleft()

    @property
    def known(self) -> int:
        return len(self._older)

    def change(self) -> Change:
        """`before` and `now` are typical lengths (geometric means), `size` the factor between them, from 1."""
        before, now = _moments(self._older), _moments(self._newest)
        spread = sqrt(before[1] / len(self._older) + now[1] / len(self._newest))
        gap = abs(now[0] - before[0])
        return Change(gap / max(spread, 1e-3), exp(gap), expm1(before[0]), expm1(now[0]))


def score_of(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """How unlikely it is that both come from the same source, in standard deviations; 0 with one kind only."""
    before, now = _merged(before, now)
    kinds = [kind for kind in {*before, *now} if before.get(kind, 0) + now.get(kind, 0)]
    free = len(kinds) - 1
    if free < 1:
        return 0.0
    totals = sum(before.values()), sum(now.values())
    ratio = 0.0
    for kind in kinds:
        pooled = (before.get(kind, 0) + now.get(kind, 0)) / sum(totals)
        for counts, total in zip((before, now), totals, strict=True):
            found = counts.get(kind, 0)
            ratio += 2 * found * log(found / (pooled * total)) if found else 0.0
    spread = 2 / (9 * free)
    return float(((max(ratio, 0.0) / free) ** (1 / 3) - (1 - spread)) / sqrt(spread))


def _merged(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Rare kinds counted as one: the test means nothing for a handful of events."""
    share = sum(now.values()) / max(sum(before.values()) + sum(now.values()), 1)
    merged: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for kind in {*before, *now}:
        both = before.get(kind, 0) + now.get(kind, 0)
        name = kind if both * share >= LEAST_EXPECTED else REST
        for counts, source in zip(merged, (before, now), strict=True):
            counts[name] = counts.get(name, 0) + source.get(kind, 0)
    return merged


def distance(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The Jensen-Shannon distance of two distributions, from 0 (the same) to 1 (nothing in common)."""
    totals = max(sum(before.values()), 1), max(sum(now.values()), 1)
    found = 0.0
    for kind in {*before, *now}:
        shares = before.get(kind, 0) / totals[0], now.get(kind, 0) / totals[1]
        middle = sum(shares) / 2
        found += sum(share * log(share / middle, 2) for share in shares if share) / 2
    return sqrt(max(found, 0.0))


def _share(counts: dict[str, int], kind: str) -> float:
    return counts.get(kind, 0) / max(sum(counts.values()), 1)


def _split(counts: dict[str, int], kind: str) -> dict[str, int]:
    found = counts.get(kind, 0)
    return {"is": found, "is not": sum(counts.values()) - found}


def _less(counts: dict[str, int], kind: str) -> None:
    counts[kind] -= 1
    if not counts[kind]:
        del counts[kind]


def _moments(values: deque[float]) -> tuple[float, float]:
    """Mean and variance."""
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
