"""Batches: waiting requests that are alike, to be looked at and decided together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrails.approvals.request import Far, Request

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests for the same tool by the same statements of a policy, for as many calls."""

    tool: str
    statements: tuple[str, ...]
    requests: tuple[Request, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple([request.id for request in self.requests])


def batched(requests: Iterable[Request]) -> tuple[Batch, ...]:
    """The requests in groups, the largest first."""
    groups: dict[tuple[str, tuple[str, ...], str, Far | None], list[Request]] = {}
    for request in requests:
        statements = tuple(sorted(need.statement for need in request.needs))
        key = (request.tool, statements, request.subject.policy, request.reuse)
        groups.setdefault(key, []).append(request)
    found = [Batch(tool, statements, tuple(each)) for (tool, statements, *_), each in groups.items()]
    return tuple(sorted(found, key=lambda batch: (-len(batch.requests), batch.tool, batch.statements)))
