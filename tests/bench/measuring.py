"""Timing side by side: the contenders take turns within every round, so that whatever disturbs the machine
disturbs all of them alike.

Takes functions of two arguments and the calls to make; gives seconds per call for each round. Ratios are
taken within a round first, and their median last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any

ROUNDS = 31
"""Turns that every contender gets."""

SLOT = 0.004
"""Seconds of a turn; a call that takes longer than this is made once a turn."""

LONGEST = 10.0
"""Seconds that one comparison may take; slow contenders get fewer rounds, but never under FEWEST."""

FEWEST = 5


class Contender:
    """One way to do the work, and the calls that it is given in turn."""

    def __init__(
        self, name: str, decide: Callable[[Any, Any], Any], calls: Sequence[tuple[Any, Any]]
    ) -> None:
        self.name = name
        self.decide = decide
        self._calls = cycle(calls)
        self.seconds: list[float] = []
        self._count = 1

    def run(self, count: int) -> float:
        """Seconds per call over `count` calls."""
        decide = self.decide
        calls = islice(self._calls, count)
        start = perf_counter()
        for first, second in calls:
            decide(first, second)
        return (perf_counter() - start) / count

    def settle(self) -> float:
        """Warm up, and fix how many calls fill a turn. Gives the seconds that a turn takes."""
        cost = self.run(1)
        while cost * self._count < SLOT:
            self._count = max(self._count * 2, min(int(SLOT / max(cost, 1e-9)), 100_000))
            cost = self.run(self._count)
        return cost * self._count

    def take_turn(self) -> None:
        self.seconds.append(self.run(self._count))

    @property
    def cost(self) -> float:
        """The median over all rounds, in seconds per call."""
        return median(self.seconds)

    def ratio_to(self, other: Contender) -> float:
        """How many times as long as `other` this one takes."""
        return median(mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))


def compare(contenders: Iterable[Contender]) -> None:
    """Let all contenders take their turns, in an order that moves on by one each round."""
    taking_part = list(contenders)
    round_time = sum(contender.settle() for contender in taking_part)
    rounds = max(FEWEST, min(ROUNDS, int(LONGEST / max(round_time, 1e-9))))
    for number in range(rounds):
        start = number % len(taking_part)
        for contender in taking_part[start:] + taking_part[:start]:
            contender.take_turn()


def seconds_of(action: Callable[[], Any], times: int = 5) -> float:
    """The median time of an action that is too long for turns."""
    found = []
    for _ in range(times):
        start = perf_counter()
        action()
        found.append(perf_counter() - start)
    return median(found)
