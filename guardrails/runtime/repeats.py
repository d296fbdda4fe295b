"""Repeats: events that are told again, because a framework ran a step once more or a hook was called twice.

Takes what identifies an event and what was made of it, gives what is known of the first time. Only who names a
call can repeat it: without an id two equal events are two events. What is known is bounded, and what was forgotten
counts as new, which says something twice but never leaves anything out.
"""

from __future__ import annotations

from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.model import Decision

MOST = 10_000
"""Events that are known."""


class Repeats:
    """Remembers a word for each event. Thread-safe: a race says something twice at most."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Any, ...], str] = OrderedDict()

    def first(self, mark: tuple[Any, ...]) -> str | None:
        """What was kept when this was seen for the first time; None when it is new."""
        return self._known.get(mark)

    def keep(self, mark: tuple[Any, ...], word: str) -> None:
        known = self._known
        known[mark] = word
        while len(known) > MOST:
            try:
                known.popitem(last=False)
            except KeyError:  # another thread was faster
                return


def verdict_of(decision: Decision) -> tuple[Any, ...]:
    """All that is to be equal of two decisions for one to be the other again. Whoever was asked anew is none."""
    consent = decision.consent
    return (
        decision.outcome, decision.policy,
        tuple([(each.name, each.outcome, each.kept_by_error) for each in decision.applied]),
        tuple([(each.statement, each.kind) for each in decision.errors]),
        tuple([each.name for each in decision.shadow]),
        tuple([(each.kind, each.statement, each.paths) for each in decision.transforms]),
        tuple([(each.kind, each.statement) for each in decision.obligations]),
        None if consent is None else (consent.request, consent.approval, consent.reviews),
    )  # fmt: skip


def digest_of(*values: Any) -> bytes | None:
    """A digest of plain data; None for what cannot be compared that way."""
    from hashlib import blake2b
    from marshal import dumps

    try:
        data = dumps(values, 2)  # this version writes equal data alike, whoever else holds it
    except ValueError:
        return None
    return blake2b(data, digest_size=16).digest()
