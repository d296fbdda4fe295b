"""Habits: whether people read what they approve.

Takes requests, gives a line for each person. An approval counts as unread when its giver was never shown the
request before, and as quick when they answered within a few seconds after it; neither is proof, but many of
either say that the rule asks too often, or the wrong people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardrails.approvals.request import Answer, Request


@dataclass(frozen=True, slots=True)
class Habits:
    """One person's answers: how many approve, deny (or find wrong), and how many of the approvals were given
    unread, quickly, or together with others. `median` is the usual time from being shown to approving, in
    microseconds; None where nothing was read."""

    by: str
    approved: int
    denied: int
    unread: int
    quick: int
    together: int
    median: int | None

    @property
    def suspicious(self) -> int:
        """Approvals without reading, or hardly."""
        return self.unread + self.quick


def habits_of(requests: Iterable[Request], quick: int) -> tuple[Habits, ...]:
    """Everybody's habits, the most suspicious first. `quick` is in microseconds."""
    answers: dict[str, list[Answer]] = {}
    for request in requests:
        for answer in request.answers:
            answers.setdefault(answer.by, []).append(answer)
    found = [_habits(by, each, quick) for by, each in answers.items()]
    return tuple(sorted(found, key=lambda habits: (-habits.suspicious, habits.by)))


def _habits(by: str, answers: list[Answer], quick: int) -> Habits:
    approvals = [answer for answer in answers if answer.verdict in ("approve", "upheld")]
    waits = sorted(answer.at - answer.shown for answer in approvals if answer.shown is not None)
    return Habits(
        by,
        len(approvals),
        len(answers) - len(approvals),
        sum(answer.shown is None for answer in approvals),
        sum(wait < quick for wait in waits),
        sum(answer.together > 1 for answer in approvals),
        waits[len(waits) // 2] if waits else None,
    )
