"""Numbers: what was counted and measured in this process, kept so that any exporter can read it.

Takes amounts under the values of a measure's labels, gives the series. The one idea: every measure has a most
number of series; what comes after that is counted under `other`, so that nobody, also no attacker, can make
a process or a metrics server grow.
"""

from __future__ import annotations

from bisect import bisect_left
from threading import Lock

from guardrails.telemetry.catalogue import COUNTER, FOLDED, GAUGE, HISTOGRAM, MEASURES, PROBLEMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from guardrails.telemetry.catalogue import Measure

    Labels: TypeAlias = tuple[str, ...]
    Reading: TypeAlias = Iterable[tuple[Measure, Labels, float]]

MOST_SERIES = 2_000
"""Series of one measure."""

OTHER = "other"


class Buckets:
    """One series of a histogram: how many values were at most each bound (the last: any), their sum and count."""

    __slots__ = ("count", "counts", "total")

    def __init__(self, size: int) -> None:
        self.counts = [0] * (size + 1)
        self.total = 0.0
        self.count = 0


class Numbers:
    """All series of one process. Thread-safe.

    Gauges are not kept: who knows them is asked when somebody looks. `heard` is told each value of a
    histogram as well, for exporters that cannot read whole ones.
    """

    def __init__(self, most_series: int = MOST_SERIES) -> None:
        self._most = most_series
        self._lock = Lock()
        self._counts: dict[str, dict[Labels, float]] = {
            measure.name: {} for measure in MEASURES if measure.kind == COUNTER
        }
        self._buckets: dict[str, dict[Labels, Buckets]] = {
            measure.name: {} for measure in MEASURES if measure.kind == HISTOGRAM
        }
        self._readers: dict[str, list[Callable[[], Reading]]] = {
            measure.name: [] for measure in MEASURES if measure.kind == GAUGE
        }
        self.heard: Callable[[Measure, Labels, float], None] | None = None

    def add(self, measure: Measure, labels: Labels, amount: float = 1) -> None:
        with self._lock:
            self._add(measure, labels, amount)

    def take(
        self, counts: Iterable[tuple[Measure, Labels]], values: Iterable[tuple[Measure, Labels, float]] = ()
    ) -> None:
        """Count one for each of `counts`, and take in the values of histograms, all at once."""
        with self._lock:
            for measure, labels in counts:
                self._add(measure, labels, 1)
            for measure, labels, value in values:
                self._observe(measure, labels, value)
        if self.heard is not None:
            for measure, labels, value in values:
                self.heard(measure, labels, value)

    def _add(self, measure: Measure, labels: Labels, amount: float) -> None:
        series = self._counts[measure.name]
        if labels not in series and len(series) >= self._most:
            self._fold(measure)
            labels = (OTHER,) * len(labels)
        series[labels] = series.get(labels, 0) + amount

    def observe(self, measure: Measure, labels: Labels, value: float) -> None:
        """Take in one value of a histogram."""
        self.take((), ((measure, labels, value),))

    def _observe(self, measure: Measure, labels: Labels, value: float) -> None:
        series = self._buckets[measure.name]
        found = series.get(labels)
        if found is None:
            if len(series) >= self._most:
                self._fold(measure)
                labels = (OTHER,) * len(labels)
            found = series.setdefault(labels, Buckets(len(measure.bounds)))
        found.counts[bisect_left(measure.bounds, value)] += 1
        found.total += value
        found.count += 1

    def _fold(self, measure: Measure) -> None:
        counts = self._counts[FOLDED.name]
        counts[measure.name,] = counts.get((measure.name,), 0) + 1

    # --- reading -------------------------------------------------------------------------------

    def counted(self, measure: Measure) -> Mapping[Labels, float]:
        """The series of a counter."""
        with self._lock:
            return dict(self._counts[measure.name])

    def measured(self, measure: Measure) -> Mapping[Labels, tuple[tuple[int, ...], float, int]]:
        """The series of a histogram: `(values in each bucket, their sum, their number)`."""
        with self._lock:
            return {
                labels: (tuple(found.counts), found.total, found.count)
                for labels, found in self._buckets[measure.name].items()
            }

    def read_by(self, read: Callable[[], Reading], *measures: Measure) -> None:
        """Ask `read` for these gauges from now on."""
        for measure in measures:
            self._readers[measure.name].append(read)

    def gauge(self, measure: Measure) -> dict[Labels, float]:
        """The series of a gauge, now. What cannot be read now is left out: a store that is away must not take
        the other numbers with it."""
        found: dict[Labels, float] = {}
        for read in self._readers[measure.name]:
            try:
                values = [(labels, value) for named, labels, value in read() if named is measure]
            except Exception as error:
                self.add(PROBLEMS, (type(error).__name__,))
                continue
            found |= dict(values[: self._most])
        return found
