"""Spenders: who used the most tokens and money, among sessions, workflows and principals.

Takes amounts by id, gives the largest. The one idea: ids have no end, so the totals are counters without ids,
and ids are only shown for the top few; of the rest the newest are remembered, and older ones forgotten.
"""

from __future__ import annotations

from heapq import nlargest
from threading import Lock

from guardrails.telemetry.catalogue import TOP_COST, TOP_TOKENS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.telemetry.catalogue import Measure

REMEMBERED = 1_000
"""Ids of each kind that are kept: those that used something last."""

SHOWN = 20
"""Ids of each kind that are exported."""


class Spenders:
    """What each id used. Thread-safe. Exact for every id that is remembered; one that was forgotten begins anew."""

    def __init__(self, remembered: int = REMEMBERED, shown: int = SHOWN) -> None:
        self._remembered = remembered
        self._shown = shown
        self._lock = Lock()
        self._used: dict[tuple[Measure, str, str], dict[str, float]] = {}

    def spend(self, ids: dict[str, str], tokens: float, cost: float, currency: str) -> None:
        """Take in what was used by all of `ids`, by kind."""
        with self._lock:
            for by, name in ids.items():
                if name and tokens:
                    self._add((TOP_TOKENS, by, ""), name, tokens)
                if name and cost:
                    self._add((TOP_COST, by, currency), name, cost)

    def _add(self, table: tuple[Measure, str, str], name: str, amount: float) -> None:
        used = self._used.setdefault(table, {})
        used[name] = used.pop(name, 0) + amount  # the newest stands last
        if len(used) > self._remembered:
            del used[next(iter(used))]

    def read(self) -> Iterator[tuple[Measure, tuple[str, ...], float]]:
        """The top of each table, as gauges."""
        with self._lock:
            tables = {
                table: nlargest(self._shown, used.items(), _amount) for table, used in self._used.items()
            }
        for (measure, by, currency), rows in tables.items():
            for name, amount in rows:
                yield measure, (by, name, currency)[: len(measure.labels)], amount


def _amount(row: tuple[str, float]) -> float:
    return row[1]
