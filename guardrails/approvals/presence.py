"""Presence: answers of whoever sits in front of a host that asks by itself.

A host with a question of its own (a coding agent at a terminal, a client that shows forms) knows that somebody is there,
and not who. Takes a guard, the groups that this person belongs to, and what to call them; gives a desk at which they can
answer what is asked of those groups, or of nobody in particular, and nothing else.
"""

from __future__ import annotations

from guardrails.approvals.groups import Groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from guardrails.approvals.desk import Approvals


def desk_of(guard: Any, present: Iterable[str], name: str) -> Approvals:
    """The desk of the person called `name`, who is in the groups that are `present`."""
    desk: Approvals = guard.approvals
    desk.groups = Groups(dict.fromkeys(("whoever is there", *present), (name,)))
    return desk
