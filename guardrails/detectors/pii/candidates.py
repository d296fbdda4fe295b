"""What a recogniser proposes before the words around it are asked.

Takes nothing, gives the shape that recognisers and the detector share.
"""

from __future__ import annotations

from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Candidate(Value):
    """`start` and `end` are offsets in the plain text. `alone` is the score without any word around it,
    `supported` the one with a word that speaks for it; `check` is a costly test, made last."""

    __slots__ = ("alone", "check", "end", "entity", "reason", "start", "supported")

    def __init__(
        self,
        span: tuple[int, int],
        entity: str,
        scores: tuple[float, float],
        reason: str,
        check: Callable[[], bool] | None = None,
    ) -> None:
        self.start, self.end = span
        self.entity = entity
        self.alone, self.supported = scores
        self.reason = reason
        self.check = check
