"""Works: records on their way to the disk, and who waits for them."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence


class Work:
    """A record to be written. `turn` is what its thread waits on, or `future` its task; None where nobody does.
    `following` is the turn of whoever its thread wakes. `spills` says that it may go to the second log, `is_counted`
    that it is one of those that nobody waits for."""

    __slots__ = ("error", "following", "future", "is_counted", "leads", "record", "size", "spills", "turn")

    def __init__(
        self, record: Any, size: int, turn: Any = None, future: Any = None, *, spills: bool = True
    ) -> None:
        self.record = record
        self.size = size
        self.turn = turn
        self.future = future
        self.spills = spills
        self.is_counted = turn is None and future is None
        self.leads = False
        self.following: Any = None
        self.error: Exception | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody is to be told what became of it."""
        return self.turn is not None or (self.future is not None and not self.future.cancelled())

    def wake_following(self) -> None:
        """Let go on who is next, at most once in effect: a turn that was given twice is nobody's any more."""
        if self.following is not None:
            with suppress(RuntimeError):
                self.following.release()
            self.following = None


def wake(waiting: Sequence[Work]) -> None:
    """Let go on whose records were written: the first one, who wakes the second."""
    for work, following in pairwise(waiting):
        work.following = following.turn
    if waiting:
        waiting[0].turn.release()


def interrupted(batch: Sequence[Work], error: BaseException) -> list[Work]:
    """The thread that wrote for others was stopped, nobody knows where: whoever waits must not take the record for
    written, and what nobody waits for is written again."""
    for work in batch:
        work.error = work.error or AuditUnavailable(f"the write was interrupted: {type(error).__name__}")
    return [work for work in batch if work.is_counted]
